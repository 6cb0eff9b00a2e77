#include "dsn/dsn.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "dsn/parts.h"
#include "dsn/put.h"
#include "mail/date.h"
#include "mail/header.h"

enum { COMPOSE_ARENA_BYTES = 8 << 20, BOUNDARY_SIZE = 64, MESSAGE_ID_MAX = 250 };

static const char *const subjects[] = {
	[DSN_FAILED] = "Undelivered: a message could not be delivered",
	[DSN_DELAYED] = "Delayed: a message has not been delivered yet",
	[DSN_EXPANDED] = "Passed on: a message went to everybody behind an address",
	[DSN_RELAYED] = "Handed on: a message left for its recipient",
	[DSN_DELIVERED] = "Delivered: a message reached its recipient",
};

static void arena_freep(struct arena **arena)
{
	arena_free(*arena);
}

static enum dsn_action worst_action(const struct dsn_report *report)
{
	enum dsn_action worst = DSN_DELIVERED;

	for (size_t i = 0; i < report->recipient_count; i++)
		if (report->recipients[i].action < worst)
			worst = report->recipients[i].action;
	return worst;
}

static bool address_is_ascii(const struct address *address)
{
	return text_is_ascii(address->local) && text_is_ascii(address->domain);
}

static bool has_utf8_address(const struct dsn_report *report)
{
	bool utf8 = !address_is_ascii(&report->to);

	for (size_t i = 0; i < report->recipient_count; i++)
		utf8 |= !address_is_ascii(&report->recipients[i].address) || !text_is_ascii(report->recipients[i].original);
	return utf8;
}

/* The original's Message-ID if it is one (RFC 5322 §3.6.4): "<", visible ASCII, ">". */
static bool find_message_id(const struct composer *composer, struct text *out_id)
{
	struct text id;

	if (!header_find(composer->report->original, TEXT("Message-ID"), &id))
		return false;
	id = text_trim(id);
	if (id.length < 3 || id.length > MESSAGE_ID_MAX || id.bytes[0] != '<' || text_find_byte(id, '>') != id.length - 1)
		return false;
	for (size_t i = 0; i < id.length; i++)
		if (id.bytes[i] <= ' ' || id.bytes[i] >= 0x7F)
			return false;
	*out_id = id;
	return true;
}

static bool put_header(const struct composer *composer, const char *boundary, struct buffer *out)
{
	const struct dsn_report *report = composer->report;
	char date[DATE_TEXT_SIZE], id[QUEUE_ID_TEXT_SIZE];
	struct text to, original_id;

	if (!address_print(&report->to, composer->arena, &to) ||
	    !put_clean(to, composer->utf8, composer->arena, &to) ||
	    !buffer_print(out,
	        "From: Mail Delivery System <postmaster@%.*s>\r\nTo: <%.*s>\r\nSubject: %s\r\n"
	        "Date: %.*s\r\nMessage-ID: <%.*s@%.*s>\r\nAuto-Submitted: auto-replied\r\n",
	        TEXT_FORMAT(report->hostname), TEXT_FORMAT(to), subjects[worst_action(report)],
	        TEXT_FORMAT(date_print(report->now_ms, 0, date)), TEXT_FORMAT(queue_id_print(report->id, id)),
	        TEXT_FORMAT(report->hostname)))
		return false;
	if (find_message_id(composer, &original_id) &&
	    !buffer_print(out, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", TEXT_FORMAT(original_id),
	        TEXT_FORMAT(original_id)))
		return false;
	return buffer_print(out,
	    "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n\r\nThis is a report in three parts: words, status, and the original.\r\n",
	    boundary);
}

/* A boundary that occurs in no part. A stranger's bytes can make us count on, but each number costs
 * them bytes of a bounded original. */
static void choose_boundary(const struct composer *composer, const struct buffer *parts, char *out_boundary)
{
	char id[QUEUE_ID_TEXT_SIZE];
	bool taken = true;

	queue_id_print(composer->report->id, id);
	for (unsigned number = 0; taken; number++) {
		snprintf(out_boundary, BOUNDARY_SIZE, "=_%s_%u", id, number);
		taken = false;
		for (size_t part = 0; part < 3; part++) {
			const struct text text = buffer_text(&parts[part]);

			taken |= text_find(text, text_of(out_boundary)) < text.length;
		}
	}
}

static bool put_all(const struct composer *composer, struct buffer parts[3], struct buffer *out)
{
	char boundary[BOUNDARY_SIZE];

	if (!part_words(composer, &parts[0]) || !part_status(composer, &parts[1]) || !part_original(composer, &parts[2]))
		return false;
	choose_boundary(composer, parts, boundary);
	if (!put_header(composer, boundary, out))
		return false;
	for (size_t part = 0; part < 3; part++)
		if (!buffer_print(out, "\r\n--%s\r\n", boundary) || !buffer_append(out, buffer_text(&parts[part])))
			return false;
	return buffer_print(out, "\r\n--%s--\r\n", boundary);
}

bool dsn_compose(const struct dsn_report *report, struct buffer *out)
{
	must(report->recipient_count > 0);
	must(report->original.length <= DSN_ORIGINAL_MAX);

	cleanup(arena_freep) struct arena *arena = arena_new(COMPOSE_ARENA_BYTES);

	if (arena == NULL)
		return false;

	const struct composer composer = {
		.report = report,
		.arena = arena,
		.utf8 = has_utf8_address(report),
		/* RFC 3461 §4.3: RET matters to reports of failure only. */
		.whole = report->envelope->dsn_return == DSN_RETURN_FULL &&
		    !(report->envelope->flags & ENVELOPE_REQUIRETLS) && /* RFC 8689 §5 */
		    worst_action(report) == DSN_FAILED &&
		    report->original_complete,
	};
	struct buffer parts[3];
	const size_t before = out->length;

	for (size_t part = 0; part < 3; part++)
		buffer_init(&parts[part], DSN_REPORT_MAX);

	const bool ok = put_all(&composer, parts, out);

	if (!ok)
		out->length = before;
	for (size_t part = 0; part < 3; part++)
		buffer_done(&parts[part]);
	return ok;
}

uint16_t dsn_envelope_flags(const struct dsn_report *report, struct text message)
{
	uint16_t flags = ENVELOPE_BOUNCE;

	if (!text_is_ascii(message))
		flags |= ENVELOPE_8BIT;
	if (!address_is_ascii(&report->to))
		flags |= ENVELOPE_SMTPUTF8;
	return flags;
}
