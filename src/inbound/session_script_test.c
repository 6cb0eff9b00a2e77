/* Runs the conversations under tests/sessions against the pure session, each in several ways: line by
 * line, everything pipelined, byte by byte, with answers at once and late. What is heard must not differ.
 *
 *     C: a line           the client says it, with CRLF; consecutive ones may go out together
 *     C> bytes\r\n        the same without CRLF; \r \n \t \\ \xNN stand for bytes; \*900a for 900 times "a"
 *     C* 100 a line       so many of them
 *     S: 250 text*        the server says exactly this line; * is any run of characters
 *     S: ...              any number of lines up to the one expected next
 *     E: from=<a@b> ...   the envelope of the message just stored
 *     M: text             the next line of its text; "M: ..." skips as above, "M: ." is its end
 *     #! word [value]     a setting (before the first line of talk) or an event; see `directives`
 *     # anything          a comment
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/session_driver.h"

struct run {
	struct driver driver;
	const char *file;
	unsigned line;
	const char *way;
	bool pipelined, opened, skip_heard, skip_text;
	struct buffer saying;       /* Lines that go out together. */
	struct text text;           /* What is left of the stored text. */
	size_t stored_seen;
};

static void complain_at(struct run *run, const char *what, struct text expected, struct text got)
{
	fail_msg("%s:%u (%s): %s\n  expected: %.*s\n  got:      %.*s", run->file, run->line, run->way, what,
	    TEXT_FORMAT(expected), TEXT_FORMAT(got));
}

static bool matches(struct text pattern, struct text line)
{
	while (pattern.length > 0 && pattern.bytes[0] != '*') {
		if (line.length == 0 || line.bytes[0] != pattern.bytes[0])
			return false;
		pattern = text_from(pattern, 1);
		line = text_from(line, 1);
	}
	if (pattern.length == 0)
		return line.length == 0;
	for (size_t skip = 0; skip <= line.length; skip++)
		if (matches(text_from(pattern, 1), text_from(line, skip)))
			return true;
	return false;
}

/* -- Directives --------------------------------------------------------------------- */

static void set_role(struct run *run, struct text value)
{
	static const char *const roles[] = { "mx", "submission", "lmtp", "local" };

	for (unsigned i = 0; i < 4; i++)
		if (text_equal(value, text_of(roles[i])))
			run->driver.peer.role = (enum session_role)i;
}

static uint64_t number(struct text value)
{
	uint64_t result = 0;

	must(text_to_u64(value, &result));
	return result;
}

static struct verdict verdict_of(struct text value)
{
	return text_starts(value, TEXT("250"))
	    ? VERDICT(250, 2, 0, 0, "Ok: queued as 0123456789abc")
	    : text_starts(value, TEXT("421")) ? VERDICT(421, 4, 3, 2, "Not now")
	    : text_starts(value, TEXT("4")) ? VERDICT(452, 4, 3, 1, "Insufficient system storage")
					    : VERDICT(554, 5, 7, 1, "Not wanted here");
}

