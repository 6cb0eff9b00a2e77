/* Reports of a day: "reports", what is counted for them, and "reports send". */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"
#include "dsn/dmarc_result.h"
#include "dsn/tls_result.h"
#include "mail/date.h"

enum { DAY_MS = 24 * 3600 * 1000, DAY_TEXT_LENGTH = 10, ROWS_SHOWN_MAX = 500 };

static const struct {
	enum tally_kind kind;
	const char *word;
} kinds[] = { { TALLY_TLS, "tls" }, { TALLY_DMARC, "dmarc" } };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* -- Days ----------------------------------------------------------------------------------- */

static json_t *day_json(uint32_t day)
{
	char room[DATE_TEXT_SIZE];

	return json_stringn(date_print_rfc3339((int64_t)day * DAY_MS, room).bytes, DAY_TEXT_LENGTH);
}

/* "2026-11-25", "today", "yesterday". */
static bool read_day(struct text word, int64_t now_ms, uint32_t *out_day)
{
	char room[DAY_TEXT_LENGTH + sizeof "T00:00:00Z"];
	int64_t ms;

	if (text_equal(word, TEXT("today")) || text_equal(word, TEXT("yesterday"))) {
		*out_day = tally_day(now_ms) - (word.bytes[0] == 'y');
		return true;
	}
	if (word.length != DAY_TEXT_LENGTH)
		return false;
	snprintf(room, sizeof room, "%.*sT00:00:00Z", TEXT_FORMAT(word));
	if (!date_parse_rfc3339(text_of(room), &ms) || ms < 0 || ms / DAY_MS >= UINT32_MAX)
		return false;
	*out_day = tally_day(ms);
	return true;
}

static json_t *no_day(struct text word)
{
	return admin_failure(EX_USAGE, "%.*s is no day (hint: like 2026-11-25, today or yesterday)", TEXT_FORMAT(word));
}

/* -- What is counted ------------------------------------------------------------------------- */

static json_t *set_json(size_t kind, const struct tally_listed *listed)
{
	return json_pack("{s:o, s:s, s:o, s:I, s:I, s:I}", "day", day_json(listed->set.day), "kind", kinds[kind].word, "domain",
	    admin_string(listed->set.domain), "count", (json_int_t)listed->sum.total, "rows", (json_int_t)listed->sum.rows,
	    "overflow", (json_int_t)listed->sum.overflow);
}

/* Where a page begins: "tls 2026-11-25 example.org", the last one of the page before. False: it is no such place. */
static bool read_place(struct text place, size_t *out_kind, struct tally_set *out_after)
{
	struct text kind, day;
	uint32_t number;

	if (!text_cut(&place, ' ', &kind) || !text_cut(&place, ' ', &day) || !read_day(day, 0, &number) ||
	    place.length > ADDRESS_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < KINDS; i++) {
		if (!text_equal(kind, text_of(kinds[i].word)))
			continue;
		*out_kind = i;
		*out_after = (struct tally_set){ kinds[i].kind, number, place };
		return true;
	}
	return false;
}

static json_t *place_json(size_t kind, const struct tally_set *set)
{
	char room[DATE_TEXT_SIZE];
	const char *day = date_print_rfc3339((int64_t)set->day * DAY_MS, room).bytes;

	return json_sprintf("%s %.10s %.*s", kinds[kind].word, day, TEXT_FORMAT(set->domain));
}

/* Sets of one kind behind `after`, until the page is full; then *out_next says where to go on. */
static enum error list_kind(struct spool *spool, size_t kind, const struct tally_set *after, json_t *sets, json_t **out_next,
    struct arena *arena)
{
	const size_t room = ADMIN_PAGE_MAX - json_array_size(sets);
	struct tally_listed *found = NULL;
	size_t count = 0;
	const enum error error =
	    spool_tally_sets(spool, kinds[kind].kind, UINT32_MAX, after, room, arena, &found, &count);

