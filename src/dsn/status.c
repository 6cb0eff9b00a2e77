/* The part of a report that programs read (RFC 3464 §2), and the returned original. */
#include "dsn/parts.h"
#include "dsn/put.h"
#include "mail/date.h"
#include "mail/header.h"

static const char *const action_names[] = {
	[DSN_FAILED] = "failed",
	[DSN_DELAYED] = "delayed",
	[DSN_EXPANDED] = "expanded",
	[DSN_RELAYED] = "relayed",
	[DSN_DELIVERED] = "delivered",
};

/* X.Y.Z that fits the action (RFC 3464 §2.3.4). */
static struct enhanced_code status_code(const struct dsn_report *report, const struct dsn_recipient *recipient)
{
	const struct enhanced_code given = recipient->verdict.enhanced;
	const uint16_t class_by_code = recipient->verdict.code / 100;

	if (recipient->expired) /* RFC 2852 §4.1.3: for good, where its sender has set the time. */
		return (struct enhanced_code){ report->envelope->flags & ENVELOPE_BY_RETURN ? 5 : 4, 4, 7 };
	switch (recipient->action) {
	case DSN_FAILED:
		if (given.class == 4 || given.class == 5)
			return given;
		return (struct enhanced_code){ class_by_code == 4 ? 4 : 5, 0, 0 };
	case DSN_DELAYED:
		return given.class == 4 ? given : (struct enhanced_code){ 4, 0, 0 };
	default:
		return given.class == 2 ? given : (struct enhanced_code){ 2, 0, 0 };
	}
}

/* A field with a stranger's words in it; none if they are empty. */
static bool put_field(
    const struct composer *composer, const char *name_and_type, struct text words, struct buffer *out)
{
	struct text clean;

	if (!put_clean(words, composer->utf8, composer->arena, &clean))
		return false;
	return clean.length == 0 || put_folded(out, text_of(name_and_type), clean, TEXT("    "));
}

static bool put_date(const char *name, int64_t unix_ms, struct buffer *out)
{
	char room[DATE_TEXT_SIZE];

	return unix_ms == 0 || buffer_print(out, "%s: %.*s\r\n", name, TEXT_FORMAT(date_print(unix_ms, 0, room)));
}

/* RFC 4865 §8 */
static bool put_future_release(const struct envelope *envelope, struct buffer *out)
{
	char room[DATE_TEXT_SIZE];

	return envelope->held_until_ms == 0 || buffer_print(out, "Future-Release-Request: until;%.*s\r\n",
						   TEXT_FORMAT(date_print_rfc3339(envelope->held_until_ms, room)));
}

/* ORCPT comes as "type;address" and goes out like that (RFC 3461 §4.2). */
static bool put_original_recipient(const struct composer *composer, struct text original, struct buffer *out)
{
	const size_t semicolon = text_find_byte(original, ';');
	struct text field;

	if (original.length == 0)
		return true;
	if (semicolon == original.length)
		return arena_print(composer->arena, &field, "rfc822; %.*s", TEXT_FORMAT(original)) &&
		    put_field(composer, "Original-Recipient:", field, out);
	return arena_print(composer->arena, &field, "%.*s; %.*s", TEXT_FORMAT(text_part(original, 0, semicolon)),
	           TEXT_FORMAT(text_from(original, semicolon + 1))) &&
	    put_field(composer, "Original-Recipient:", field, out);
}

/* A mailbox's path and a command are no hosts. */
static bool is_host(struct text host)
{
	return host.length > 0 && host.bytes[0] != '/' && text_find_byte(host, ' ') == host.length;
}

/* What the remote said; our own words are no SMTP reply (RFC 3464 §2.3.6). */
static bool put_diagnostic(const struct composer *composer, const struct verdict *verdict, struct buffer *out)
{
	const struct text host = text_part(verdict->host, 0, text_find_byte(verdict->host, '['));
	struct text words;

	if (verdict->code == 0)
		return true;
	if (!part_verdict_words(composer, verdict, &words))
		return false;
	if (!is_host(verdict->host))
		return put_field(composer, "Diagnostic-Code: x-postroad;", words, out);
	return put_field(composer, "Remote-MTA: dns;", host.length > 0 ? host : verdict->host, out) &&
	    put_field(composer, "Diagnostic-Code: smtp;", words, out);
}

static bool put_recipient(const struct composer *composer, const struct dsn_recipient *recipient, struct buffer *out)
{
	const struct enhanced_code code = status_code(composer->report, recipient);
	struct text address;

	if (!address_print(&recipient->address, composer->arena, &address))
		return false;
	return buffer_append(out, TEXT("\r\n")) && put_original_recipient(composer, recipient->original, out) &&
	    put_field(composer, text_is_ascii(address) ? "Final-Recipient: rfc822;" : "Final-Recipient: utf-8;", address,
	        out) &&
	    buffer_print(out, "Action: %s\r\nStatus: %u.%u.%u\r\n", action_names[recipient->action], code.class,
	        code.subject, code.detail) &&
	    put_diagnostic(composer, &recipient->verdict, out) &&
	    put_date("Last-Attempt-Date", recipient->attempted_ms, out) &&
	    (recipient->action != DSN_DELAYED || put_date("Will-Retry-Until", recipient->retry_until_ms, out));
}

bool part_status(const struct composer *composer, struct buffer *out)
{
	const struct dsn_report *report = composer->report;

	if (!buffer_print(out, "Content-Type: message/%s\r\n%s\r\n", composer->utf8 ? "global-delivery-status" : "delivery-status",
	        composer->utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "") ||
	    !put_field(composer, "Original-Envelope-Id:", report->envelope->envelope_id, out) ||
	    !put_field(composer, "Reporting-MTA: dns;", report->hostname, out) ||
	    !put_date("Arrival-Date", report->envelope->arrived_ms, out) ||
	    !put_date("Deliver-By-Date", report->envelope->deliver_by_ms, out) || !put_future_release(report->envelope, out))
		return false;
	for (size_t i = 0; i < report->recipient_count; i++)
		if (!put_recipient(composer, &report->recipients[i], out))
			return false;
	return true;
}

/* The header up to its last line that is there as a whole. */
static struct text original_header(const struct dsn_report *report)
{
	struct text header = text_part(report->original, 0, header_length(report->original));

	if (header.length == report->original.length && !report->original_complete)
		header.length = header.length > 0 ? text_find_byte_last(header, '\n') + 1 : 0;
	return header;
}

/* The type of what is returned: RFC 6522 §4, or RFC 6533 §5 when it is UTF-8 by right. */
static const char *original_type(const struct composer *composer, struct text original)
{
	const bool global = (composer->report->envelope->flags & ENVELOPE_SMTPUTF8) && text_is_utf8(original) &&
	    !text_is_ascii(original);

	if (composer->whole)
		return global ? "message/global" : "message/rfc822";
	return global ? "message/global-headers" : "text/rfc822-headers";
}

bool part_original(const struct composer *composer, struct buffer *out)
{
	struct text original = composer->whole ? composer->report->original : original_header(composer->report);

	/* RFC 6522 §4: the header alone, without the empty line behind it. */
	if (!composer->whole && text_ends(original, TEXT("\n\r\n")))
		original.length -= 2;
	else if (!composer->whole && text_ends(original, TEXT("\n\n")))
		original.length -= 1;
	return buffer_print(out, "Content-Type: %s\r\n%s\r\n", original_type(composer, original),
	           text_is_ascii(original) ? "" : "Content-Transfer-Encoding: 8bit\r\n") &&
	    put_lines(out, original);
}
