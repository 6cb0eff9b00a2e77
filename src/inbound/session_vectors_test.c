/* Conversations that others wrote (tests/vectors/smtp), against the pure session: Chasquid's dialogues,
 * Exim's client blocks, and the false ends of data of the smuggling tools.
 *
 * Of a reply only its first digit is compared, as the SOURCE.md beside them advise: texts and some codes are that
 * server's own. How many lines an EHLO reply has is likewise no matter. Recipients are all good, but
 * those at reject.ex. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/session_driver.h"

/* -- Which do not apply, and why ------------------------------------------------------ */

static const struct exception {
	const char *file;
	unsigned block; /* 0: the whole file. */
	const char *why;
} exceptions[] = {
	{ "t-12-minor_dialogs_bad_data.txt", 0, "a header that is no header is passed on, not judged" },
	{ "0000-Basic_0022.txt", 2, "a client that Exim's configuration turns away at once" },
	{ "0000-Basic_0214.txt", 1, "syntax of To is checked by that configuration" },
	{ "0000-Basic_0214.txt", 2, "a name of 2000 bytes; RFC 5321 §4.5.3.1.2 has 255" },
	{ "0000-Basic_0287.txt", 0, "ETRN (RFC 1985) is not offered" },
	{ "0000-Basic_0301.txt", 3, "refuses a client that talks early; we let it (RFC 2920 allows both)" },
	{ "0000-Basic_0458.txt", 0, "recipients that are refused by that configuration" },
	{ "0000-Basic_0629.txt", 0, "a recipient that is refused by that configuration" },
	{ "0000-Basic_0637.txt", 0, "a limit of three errors; ours is tried in tests/sessions/errors.txt" },
	{ "0000-Basic_0900.txt", 4, "a chunk that is never complete waits for the time-out here" },
	{ "0000-Basic_0900.txt", 5, "a chunk of no octets, not the last, is right by RFC 3030 §2" },
	{ "0000-Basic_0900.txt", 13, "its false end of data is kept as text there and refused here" },
	{ "4032-xclient_4032.txt", 0, "XCLIENT is not offered" },
	{ "5500-PRDR_5590.txt", 0, "PRDR is not offered" },
};

static bool is_exception(const char *file, unsigned block)
{
	for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
		if (strcmp(exceptions[i].file, file) == 0 &&
		    (exceptions[i].block == 0 || exceptions[i].block == block))
			return true;
	return false;
}

/* -- One conversation ------------------------------------------------------------------- */

struct talk {
	struct driver driver;
	const char *file;
	unsigned line, block;
	bool open;
};

static void hang_up(struct talk *talk)
{
	if (talk->open)
		driver_done(&talk->driver);
	talk->open = false;
}

static void call(struct talk *talk, size_t piece_size)
{
	hang_up(talk);
	driver_init(&talk->driver);
	talk->driver.settings.hostname = TEXT("mx.test.ex");
	talk->driver.good_domain = TEXT_EMPTY;
	talk->driver.bad_domain = TEXT("reject.ex");
	talk->driver.piece_size = piece_size;
	driver_open(&talk->driver);
	talk->open = true;
}

/* The next whole reply: its digit, 0 if there is none. */
static char next_reply(struct talk *talk, struct text *out_line)
{
	struct text heard = buffer_text(&talk->driver.heard);

	while (heard.length > 0) {
		const size_t end = text_find(heard, TEXT("\r\n"));

		*out_line = text_part(heard, 0, end);
		must(end >= 4 && end < heard.length);
		buffer_consume(&talk->driver.heard, end + 2);
		if (out_line->bytes[3] == ' ')
			return out_line->bytes[0];
		heard = text_from(heard, end + 2);
	}
	return 0;
}

static void expect(struct talk *talk, char digit)
{
	struct text line = TEXT_EMPTY;
	const char got = next_reply(talk, &line);

	if (got != digit)
		fail_msg("%s:%u: expected %cxx, got: %.*s", talk->file, talk->line, digit, TEXT_FORMAT(line));
}

static void say_line(struct talk *talk, struct text line)
{
	driver_say(&talk->driver, line);
	driver_say(&talk->driver, TEXT("\r\n"));
}

