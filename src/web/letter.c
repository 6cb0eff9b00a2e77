#include "web/letter.h"

#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "mail/address_list.h"
#include "smtp/xtext.h"

/* What is being written: words of the header and parts of the body, in order. */
struct writing {
	struct web_letter *letter;
	struct arena *arena;
	struct buffer out;
	const char *wrong;             /* NULL: nothing yet. */
};

enum { LINE_BYTES = 76, WORD_BYTES = 42, LINE_BYTES_MAX = 900, WISH_BYTES_MAX = 100 };

static void fail(struct writing *writing, const char *why)
{
	if (writing->wrong == NULL)
		writing->wrong = why;
}

static void put(struct writing *writing, struct text text)
{
	if (!buffer_append(&writing->out, text))
		fail(writing, "the message is too long");
}

static struct text string_of(const json_t *value)
{
	return (struct text){ json_string_value(value), json_string_length(value) };
}

/* L1 */
static bool is_one_line(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
			return false;
	return true;
}

/* Without cutting a character (RFC 2047 §5). */
static size_t word_length(struct text text)
{
	size_t length = text.length < WORD_BYTES ? text.length : WORD_BYTES;

	while (length > 0 && length < text.length && ((unsigned char)text.bytes[length] & 0xc0) == 0x80)
		length--;
	return length;
}

/* As it is, folded at spaces; or as encoded words. */
static void put_words(struct writing *writing, struct text text, bool encoded)
{
	struct text base64;

	if (!encoded && text_is_ascii(text)) {
		struct text word;
		size_t column = 20;

		for (bool first = true; text_cut(&text, ' ', &word); first = false) {
			const bool fold = !first && column + word.length > LINE_BYTES;

			if (word.length > LINE_BYTES_MAX)
				fail(writing, "a word of the header is too long");
			if (!first)
				put(writing, fold && word.length > 0 ? TEXT("\r\n ") : TEXT(" "));
			put(writing, word);
			column = fold ? word.length : column + word.length + 1;
		}
		return;
	}
	for (bool first = true; text.length > 0; first = false) {
		const size_t length = word_length(text);

		if (!base64_encode(text_part(text, 0, length), writing->arena, &base64)) {
			fail(writing, "out of memory");
			return;
		}
		put(writing, first ? TEXT("=?utf-8?B?") : TEXT("\r\n =?utf-8?B?"));
		put(writing, base64);
		put(writing, TEXT("?="));
		text = text_from(text, length);
	}
}

/* -- Addresses ------------------------------------------------------------------------- */

/* `Name <a@b>`: the name may be of any script, or have commas; the address goes on as it is. */
static void put_address(struct writing *writing, struct text address)
{
	const size_t angle = text_find_byte_last(address, '<');
	const struct text name = text_trim(text_part(address, 0, angle));

	if (angle == address.length || text_is_ascii(name)) {
		put(writing, address);
		return;
	}
	put_words(writing, name.bytes[0] == '"' && name.length > 2 ? text_part(name, 1, name.length - 2) : name, true);
	put(writing, TEXT(" "));
	put(writing, text_from(address, angle));
}

/* Into the envelope, by the address alone where a name stands before it. */
static void add_recipient(struct writing *writing, struct text address)
{
	struct web_letter *letter = writing->letter;
	const size_t before = letter->recipient_count, angle = text_find_byte_last(address, '<');
	const struct text bare = angle < address.length && text_ends(address, TEXT(">")) ? text_from(address, angle) : address;

	if (!text_is_utf8(address) || !is_one_line(address) ||
	    address_list_parse(bare, letter->hostname, writing->arena, letter->recipients, LETTER_RECIPIENTS_MAX, &letter->recipient_count) != OK ||
	    letter->recipient_count != before + 1)
		fail(writing, "a recipient is no address");
}

/* A field with one address or a list of them; NULL for no field (L2). */
static void put_recipients(struct writing *writing, const json_t *value, const char *field)
{
	const json_t *one = value;
	const size_t count = json_is_array(value) ? json_array_size(value) : value != NULL ? 1 : 0;

	for (size_t i = 0; i < count && writing->wrong == NULL; i++) {
		if (json_is_array(value))
			one = json_array_get(value, i);
		add_recipient(writing, string_of(one));
		if (field == NULL || writing->wrong != NULL)
			continue;
		put(writing, i == 0 ? text_of(field) : TEXT(",\r\n "));
		put_address(writing, string_of(one));
	}
	if (field != NULL && count > 0)
		put(writing, TEXT("\r\n"));
}

