/* The part of a report that people read. */
#include "dsn/parts.h"
#include "dsn/put.h"
#include "mail/date.h"

/* What each action is called in front of its addresses, and what follows from it. */
static const struct {
	const char *lead, *one, *many, *next;
} action_words[] = {
	[DSN_FAILED] = { "could not be delivered to", "this address:", "these addresses:",
	    "It will not be tried again. Please check the address. If it is right, show\r\n"
	    "the answer above to the people who run that server.\r\n" },
	[DSN_DELAYED] = { "has not yet been delivered to", "this address:", "these addresses:",
	    "This is only a notice: there is no need to send the message again. It will\r\n"
	    "be tried further, and you will be told if it cannot be delivered.\r\n" },
	[DSN_EXPANDED] = { "was passed on to everybody behind", "this address:", "these addresses:", "" },
	[DSN_RELAYED] = { "was handed on to a server that confirms no deliveries, for", "this address:",
	    "these addresses:", "You will probably hear no more of it unless it fails.\r\n" },
	[DSN_DELIVERED] = { "was delivered to", "this address:", "these addresses:", "" },
};

bool part_verdict_words(const struct composer *composer, const struct verdict *verdict, struct text *out_words)
{
	struct text text;
	const struct enhanced_code *code = &verdict->enhanced;

	if (!put_clean(verdict->text, composer->utf8, composer->arena, &text))
		return false;
	if (code->class == 0)
		return arena_print(composer->arena, out_words, "%u %.*s", verdict->code, TEXT_FORMAT(text));
	return arena_print(composer->arena, out_words, "%u %u.%u.%u %.*s", verdict->code, code->class, code->subject,
	    code->detail, TEXT_FORMAT(text));
}

/* Who said what about one recipient. */
static bool put_answer(const struct composer *composer, const struct dsn_recipient *recipient, struct buffer *out)
{
	struct text host, said, words = TEXT("");

	if (recipient->verdict.code == 0)
		return true;
	if (!put_clean(recipient->verdict.host, composer->utf8, composer->arena, &host) ||
	    !part_verdict_words(composer, &recipient->verdict, &said))
		return false;

	const char *when = recipient->expired ? "its time ran out; in the end " : "";
	const bool ok = host.length > 0
	    ? arena_print(composer->arena, &words, "%s%.*s said: %.*s", when, TEXT_FORMAT(host), TEXT_FORMAT(said))
	    : arena_print(composer->arena, &words, "%s%.*s", recipient->expired ? "its time ran out; in the end: " : "",
	          TEXT_FORMAT(said));

	return ok && put_folded(out, TEXT("        "), words, TEXT("        "));
}

static bool put_recipient(const struct composer *composer, const struct dsn_recipient *recipient, struct buffer *out)
{
	struct text address, original;
	char date[DATE_TEXT_SIZE];

	if (!address_print(&recipient->address, composer->arena, &address) ||
	    !put_clean(address, composer->utf8, composer->arena, &address) ||
	    !put_clean(text_from(recipient->original, text_find_byte(recipient->original, ';') + 1), composer->utf8,
	        composer->arena, &original))
		return false;
	if (!buffer_print(out, "    %.*s", TEXT_FORMAT(address)))
		return false;
	if (original.length > 0 && !text_equal_nocase(original, address) &&
	    !buffer_print(out, "\r\n        (for %.*s)", TEXT_FORMAT(original)))
		return false;
	if (!buffer_append(out, TEXT("\r\n")) || !put_answer(composer, recipient, out))
		return false;
	return recipient->action != DSN_DELAYED || recipient->retry_until_ms == 0 ||
	    buffer_print(out, "        will be tried until %.*s\r\n",
	        TEXT_FORMAT(date_print(recipient->retry_until_ms, 0, date)));
}

/* One action's recipients; nothing if it has none. */
static bool put_action(const struct composer *composer, enum dsn_action action, struct buffer *out)
{
	const struct dsn_report *report = composer->report;
	size_t count = 0;

	for (size_t i = 0; i < report->recipient_count; i++)
		count += report->recipients[i].action == action;
	if (count == 0)
		return true;
	if (!buffer_print(out, "%s %s %s\r\n\r\n",
	        address_is_null(&report->envelope->reverse_path) ? "A message without a return address" : "Your message",
	        action_words[action].lead, count == 1 ? action_words[action].one : action_words[action].many))
		return false;
	for (size_t i = 0; i < report->recipient_count; i++)
		if (report->recipients[i].action == action && !put_recipient(composer, &report->recipients[i], out))
			return false;
	return buffer_append(out, TEXT("\r\n")) &&
	    (action_words[action].next[0] == '\0' || buffer_print(out, "%s\r\n", action_words[action].next));
}

bool part_words(const struct composer *composer, struct buffer *out)
{
	if (!buffer_print(out,
	        "Content-Type: text/plain; charset=%s\r\n%s\r\nThis is the mail server at %.*s.\r\n\r\n",
	        composer->utf8 ? "utf-8" : "us-ascii",
	        composer->utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "", TEXT_FORMAT(composer->report->hostname)))
		return false;
	for (int action = DSN_FAILED; action <= DSN_DELIVERED; action++)
		if (!put_action(composer, (enum dsn_action)action, out))
			return false;
	return buffer_print(out, "%s\r\n",
	    composer->whole ? "The message is attached." : "The header of the message is attached.");
}
