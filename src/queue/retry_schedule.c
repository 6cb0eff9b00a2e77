#include "queue/retry_schedule.h"

#include "base/must.h"

/* -- Reading the reply -------------------------------------------------------------------- */

/* `word` in lower case. */
static bool says(struct text text, struct text word)
{
	for (size_t at = 0; at + word.length <= text.length; at++)
		if (text_starts_nocase(text_from(text, at), word))
			return true;
	return false;
}

static bool says_any(struct text text, const struct text *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (says(text, words[i]))
			return true;
	return false;
}

#define WORD(word) { word, sizeof word - 1 }

static bool says_greylist(struct text text)
{
	static const struct text words[] = { WORD("greylist"), WORD("graylist"), WORD("grey-list"),
		WORD("gray-list"), WORD("grey list"), WORD("gray list") };

	return says_any(text, words, sizeof words / sizeof *words);
}

static bool says_too_fast(struct text text)
{
	static const struct text words[] = { WORD("rate limit"), WORD("rate-limit"), WORD("ratelimit"),
		WORD("throttl"), WORD("too fast"), WORD("too many connections"),
		WORD("too many concurrent"), WORD("too many messages"), WORD("too much mail"),
		WORD("unusual rate"), WORD("sending rate") };

	return says_any(text, words, sizeof words / sizeof *words);
}

static bool has_status(const struct verdict *verdict, unsigned subject, unsigned detail)
{
	const struct enhanced_code *code = &verdict->enhanced;

	return code->class == 4 && code->subject == subject && code->detail == detail;
}

enum retry_cause retry_cause_of(const struct verdict *verdict)
{
	const bool is_policy = verdict->enhanced.class == 0 || verdict->enhanced.subject == 7;
	const bool may_vary = verdict->code == 450 || verdict->code == 451;

	if (!verdict_is_temporary(verdict) || verdict->host.length == 0)
		return RETRY_USUAL;
	if (verdict->code == 421 || has_status(verdict, 3, 1) || has_status(verdict, 3, 2) || has_status(verdict, 7, 28))
		return RETRY_PRESSURE;
	if (has_status(verdict, 2, 2) || (verdict->code == 452 && verdict->enhanced.class == 0))
		return RETRY_FULL;
	if (may_vary && says_greylist(verdict->text))
		return RETRY_GREYLIST;
	if (may_vary && is_policy && says_too_fast(verdict->text))
		return RETRY_PRESSURE;
	return may_vary && has_status(verdict, 7, 1) ? RETRY_GREYLIST : RETRY_USUAL;
}

/* -- Planning ----------------------------------------------------------------------------- */

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

static int64_t bounded_gap(const struct retry_schedule *schedule, const struct retry_moment *moment)
{
	const int64_t gap_ms = retry_schedule_gap(schedule, moment->attempt_count);

	if (moment->cause == RETRY_GREYLIST && moment->attempt_count <= RETRY_GREYLIST_ATTEMPTS)
		return gap_ms < RETRY_GREYLIST_MS_MAX ? gap_ms : RETRY_GREYLIST_MS_MAX;
	if (moment->cause == RETRY_FULL)
		return gap_ms > RETRY_FULL_MS_MIN ? gap_ms : RETRY_FULL_MS_MIN;
	return gap_ms;
}

enum retry_verdict retry_schedule_next(const struct retry_schedule *schedule,
    const struct retry_moment *moment, int64_t *out_due_ms)
{
	must(moment->spread < RETRY_SPREAD_MAX);

	if (moment->now_ms >= moment->expires_ms)
		return RETRY_EXPIRED;

	/* Divided first: no gap is too long to be multiplied. */
	const int64_t gap_ms = bounded_gap(schedule, moment);
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
