#include "smtp/command.h"

#include "smtp/command_private.h"

#define NO_MEMORY VERDICT(452, 4, 3, 1, "Insufficient system resources")

static const char *const words[COMMAND_VERB_COUNT] = {
#define X(verb) [COMMAND_##verb] = #verb,
	COMMAND_VERBS(X)
#undef X
	[COMMAND_UNKNOWN] = "?",
};

const char *command_verb_word(enum command_verb verb)
{
	return words[verb];
}

static enum command_verb verb_of(struct text word)
{
	for (unsigned verb = 0; verb < COMMAND_UNKNOWN; verb++)
		if (text_equal_nocase(word, text_of(words[verb])))
			return (enum command_verb)verb;
	return COMMAND_UNKNOWN;
}

/* A name is taken down, not believed: no message may be refused for it (RFC 5321 §4.1.4), and
 * underscores and bare words are frequent. But it goes into Received and the log, so what would
 * change their structure is a syntax error. */
static bool name_acceptable(struct text name)
{
	if (name.length == 0 || name.length > COMMAND_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.length; i++)
		if (!byte_is_alnum(name.bytes[i]) && strchr(".-_:[]/+#=", name.bytes[i]) == NULL)
			return false;
	return true;
}

static void parse_name(struct command_parsing *parsing, struct text argument)
{
	struct command *command = parsing->command;

	command->argument = argument;
	if (argument.length == 0)
		command->fault = VERDICT(501, 5, 5, 4, "The name of the client is missing");
	else if (!name_acceptable(argument))
		command->fault = VERDICT(501, 5, 5, 4, "That is no host name or address literal");
}

static void parse_nothing(struct command_parsing *parsing, struct text argument)
{
	parsing->command->argument = argument;
	if (argument.length > 0)
		parsing->command->fault = VERDICT(501, 5, 5, 4, "No parameters allowed");
}

static void parse_anything(struct command_parsing *parsing, struct text argument)
{
	parsing->command->argument = argument;
}

static void parse_something(struct command_parsing *parsing, struct text argument)
{
	parsing->command->argument = argument;
	if (argument.length == 0)
		parsing->command->fault = VERDICT(501, 5, 5, 4, "An argument is missing");
}

/* A mailbox without brackets up to the next space: see the head of command.h. The grammar of
 * the address is as strict as inside brackets, and nothing but MAIL FROM:<> is null. */
static enum error parse_bare_path(struct command_parsing *parsing, struct text *rest, struct address *out_path)
{
	const size_t end = text_find_byte(*rest, ' ');
	const struct text mailbox = text_part(*rest, 0, end);

	if (mailbox.length == 0 || mailbox.bytes[0] == '@')
		return ERR_SYNTAX;
	*rest = text_from(*rest, end);
	return address_parse(mailbox, true, parsing->arena, out_path);
}

/* "FROM:" or "TO:", and the path. UTF-8 is parsed here in any case; whether it was allowed
 * is asked when the parameters are known. */
static bool parse_path(
    struct command_parsing *parsing, struct text keyword, struct text *rest, struct address *out_path)
{
	const bool sender = parsing->command->verb == COMMAND_MAIL;
	struct verdict *fault = &parsing->command->fault;

	if (!text_starts_nocase(*rest, keyword)) {
		*fault = sender ? VERDICT(501, 5, 5, 4, "Syntax: MAIL FROM:<address>")
				: VERDICT(501, 5, 5, 4, "Syntax: RCPT TO:<address>");
		return false;
	}
	*rest = text_from(*rest, keyword.length);
	while (text_starts(*rest, TEXT(" ")))
		*rest = text_from(*rest, 1);

	const enum error error = text_starts(*rest, TEXT("<"))
	    ? address_parse_path(rest, true, parsing->arena, out_path)
	    : parse_bare_path(parsing, rest, out_path);

	if (error == ERR_NO_MEMORY)
		*fault = NO_MEMORY;
	else if (error == ERR_TOO_LARGE)
		*fault = sender ? VERDICT(501, 5, 1, 7, "Sender address too long")
				: VERDICT(501, 5, 1, 3, "Recipient address too long");
	else if (error != OK || (rest->length > 0 && rest->bytes[0] != ' '))
		*fault = sender ? VERDICT(501, 5, 1, 7, "Bad sender address syntax")
				: VERDICT(501, 5, 1, 3, "Bad recipient address syntax");
	return fault->code == 0;
}

