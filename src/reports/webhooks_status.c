/* How webhooks fare, for who runs the server: nothing is changed by looking. */
#include "base/must.h"
#include "reports/webhooks_private.h"

enum { STARTS_MAX = 8 };

/* Where what it has not taken begins. What gave way since it looked last is dropped, but for what is under way: that may be
 * taken yet. */
static struct journal_place look_at_place(const struct webhook *webhook, struct webhook_status *status)
{
	struct webhook_journal *journal = webhook->owner->parts.journal;
	const struct journal_place start = journal_start(journal);
	struct journal_place place = journal_end(journal);

	if (!journal_place_look(journal, webhook->settings.name, &place))
		return place; /* Others used its place: it begins anew. */
	const struct journal_place safe = webhook->request != NULL ? webhook->behind : place;

	if (safe.number < start.number)
		status->past.dropped += start.number - safe.number;
	return place.number < start.number ? start : place;
}

static enum webhook_state state_of(const struct webhook *webhook)
{
	return webhook->settings.problem != NULL        ? WEBHOOK_UNUSABLE
	    : webhook->stopped                          ? WEBHOOK_STOPPED
	    : webhook->past.failing_since_ms != 0       ? WEBHOOK_FAILS
	                                                : WEBHOOK_WORKS;
}

static void count_event(const struct event *event, uint64_t number, const struct journal_place *places, size_t count,
    struct webhook_status *statuses)
{
	for (size_t i = 0; i < count; i++) {
		struct webhook_status *status = &statuses[i];

		if (number < places[i].number || (status->settings->kinds >> event->kind & 1) == 0)
			continue;
		if (status->waiting++ == 0)
			status->oldest_ms = event->time_ms;
	}
}

/* All of them in one pass. Lanes write meanwhile: what was next may be gone, and then the oldest is. */
static void count_waiting(struct webhooks *webhooks, const struct journal_place *places, struct webhook_status *statuses)
{
	struct webhook_journal *journal = webhooks->parts.journal;
	struct journal_place at = journal_end(journal);
	unsigned starts = 0;

	for (size_t i = 0; i < webhooks->count; i++)
		if (places[i].number < at.number)
			at = places[i];
	for (;;) {
		const uint64_t number = at.number;
		struct event event;
		struct text stored;
		queue_id id;

		if (journal_read(journal, &at, webhooks->room, &id, &stored)) {
			if (event_decode(id, stored, &event) == OK)
				count_event(&event, number, places, webhooks->count, statuses);
			continue;
		}
		const struct journal_place start = journal_start(journal);

		if (start.number <= at.number || ++starts > STARTS_MAX)
			return;
		at = start;
	}
}

size_t webhooks_status(struct webhooks *webhooks, struct webhook_status out_status[WEBHOOKS_MAX])
{
	struct journal_place places[WEBHOOKS_MAX];

	must(webhooks->count <= WEBHOOKS_MAX);
	for (size_t i = 0; i < webhooks->count; i++) {
		const struct webhook *webhook = &webhooks->all[i];

		out_status[i] = (struct webhook_status){ .settings = &webhook->settings,
			.state = state_of(webhook),
			.past = webhook->past,
			.under_way = webhook->request != NULL };
		places[i] = look_at_place(webhook, &out_status[i]);
	}
	count_waiting(webhooks, places, out_status);
	for (size_t i = 0; i < webhooks->count; i++)
		if (out_status[i].waiting > 0 && !out_status[i].under_way && out_status[i].state <= WEBHOOK_FAILS)
			out_status[i].next_ms = webhooks->all[i].next_ms;
	return webhooks->count;
}