static void set_trusted(struct run *run, struct text value) { (void)value; run->driver.peer.trusted = true; }
static void set_forwards(struct run *run, struct text value) { (void)value; run->driver.peer.forwards = true; }
static void set_user(struct run *run, struct text value) { run->driver.peer.user = value; }
static void set_size(struct run *run, struct text value) { run->driver.settings.message_size_max = number(value); }
static void set_recipients(struct run *run, struct text value)
{
	run->driver.settings.recipient_count_max = (uint32_t)number(value);
}
static void set_errors(struct run *run, struct text value)
{
	run->driver.settings.error_count_max = (uint32_t)number(value);
}
static void set_tls(struct run *run, struct text value)
{
	static const char *const words[] = { "none", "offered", "required", "implicit" };

	for (unsigned i = 0; i < 4; i++)
		if (text_equal(value, text_of(words[i])))
			run->driver.peer.tls = (enum session_tls)i;
}
static void set_certificate(struct run *run, struct text value) { run->driver.certificate = value; }
static void set_auth(struct run *run, struct text value) { (void)value; run->driver.peer.mechanisms = (1U << SASL_MECHANISM_COUNT) - 1; }
static void set_unbound(struct run *run, struct text value) { (void)value; run->driver.unbound = true; }
static void set_together(struct run *run, struct text value) { (void)value; run->driver.piece_size = 0; }
static void set_stalls(struct run *run, struct text value) { (void)value; run->driver.stalls = true; }
static void set_begin(struct run *run, struct text value) { run->driver.begin = verdict_of(value); }
static void set_store(struct run *run, struct text value) { run->driver.store = verdict_of(value); }
static void set_own(struct run *run, struct text value)
{
	(void)value;
	run->driver.settings.owns = driver_owns;
	run->driver.settings.owns_context = &run->driver;
}
static void set_greeting(struct run *run, struct text value) { run->driver.client = verdict_of(value); }
static void set_handshake(struct run *run, struct text value) { run->driver.handshake = verdict_of(value); }
static void set_sender(struct run *run, struct text value) { run->driver.sender = verdict_of(value); }
static void set_message(struct run *run, struct text value) { run->driver.message = verdict_of(value); }
static void set_client(struct run *run, struct text value)
{
	must(endpoint_parse_ip(value, &run->driver.peer.client));
}
static void do_timeout(struct run *run, struct text value)
{
	(void)value;
	assert_true(session_phase(run->driver.session) != PACE_OURS);
	driver_event(&run->driver, SESSION_TIMED_OUT);
}
static void do_end(struct run *run, struct text value) { (void)value; driver_event(&run->driver, SESSION_ENDED); }
static void do_shutdown(struct run *run, struct text value)
{
	(void)value;
	driver_event(&run->driver, SESSION_SHUT_DOWN);
}
static void see_closed(struct run *run, struct text value)
{
	(void)value;
	if (!run->driver.closed)
		complain_at(run, "the connection is open", TEXT("closed"), TEXT("open"));
}
static void see_messages(struct run *run, struct text value)
{
	if (run->driver.committed_count != number(value))
		complain_at(run, "number of messages", value, TEXT("(another)"));
}
static void see_refused(struct run *run, struct text value)
{
	if (run->driver.refused_count != number(value))
		complain_at(run, "number of reported refusals", value, TEXT("(another)"));
}

static const struct directive {
	const char *word;
	bool setting;
	void (*apply)(struct run *run, struct text value);
} directives[] = {
	{ "role", true, set_role }, { "trusted", true, set_trusted }, { "forwards", true, set_forwards }, { "user", true, set_user },
	{ "client", true, set_client }, { "size", true, set_size }, { "recipients", true, set_recipients },
	{ "errors", true, set_errors }, { "tls", true, set_tls }, { "certificate", true, set_certificate },
	{ "auth", true, set_auth }, { "unbound", true, set_unbound }, { "together", true, set_together }, { "stalls", true, set_stalls }, { "begin", false, set_begin }, { "store", false, set_store },
	{ "own", true, set_own }, { "greeting", true, set_greeting }, { "handshake", true, set_handshake }, { "sender", false, set_sender }, { "message", false, set_message },
	{ "timeout", false, do_timeout }, { "end", false, do_end }, { "shutdown", false, do_shutdown },
	{ "closed", false, see_closed }, { "messages", false, see_messages }, { "refused", false, see_refused },
};

/* -- Talking ----------------------------------------------------------------------------- */

static void open_once(struct run *run)
{
	if (!run->opened)
		driver_open(&run->driver);
	run->opened = true;
}

static void flush(struct run *run)
{
	open_once(run);
	if (run->saying.length > 0)
		driver_say(&run->driver, buffer_text(&run->saying));
	buffer_clear(&run->saying);
}

