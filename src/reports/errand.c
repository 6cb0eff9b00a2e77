/* One set of tallies on its way to who wants it:
 *
 *     who wants it? ─┬─ nobody ────────────────────────────────────────────────┐
 *                    ├─ not to be known now ──────────────────► later          │
 *                    └─► rows ─► report ─┬─ by mail ─► the message ────────────┼─► the set is dropped in one change
 *                                        └─ by web ─► POST ─┬─ taken ──────────┘
 *                                                           └─ the next place, or later
 *
 * "Later" is a failure that time may heal: the set stays, unless it is too old (R3). */
#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"
#include "dsn/gzip.h"
#include "mail/date.h"
#include "reports/reports_private.h"

enum { DAY_MS = 24 * 3600 * 1000, ROWS_OF_A_PAGE = 500, RESPONSE_BYTES_MAX = 64 << 10 };

/* -- The end ---------------------------------------------------------------------------- */

void errand_free(struct errand *errand)
{
	dns_cancel(errand->query);
	web_cancel(errand->request);
	buffer_done(&errand->packed);
	arena_free(errand->arena);
	DL_DELETE(errand->reports->errands, errand);
	errand->reports->errand_count--;
	free(errand);
}

static void end(struct errand *errand, enum errand_end how)
{
	struct reports *reports = errand->reports;

	errand_free(errand);
	reports_errand_ended(reports, how);
}

static void settled(void *context, enum error result)
{
	struct errand *errand = context;
	const struct event_sink *sink = &errand->reports->parts.sink;

	if (result != OK) { /* Counted meanwhile (R4), or the disk has no room for it. */
		end(errand, ERRAND_LATER);
		return;
	}
	if (errand->generated.id != 0)
		sink->report(sink->context, &errand->generated);
	if (errand->end != ERRAND_UNWANTED)
		sink->report(sink->context, &errand->event);
	end(errand, errand->end);
}

/* The last change, which drops the set. Takes it; NULL: no memory. */
static void settle(struct errand *errand, struct spool_change *change, enum errand_end how)
{
	if (change == NULL) {
		end(errand, ERRAND_LATER);
		return;
	}
	errand->end = how;
	spool_change_tally_drop(change, &errand->listed.set, errand->listed.sum.total);
	spool_submit(errand->reports->parts.port, change, settled, errand);
}

static void describe(struct errand *errand, enum event_kind kind, struct text reason)
{
	char day[DATE_TEXT_SIZE];
	struct event *event = &errand->event;

	date_print_rfc3339((int64_t)errand->listed.set.day * DAY_MS, day);
	*event = (struct event){ .kind = kind, .time_ms = reports_now_ms(errand->reports) };
	event->fields[EVENT_FIELD_ABOUT] = text_of(errand->kind->word);
	event->fields[EVENT_FIELD_DOMAIN] = errand->listed.set.domain;
	(void)!arena_print(errand->arena, &event->fields[EVENT_FIELD_DAY], "%.10s", day);
	(void)!arena_copy(errand->arena, reason, &event->fields[EVENT_FIELD_REASON]);
}

static void give_up(struct errand *errand, struct text reason)
{
	describe(errand, EVENT_REPORT_GIVEN_UP, reason);
	settle(errand, spool_change_new(), ERRAND_GIVEN_UP);
}

/* R3 */
static void later(struct errand *errand, struct text reason)
{
	const int64_t over_ms = ((int64_t)errand->listed.set.day + 1) * DAY_MS;

	if (reports_now_ms(errand->reports) - over_ms < REPORTS_PATIENCE_MS) {
		end(errand, ERRAND_LATER);
		return;
	}
	give_up(errand, reason);
}

/* -- The report -------------------------------------------------------------------------- */

static enum error read_rows(struct errand *errand, struct day_report *report)
{
	struct tally_row *rows = arena_array(errand->arena, errand->listed.sum.rows, sizeof *rows);
	size_t count = 0, got = 1;
	uint64_t from = 0;