	for (size_t i = 0; error == OK && i < count; i++)
		if (found[i].set.domain.length > 0 || found[i].sum.overflow > 0) /* T3 of spool/tally.h */
			json_array_append_new(sets, set_json(kind, &found[i]));
	if (error == OK && count == room)
		*out_next = place_json(kind, &found[count - 1].set);
	return error;
}

static json_t *list_sets(struct spool *spool, const json_t *request)
{
	const struct text place = admin_member(request, "after");
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	json_t *sets = json_array(), *next = NULL;
	struct tally_set after;
	size_t kind = 0;
	enum error error = arena != NULL ? OK : ERR_NO_MEMORY;
	const bool placed = place.length > 0;
	const bool wrong = placed && !read_place(place, &kind, &after);

	for (size_t first = kind; error == OK && !wrong && next == NULL && kind < KINDS; kind++)
		error = list_kind(spool, kind, placed && kind == first ? &after : NULL, sets, &next, arena);
	arena_free(arena);
	if (!wrong && error == OK)
		return json_pack("{s:b, s:o, s:o}", "ok", 1, "sets", sets, "next", next ? next : json_null());
	json_decref(sets);
	return wrong ? admin_failure(EX_USAGE, "\"%.*s\" is no place to go on from", TEXT_FORMAT(place))
		     : admin_failure(EX_IOERR, "the spool cannot be read: %s", error_text(error));
}

/* -- What is counted about one domain ------------------------------------------------------------ */

static void put_tls(struct text row, json_t *json)
{
	struct tls_result result;

	if (!tls_result_decode(row, &result))
		return;
	json_object_set_new(json, "policy", json_string(tls_policy_type_word(result.policy)));
	json_object_set_new(json, "result", json_string(tls_result_word(result.type)));
	json_object_set_new(json, "mx", admin_string(result.mx));
	json_object_set_new(json, "mx_ip", admin_string(result.mx_ip));
	json_object_set_new(json, "sending_ip", admin_string(result.sending_ip));
	json_object_set_new(json, "reason", admin_string(result.reason));
}

static void put_dmarc(struct text row, json_t *json)
{
	struct dmarc_result result;

	if (!dmarc_result_decode(row, &result))
		return;
	json_object_set_new(json, "client", admin_string(result.client));
	json_object_set_new(json, "author", admin_string(result.author));
	json_object_set_new(json, "sender", admin_string(result.sender));
	json_object_set_new(json, "disposition", json_string(result.disposition));
	json_object_set_new(json, "dkim", json_string(result.dkim_aligned ? "pass" : "fail"));
	json_object_set_new(json, "spf", json_string(result.spf_aligned ? "pass" : "fail"));
	if (result.override != NULL)
		json_object_set_new(json, "reason", json_string(result.override));
}

static json_t *row_json(enum tally_kind kind, const struct tally_row *row)
{
	json_t *json = json_pack("{s:I}", "count", (json_int_t)row->count);

	switch (kind) {
	case TALLY_TLS:
		put_tls(row->bytes, json);
		break;
	case TALLY_DMARC:
		put_dmarc(row->bytes, json);
		break;
	}
	return json;
}

/* Rows of a set, if it is there. */
static enum error show_set(struct spool *spool, const struct tally_set *set, size_t kind, json_t *sets, struct arena *arena)
{
	struct tally_row *rows = NULL;
	size_t count = 0;
	const enum error error = spool_tally_rows(spool, set, 0, ROWS_SHOWN_MAX, arena, &rows, &count);
	json_t *list;

	if (error != OK || count == 0)
		return error;
	list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, row_json(set->kind, &rows[i]));
	json_array_append_new(sets, json_pack("{s:o, s:s, s:o, s:o}", "day", day_json(set->day), "kind", kinds[kind].word,
					"domain", admin_string(set->domain), "rows", list));
	return OK;
}