static void direct(struct run *run, struct text line)
{
	const size_t end = text_find_byte(line, ' ');
	const struct text word = text_part(line, 0, end), value = text_trim(text_from(line, end));

	for (size_t i = 0; i < sizeof directives / sizeof *directives; i++)
		if (text_equal(word, text_of(directives[i].word))) {
			if (!directives[i].setting)
				flush(run);
			must(!directives[i].setting || !run->opened);
			directives[i].apply(run, value);
			return;
		}
	complain_at(run, "unknown directive", word, TEXT_EMPTY);
}

/* One escape of "C> " behind its backslash. Returns its length. */
static size_t unescape(struct text rest, struct buffer *out)
{
	char byte;

	switch (rest.bytes[0]) {
	case 'x':
		byte = (char)strtoul((char[]){ rest.bytes[1], rest.bytes[2], 0 }, NULL, 16);
		must(buffer_append(out, (struct text){ &byte, 1 }));
		return 3;
	case '*': {
		size_t digits = 1;
		uint64_t times;

		while (byte_is_digit(rest.bytes[digits]))
			digits++;
		must(text_to_u64(text_part(rest, 1, digits - 1), &times));
		while (times-- > 0)
			must(buffer_append(out, text_part(rest, digits, 1)));
		return digits + 1;
	}
	default:
		byte = rest.bytes[0] == 'r' ? '\r' : rest.bytes[0] == 'n' ? '\n' : rest.bytes[0] == 't' ? '\t' : '\\';
		must(buffer_append(out, (struct text){ &byte, 1 }));
		return 1;
	}
}

static void say(struct run *run, struct text line, bool raw)
{
	open_once(run);
	for (size_t at = 0; at < line.length;) {
		if (raw && line.bytes[at] == '\\') {
			at += 1 + unescape(text_from(line, at + 1), &run->saying);
		} else {
			must(buffer_append(&run->saying, text_part(line, at, 1)));
			at++;
		}
	}
	if (!raw)
		must(buffer_append(&run->saying, TEXT("\r\n")));
	if (!run->pipelined)
		flush(run);
}

/* The next line of *text without CRLF; false at its end. */
static bool next_line(struct text *text, struct text *out_line)
{
	const size_t end = text_find(*text, TEXT("\r\n"));

	if (text->length == 0)
		return false;
	*out_line = text_part(*text, 0, end);
	*text = text_from(*text, end + 2);
	return true;
}

static void hear(struct run *run, struct text pattern)
{
	struct text heard, line;

	flush(run);
	if (text_equal(pattern, TEXT("..."))) {
		run->skip_heard = true;
		return;
	}
	for (;;) {
		heard = buffer_text(&run->driver.heard);
		if (!next_line(&heard, &line)) {
			complain_at(run, "the server is silent", pattern, TEXT_EMPTY);
			return;
		}
		const bool good = matches(pattern, line);

		if (!good && !run->skip_heard)
			complain_at(run, "the server says", pattern, line);
		buffer_consume(&run->driver.heard, line.length + 2);
		if (good)
			break;
	}
	run->skip_heard = false;
}

static void look_at_stored(struct run *run)
{
	flush(run);
	if (run->stored_seen != run->driver.committed_count) {
		run->stored_seen = run->driver.committed_count;
		run->text = buffer_text(&run->driver.stored);
	}
}

static void see_text(struct run *run, struct text pattern)
{
	struct text line = TEXT_EMPTY;

	look_at_stored(run);
	if (text_equal(pattern, TEXT("..."))) {
		run->skip_text = true;
		return;
	}
	do {
		const bool more = next_line(&run->text, &line);

		if (!more && text_equal(pattern, TEXT(".")))
			return;
		if (!more || (!run->skip_text && !matches(pattern, line)))
			complain_at(run, "the message says", pattern, more ? line : TEXT("(its end)"));
	} while (!matches(pattern, line));
	run->skip_text = false;
}