	if (rows == NULL)
		return ERR_NO_MEMORY;
	while (got > 0 && count < errand->listed.sum.rows) {
		const size_t left = errand->listed.sum.rows - count;
		struct tally_row *page;
		const enum error error = spool_tally_rows(errand->reports->parts.spool, &errand->listed.set, from,
		    left < ROWS_OF_A_PAGE ? left : ROWS_OF_A_PAGE, errand->arena, &page, &got);

		if (error != OK)
			return error;
		if (got > 0)
			memcpy(rows + count, page, got * sizeof *rows);
		count += got;
		from = count > 0 ? rows[count - 1].key + 1 : 0;
		if (from == 0)
			break; /* It was the last key that there is. */
	}
	report->rows = rows;
	report->row_count = count;
	return OK;
}

/* The same for the same counts: who gets a report twice can tell (R1). */
static bool name_report(struct errand *errand)
{
	char day[DATE_TEXT_SIZE];

	date_print_rfc3339((int64_t)errand->listed.set.day * DAY_MS, day);
	return arena_print(errand->arena, &errand->id, "%.10s_%llu_%.*s@%.*s", day,
	    (unsigned long long)errand->listed.sum.total, TEXT_FORMAT(errand->listed.set.domain),
	    TEXT_FORMAT(errand->reports->settings.hostname));
}

static bool make_report(struct errand *errand, struct day_report *report)
{
	const int64_t start_ms = (int64_t)errand->listed.set.day * DAY_MS;
	struct buffer plain;

	if (!name_report(errand) || read_rows(errand, report) != OK)
		return false;
	report->settings = &errand->reports->settings;
	report->organization = report->settings->organization.length > 0 ? report->settings->organization : report->settings->hostname;
	report->listed = &errand->listed;
	report->id = errand->id;
	report->start_ms = start_ms;
	report->end_ms = start_ms + DAY_MS - 1000;
	report->arena = errand->arena;
	buffer_init(&plain, REPORT_BYTES_MAX);

	const bool ok = errand->kind->compose(report, &plain) && gzip_pack(buffer_text(&plain), &errand->packed);

	buffer_done(&plain);
	return ok;
}

/* -- By web ------------------------------------------------------------------------------- */

static void post(struct errand *errand);

static void answered(void *context, const struct https_response *response)
{
	struct errand *errand = context;
	const struct report_place *place = &errand->lookup.places[errand->web_place - 1];

	errand->request = NULL;
	if (response->end == HTTPS_ANSWERED && response->status / 100 == 2) {
		describe(errand, EVENT_REPORT_SENT, TEXT_EMPTY);
		errand->event.fields[EVENT_FIELD_TARGETS] = place->url;
		settle(errand, spool_change_new(), ERRAND_SENT);
		return;
	}
	if (response->end == HTTPS_ANSWERED)
		(void)!arena_print(errand->arena, &errand->trouble, "%.*s answers %u", TEXT_FORMAT(place->url), response->status);
	else
		(void)!arena_print(errand->arena, &errand->trouble, "%.*s: %.*s", TEXT_FORMAT(place->url),
		    TEXT_FORMAT(response->trouble));
	post(errand);
}

/* To one of them after another, until it is taken (RFC 8460 §3). */
static void post(struct errand *errand)
{
	struct text host;
	uint16_t port;

	while (errand->web_place < errand->lookup.place_count) {
		const struct report_place *place = &errand->lookup.places[errand->web_place++];
		const struct https_order order = { .url = place->url,
			.content_type = text_of(errand->kind->media_type),
			.content = buffer_text(&errand->packed),
			.response_bytes_max = RESPONSE_BYTES_MAX,
			.time_ms_max = REPORTS_FETCH_MS_MAX };

		if (place->kind != REPORT_BY_WEB || !https_url_split(place->url, &host, &port))
			continue;
		errand->request = web_ask(errand->reports->parts.web, &order, answered, errand);
		if (errand->request != NULL)
			return;
	}
	later(errand, errand->trouble);
}

/* -- By mail ------------------------------------------------------------------------------- */

static void enter(struct errand *errand, const struct day_report *report)
{
	struct spool_change *change = spool_change_new();
	char room[QUEUE_ID_TEXT_SIZE];

	if (change == NULL || !letter_put(errand, report, change)) {
		spool_change_free(change);
		end(errand, ERRAND_LATER);
		return;
	}
	describe(errand, EVENT_REPORT_SENT, TEXT_EMPTY);
	errand->event.fields[EVENT_FIELD_TARGETS] = errand->generated.fields[EVENT_FIELD_RECIPIENT];
	(void)!arena_copy(errand->arena, queue_id_print(errand->generated.id, room), &errand->event.fields[EVENT_FIELD_REPORT]);
	settle(errand, change, ERRAND_SENT);
}

