/* The parameters of MAIL, RCPT and XCLIENT: a table of keywords, each with a parser of a few lines.
 * One given twice, one unknown, one with a wrong value: three different replies. */
#include "base/must.h"
#include "mail/date.h"
#include "smtp/command_private.h"
#include "smtp/xtext.h"

/* OK, ERR_SYNTAX or ERR_NO_MEMORY. */
typedef enum error value_parser(struct command_parsing *parsing, struct text value);

/* RFC 1870 §3: up to 20 digits. What does not fit 64 bits is larger than any limit. */
static enum error parse_size(struct command_parsing *parsing, struct text value)
{
	struct command_mail *mail = &parsing->command->mail;

	if (value.length == 0 || value.length > 20)
		return ERR_SYNTAX;
	for (size_t i = 0; i < value.length; i++)
		if (!byte_is_digit(value.bytes[i]))
			return ERR_SYNTAX;
	if (!text_to_u64(value, &mail->size))
		mail->size = UINT64_MAX;
	return OK;
}

/* BINARYMIME (RFC 3030 §3) is not offered, so it is a wrong value. */
static enum error parse_body(struct command_parsing *parsing, struct text value)
{
	parsing->command->mail.body_8bit = text_equal_nocase(value, TEXT("8BITMIME"));
	return parsing->command->mail.body_8bit || text_equal_nocase(value, TEXT("7BIT")) ? OK : ERR_SYNTAX;
}

static enum error parse_smtputf8(struct command_parsing *parsing, struct text value)
{
	parsing->command->mail.smtputf8 = true;
	return value.bytes == NULL ? OK : ERR_SYNTAX; /* RFC 6531 §3.4: it has no value. */
}

static enum error parse_ret(struct command_parsing *parsing, struct text value)
{
	enum dsn_return *dsn_return = &parsing->command->mail.dsn_return;

	if (text_equal_nocase(value, TEXT("FULL")))
		*dsn_return = DSN_RETURN_FULL;
	else if (text_equal_nocase(value, TEXT("HDRS")))
		*dsn_return = DSN_RETURN_HEADERS;
	else
		return ERR_SYNTAX;
	return OK;
}

static bool is_printable(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.bytes[i] < ' ' || text.bytes[i] == 127)
			return false;
	return true;
}

/* RFC 3461 §4.4: what is encoded is printable US-ASCII; else it could not stand in a report. */
static enum error parse_envid(struct command_parsing *parsing, struct text value)
{
	struct text *envid = &parsing->command->mail.envelope_id;

	if (value.length == 0 || value.length > COMMAND_ENVID_MAX)
		return ERR_SYNTAX;
	const enum error error = xtext_decode(value, parsing->arena, envid);

	return error == OK && !(is_printable(*envid) && text_is_ascii(*envid)) ? ERR_SYNTAX : error;
}

static bool is_claim_word(struct text word)
{
	bool right = word.length > 0 && word.length <= COMMAND_CLAIM_MAX;

	for (size_t i = 0; right && i < word.length; i++)
		right = byte_is_alnum(word.bytes[i]);
	return right;
}

static enum error parse_claim(struct command_parsing *parsing, struct text value)
{
	struct command_mail *mail = &parsing->command->mail;
	const size_t dot = text_find_byte(value, '.');

	mail->claim_key = text_part(value, 0, dot);
	mail->claim_mark = text_from(value, dot + 1);
	return is_claim_word(mail->claim_key) && is_claim_word(mail->claim_mark) ? OK : ERR_SYNTAX;
}

/* RFC 4954 §5: "<>" or an encoded mailbox. */
static enum error parse_auth(struct command_parsing *parsing, struct text value)
{
	struct text *submitter = &parsing->command->mail.submitter;
	struct address mailbox;

	if (text_equal(value, TEXT("<>"))) {
		*submitter = value;
		return OK;
	}
	const enum error error = xtext_decode(value, parsing->arena, submitter);

	return error != OK ? error : address_parse(*submitter, true, parsing->arena, &mailbox);
}

/* 1*9DIGIT (RFC 2852 §4, RFC 4865 §3). */
static bool parse_seconds(struct text value, uint64_t *out_seconds)
{
	return value.length >= 1 && value.length <= 9 && text_to_u64(value, out_seconds);
}

/* RFC 4865 §4: one of the two. */
static enum error parse_hold_for(struct command_parsing *parsing, struct text value)
{
	struct command_mail *mail = &parsing->command->mail;
	uint64_t seconds;

	if (mail->holds || !parse_seconds(value, &seconds) || seconds == 0)
		return ERR_SYNTAX;
	mail->holds = true;
	mail->hold_s = (uint32_t)seconds;
	return OK;
}

static enum error parse_hold_until(struct command_parsing *parsing, struct text value)
{
	struct command_mail *mail = &parsing->command->mail;

	if (mail->holds || !date_parse_rfc3339(value, &mail->hold_until_ms))
		return ERR_SYNTAX;
	mail->holds = true;
	return OK;
}

