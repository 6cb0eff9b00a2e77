#include "dsn/failure_report.h"

#include "dsn/put.h"
#include "mail/date.h"
#include "mail/header.h"

enum { FEEDBACK_MAX = 16 << 10 };

/* -- What is left out ------------------------------------------------------------------------- */

static bool ends_local_part(char byte)
{
	return (unsigned char)byte <= ' ' || strchr("@<(,;:=[", byte) != NULL;
}

/* Where the local part before the "@" begins. */
static size_t local_part_start(struct text text, size_t at)
{
	size_t start = at;

	if (at > 0 && text.bytes[at - 1] == '"') {
		const size_t open = text_find_byte_last(text_part(text, 0, at - 1), '"');

		return open < at - 1 ? open : 0;
	}
	while (start > 0 && !ends_local_part(text.bytes[start - 1]))
		start--;
	return start;
}

/* F2, F3: 7-bit, with line ends as they are. */
static bool put_redacted(struct buffer *out, struct text text)
{
	size_t begun = out->length;

	for (size_t i = 0; i < text.length; i++) {
		const char byte = text.bytes[i];
		const bool odd = (unsigned char)byte > '~' || ((unsigned char)byte < ' ' && strchr("\t\r\n", byte) == NULL) || byte == '\0';

		if (byte == '@') {
			const size_t start = local_part_start(text, i);

			/* What was put of it is taken back, but never more than was put since the last one. */
			const size_t back = i - start < out->length - begun ? i - start : out->length - begun;

			out->length -= back;
			if (i > start && !buffer_append(out, TEXT("redacted")))
				return false;
			begun = out->length;
		}
		if (!buffer_append(out, odd ? TEXT("?") : text_part(text, i, 1)))
			return false;
	}
	return true;
}

static bool is_kept(struct text name)
{
#define FIELD(kept) text_equal_nocase(name, TEXT(kept)) ||
	return FAILURE_FIELDS(FIELD) false;
#undef FIELD
}

/* F1; what finds no room is left out. */
static bool put_header(const struct auth_failure *failure, struct buffer *out)
{
	struct text rest = failure->header;
	struct header_field field;

	if (!buffer_print(out, "From: <redacted@%.*s>\r\n", TEXT_FORMAT(failure->author)))
		return false;
	while (header_next(&rest, &field)) {
		const size_t before = out->length;
		const bool is_id = text_equal_nocase(field.name, TEXT("Message-ID"));

		if (!is_kept(field.name))
			continue;
		if (!(is_id ? put_lines(out, field.whole) : put_redacted(out, field.whole)))
			out->length = before;
	}
	return true;
}

/* -- What is told --------------------------------------------------------------------------------- */

static const char *alignment(const struct auth_failure *failure)
{
	if (failure->dkim_aligned)
		return failure->spf_aligned ? "dkim, spf" : "dkim";
	return failure->spf_aligned ? "spf" : "none";
}

static bool put_sender(const struct auth_failure *failure, struct buffer *out)
{
	return buffer_append(out, TEXT("Original-Mail-From: <")) && put_redacted(out, failure->sender) &&
	    buffer_append(out, TEXT(">\r\n"));
}

/* A name that a stranger has written, without what would end its line. */
static bool put_name(const char *field, struct text name, struct buffer *out)
{
	name = text_part(name, 0, 255);
	if (!buffer_print(out, "%s: ", field))
		return false;
	for (size_t i = 0; i < name.length; i++) {
		const bool fits = name.bytes[i] > ' ' && name.bytes[i] <= '~';

		if (!buffer_append(out, fits ? text_part(name, i, 1) : TEXT("?")))
			return false;
	}
	return buffer_append(out, TEXT("\r\n"));
}

/* RFC 6591 §3.1, §3.2; RFC 9991 §4 */
static bool put_feedback(const struct auth_failure *failure, struct buffer *out)
{
	char date[DATE_TEXT_SIZE];

	return buffer_print(out,
		   "Feedback-Type: auth-failure\r\nVersion: 1\r\nUser-Agent: postroad/" POSTROAD_VERSION "\r\n"
		   "Auth-Failure: dmarc\r\nIdentity-Alignment: %s\r\nDelivery-Result: %s\r\nReported-Domain: %.*s\r\n"
		   "Source-IP: %.*s\r\nArrival-Date: %.*s\r\n",
		   alignment(failure), failure->delivery, TEXT_FORMAT(failure->author), TEXT_FORMAT(failure->client),
		   TEXT_FORMAT(date_print(failure->arrived_ms, 0, date))) &&
	    put_sender(failure, out) &&
	    (failure->dkim_domain.length == 0 ||
		(put_name("DKIM-Domain", failure->dkim_domain, out) && put_name("DKIM-Selector", failure->dkim_selector, out))) &&
	    buffer_append(out, TEXT("Authentication-Results:")) && put_redacted(out, failure->results);
}

static bool keep(struct buffer *from, struct arena *arena, struct text *out_text)
{
	const bool kept = arena_copy(arena, buffer_text(from), out_text);

	buffer_done(from);
	return kept;
}

bool failure_report_dress(const struct auth_failure *failure, struct arena *arena,
    struct report_part parts[FAILURE_PARTS], struct report_mail *mail)
{
	struct buffer feedback, header;

	buffer_init(&feedback, FEEDBACK_MAX);
	buffer_init(&header, FAILURE_HEADER_MAX);

	const bool told = put_feedback(failure, &feedback), shown = put_header(failure, &header);

	parts[0].media_type = TEXT("message/feedback-report");
	parts[1].media_type = TEXT("text/rfc822-headers; charset=us-ascii");

	const bool kept = keep(&feedback, arena, &parts[0].content), kept_too = keep(&header, arena, &parts[1].content);

	mail->report_type = TEXT("feedback-report");
	mail->parts = parts;
	mail->part_count = FAILURE_PARTS;
	return told && shown && kept && kept_too &&
	    arena_print(arena, &mail->subject, "DMARC failure report for %.*s", TEXT_FORMAT(failure->author)) &&
	    arena_print(arena, &mail->words,
		"A message in the name of %.*s, which came from %.*s,\r\nfailed DMARC. What is left of its header follows.\r\n",
		TEXT_FORMAT(failure->author), TEXT_FORMAT(failure->client));
}
