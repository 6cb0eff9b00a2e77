/*     a message failed ──► room, and the rate allows it? ──► who wants to know? ──► the report, in one change */
#include "reports/failures.h"

#include <stdlib.h>
#include <utlist.h>

#include "lookup/lookup.h"
#include "reports/dmarc_places.h"
#include "reports/outgoing.h"

_Static_assert((int)DMARC_PLACES_MAX <= (int)OUTGOING_PLACES_MAX, "a report goes to all places of a record");

enum { ARENA_BYTES = 1 << 20, HOUR_MS = 3600 * 1000, RATE_OF_FAILURES = 70, RATE_OF_FAILURES_IN_ALL };

struct failing {
	struct failing *prev, *next;
	struct failures *failures;
	struct arena *arena;
	struct auth_failure facts;
	struct dmarc_places places;
	struct lookup *lookup;
	struct event generated, reported;
};

struct failures {
	struct failures_parts parts;
	struct failures_settings settings;
	struct dns *dns;
	struct signing_keys *signing;
	struct failing *list; /* utlist */
	unsigned count;
};

static void failing_free(struct failing *failing)
{
	lookup_cancel(failing->lookup);
	arena_free(failing->arena);
	DL_DELETE(failing->failures->list, failing);
	failing->failures->count--;
	free(failing);
}

/* -- The report ------------------------------------------------------------------------------- */

static void settled(void *context, enum error result)
{
	struct failing *failing = context;
	const struct event_sink *sink = &failing->failures->parts.sink;

	if (result == OK) {
		sink->report(sink->context, &failing->generated);
		sink->report(sink->context, &failing->reported);
	}
	failing_free(failing);
}

static bool describe(struct failing *failing)
{
	char room[QUEUE_ID_TEXT_SIZE];
	struct event *event = &failing->reported;

	*event = (struct event){ .kind = EVENT_FAILURE_REPORTED, .time_ms = failing->generated.time_ms };
	event->fields[EVENT_FIELD_DOMAIN] = failing->facts.author;
	event->fields[EVENT_FIELD_CLIENT] = failing->facts.client;
	event->fields[EVENT_FIELD_TARGETS] = failing->generated.fields[EVENT_FIELD_RECIPIENT];
	return arena_copy(failing->arena, queue_id_print(failing->generated.id, room), &event->fields[EVENT_FIELD_REPORT]);
}

static bool put_report(struct failing *failing, struct spool_change *change)
{
	struct failures *failures = failing->failures;
	struct report_part parts[FAILURE_PARTS];
	struct address to[DMARC_PLACES_MAX];
	struct report_mail mail = { .hostname = failures->settings.hostname,
		.now_ms = loop_unix_ms(failures->parts.loop),
		.from_name = failures->settings.organization,
		.from = failures->settings.contact,
		.to = to,
		.to_count = failing->places.count };
	const struct outgoing outgoing = { .signing = failures->signing, .mail = &mail, .arena = failing->arena };

	mail.id = queue_id_next(failures->parts.ids, mail.now_ms);
	for (size_t i = 0; i < failing->places.count; i++)
		to[i] = failing->places.places[i].address;
	return failure_report_dress(&failing->facts, failing->arena, parts, &mail) &&
	    outgoing_put(&outgoing, change, &failing->generated) && describe(failing);
}

static void places_known(void *context)
{
	struct failing *failing = context;
	struct spool_change *change = NULL;

	failing->lookup = NULL;
	if (failing->places.count > 0)
		change = spool_change_new();
	if (change != NULL && put_report(failing, change)) {
		spool_submit(failing->failures->parts.port, change, settled, failing);
		return;
	}
	spool_change_free(change);
	failing_free(failing); /* F2 */
}

/* -- Whether it may be ------------------------------------------------------------------------ */

static bool asks(const void *places, struct question *out_question)
{
	return dmarc_places_question(places, out_question);
}