/* RFC 2852 §4: ["+" / "-"] 1*9digit ";" ("N" / "R") ["T"]. */
static enum error parse_by(struct command_parsing *parsing, struct text value)
{
	struct command_mail *mail = &parsing->command->mail;
	const size_t at = text_find_byte(value, ';');
	const bool is_signed = value.length > 0 && (value.bytes[0] == '-' || value.bytes[0] == '+');
	const bool is_late = is_signed && value.bytes[0] == '-';
	struct text mode = text_from(value, at + 1);
	uint64_t seconds;

	if (at == value.length || !parse_seconds(text_part(value, is_signed, at - is_signed), &seconds))
		return ERR_SYNTAX;
	mail->by = true;
	mail->by_s = is_late ? -(int32_t)seconds : (int32_t)seconds;
	mail->by_trace = mode.length == 2 && (mode.bytes[1] == 'T' || mode.bytes[1] == 't');
	if (mail->by_trace)
		mode.length = 1;
	mail->by_return = text_equal_nocase(mode, TEXT("R"));
	return (mail->by_return && mail->by_s > 0) || text_equal_nocase(mode, TEXT("N")) ? OK : ERR_SYNTAX;
}

static enum error parse_requiretls(struct command_parsing *parsing, struct text value)
{
	parsing->command->mail.requires_tls = true;
	return value.bytes == NULL ? OK : ERR_SYNTAX; /* RFC 8689 §2: it has no value. */
}

static enum error parse_priority(struct command_parsing *parsing, struct text value)
{
	parsing->command->mail.prioritises = true;
	return priority_parse(value, &parsing->command->mail.priority) ? OK : ERR_SYNTAX;
}

static enum error parse_notify(struct command_parsing *parsing, struct text value)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} words[] = { { "NEVER", DSN_NOTIFY_NEVER }, { "SUCCESS", DSN_NOTIFY_SUCCESS },
		{ "FAILURE", DSN_NOTIFY_FAILURE }, { "DELAY", DSN_NOTIFY_DELAY } };
	unsigned notify = 0;
	struct text word;

	while (text_cut(&value, ',', &word)) {
		unsigned bit = 0;

		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (text_equal_nocase(word, text_of(words[i].word)))
				bit = words[i].bit;
		if (bit == 0)
			return ERR_SYNTAX;
		notify |= bit;
	}
	/* RFC 3461 §4.1: NEVER stands alone. */
	if (notify == 0 || ((notify & DSN_NOTIFY_NEVER) && notify != DSN_NOTIFY_NEVER))
		return ERR_SYNTAX;
	parsing->command->rcpt.notify = (uint8_t)notify;
	return OK;
}

static bool is_atom(struct text word)
{
	for (size_t i = 0; i < word.length; i++)
		if (!byte_is_alnum(word.bytes[i]) && word.bytes[i] != '-')
			return false;
	return word.length > 0;
}

/* RFC 3461 §4.2: addr-type ";" xtext; RFC 6533 §3 for the type utf-8. */
static enum error parse_orcpt(struct command_parsing *parsing, struct text value)
{
	const size_t at = text_find_byte(value, ';');
	const struct text type = text_part(value, 0, at), encoded = text_from(value, at + 1);
	struct text plain;

	if (value.length > COMMAND_ORCPT_MAX || !is_atom(type) || encoded.length == 0)
		return ERR_SYNTAX;
	const enum error error = text_equal_nocase(type, TEXT("utf-8"))
	    ? xtext_decode_address(encoded, parsing->allow_utf8, parsing->arena, &plain)
	    : xtext_decode(encoded, parsing->arena, &plain);

	if (error != OK)
		return error;
	if (!is_printable(plain) || !text_is_utf8(plain))
		return ERR_SYNTAX;
	return arena_print(parsing->arena, &parsing->command->rcpt.original, "%.*s;%.*s", TEXT_FORMAT(type),
		   TEXT_FORMAT(plain)) ? OK : ERR_NO_MEMORY;
}

/* -- XCLIENT (https://www.postfix.org/XCLIENT_README.html) ------------------------------ */

/* The value in plain; empty when the front end does not know it, or not now. */
static enum error parse_told(struct command_parsing *parsing, struct text value, struct text *out_plain)
{
	const enum error error = value.length > 0 ? xtext_decode(value, parsing->arena, out_plain) : ERR_SYNTAX;

	if (error != OK)
		return error;
	if (text_equal_nocase(*out_plain, TEXT("[UNAVAILABLE]")) || text_equal_nocase(*out_plain, TEXT("[TEMPUNAVAIL]")))
		*out_plain = TEXT_EMPTY;
	return is_printable(*out_plain) && text_is_ascii(*out_plain) ? OK : ERR_SYNTAX;
}

static enum error parse_client(struct command_parsing *parsing, struct text value)
{
	struct command_xclient *xclient = &parsing->command->xclient;
	struct text plain;
	const enum error error = parse_told(parsing, value, &plain);