/* The days are those with an account (T3 of spool/tally.h). */
static enum error show_kind(struct spool *spool, size_t kind, struct text domain, json_t *sets, struct arena *arena)
{
	static const struct text behind_all = TEXT("\xff");
	struct tally_set day = { .kind = kinds[kind].kind };
	bool begun = false;

	for (;;) {
		struct tally_listed *account;
		size_t count = 0;
		enum error error = spool_tally_sets(spool, day.kind, UINT32_MAX, begun ? &day : NULL, 1, arena, &account, &count);

		if (error != OK || count == 0)
			return error;
		day.day = account->set.day;
		day.domain = domain;
		error = show_set(spool, &day, kind, sets, arena);
		if (error != OK)
			return error;
		day.domain = behind_all;
		begun = true;
		arena_reset(arena);
	}
}

static json_t *show_domain(struct spool *spool, struct text domain)
{
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);
	json_t *sets = json_array();
	char room[ADDRESS_DOMAIN_MAX];
	enum error error = arena != NULL ? OK : ERR_NO_MEMORY;

	for (size_t i = 0; i < domain.length; i++)
		room[i] = byte_lower(domain.bytes[i]);
	for (size_t kind = 0; error == OK && kind < KINDS; kind++)
		error = show_kind(spool, kind, (struct text){ room, domain.length }, sets, arena);
	arena_free(arena);
	if (error == OK)
		return json_pack("{s:b, s:o}", "ok", 1, "sets", sets);
	json_decref(sets);
	return admin_failure(EX_IOERR, "the spool cannot be read: %s", error_text(error));
}

json_t *admin_reports(struct spool *spool, const json_t *request)
{
	const struct text domain = admin_member(request, "domain");

	if (domain.length > 0 && !address_domain_valid(domain, false))
		return admin_failure(EX_USAGE, "%.*s is no domain (hint: as DNS has it)", TEXT_FORMAT(domain));
	return domain.length > 0 ? show_domain(spool, domain) : list_sets(spool, request);
}

/* -- Sending ------------------------------------------------------------------------------------- */

struct sending {
	struct admin_pending pending; /* First. */
	struct admin *admin;
	admin_answered *answered;
	void *context;
};

static void sent(void *context, const struct reports_sum *sum)
{
	struct sending *sending = context;

	DL_DELETE(sending->admin->pending, &sending->pending);
	sending->answered(sending->context,
	    json_pack("{s:b, s:I, s:I, s:I, s:I}", "ok", 1, "sent", (json_int_t)sum->sent, "unwanted", (json_int_t)sum->unwanted,
		"given_up", (json_int_t)sum->given_up, "later", (json_int_t)sum->later));
	free(sending);
}

/* The reporter is freed behind admin, without another turn of the loop: it does not tell any more. */
static void give_up(struct admin_pending *pending)
{
	struct sending *sending = (struct sending *)pending;

	sending->answered(sending->context, admin_stopping());
	free(sending);
}

void admin_reports_send(struct admin *admin, const json_t *request, admin_answered *answered, void *context)
{
	const int64_t now_ms = loop_unix_ms(admin->settings.loop);
	const struct text word = admin_member(request, "day");
	uint32_t first = 0, last = tally_day(now_ms) - 1;
	struct sending *sending;

	if (word.length > 0) {
		if (!read_day(word, now_ms, &first)) {
			answered(context, no_day(word));
			return;
		}
		last = first;
	}
	sending = calloc(1, sizeof *sending);
	if (sending == NULL) {
		answered(context, admin_failure(EX_OSERR, "out of memory"));
		return;
	}
	*sending = (struct sending){ { .give_up = give_up }, admin, answered, context };
	DL_APPEND(admin->pending, &sending->pending);
	if (admin->settings.reports != NULL && reports_send(admin->settings.reports, first, last, sent, sending))
		return;
	DL_DELETE(admin->pending, &sending->pending);
	free(sending);
	answered(context, admin_failure(EX_TEMPFAIL, "other reports are being sent just now (hint: again in a minute)"));
}