/* -- Who wants it --------------------------------------------------------------------------- */

static bool is_reachable(const struct report_place *place)
{
	struct text host;
	uint16_t port;

	return place->kind == REPORT_BY_MAIL || https_url_split(place->url, &host, &port);
}

/* Who takes no report as large as this one gets none. */
static void leave_out_small_places(struct errand *errand)
{
	struct lookup *lookup = &errand->lookup;
	size_t left = 0;

	for (size_t i = 0; i < lookup->place_count; i++)
		if (lookup->places[i].bytes_max == 0 || errand->packed.length <= lookup->places[i].bytes_max)
			lookup->places[left++] = lookup->places[i];
	lookup->place_count = left;
}

static void hand_in(struct errand *errand, const struct day_report *report)
{
	bool by_mail = false;

	leave_out_small_places(errand);
	for (size_t i = 0; i < errand->lookup.place_count; i++)
		by_mail |= errand->lookup.places[i].kind == REPORT_BY_MAIL;
	if (errand->lookup.place_count == 0)
		give_up(errand, TEXT("it is larger than anybody takes"));
	else if (by_mail)
		enter(errand, report);
	else
		post(errand);
}

static void places_known(struct errand *errand)
{
	const struct lookup *lookup = &errand->lookup;
	struct day_report report = { 0 };
	bool reachable = false;

	for (size_t i = 0; i < lookup->place_count; i++)
		reachable |= is_reachable(&lookup->places[i]);
	if (!reachable)
		settle(errand, spool_change_new(), ERRAND_UNWANTED); /* R2 */
	else if (!make_report(errand, &report))
		later(errand, TEXT("it could not be made"));
	else
		hand_in(errand, &report);
}

static void ask(struct errand *errand);

static void heard(void *context, const struct dns_answer *answer)
{
	struct errand *errand = context;
	struct text records[DNS_RECORD_MAX];

	const bool failed = answer->status != DNS_FOUND && answer->status != DNS_NODATA && answer->status != DNS_NXDOMAIN;

	errand->query = NULL;
	for (uint32_t i = 0; i < answer->record_count; i++)
		records[i] = answer->records[i].data;
	switch (errand->kind->answer(&errand->lookup, records, answer->record_count, failed)) {
	case OK:
		ask(errand);
		break;
	case ERR_TIMEOUT:
		later(errand, TEXT("the DNS does not say who wants it"));
		break;
	default:
		end(errand, ERRAND_LATER);
	}
}

static void ask(struct errand *errand)
{
	if (errand->lookup.question.length == 0) {
		places_known(errand);
		return;
	}
	errand->query = dns_ask(errand->reports->dns, errand->lookup.question, DNS_TXT, heard, errand);
	if (errand->query == NULL)
		end(errand, ERRAND_LATER);
}

/* -- The start -------------------------------------------------------------------------------- */

bool errand_begin(struct reports *reports, const struct report_kind *kind, const struct tally_listed *listed)
{
	struct errand *errand = calloc(1, sizeof *errand);

	if (errand == NULL)
		return false;
	errand->reports = reports;
	errand->kind = kind;
	errand->listed = *listed;
	errand->arena = arena_new(ERRAND_ARENA_BYTES);
	buffer_init(&errand->packed, PACKED_BYTES_MAX);
	DL_APPEND(reports->errands, errand);
	reports->errand_count++;
	errand->lookup.arena = errand->arena;
	errand->lookup.set = &errand->listed.set;
	if (errand->arena == NULL || !arena_copy(errand->arena, listed->set.domain, &errand->listed.set.domain) ||
	    (kind->is_on(&reports->settings) && !kind->ask(&errand->lookup))) {
		errand_free(errand);
		return false;
	}
	if (errand->lookup.question.length > 0) {
		errand->query = dns_ask(reports->dns, errand->lookup.question, DNS_TXT, heard, errand);
		if (errand->query != NULL)
			return true;
		errand_free(errand);
		return false;
	}
	/* There are no such reports any more. */
	struct spool_change *change = spool_change_new();

	if (change == NULL) {
		errand_free(errand);
		return false;
	}
	settle(errand, change, ERRAND_UNWANTED);
	return true;
}
