#include "route/sts_memory.h"

#include "base/backoff.h"
#include "base/must.h"
#include "base/pack.h"

enum { CLOCK_APART_MS = 60 * 60 * 1000, FORM = 1 };

int64_t sts_memory_end_ms(const struct sts_memory *memory)
{
	const int64_t age_ms = (int64_t)memory->policy.max_age_s * 1000;

	return memory->fetched_ms + (age_ms > STS_AGE_MS_MIN ? age_ms : STS_AGE_MS_MIN);
}

bool sts_memory_holds(const struct sts_memory *memory, int64_t now_ms)
{
	return memory->fetched_ms > 0 && now_ms < sts_memory_end_ms(memory);
}

bool sts_memory_is_believed(const struct sts_memory *memory, int64_t now_ms)
{
	const int64_t end_ms = now_ms + CLOCK_APART_MS;

	return memory->fetched_ms <= end_ms && memory->failed_ms <= end_ms;
}

int64_t sts_memory_retry_ms(const struct sts_memory *memory)
{
	return backoff_ms(STS_RETRY_MS_MIN, STS_RETRY_MS_MAX, memory->failure_count);
}

int64_t sts_memory_refresh_ms(const struct sts_memory *memory)
{
	if (memory->fetched_ms == 0)
		return INT64_MAX;
	const int64_t half_ms = (sts_memory_end_ms(memory) - memory->fetched_ms) / 2;
	const int64_t due_ms = memory->fetched_ms + (half_ms < STS_REFRESH_MS ? half_ms : STS_REFRESH_MS);
	const int64_t again_ms = memory->failed_ms + sts_memory_retry_ms(memory);

	return memory->failure_count > 0 && again_ms > due_ms ? again_ms : due_ms;
}

/* -- Its form ------------------------------------------------------------------------------ */

struct text sts_memory_encode(const struct sts_memory *memory, char room[STS_MEMORY_BYTES_MAX])
{
	struct pack pack = { .room = room, .room_size = STS_MEMORY_BYTES_MAX };

	pack_number(&pack, FORM, 1);
	pack_number(&pack, (uint64_t)memory->fetched_ms, 8);
	pack_number(&pack, memory->policy.mode, 1);
	pack_number(&pack, memory->policy.max_age_s, 4);
	pack_text(&pack, memory->policy.patterns, STS_PATTERNS_MAX);
	pack_text(&pack, memory->id, STS_ID_MAX);
	pack_number(&pack, (uint64_t)memory->used_ms, 8);
	pack_number(&pack, memory->failure_count, 4);
	pack_number(&pack, (uint64_t)memory->failed_ms, 8);
	pack_text(&pack, memory->failed_id, STS_ID_MAX);
	pack_number(&pack, memory->failure, 1);
	pack_text(&pack, memory->trouble, STS_TROUBLE_MAX);
	must(!pack.failed);
	return (struct text){ room, pack.length };
}

bool sts_memory_decode(struct text stored, struct sts_memory *out_memory)
{
	struct unpack unpack = { .rest = stored };
	const bool is_known = unpack_number(&unpack, 1) == FORM;
	struct sts_memory memory = { .fetched_ms = (int64_t)unpack_number(&unpack, 8) };

	memory.policy.mode = (enum sts_mode)unpack_number(&unpack, 1);
	memory.policy.max_age_s = (uint32_t)unpack_number(&unpack, 4);
	memory.policy.patterns = unpack_line(&unpack, STS_PATTERNS_MAX);
	memory.id = unpack_line(&unpack, STS_ID_MAX);
	memory.used_ms = (int64_t)unpack_number(&unpack, 8);
	memory.failure_count = (uint32_t)unpack_number(&unpack, 4);
	memory.failed_ms = (int64_t)unpack_number(&unpack, 8);
	memory.failed_id = unpack_line(&unpack, STS_ID_MAX);
	memory.failure = (enum sts_failure)unpack_number(&unpack, 1);
	memory.trouble = unpack_line(&unpack, STS_TROUBLE_MAX);
	if (!is_known || !unpack_end(&unpack) || memory.fetched_ms < 0 || memory.used_ms < 0 || memory.failed_ms < 0 ||
	    memory.policy.mode > STS_ENFORCE || memory.policy.max_age_s > STS_AGE_S_MAX ||
	    memory.failure > STS_WEBPKI_INVALID)
		return false;
	*out_memory = memory;
	return true;
}