static void read_sender(struct writing *writing, struct text from)
{
	const size_t angle = text_find_byte_last(from, '<');
	const struct text bare = angle < from.length && text_ends(from, TEXT(">")) ? text_from(from, angle) : from;
	struct address address;
	size_t count = 0;

	writing->letter->sender = TEXT("");
	if (text_equal(from, TEXT("<>")))
		return;
	if (!text_is_utf8(from) || !is_one_line(from) ||
	    address_list_parse(bare, writing->letter->hostname, writing->arena, &address, 1, &count) != OK || count != 1 ||
	    !address_print(&address, writing->arena, &writing->letter->sender))
		fail(writing, "from is no address");
}

/* Words such as "success,delay"; which of them there are, the server knows. */
static struct text read_words(struct writing *writing, struct text words)
{
	for (size_t i = 0; i < words.length; i++)
		if (!byte_is_alnum(words.bytes[i]) && words.bytes[i] != ',')
			fail(writing, "notify or ret has other than words");
	if (words.length > WISH_BYTES_MAX)
		fail(writing, "notify or ret is too long");
	return words;
}

/* The wishes for delivery status notifications (RFC 3461). */
static void read_wishes(struct writing *writing, const json_t *members)
{
	const struct text id = string_of(json_object_get(members, "envid"));
	struct web_letter *letter = writing->letter;

	if (!arena_copy(writing->arena, read_words(writing, string_of(json_object_get(members, "notify"))), &letter->notify) ||
	    !arena_copy(writing->arena, read_words(writing, string_of(json_object_get(members, "ret"))), &letter->ret) ||
	    !xtext_encode(id, writing->arena, &letter->envelope_id))
		fail(writing, "out of memory");
	if (!text_is_ascii(id) || !is_one_line(id) || id.length > WISH_BYTES_MAX)
		fail(writing, "envid is not up to 100 printable characters");
}

/* -- The header ---------------------------------------------------------------------------- */

static bool is_field_name(struct text name)
{
	/* These are made here, or would lead elsewhere than the envelope says. */
	static const char *const ours[] = { "From", "To", "Cc", "Bcc", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
		"Return-Path", "Received" };

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (text_equal_nocase(name, text_of(ours[i])))
			return false;
	for (size_t i = 0; i < name.length; i++)
		if (name.bytes[i] <= ' ' || name.bytes[i] == ':' || (unsigned char)name.bytes[i] >= 0x7f)
			return false;
	return name.length > 0 && name.length < 70;
}

static void put_fields(struct writing *writing, const json_t *fields)
{
	const json_t *value;
	const char *name;

	json_object_foreach ((json_t *)fields, name, value) {
		if (!is_field_name(text_of(name)) || !json_is_string(value) || !is_one_line(string_of(value))) {
			fail(writing, "a field of headers is no field, or one that is made here");
			return;
		}
		put(writing, text_of(name));
		put(writing, TEXT(": "));
		put_words(writing, string_of(value), false);
		put(writing, TEXT("\r\n"));
	}
}

static void put_header(struct writing *writing, const json_t *letter)
{
	const struct text from = string_of(json_object_get(letter, "from")), subject = string_of(json_object_get(letter, "subject"));

	read_sender(writing, from);
	put(writing, TEXT("From: "));
	put_address(writing, from);
	put(writing, TEXT("\r\n"));
	put_recipients(writing, json_object_get(letter, "to"), "To: ");
	put_recipients(writing, json_object_get(letter, "cc"), "Cc: ");
	put_recipients(writing, json_object_get(letter, "bcc"), NULL);
	if (!is_one_line(subject))
		fail(writing, "the subject has more than a line");
	if (subject.length > 0) {
		put(writing, TEXT("Subject: "));
		put_words(writing, subject, false);
		put(writing, TEXT("\r\n"));
	}
	put_fields(writing, json_object_get(letter, "headers"));
	put(writing, TEXT("MIME-Version: 1.0\r\n"));
}

/* -- The body -------------------------------------------------------------------------------- */

