#include "dsn/report_mail.h"

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/must.h"
#include "dsn/put.h"
#include "mail/date.h"

enum { ARENA_BYTES = 32 << 20, BASE64_COLUMNS = 76 };

static void arena_freep(struct arena **arena)
{
	arena_free(*arena);
}

/* Within a quoted string. */
static bool put_quoted(struct buffer *out, struct text words)
{
	for (size_t i = 0; i < words.length; i++) {
		const bool special = words.bytes[i] == '"' || words.bytes[i] == '\\';

		if ((special && !buffer_append(out, TEXT("\\"))) || !buffer_append(out, text_part(words, i, 1)))
			return false;
	}
	return true;
}

static bool put_from(const struct report_mail *mail, struct arena *arena, struct buffer *out)
{
	struct text name, address;

	if (!put_clean(mail->from_name, false, arena, &name) || !address_print(&mail->from, arena, &address) ||
	    !put_clean(address, false, arena, &address) || !buffer_append(out, TEXT("From: ")))
		return false;
	if (name.length > 0 &&
	    (!buffer_append(out, TEXT("\"")) || !put_quoted(out, text_part(name, 0, 200)) || !buffer_append(out, TEXT("\" "))))
		return false;
	return buffer_print(out, "<%.*s>\r\n", TEXT_FORMAT(address));
}

static bool put_to(const struct report_mail *mail, struct arena *arena, struct buffer *out)
{
	for (size_t i = 0; i < mail->to_count; i++) {
		struct text address;

		if (!address_print(&mail->to[i], arena, &address) || !put_clean(address, false, arena, &address) ||
		    !buffer_print(out, "%s<%.*s>", i == 0 ? "To: " : ",\r\n\t", TEXT_FORMAT(address)))
			return false;
	}
	return buffer_append(out, TEXT("\r\n"));
}

static bool put_header(const struct report_mail *mail, struct arena *arena, struct buffer *out)
{
	char date[DATE_TEXT_SIZE], id[QUEUE_ID_TEXT_SIZE];
	struct text subject;

	queue_id_print(mail->id, id);
	if (!put_from(mail, arena, out) || !put_to(mail, arena, out) ||
	    !put_clean(mail->subject, false, arena, &subject) ||
	    !put_folded(out, TEXT("Subject:"), subject, TEXT(" ")) ||
	    !buffer_print(out, "Date: %.*s\r\nMessage-ID: <%s@%.*s>\r\nAuto-Submitted: auto-generated\r\n",
		TEXT_FORMAT(date_print(mail->now_ms, 0, date)), id, TEXT_FORMAT(mail->hostname)) ||
	    !buffer_append(out, mail->fields) || !buffer_append(out, TEXT("MIME-Version: 1.0\r\nContent-Type: ")))
		return false;
	return mail->report_type.length > 0
	    ? buffer_print(out, "multipart/report; report-type=%.*s;\r\n\tboundary=\"=_%s\"\r\n", TEXT_FORMAT(mail->report_type), id)
	    : buffer_print(out, "multipart/mixed; boundary=\"=_%s\"\r\n", id);
}

static bool put_base64(struct text content, struct arena *arena, struct buffer *out)
{
	struct text encoded;

	if (!base64_encode(content, arena, &encoded))
		return false;
	for (; encoded.length > 0; encoded = text_from(encoded, BASE64_COLUMNS))
		if (!buffer_append(out, text_part(encoded, 0, BASE64_COLUMNS)) || !buffer_append(out, TEXT("\r\n")))
			return false;
	return true;
}

static bool put_plain_parts(const struct report_mail *mail, struct buffer *out)
{
	char id[QUEUE_ID_TEXT_SIZE];

	queue_id_print(mail->id, id);
	if (!buffer_print(out, "\r\n--=_%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n%.*s", id, TEXT_FORMAT(mail->words)))
		return false;
	for (size_t i = 0; i < mail->part_count; i++)
		if (!buffer_print(out, "\r\n--=_%s\r\nContent-Type: %.*s\r\n\r\n", id, TEXT_FORMAT(mail->parts[i].media_type)) ||
		    !buffer_append(out, mail->parts[i].content))
			return false;
	return buffer_print(out, "\r\n--=_%s--\r\n", id);
}

/* The boundary holds an underscore behind an equals sign, which base64 has nowhere; the words are ours. */
static bool put_parts(const struct report_mail *mail, struct arena *arena, struct buffer *out)
{
	char id[QUEUE_ID_TEXT_SIZE];

	queue_id_print(mail->id, id);
	return buffer_print(out,
		   "\r\n--=_%s\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n%.*s"
		   "\r\n--=_%s\r\nContent-Type: %.*s\r\nContent-Transfer-Encoding: base64\r\n"
		   "Content-Disposition: attachment;\r\n\tfilename=\"",
		   id, TEXT_FORMAT(mail->words), id, TEXT_FORMAT(mail->media_type)) &&
	    put_quoted(out, mail->filename) && buffer_append(out, TEXT("\"\r\n\r\n")) &&
	    put_base64(mail->content, arena, out) && buffer_print(out, "\r\n--=_%s--\r\n", id);
}

bool report_mail_compose(const struct report_mail *mail, struct buffer *out)
{
	const size_t before = out->length;

	must(mail->to_count > 0);
	must(text_is_ascii(mail->fields) && text_is_ascii(mail->words) && text_is_ascii(mail->filename));

	cleanup(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);

	if (arena != NULL && put_header(mail, arena, out) &&
	    (mail->part_count > 0 ? put_plain_parts(mail, out) : put_parts(mail, arena, out)))
		return true;
	out->length = before;
	return false;
}
