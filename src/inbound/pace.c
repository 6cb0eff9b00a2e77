#include "inbound/pace.h"

#include <stddef.h>

#include "base/must.h"

static int64_t clock_at(const struct pace *pace, int64_t now_ms)
{
	const int64_t until_ms = pace->phase == PACE_OURS ? pace->ours_since_ms : now_ms;

	return until_ms - pace->ours_ms; /* P1 */
}

void pace_init(struct pace *pace, int64_t now_ms)
{
	*pace = (struct pace){ .phase = PACE_OURS, .before = PACE_OURS, .ours_since_ms = now_ms };
	pace->progress_ms = pace->dialogue_ms = clock_at(pace, now_ms);
}

static void change_phase(struct pace *pace, enum pace_phase phase, int64_t now_ms)
{
	if (pace->phase == PACE_OURS && phase != PACE_OURS)
		pace->ours_ms += now_ms - pace->ours_since_ms;
	else if (pace->phase != PACE_OURS && phase == PACE_OURS)
		pace->ours_since_ms = now_ms;
	pace->phase = phase;
	if (phase == PACE_OURS)
		return;

	const int64_t clock_ms = clock_at(pace, now_ms);

	/* Deafness interrupts what it comes into. */
	if (phase == PACE_DEAF && !pace->is_deaf)
		pace->deaf_ms = clock_ms;
	pace->is_deaf = phase == PACE_DEAF;
	if (pace->is_deaf || phase == pace->before)
		return;
	pace->before = phase;
	if (phase == PACE_TEXT) {
		pace->text_ms = clock_ms;
		pace->text_bytes = 0;
	} else if (phase == PACE_PROOF) {
		pace->proof_ms = clock_ms;
	}
}

void pace_text(struct pace *pace, uint64_t bytes)
{
	pace->text_bytes += bytes;
}

void pace_message(struct pace *pace, int64_t now_ms)
{
	pace->dialogue_ms = clock_at(pace, now_ms);
}

static int64_t text_end_ms(const struct pace *pace, const struct pace_limits *limits)
{
	if (limits->text_bytes_per_s == 0)
		return INT64_MAX;
	return pace->text_ms + limits->silence_ms + (int64_t)(pace->text_bytes * 1000 / limits->text_bytes_per_s); /* P4 */
}

/* The nearest of the moments that the phase looks at, and what passing it means. */
static int64_t end_ms(const struct pace *pace, const struct pace_limits *limits, const char **out_complaint)
{
	const struct {
		bool counts;
		int64_t end_ms;
		const char *complaint;
	} ends[] = {
		{ pace->phase != PACE_OURS && pace->phase != PACE_DEAF, pace->progress_ms + limits->silence_ms, "Timeout" },
		{ pace->phase == PACE_COMMANDS && pace->in_line, pace->line_ms + limits->line_ms, "The line takes too long" },
		{ pace->phase == PACE_COMMANDS, pace->dialogue_ms + limits->dialogue_ms, "No message for too long" },
		{ pace->phase == PACE_TEXT, text_end_ms(pace, limits), "The text comes too slowly" },
		{ pace->phase == PACE_PROOF, pace->proof_ms + limits->proof_ms, "The handshake takes too long" },
		{ pace->phase == PACE_DEAF, pace->deaf_ms + limits->silence_ms, "The replies are not read" },
	};
	int64_t nearest_ms = INT64_MAX;

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (ends[i].counts && ends[i].end_ms < nearest_ms) {
			nearest_ms = ends[i].end_ms;
			*out_complaint = ends[i].complaint;
		}
	return nearest_ms;
}

int64_t pace_step(struct pace *pace, const struct pace_limits *limits, const struct pace_facts *facts)
{
	const char *complaint;

	must(limits->silence_ms > 0 && limits->line_ms > 0 && limits->dialogue_ms > 0 && limits->proof_ms > 0);
	change_phase(pace, facts->phase, facts->now_ms);

	const int64_t clock_ms = clock_at(pace, facts->now_ms);

	if (facts->progressed)
		pace->progress_ms = clock_ms;
	if (facts->in_line && (!pace->in_line || (facts->progressed && !facts->endless)))
		pace->line_ms = clock_ms;
	pace->in_line = facts->in_line;
	if (facts->phase == PACE_OURS)
		return 0;

	const int64_t left_ms = end_ms(pace, limits, &complaint) - clock_ms;

	return left_ms > 1 ? left_ms : 1;
}

const char *pace_complaint(const struct pace *pace, const struct pace_limits *limits, int64_t now_ms)
{
	const char *complaint = NULL;

	return pace->phase != PACE_OURS && end_ms(pace, limits, &complaint) <= clock_at(pace, now_ms) ? complaint : NULL;
}