/* Lines that any server passes on as they are. */
static bool is_plain(struct text text)
{
	size_t column = 0;

	for (size_t i = 0; i < text.length; i++) {
		const unsigned char c = (unsigned char)text.bytes[i];

		if (c >= 0x7f || (c < 0x20 && c != '\n' && c != '\t' && !(c == '\r' && i + 1 < text.length && text.bytes[i + 1] == '\n')))
			return false;
		column = c == '\n' ? 0 : column + 1;
		if (column > LINE_BYTES_MAX)
			return false;
	}
	return true;
}

static void put_base64(struct writing *writing, struct text bytes)
{
	struct text base64;

	if (!base64_encode(bytes, writing->arena, &base64)) {
		fail(writing, "out of memory");
		return;
	}
	for (; base64.length > 0; base64 = text_from(base64, LINE_BYTES)) {
		put(writing, text_part(base64, 0, LINE_BYTES));
		put(writing, TEXT("\r\n"));
	}
}

static void put_text(struct writing *writing, const char *type, struct text text)
{
	const bool plain = is_plain(text);

	put(writing, TEXT("Content-Type: "));
	put(writing, text_of(type));
	put(writing, plain ? TEXT("; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n")
	                   : TEXT("; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
	if (!plain) {
		put_base64(writing, text);
		return;
	}
	put(writing, text);
	if (!text_ends(text, TEXT("\n")))
		put(writing, TEXT("\r\n"));
}

/* A name or type within quotation marks or without: nothing that ends them. */
static bool is_simple(struct text text)
{
	return is_one_line(text) && text_find_byte(text, '"') == text.length && text_find_byte(text, '\\') == text.length && text.length < 200;
}

static bool is_type(struct text type)
{
	const size_t slash = text_find_byte(type, '/');

	for (size_t i = 0; i < type.length; i++)
		if (!byte_is_alnum(type.bytes[i]) && strchr("/.+-_", type.bytes[i]) == NULL)
			return false;
	return slash > 0 && slash + 1 < type.length && type.length < 100;
}

static void put_attachment(struct writing *writing, const json_t *attachment)
{
	const struct text name = string_of(json_object_get(attachment, "filename"));
	const json_t *type = json_object_get(attachment, "type"), *content = json_object_get(attachment, "content");
	struct text bytes;

	if (!is_simple(name) || (type != NULL && !is_type(string_of(type))) || !json_is_string(content) ||
	    base64_decode(string_of(content), writing->arena, &bytes) != OK) {
		fail(writing, "an attachment is not {filename, type, content in base64}");
		return;
	}
	put(writing, TEXT("Content-Type: "));
	put(writing, type != NULL ? string_of(type) : TEXT("application/octet-stream"));
	put(writing, TEXT("\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment"));
	if (name.length > 0) {
		put(writing, TEXT("; filename=\""));
		put_words(writing, name, false);
		put(writing, TEXT("\""));
	}
	put(writing, TEXT("\r\n\r\n"));
	put_base64(writing, bytes);
}

/* One that stands in no line of a part: what is 7bit is searched for it. */
static struct text boundary_of(const json_t *letter, const char *kind, struct arena *arena)
{
	const struct text text = string_of(json_object_get(letter, "text")), html = string_of(json_object_get(letter, "html"));
	struct text boundary = TEXT("=_part");

	for (unsigned i = 0; i < 1000; i++)
		if (!arena_print(arena, &boundary, "=_postroad_%s_%u", kind, i) ||
		    (text_find(text, boundary) == text.length && text_find(html, boundary) == html.length))
			break;
	return boundary;
}

static void put_multipart(struct writing *writing, const char *kind, struct text boundary)
{
	put(writing, TEXT("Content-Type: multipart/"));
	put(writing, text_of(kind));
	put(writing, TEXT("; boundary=\""));
	put(writing, boundary);
	put(writing, TEXT("\"\r\n\r\n"));
}

static void put_boundary(struct writing *writing, struct text boundary, bool last)
{
	put(writing, TEXT("--"));
	put(writing, boundary);
	put(writing, last ? TEXT("--\r\n") : TEXT("\r\n"));
}

/* Text, page, or the one beside the other. */
static void put_content(struct writing *writing, const json_t *letter)
{
	const json_t *text = json_object_get(letter, "text"), *html = json_object_get(letter, "html");

	if (text != NULL && html != NULL) {
		const struct text boundary = boundary_of(letter, "alternative", writing->arena);

		put_multipart(writing, "alternative", boundary);
		put_boundary(writing, boundary, false);
		put_text(writing, "text/plain", string_of(text));
		put_boundary(writing, boundary, false);
		put_text(writing, "text/html", string_of(html));
		put_boundary(writing, boundary, true);
	} else {
		put_text(writing, html != NULL ? "text/html" : "text/plain", string_of(html != NULL ? html : text));
	}
}

static void put_body(struct writing *writing, const json_t *letter)
{
	const json_t *attachments = json_object_get(letter, "attachments");

	if (json_array_size(attachments) > LETTER_PARTS_MAX)
		fail(writing, "too many attachments");
	if (json_array_size(attachments) == 0) {
		put_content(writing, letter);
		return;
	}
	const struct text boundary = boundary_of(letter, "mixed", writing->arena);

	put_multipart(writing, "mixed", boundary);
	put_boundary(writing, boundary, false);
	put_content(writing, letter);
	for (size_t i = 0; i < json_array_size(attachments); i++) {
		put_boundary(writing, boundary, false);
		put_attachment(writing, json_array_get(attachments, i));
	}
	put_boundary(writing, boundary, true);
}

/* -- The whole ---------------------------------------------------------------------------------- */

static const char *wrong_member(const json_t *letter)
{
	static const struct {
		const char *name;
		bool is_list, is_object, is_text;
	} members[] = {
		{ "from", .is_text = true }, { "to", .is_text = true, .is_list = true }, { "cc", .is_text = true, .is_list = true },
		{ "bcc", .is_text = true, .is_list = true }, { "subject", .is_text = true }, { "text", .is_text = true },
		{ "html", .is_text = true }, { "headers", .is_object = true }, { "attachments", .is_list = true },
		{ "notify", .is_text = true }, { "ret", .is_text = true }, { "envid", .is_text = true },
	};
	const json_t *value;
	const char *name;

	json_object_foreach ((json_t *)letter, name, value) {
		size_t i = 0;

		while (i < sizeof members / sizeof members[0] && strcmp(members[i].name, name) != 0)
			i++;
		if (i == sizeof members / sizeof members[0])
			return "a member of the message is not known";
		if (!((members[i].is_text && json_is_string(value)) || (members[i].is_list && json_is_array(value)) ||
		        (members[i].is_object && json_is_object(value))))
			return "a member of the message has the wrong type";
	}
	return json_object_get(letter, "from") == NULL ? "from is missing" : NULL;
}

static void read_json(struct writing *writing, struct text body)
{
	json_t *letter = json_loadb(body.bytes, body.length, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong = json_is_object(letter) ? wrong_member(letter) : "the body is no JSON object";

	if (wrong != NULL) {
		fail(writing, wrong);
	} else {
		put_header(writing, letter);
		read_wishes(writing, letter);
		if (writing->wrong == NULL)
			put_body(writing, letter);
	}
	json_decref(letter);
	if (writing->wrong == NULL && !arena_copy(writing->arena, buffer_text(&writing->out), &writing->letter->message))
		fail(writing, "out of memory");
}

static void read_raw(struct writing *writing, const struct web_call *call)
{
	struct text to = string_of(json_object_get(call->query, "to")), one;

	read_sender(writing, string_of(json_object_get(call->query, "from")));
	while (to.length > 0 && text_cut(&to, ',', &one))
		add_recipient(writing, text_trim(one));
	read_wishes(writing, call->query);
	writing->letter->message = call->body;
}

bool web_letter_read(const struct web_call *call, struct text content_type, struct arena *arena, struct web_letter *letter,
    const char **out_wrong)
{
	struct writing writing = { .letter = letter, .arena = arena };

	buffer_init(&writing.out, 2 * call->body.length + LETTER_ARENA_BYTES);
	letter->recipient_count = 0;
	letter->recipients = arena_array(arena, LETTER_RECIPIENTS_MAX, sizeof *letter->recipients);
	if (letter->recipients == NULL)
		fail(&writing, "out of memory");
	else if (text_starts_nocase(content_type, TEXT("application/json")))
		read_json(&writing, call->body);
	else if (text_starts_nocase(content_type, TEXT("message/rfc822")))
		read_raw(&writing, call);
	else
		fail(&writing, "the body is application/json or message/rfc822, and Content-Type says which");
	if (writing.wrong == NULL && letter->recipient_count == 0)
		fail(&writing, "to is missing");
	buffer_done(&writing.out);
	if (writing.wrong != NULL)
		*out_wrong = writing.wrong;
	return writing.wrong == NULL;
}
