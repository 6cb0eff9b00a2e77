#include "queue/retry_schedule.h"

#include "base/must.h"

int64_t retry_schedule_gap(const struct retry_schedule *schedule, uint32_t attempt_count)
{
	must(schedule->gap_count >= 1);
	must(attempt_count >= 1);

	const size_t last = schedule->gap_count - 1;
	const size_t number = attempt_count - 1;
	const int64_t gap_ms = schedule->gaps_ms[number < last ? number : last];

	must(gap_ms > 0);
	return gap_ms;
}

enum retry_verdict retry_schedule_next(const struct retry_schedule *schedule,
    const struct retry_moment *moment, int64_t *out_due_ms)
{
	must(moment->spread < RETRY_SPREAD_MAX);

	if (moment->now_ms >= moment->expires_ms)
		return RETRY_EXPIRED;

	/* Divided first: no gap is too long to be multiplied. */
	const int64_t gap_ms = retry_schedule_gap(schedule, moment->attempt_count);
	const int64_t step_ms = gap_ms / (8 * RETRY_SPREAD_MAX);
	const int64_t rest_ms = gap_ms % (8 * RETRY_SPREAD_MAX);
	const int64_t wait_ms = gap_ms - step_ms * moment->spread - rest_ms * moment->spread / (8 * RETRY_SPREAD_MAX);

	must(wait_ms <= gap_ms && wait_ms >= gap_ms - gap_ms / 8 - 1); /* R1 */

	/* Compared as a difference: now + wait could overflow. */
	*out_due_ms = wait_ms > moment->expires_ms - moment->now_ms ? moment->expires_ms : moment->now_ms + wait_ms; /* R2 */
	return RETRY_PLANNED;
}

uint32_t retry_spread(uint64_t id, uint32_t index)
{
	/* The finalizer of MurmurHash3: neighbours end far apart. */
	uint64_t bits = id + 0x9E3779B97F4A7C15u * (index + 1u);

	bits = (bits ^ bits >> 33) * 0xFF51AFD7ED558CCDu;
	bits = (bits ^ bits >> 33) * 0xC4CEB9FE1A85EC53u;
	return (uint32_t)(bits >> 54);
}