	if (error != OK)
		return error;
	xclient->tells_client = true;
	if (plain.length == 0)
		return OK;
	if (plain.bytes[0] == '[' || !endpoint_parse_ip(plain, &xclient->client))
		return ERR_SYNTAX;
	xclient->client = endpoint_unmapped(&xclient->client);
	return OK;
}

static enum error parse_port(struct command_parsing *parsing, struct text value)
{
	struct command_xclient *xclient = &parsing->command->xclient;
	struct text plain;
	uint64_t port = 0;
	const enum error error = parse_told(parsing, value, &plain);

	if (error != OK)
		return error;
	if (plain.length > 0 && (!text_to_u64(plain, &port) || port > UINT16_MAX))
		return ERR_SYNTAX;
	xclient->tells_port = true;
	xclient->port = (uint16_t)port;
	return OK;
}

static enum error parse_login(struct command_parsing *parsing, struct text value)
{
	struct command_xclient *xclient = &parsing->command->xclient;

	xclient->tells_login = true;
	return parse_told(parsing, value, &xclient->login);
}

/* Names are looked up, and greetings are said again: these may come, and nothing follows from them. */
static enum error parse_no_matter(struct command_parsing *parsing, struct text value)
{
	struct text plain;

	return parse_told(parsing, value, &plain);
}

static const struct parameter {
	enum command_verb verb;
	const char *keyword;
	value_parser *parse;
} parameters[] = {
	{ COMMAND_MAIL, "SIZE", parse_size },
	{ COMMAND_MAIL, "BODY", parse_body },
	{ COMMAND_MAIL, "SMTPUTF8", parse_smtputf8 },
	{ COMMAND_MAIL, "RET", parse_ret },
	{ COMMAND_MAIL, "ENVID", parse_envid },
	{ COMMAND_MAIL, "AUTH", parse_auth },
	{ COMMAND_MAIL, "HOLDFOR", parse_hold_for },
	{ COMMAND_MAIL, "HOLDUNTIL", parse_hold_until },
	{ COMMAND_MAIL, "BY", parse_by },
	{ COMMAND_MAIL, "MT-PRIORITY", parse_priority },
	{ COMMAND_MAIL, "REQUIRETLS", parse_requiretls },
	{ COMMAND_MAIL, "XCLAIM", parse_claim },
	{ COMMAND_RCPT, "NOTIFY", parse_notify },
	{ COMMAND_RCPT, "ORCPT", parse_orcpt },
	{ COMMAND_XCLIENT, "ADDR", parse_client },
	{ COMMAND_XCLIENT, "PORT", parse_port },
	{ COMMAND_XCLIENT, "LOGIN", parse_login },
	{ COMMAND_XCLIENT, "NAME", parse_no_matter },
	{ COMMAND_XCLIENT, "HELO", parse_no_matter },
	{ COMMAND_XCLIENT, "PROTO", parse_no_matter },
	{ COMMAND_XCLIENT, "DESTADDR", parse_no_matter },
	{ COMMAND_XCLIENT, "DESTPORT", parse_no_matter },
};

enum { PARAMETER_COUNT = sizeof parameters / sizeof *parameters };
_Static_assert(PARAMETER_COUNT <= 32, "one bit each in `seen`");

/* PARAMETER_COUNT when there is none. */
static unsigned find_parameter(enum command_verb verb, struct text keyword)
{
	unsigned i = 0;

	while (i < PARAMETER_COUNT && !(parameters[i].verb == verb &&
		   text_equal_nocase(keyword, text_of(parameters[i].keyword))))
		i++;
	return i;
}

static struct verdict parse_parameter(struct command_parsing *parsing, struct text piece, uint32_t *seen)
{
	const size_t at = text_find_byte(piece, '=');
	const struct text value = at < piece.length ? text_from(piece, at + 1) : TEXT_EMPTY;
	const unsigned which = find_parameter(parsing->command->verb, text_part(piece, 0, at));

	if (which == PARAMETER_COUNT) /* RFC 5321 §4.1.1.11 */
		return VERDICT(555, 5, 5, 4, "Parameter not recognized");
	if (*seen & 1U << which)
		return VERDICT(501, 5, 5, 4, "Parameter given twice");
	*seen |= 1U << which;

	switch (parameters[which].parse(parsing, value)) {
	case OK:
		return (struct verdict){ 0 };
	case ERR_NO_MEMORY:
		return VERDICT(452, 4, 3, 1, "Insufficient system resources");
	default:
		return VERDICT(501, 5, 5, 4, "Bad value of a parameter");
	}
}

void command_parse_parameters(struct command_parsing *parsing, struct text rest)
{
	struct text piece;
	uint32_t seen = 0;

	must(parsing->command->verb == COMMAND_MAIL || parsing->command->verb == COMMAND_RCPT ||
	    parsing->command->verb == COMMAND_XCLIENT);
	while (parsing->command->fault.code == 0 && text_cut(&rest, ' ', &piece))
		if (piece.length > 0) /* More than one space between them is tolerated. */
			parsing->command->fault = parse_parameter(parsing, piece, &seen);
}