/* -- Chasquid's language ----------------------------------------------------------------------- */

/* 'text with \r\n\xNN' or ('a' * 899 + '\r\n') * 1166: the two shapes that occur. */
static void say_expression(struct talk *talk, struct text expression)
{
	if (expression.bytes[0] == '(') {
		char line[902];

		memset(line, 'a', 899);
		memcpy(line + 899, "\r\n", 2);
		assert_true(text_starts(expression, TEXT("('a' * 899 + '\\r\\n') * 1166")));
		for (unsigned i = 0; i < 1166; i++)
			driver_say(&talk->driver, (struct text){ line, 901 });
		return;
	}
	for (size_t i = 1; i + 1 < expression.length; i++) {
		char byte = expression.bytes[i];

		if (byte == '\\') {
			byte = expression.bytes[++i];
			byte = byte == 'r' ? '\r' : byte == 'n' ? '\n' : byte;
		}
		driver_say(&talk->driver, (struct text){ &byte, 1 });
	}
}

static void chasquid_line(struct talk *talk, struct text line, size_t piece_size)
{
	struct text rest = text_from(line, 5);

	if (text_starts(line, TEXT("c tcp_connect"))) {
		call(talk, piece_size);
	} else if (text_starts(line, TEXT("c -> ")) || text_equal(line, TEXT("c ->"))) {
		say_line(talk, rest);
	} else if (text_starts(line, TEXT("c ~> "))) {
		say_expression(talk, rest);
	} else if (text_starts(line, TEXT("c <... "))) {
		expect(talk, line.bytes[7]);
	} else if (text_starts(line, TEXT("c <~ ")) || text_starts(line, TEXT("c <- "))) {
		expect(talk, rest.bytes[0]);
	} else if (line.length > 0 && line.bytes[0] != '#' && !text_equal(line, TEXT("c close"))) {
		fail_msg("%s:%u: %.*s", talk->file, talk->line, TEXT_FORMAT(line));
	}
}

/* -- Exim's language ------------------------------------------------------------------------------- */

/* A line of text with \r \n \xNN in it. */
static void say_escaped(struct talk *talk, struct text line)
{
	for (size_t i = 0; i < line.length; i++) {
		char byte = line.bytes[i];

		if (byte == '\\' && i + 1 < line.length) {
			byte = line.bytes[++i];
			if (byte == 'x') {
				byte = (char)strtoul((char[]){ line.bytes[i + 1], line.bytes[i + 2], 0 }, NULL, 16);
				i += 2;
			} else {
				byte = byte == 'r' ? '\r' : byte == 'n' ? '\n' : byte;
			}
		}
		driver_say(&talk->driver, (struct text){ &byte, 1 });
	}
}

static void exim_expect(struct talk *talk, struct text line)
{
	if (text_starts(line, TEXT("???*")))
		assert_true(talk->driver.closed);
	else if (line.length < 8 || line.bytes[7] != '-') /* Of a reply of several lines the last is compared. */
		expect(talk, line.bytes[4]);
}

static void exim_line(struct talk *talk, struct text line, size_t piece_size)
{
	if (text_starts(line, TEXT("client "))) {
		talk->block++;
		call(talk, piece_size);
	} else if (text_equal(line, TEXT("****"))) {
		hang_up(talk);
	} else if (!talk->open || is_exception(talk->file, talk->block) || text_starts(line, TEXT("+++ "))) {
		return;
	} else if (text_starts(line, TEXT("???"))) {
		exim_expect(talk, line);
	} else if (text_starts(line, TEXT(">>> "))) {
		say_escaped(talk, text_from(line, 4));
	} else {
		say_escaped(talk, line);
		driver_say(&talk->driver, TEXT("\r\n"));
	}
}

/* -- Running ------------------------------------------------------------------------------------------ */

typedef void line_runner(struct talk *talk, struct text line, size_t piece_size);