/* RFC 6531 §3.5: X.6.7 when an internationalised address comes without the extension. */
static void check_utf8(struct command_parsing *parsing, const struct address *path, bool allowed)
{
	if (!allowed && parsing->command->fault.code == 0 &&
	    !(text_is_ascii(path->local) && text_is_ascii(path->domain)))
		parsing->command->fault = VERDICT(553, 5, 6, 7, "Non-ASCII addresses need SMTPUTF8");
}

static void parse_mail(struct command_parsing *parsing, struct text argument)
{
	struct command_mail *mail = &parsing->command->mail;

	if (!parse_path(parsing, TEXT("FROM:"), &argument, &mail->reverse_path))
		return;
	command_parse_parameters(parsing, argument);
	check_utf8(parsing, &mail->reverse_path, mail->smtputf8);
}

static void parse_rcpt(struct command_parsing *parsing, struct text argument)
{
	struct command_rcpt *rcpt = &parsing->command->rcpt;

	if (!parse_path(parsing, TEXT("TO:"), &argument, &rcpt->forward_path))
		return;
	if (address_is_null(&rcpt->forward_path)) {
		parsing->command->fault = VERDICT(501, 5, 1, 3, "A recipient cannot be empty");
		return;
	}
	command_parse_parameters(parsing, argument);
	check_utf8(parsing, &rcpt->forward_path, parsing->allow_utf8);
}

/* BDAT SP chunk-size [SP "LAST"] (RFC 3030 §2). */
static void parse_bdat(struct command_parsing *parsing, struct text argument)
{
	struct command_bdat *bdat = &parsing->command->bdat;
	const size_t end = text_find_byte(argument, ' ');
	const struct text word = text_trim(text_from(argument, end));

	bdat->last = text_equal_nocase(word, TEXT("LAST"));
	if (!text_to_u64(text_part(argument, 0, end), &bdat->size) || (word.length > 0 && !bdat->last))
		parsing->command->fault = VERDICT(501, 5, 5, 4, "Syntax: BDAT size [LAST]");
}

static void parse_xclient(struct command_parsing *parsing, struct text argument)
{
	if (argument.length == 0)
		parsing->command->fault = VERDICT(501, 5, 5, 4, "Syntax: XCLIENT name=value ...");
	command_parse_parameters(parsing, argument);
}

typedef void argument_parser(struct command_parsing *parsing, struct text argument);

static argument_parser *const parsers[COMMAND_VERB_COUNT] = {
	[COMMAND_HELO] = parse_name,
	[COMMAND_EHLO] = parse_name,
	[COMMAND_LHLO] = parse_name,
	[COMMAND_MAIL] = parse_mail,
	[COMMAND_RCPT] = parse_rcpt,
	[COMMAND_DATA] = parse_nothing,
	[COMMAND_BDAT] = parse_bdat,
	[COMMAND_RSET] = parse_nothing,
	[COMMAND_NOOP] = parse_anything, /* RFC 5321 §4.1.1.9: its argument is ignored. */
	[COMMAND_VRFY] = parse_something,
	[COMMAND_EXPN] = parse_something,
	[COMMAND_HELP] = parse_anything,
	[COMMAND_QUIT] = parse_nothing,
	[COMMAND_STARTTLS] = parse_nothing,
	[COMMAND_AUTH] = parse_something,
	[COMMAND_XCLIENT] = parse_xclient,
	[COMMAND_UNKNOWN] = parse_anything,
};

/* Tabs are blanks nowhere in the grammar; other control characters have no business at all. */
static bool has_control(struct text line)
{
	for (size_t i = 0; i < line.length; i++)
		if ((unsigned char)line.bytes[i] < ' ' || line.bytes[i] == 127)
			return true;
	return false;
}

void command_parse(struct text line, bool allow_utf8, struct arena *arena, struct command *out_command)
{
	/* RFC 5321 §4.1.1: trailing white space is tolerated. */
	while (line.length > 0 && (line.bytes[line.length - 1] == ' ' || line.bytes[line.length - 1] == '\t'))
		line.length--;

	const size_t end = text_find_byte(line, ' ');
	struct command_parsing parsing = { out_command, arena, allow_utf8 };

	*out_command = (struct command){ .verb = verb_of(text_part(line, 0, end)) };
	if (has_control(line)) {
		out_command->fault = VERDICT(500, 5, 5, 2, "Control characters in a command");
		return;
	}
	if (!text_is_utf8(line)) {
		out_command->fault = VERDICT(500, 5, 5, 2, "Bytes that are not UTF-8 in a command");
		return;
	}
	parsers[out_command->verb](&parsing, text_trim(text_from(line, end)));
}
