/* Rounds: from time to time all sets are walked through, a page at a time, and those that are due go on errands. */
#include "reports/reports.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"
#include "reports/reports_private.h"

enum { DAY_MS = 24 * 3600 * 1000, PAGE_SETS = 100, PAGE_BYTES_MAX = 1 << 20 };

static const struct report_kind *const kinds[] = { &report_kind_tls, &report_kind_dmarc };
enum { KINDS = sizeof kinds / sizeof *kinds };

int64_t reports_now_ms(const struct reports *reports)
{
	const struct reports_parts *parts = &reports->parts;

	return parts->now_unix_ms != NULL ? parts->now_unix_ms(parts->now_context) : loop_unix_ms(parts->loop);
}

/* -- What is due ------------------------------------------------------------------------------ */

/* The same moment each day for the same domain, another one for others; and for each server, so that not all of them come to a large
 * domain at once. */
static int64_t offset_ms(struct text hostname, struct text domain)
{
	return (int64_t)(text_hash(domain, text_hash(hostname, 0)) % REPORTS_SPREAD_MS);
}

/* Did its moment, or that of another attempt, come since the last look (R3)? */
static bool is_due(const struct reports *reports, const struct tally_set *set)
{
	const struct round *round = &reports->round;
	const int64_t due_ms = ((int64_t)set->day + 1) * DAY_MS + offset_ms(reports->settings.hostname, set->domain);

	if (set->day < round->first || set->day > round->last)
		return false;
	if (round->ordered)
		return true;
	if (round->now_ms < due_ms)
		return false;
	return round->from_ms < due_ms ||
	    (round->now_ms - due_ms) / REPORTS_RETRY_MS != (round->from_ms - due_ms) / REPORTS_RETRY_MS;
}

/* -- The walk ----------------------------------------------------------------------------------- */

/* The next page; of the next kind, when there is no more of one. False: the walk is over. */
static bool turn_page(struct reports *reports)
{
	struct round *round = &reports->round;

	for (; round->kind < KINDS; round->kind++, round->begun = false) {
		arena_reset(round->arena);
		round->page_at = round->page_count = 0;
		if (spool_tally_sets(reports->parts.spool, kinds[round->kind]->kind, round->last,
			round->begun ? &round->after : NULL, PAGE_SETS, round->arena, &round->page,
			&round->page_count) != OK)
			return false; /* The next look will tell. */
		if (round->page_count == 0)
			continue;

		const struct tally_set *last = &round->page[round->page_count - 1].set;

		round->after = *last;
		if (last->domain.length > 0)
			memcpy(round->room, last->domain.bytes, last->domain.length);
		round->after.domain.bytes = round->room;
		round->begun = true;
		return true;
	}
	return false;
}

static void finish_round(struct reports *reports)
{
	const struct round round = reports->round;

	arena_free(reports->round.arena);
	reports->round = (struct round){ 0 };
	loop_timer_set(reports->timer, REPORTS_LOOK_MS);
	if (round.sent != NULL)
		round.sent(round.context, &round.sum);
}

static void go_on(struct reports *reports)
{
	struct round *round = &reports->round;

	while (reports->errand_count < REPORTS_AT_ONCE) {
		if (round->page_at == round->page_count && !turn_page(reports))
			break;

		const struct tally_listed *listed = &round->page[round->page_at++];

		if (listed->set.domain.length > 0 && is_due(reports, &listed->set) &&
		    !errand_begin(reports, kinds[round->kind], listed))
			round->sum.later++;
	}
	if (reports->errand_count == 0)
		finish_round(reports);
}

void reports_errand_ended(struct reports *reports, enum errand_end end)
{
	struct reports_sum *sum = &reports->round.sum;

	switch (end) {
	case ERRAND_SENT:
		sum->sent++;
		break;
	case ERRAND_UNWANTED:
		sum->unwanted++;
		break;
	case ERRAND_GIVEN_UP:
		sum->given_up++;
		break;
	case ERRAND_LATER:
		sum->later++;
		break;
	}
	go_on(reports);
}

static bool begin_round(struct reports *reports, uint32_t first, uint32_t last, bool ordered)
{
	struct arena *arena = reports->dns != NULL ? arena_new(PAGE_BYTES_MAX) : NULL;
	const int64_t now_ms = reports_now_ms(reports);

	must(!reports->round.under_way);
	if (arena == NULL)
		return false;
	reports->round = (struct round){ .under_way = true,
		.first = first,
		.last = last,
		.ordered = ordered,
		.arena = arena,
		.from_ms = reports->looked_ms,
		.now_ms = now_ms };
	if (!ordered)
		reports->looked_ms = now_ms;
	return true;
}

/* The timer of an ordered round begins it, too: nobody is answered within his question. */
static void look(void *context)
{
	struct reports *reports = context;

	if (!reports->round.under_way &&
	    !begin_round(reports, 0, tally_day(reports_now_ms(reports)) - 1, false)) {
		loop_timer_set(reports->timer, REPORTS_LOOK_MS);
		return;
	}
	if (reports->errand_count == 0)
		go_on(reports);
}

bool reports_send(struct reports *reports, uint32_t first, uint32_t last, reports_sent *sent, void *context)
{
	if (reports->round.under_way || !begin_round(reports, first, last, true))
		return false;
	reports->round.sent = sent;
	reports->round.context = context;
	loop_timer_set(reports->timer, 0);
	return true;
}

/* -- Life ------------------------------------------------------------------------------------------ */

struct reports *reports_new(const struct reports_parts *parts, const struct reports_settings *settings)
{
	struct reports *reports = calloc(1, sizeof *reports);

	if (reports == NULL)
		return NULL;
	reports->parts = *parts;
	reports->settings = *settings;
	reports->timer = loop_timer_new(parts->loop, look, reports);
	if (reports->timer == NULL) {
		free(reports);
		return NULL;
	}
	loop_timer_set(reports->timer, 0);
	return reports;
}

void reports_free(struct reports *reports)
{
	if (reports == NULL)
		return;
	while (reports->errands != NULL)
		errand_free(reports->errands);
	arena_free(reports->round.arena);
	loop_timer_free(reports->timer);
	signing_keys_unref(reports->signing);
	free(reports);
}

void reports_reload(struct reports *reports, const struct reports_settings *settings)
{
	reports->settings = *settings;
}

void reports_set_dns(struct reports *reports, struct dns *dns)
{
	reports->dns = dns;
}

void reports_set_signing(struct reports *reports, struct signing_keys *keys)
{
	struct signing_keys *old = reports->signing;

	reports->signing = signing_keys_ref(keys);
	signing_keys_unref(old);
}
