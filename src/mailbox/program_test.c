#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mailbox/program.h"

/* -- What an end means ------------------------------------------------------------ */

static void ends_and_their_meaning(void **state)
{
	static const struct {
		int status;
		bool timed_out;
		const char *line;
		unsigned code, class, subject, detail;
		const char *text;
	} rows[] = {
		{ 0, false, "", 250, 2, 0, 0, "taken by the command" },
		{ 0, false, "ticket 17", 250, 2, 0, 0, "taken by the command: ticket 17" },
		{ 75 << 8, false, "busy", 451, 4, 3, 0, "the command ended with code 75: busy" },
		{ 71 << 8, false, "", 451, 4, 3, 0, "the command ended with code 71" },
		{ 78 << 8, false, "", 451, 4, 3, 5, "the command ended with code 78" },
		{ 127 << 8, false, "", 451, 4, 3, 5, "the command ended with code 127" },
		{ 67 << 8, false, "who?", 550, 5, 1, 1, "the command ended with code 67: who?" },
		{ 77 << 8, false, "", 550, 5, 7, 0, "the command ended with code 77" },
		{ 65 << 8, false, "", 554, 5, 6, 0, "the command ended with code 65" },
		{ 69 << 8, false, "", 554, 5, 3, 0, "the command ended with code 69" },
		{ 1 << 8, false, "", 554, 5, 3, 0, "the command ended with code 1" },
		{ SIGSEGV, false, "", 451, 4, 3, 0, "the command was ended by signal 11" },
		{ SIGKILL, true, "half", 451, 4, 3, 0, "the command took too long: half" },
		{ 0, true, "", 451, 4, 3, 0, "the command took too long" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char room[PROGRAM_WORDS_MAX];
		const struct verdict verdict = program_verdict(rows[i].status, rows[i].timed_out, text_of(rows[i].line), room);

		assert_int_equal(verdict.code, rows[i].code);
		assert_int_equal(verdict.enhanced.class, rows[i].class);
		assert_int_equal(verdict.enhanced.subject, rows[i].subject);
		assert_int_equal(verdict.enhanced.detail, rows[i].detail);
		assert_true(text_equal(verdict.text, text_of(rows[i].text)));
	}
}

/* -- Running ------------------------------------------------------------------------ */

/* What the shell is to do with "Hello.\n" on its standard input. */
static struct program_run start(const char *script)
{
	char shell[] = "/bin/sh", option[] = "-c", *copy = strdup(script);
	char *words[] = { shell, option, copy, NULL };
	const struct program program = { .name = TEXT("test"), .words = words, .user = "somebody", .home = "/tmp", .limit_ms = 60000 };
	const struct program_call call = { .sender = TEXT("a@good.test"), .recipient = TEXT("t+x@example.org"),
		.original = TEXT(""), .local = TEXT("t+x"), .extension = TEXT("x"), .domain = TEXT("example.org"),
		.message_fd = memfd_create("message", MFD_CLOEXEC) };
	struct program_run run;

	assert_int_equal(write(call.message_fd, "Hello.\n", 7), 7);
	assert_int_equal(program_start(&program, &call, 1000, &run), OK);
	assert_int_equal(run.end_ms, 61000);
	close(call.message_fd);
	free(copy);
	return run;
}

/* Until it has ended; its status. */
static int finish(struct program_run *run)
{
	int status = -1;

	do {
		struct pollfd watched[] = { { .fd = run->pid_fd, .events = POLLIN }, { .fd = run->output_fd, .events = POLLIN } };

		assert_true(poll(watched, 2, -1) > 0);
		if (run->output_fd >= 0)
			program_hear(run);
	} while (!program_ended(run, &status));
	assert_int_equal(run->output_fd, -1);
	return status;
}

static void assert_says(const char *script, int status, const char *line)
{
	struct program_run run = start(script);

	assert_int_equal(finish(&run), status);
	if (run.line_length != strlen(line) || memcmp(run.line, line, run.line_length) != 0)
		fail_msg("%s: \"%.*s\"", script, (int)run.line_length, run.line);
}

static void it_reads_and_speaks(void **state)
{
	(void)state;
	assert_says("cat", 0, "Hello.");
	assert_says("exit 75", 75 << 8, "");
	assert_says("echo; echo first >&2; echo second; exit 67", 67 << 8, "first");
	assert_says("echo \"$SENDER $RECIPIENT $LOCAL $EXTENSION $DOMAIN [$ORIGINAL_RECIPIENT] $HOME $USER $PWD\"", 0,
	    "a@good.test t+x@example.org t+x x example.org [] /tmp somebody /tmp");
	assert_says("printf 'a\\tb\\033\\303\\244\\r\\n'", 0, "a?b???");
	assert_says("umask; ulimit -c", 0, "0077");
	assert_says("kill -SEGV $$", SIGSEGV, "");
	assert_says("ls /proc/self/fd | wc -l", 0, "4"); /* Three, and the one with which ls looks. */
	assert_says("grep NoNewPrivs /proc/self/status | tr -d '\\t'", 0, "NoNewPrivs:1");
}

static void a_long_line_is_cut_and_all_is_read(void **state)
{
	struct program_run run = start("head -c 3000000 /dev/zero | tr '\\0' x");

	(void)state;
	assert_int_equal(finish(&run), 0);
	assert_int_equal(run.line_length, PROGRAM_LINE_MAX);
}

static void what_cannot_be_executed(void **state)
{
	char missing[] = "/nowhere/command";
	char *words[] = { missing, NULL };
	const struct program program = { .name = TEXT("test"), .words = words, .user = "x", .home = "/nowhere", .limit_ms = 1000 };
	const struct program_call call = { .message_fd = memfd_create("message", MFD_CLOEXEC) };
	struct program_run run;

	(void)state;
	assert_int_equal(program_start(&program, &call, 0, &run), OK);
	close(call.message_fd);
	assert_int_equal(finish(&run), 127 << 8);
	assert_true(text_starts((struct text){ run.line, run.line_length }, TEXT("/nowhere/command cannot be executed")));
}

/* True when nobody is left who holds the other end. */
static bool is_closed(int fd)
{
	struct pollfd watched = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&watched, 1, -1) == 1 && read(fd, &byte, 1) == 0;
}

/* P4: the children hold a pipe of ours, which ends when they do. */
static void assert_all_end(const char *script, bool expire)
{
	struct program_run run;
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	/* Close-on-exec would take it from them; a FIFO by /proc does the same. */
	char whole[300];

	snprintf(whole, sizeof whole, "exec 9>/proc/%d/fd/%d; %s", getpid(), ends[1], script);
	run = start(whole);
	/* "up": the pipe is open over there. */
	char byte;

	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[1]);
	if (expire)
		program_expire(&run);
	status = finish(&run);
	assert_int_equal(status, expire ? SIGKILL : 0);
	assert_true(is_closed(ends[0]));
	close(ends[0]);
}

static void nothing_is_left_behind(void **state)
{
	(void)state;
	assert_all_end("sleep 1000 & echo >&9; wait", true);
	assert_all_end("sleep 1000 & echo >&9; exit 0", false);
	assert_all_end("trap '' TERM HUP; echo >&9; while :; do sleep 1000; done", true);

	struct program_run run = start("sleep 1000");

	program_abandon(&run);
	assert_int_equal(run.pid_fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_and_their_meaning),
		cmocka_unit_test(it_reads_and_speaks),
		cmocka_unit_test(a_long_line_is_cut_and_all_is_read),
		cmocka_unit_test(what_cannot_be_executed),
		cmocka_unit_test(nothing_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