static void run_file(const char *folder, const char *file, line_runner *run_line, size_t piece_size)
{
	char path[1024], *bytes = malloc(1 << 20);
	struct talk *talk = calloc(1, sizeof *talk);

	must(bytes != NULL && talk != NULL);
	snprintf(path, sizeof path, "%s/%s/%s", VECTORS, folder, file);
	FILE *input = fopen(path, "rb");

	must(input != NULL);
	struct text all = { bytes, fread(bytes, 1, 1 << 20, input) }, line;

	fclose(input);
	talk->file = file;
	while (text_cut(&all, '\n', &line)) {
		talk->line++;
		run_line(talk, line, piece_size);
	}
	hang_up(talk);
	free(talk);
	free(bytes);
}

static void run_folder(const char *folder, line_runner *run_line, size_t at_least)
{
	char path[1024];
	struct dirent **names;
	size_t run_count = 0;

	snprintf(path, sizeof path, "%s/%s", VECTORS, folder);
	const int count = scandir(path, &names, NULL, alphasort);

	must(count > 0);
	for (int i = 0; i < count; i++) {
		if (text_ends(text_of(names[i]->d_name), TEXT(".txt")) && !is_exception(names[i]->d_name, 0)) {
			run_file(folder, names[i]->d_name, run_line, 0);
			run_file(folder, names[i]->d_name, run_line, 1);
			run_count++;
		}
		free(names[i]);
	}
	free(names);
	assert_true(run_count >= at_least);
}

static void chasquid_dialogues(void **state)
{
	(void)state;
	run_folder("chasquid-dialogs", chasquid_line, 7);
}

static void exim_dialogues(void **state)
{
	(void)state;
	run_folder("exim-dialogs", exim_line, 20);
}

/* Each false end, with a hidden transaction behind it, to the three kinds of client: no second message comes out
 * of it, and what is stored holds no CR or LF of its own. */
static void smuggle(struct text sequence, enum session_role role, bool trusted, size_t piece_size)
{
	struct driver driver;

	driver_init(&driver);
	driver.peer.role = role;
	driver.peer.trusted = trusted;
	driver.good_domain = TEXT_EMPTY;
	driver.piece_size = piece_size;
	driver_open(&driver);
	driver_say(&driver, TEXT("EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nSubject: x\r\n\r\nbody"));
	driver_say(&driver, sequence);
	driver_say(&driver, TEXT("MAIL FROM:<evil@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nhidden"));
	assert_int_equal(driver.committed_count, 0);
	driver_say(&driver, TEXT("\r\n.\r\nMAIL FROM:<next@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n.\r\nQUIT\r\n"));
	assert_true(driver.closed);
	/* The pipelined honest one is the last in any case; the first is either refused or one message. */
	assert_true(driver.committed_count == 1 || driver.committed_count == 2);
	assert_true(text_starts(buffer_text(&driver.envelope), TEXT("from=<next@b.test>")));
	if (!trusted && text_find(sequence, TEXT("\0")) == sequence.length)
		assert_int_equal(driver.committed_count, 1);
	driver_done(&driver);
}

static void smuggling_sequences(void **state)
{
	static const char key[] = "\"hex\": \"";
	char bytes[8192], sequence[64];
	FILE *input = fopen(VECTORS "/smuggling/end-of-data.json", "rb");
	size_t count = 0;

	(void)state;
	must(input != NULL);
	struct text all = { bytes, fread(bytes, 1, sizeof bytes, input) };

	fclose(input);
	for (size_t at; at = text_find(all, text_of(key)), at < all.length; count++) {
		size_t length = 0;

		all = text_from(all, at + sizeof key - 1);
		for (; all.bytes[2 * length] != '"'; length++)
			sequence[length] = (char)strtoul(
			    (char[]){ all.bytes[2 * length], all.bytes[2 * length + 1], 0 }, NULL, 16);
		for (size_t piece = 0; piece < 2; piece++) {
			smuggle((struct text){ sequence, length }, SESSION_MX, false, piece);
			smuggle((struct text){ sequence, length }, SESSION_MX, true, piece);
			smuggle((struct text){ sequence, length }, SESSION_SUBMISSION, true, piece);
		}
	}
	assert_int_equal(count, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chasquid_dialogues),
		cmocka_unit_test(exim_dialogues),
		cmocka_unit_test(smuggling_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
