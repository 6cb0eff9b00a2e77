#include "supervisor/backoff.h"

#include "base/must.h"

int64_t backoff_next(int64_t last_ms, int64_t life_ms)
{
	must(last_ms >= 0 && last_ms <= BACKOFF_MAX_MS);
	if (last_ms == 0 || life_ms > BACKOFF_LONG_LIFE_MS) /* B2 */
		return BACKOFF_FIRST_MS;
	return last_ms * 2 < BACKOFF_MAX_MS ? last_ms * 2 : BACKOFF_MAX_MS; /* B1 */
}