static void hears(void *places, const struct answer *answer)
{
	dmarc_places_answer(places, answer);
}

static bool copy_facts(struct failing *failing, const struct auth_failure *facts)
{
	struct auth_failure *copy = &failing->facts;
	struct arena *arena = failing->arena;

	*copy = *facts;
	return arena_copy(arena, facts->domain, &copy->domain) && arena_copy(arena, facts->author, &copy->author) &&
	    arena_copy(arena, facts->client, &copy->client) && arena_copy(arena, facts->sender, &copy->sender) &&
	    arena_copy(arena, facts->results, &copy->results) && arena_copy(arena, facts->dkim_domain, &copy->dkim_domain) &&
	    arena_copy(arena, facts->dkim_selector, &copy->dkim_selector) && arena_copy(arena, facts->header, &copy->header);
}

static bool begin(struct failures *failures, const struct auth_failure *facts)
{
	static const struct lookup_kind kind = { asks, hears };
	struct failing *failing = calloc(1, sizeof *failing);
	struct question question;

	if (failing == NULL)
		return false;
	failing->failures = failures;
	failing->arena = arena_new(ARENA_BYTES);
	DL_APPEND(failures->list, failing);
	failures->count++;

	const struct lookup_listener listener = { .done = places_known, .context = failing };

	if (failing->arena != NULL && copy_facts(failing, facts)) {
		dmarc_places_start(&failing->places, DMARC_FAILURE, failing->facts.domain, failing->arena);
		if (dmarc_places_question(&failing->places, &question))
			failing->lookup = lookup_start(failures->dns, &kind, &failing->places, &listener);
	}
	if (failing->lookup != NULL)
		return true;
	failing_free(failing);
	return false;
}

/* F1 */
static bool is_within_rates(struct failures *failures, struct text domain)
{
	static const struct rate of_domain = { FAILURES_OF_DOMAIN, HOUR_MS }, in_all = { FAILURES_AN_HOUR, HOUR_MS };
	struct rate_table *rates = failures->parts.rates;
	const int64_t now_ms = loop_now_ms(failures->parts.loop);

	return rate_table_look(rates, RATE_OF_FAILURES, domain, &of_domain, 1, now_ms) == 0 &&
	    rate_table_take(rates, RATE_OF_FAILURES_IN_ALL, TEXT_EMPTY, &in_all, 1, now_ms) == 0 &&
	    rate_table_take(rates, RATE_OF_FAILURES, domain, &of_domain, 1, now_ms) == 0;
}

void failures_report(struct failures *failures, const struct auth_failure *failure)
{
	if (!failures->settings.on || failures->dns == NULL)
		return;
	if (failures->count < FAILURES_AT_ONCE && is_within_rates(failures, failure->domain) && begin(failures, failure))
		return;
	if (failures->parts.counters != NULL)
		counters_add(failures->parts.counters, COUNTER_FAILURES_UNREPORTED, 1);
}

/* -- Life -------------------------------------------------------------------------------------- */

struct failures *failures_new(const struct failures_parts *parts, const struct failures_settings *settings)
{
	struct failures *failures = calloc(1, sizeof *failures);

	if (failures == NULL)
		return NULL;
	failures->parts = *parts;
	failures->settings = *settings;
	return failures;
}

void failures_free(struct failures *failures)
{
	if (failures == NULL)
		return;
	while (failures->list != NULL)
		failing_free(failures->list);
	signing_keys_unref(failures->signing);
	free(failures);
}

void failures_reload(struct failures *failures, const struct failures_settings *settings)
{
	failures->settings = *settings;
}

void failures_set_dns(struct failures *failures, struct dns *dns)
{
	failures->dns = dns;
}

void failures_set_signing(struct failures *failures, struct signing_keys *keys)
{
	struct signing_keys *old = failures->signing;

	failures->signing = signing_keys_ref(keys);
	signing_keys_unref(old);
}