static void see_envelope(struct run *run, struct text pattern)
{
	look_at_stored(run);
	if (!matches(pattern, buffer_text(&run->driver.envelope)))
		complain_at(run, "the envelope is", pattern, buffer_text(&run->driver.envelope));
}

/* "100 NOOP": so many of this line. */
static void repeat(struct run *run, struct text rest)
{
	const size_t end = text_find_byte(rest, ' ');

	for (uint64_t left = number(text_part(rest, 0, end)); left > 0; left--)
		say(run, text_from(rest, end + 1), false);
}

static void do_line(struct run *run, struct text line)
{
	const struct text rest = text_from(line, 3);

	if (text_starts(line, TEXT("#! ")))
		direct(run, rest);
	else if (text_starts(line, TEXT("C: ")) || text_equal(line, TEXT("C:")))
		say(run, rest, false);
	else if (text_starts(line, TEXT("C* ")))
		repeat(run, rest);
	else if (text_starts(line, TEXT("C> ")))
		say(run, rest, true);
	else if (text_starts(line, TEXT("S: ")))
		hear(run, rest);
	else if (text_starts(line, TEXT("E: ")))
		see_envelope(run, rest);
	else if (text_starts(line, TEXT("M: ")) || text_equal(line, TEXT("M:")))
		see_text(run, rest);
	else if (line.length > 0 && line.bytes[0] != '#')
		complain_at(run, "no such line", line, TEXT_EMPTY);
}

/* -- Running --------------------------------------------------------------------------------- */

static struct text read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *bytes = malloc(1 << 20);

	must(file != NULL && bytes != NULL);
	const size_t length = fread(bytes, 1, 1 << 20, file);

	fclose(file);
	return (struct text){ bytes, length };
}

struct way {
	const char *name;
	bool pipelined, late;
	size_t piece_size;
};

static void run_script(const char *file, struct text script, const struct way *way)
{
	struct run *run = calloc(1, sizeof *run);
	struct text line;

	must(run != NULL);
	driver_init(&run->driver);
	buffer_init(&run->saying, 64 << 20);
	run->file = file;
	run->way = way->name;
	run->pipelined = way->pipelined;
	run->driver.late = way->late;
	run->driver.piece_size = way->piece_size;
	while (text_cut(&script, '\n', &line)) {
		run->line++;
		do_line(run, line);
	}
	flush(run);
	if (run->driver.heard.length > 0)
		complain_at(run, "the server says more", TEXT_EMPTY, buffer_text(&run->driver.heard));
	buffer_done(&run->saying);
	driver_done(&run->driver);
	free(run);
}

static void every_script_in_every_way(void **state)
{
	static const struct way ways[] = {
		{ "line by line", false, false, 0 },
		{ "line by line, late answers", false, true, 0 },
		{ "pipelined", true, false, 0 },
		{ "pipelined, late answers", true, true, 0 },
		{ "byte by byte", true, false, 1 },
		{ "byte by byte, late answers", true, true, 1 },
		{ "in sevens", true, false, 7 },
	};
	struct dirent **names;
	const int count = scandir(SESSIONS, &names, NULL, alphasort);
	unsigned run_count = 0;

	(void)state;
	must(count > 0);
	for (int i = 0; i < count; i++) {
		char path[1024];

		snprintf(path, sizeof path, "%s/%s", SESSIONS, names[i]->d_name);
		if (text_ends(text_of(path), TEXT(".txt"))) {
			const struct text script = read_file(path);

			for (size_t way = 0; way < sizeof ways / sizeof *ways; way++)
				run_script(names[i]->d_name, script, &ways[way]);
			free((char *)(uintptr_t)script.bytes);
			run_count++;
		}
		free(names[i]);
	}
	free(names);
	assert_true(run_count >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_script_in_every_way) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
