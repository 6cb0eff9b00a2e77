#include "target.h"

#include "web/letter.h"

static void check_line(struct text line)
{
	for (size_t i = 0; i < line.length; i++)
		must((unsigned char)line.bytes[i] >= ' ' && line.bytes[i] != '\x7f');
}

/* It ends neither the parameter nor the command. */
static void check_parameter(struct text value)
{
	for (size_t i = 0; i < value.length; i++)
		must(value.bytes[i] > ' ' && value.bytes[i] < 0x7f && value.bytes[i] != '=');
}

/* L1: fields that are made of JSON are lines without control bytes. Addresses may be of UTF-8 (RFC 6532). */
static void check_header(struct text message)
{
	const struct text header = text_part(message, 0, text_find(message, TEXT("\r\n\r\n")));

	for (size_t i = 0; i < header.length; i++) {
		const unsigned char c = (unsigned char)header.bytes[i];

		must(c != 0x7f && (c >= ' ' || c == '\t' || c == '\r' || c == '\n'));
		if (c == '\n')
			must(i > 0 && header.bytes[i - 1] == '\r');
		if (c == '\r')
			must(i + 1 == header.length || header.bytes[i + 1] == '\n');
	}
}

/* JSON; or the sender, the recipients, the wishes and the message as it is, each in a line. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	const bool raw = choice & 1;
	struct web_letter letter = { .hostname = TEXT("mail.example.org") };
	struct text from = TEXT_EMPTY, to = TEXT_EMPTY, wishes = TEXT_EMPTY, printed;
	const char *wrong = NULL;

	if (raw) {
		text_cut(&input, '\n', &from);
		text_cut(&input, '\n', &to);
		text_cut(&input, '\n', &wishes);
	}
	const char *wish = wishes.bytes ? wishes.bytes : "";
	json_t *query = raw ? json_pack("{s:s%, s:s%, s:s%, s:s%, s:s%}", "from", from.bytes ? from.bytes : "", from.length, "to",
	                          to.bytes ? to.bytes : "", to.length, "notify", wish, wishes.length, "ret", wish, wishes.length, "envid",
	                          wish, wishes.length)
	                    : json_object();
	const struct web_call call = { .query = query, .body = input };

	if (query == NULL)
		return; /* Not UTF-8. */
	if (!web_letter_read(&call, raw ? TEXT("message/rfc822") : TEXT("application/json"), arena, &letter, &wrong)) {
		must(wrong != NULL);
	} else {
		must(letter.recipient_count > 0 && letter.recipient_count <= LETTER_RECIPIENTS_MAX);
		check_line(letter.sender);
		for (size_t i = 0; i < letter.recipient_count; i++)
			if (address_print(&letter.recipients[i], arena, &printed))
				check_line(printed);
		check_parameter(letter.notify);
		check_parameter(letter.ret);
		check_parameter(letter.envelope_id);
		if (!raw)
			check_header(letter.message);
	}
	json_decref(query);
}
