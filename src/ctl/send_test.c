/* sendmail(1) against a server that is played by a thread: what it says for which words and which input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/must.h"
#include "ctl/commands.h"

enum { WORDS_MAX = 8 };

struct server {
	char folder[64], path[100];
	int fd;
	struct buffer envelope; /* MAIL and RCPT lines, separated by |. */
	struct buffer body;     /* What came after 354, its final dot included. */
	pthread_t thread;
};

/* A reply to every line: RCPT of "bad..." is refused, of "later..." put off. */
static const char *reply_to(struct server *server, struct text line)
{
	if (text_starts(line, TEXT("{")))
		return "{\"ok\":true}\n220 here ESMTP\r\n";
	if (text_starts(line, TEXT("EHLO")))
		return "250-here\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n";
	if (text_starts(line, TEXT("DATA")))
		return "354 go\r\n";
	if (text_starts(line, TEXT("QUIT")))
		return "221 bye\r\n";
	must(buffer_append(&server->envelope, text_trim(line)) && buffer_append(&server->envelope, TEXT("|")));
	if (text_find(line, TEXT("<bad")) < line.length)
		return "550 5.1.1 no such user\r\n";
	return text_find(line, TEXT("<later")) < line.length ? "451 4.3.0 later\r\n" : "250 2.1.0 ok\r\n";
}

static bool body_complete(const struct buffer *body)
{
	return text_ends(buffer_text(body), TEXT("\r\n.\r\n")) || text_equal(buffer_text(body), TEXT(".\r\n"));
}

static void converse(struct server *server, FILE *peer)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	bool in_body = false;

	while ((length = getline(&line, &room, peer)) > 0) {
		const struct text text = { line, (size_t)length };

		if (in_body) {
			must(buffer_append(&server->body, text));
			in_body = !body_complete(&server->body);
			if (!in_body)
				must(send(fileno(peer), "250 2.0.0 taken\r\n", 17, MSG_NOSIGNAL) == 17);
			continue;
		}
		const char *reply = reply_to(server, text);

		(void)!send(fileno(peer), reply, strlen(reply), MSG_NOSIGNAL); /* After QUIT nobody listens. */
		in_body = text_starts(text, TEXT("DATA"));
	}
	free(line);
}

static void *play(void *context)
{
	struct server *server = context;
	const int fd = accept(server->fd, NULL, NULL);

	if (fd >= 0) {
		FILE *peer = fdopen(fd, "r");

		must(peer != NULL);
		converse(server, peer);
		fclose(peer);
	}
	return NULL;
}

static int set_up(void **state)
{
	struct server *server = calloc(1, sizeof *server);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(server->folder, sizeof server->folder, "/tmp/postroad-send-XXXXXX");
	must(mkdtemp(server->folder) != NULL);
	snprintf(server->path, sizeof server->path, "%s/sock", server->folder);
	memcpy(address.sun_path, server->path, strlen(server->path));
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(server->fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(server->fd, 5) == 0);
	buffer_init(&server->envelope, 1 << 20);
	buffer_init(&server->body, 1 << 24);
	*state = server;
	return 0;
}

static int tear_down(void **state)
{
	struct server *server = *state;

	buffer_done(&server->envelope);
	buffer_done(&server->body);
	close(server->fd);
	unlink(server->path);
	rmdir(server->folder);
	free(server);
	return 0;
}

/* What commands print is no part of the test's own report: send it away, and bring stdout back. */
static int hush(void)
{
	const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	fflush(stdout);
	const int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);

	must(null >= 0 && kept >= 0 && dup2(null, STDOUT_FILENO) == STDOUT_FILENO);
	close(null);
	return kept;
}

static void unhush(int kept)
{
	fflush(stdout);
	must(dup2(kept, STDOUT_FILENO) == STDOUT_FILENO);
	close(kept);
}

/* Run sendmail with these words and this input; its exit code. `talks`: it is to connect. */
static int run(struct server *server, const char *const *words, struct text input, bool talks)
{
	const struct ctl_place place = { .control = server->path, .spool = "/nonexistent" };
	FILE *kept = stdin;
	int count = 0, code;

	while (count < WORDS_MAX && words[count] != NULL)
		count++;
	buffer_clear(&server->envelope);
	buffer_clear(&server->body);
	if (talks)
		must(pthread_create(&server->thread, NULL, play, server) == 0);
	stdin = input.length > 0 ? fmemopen((void *)(uintptr_t)input.bytes, input.length, "r") : fopen("/dev/null", "re");
	must(stdin != NULL);
	const int heard = hush();

	code = ctl_send(&place, "here.test", count, (char **)(uintptr_t)words);
	unhush(heard);
	fclose(stdin);
	stdin = kept;
	if (talks)
		pthread_join(server->thread, NULL);
	return code;
}

static void assert_bytes(const struct buffer *got, struct text wanted)
{
	if (!text_equal(buffer_text(got), wanted))
		fail_msg("got \"%.*s\", not \"%.*s\"", TEXT_FORMAT(buffer_text(got)), TEXT_FORMAT(wanted));
}

#define MAIL(sender) "MAIL FROM:<" sender "> BODY=8BITMIME"

static void test_words(void **state)
{
	static const struct {
		const char *words[WORDS_MAX + 1];
		const char *envelope;
	} cases[] = {
		{ { "-f", "a@b.test", "c@d.test" }, MAIL("a@b.test") "|RCPT TO:<c@d.test>|" },
		{ { "-fa@b.test", "--", "c@d.test" }, MAIL("a@b.test") "|RCPT TO:<c@d.test>|" },
		{ { "-f", "", "c" }, MAIL("") "|RCPT TO:<c@here.test>|" },
		{ { "-f<>", "-oi", "c" }, MAIL("") "|RCPT TO:<c@here.test>|" },
		{ { "-ra@b.test", "-i", "-oem", "-FName", "c", "d@e.test" },
		    MAIL("a@b.test") "|RCPT TO:<c@here.test>|RCPT TO:<d@e.test>|" },
		{ { "-if", "a@b.test", "-F", "My Name", "-B", "8BITMIME", "c" }, MAIL("a@b.test") "|RCPT TO:<c@here.test>|" },
		{ { "-bm", "-f", "a@b.test", "c@d.test, e@f.test" },
		    MAIL("a@b.test") "|RCPT TO:<c@d.test>|RCPT TO:<e@f.test>|" },
		{ { "-fa@b.test", "-Nnever", "-R", "hdrs", "-Vid7", "c" },
		    MAIL("a@b.test") " RET=hdrs ENVID=id7|RCPT TO:<c@here.test> NOTIFY=never|" },
		{ { "-fa@b.test", "\xc3\xa4@d.test" }, MAIL("a@b.test") " SMTPUTF8|RCPT TO:<\xc3\xa4@d.test>|" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(run(*state, cases[i].words, TEXT("x\n"), true), EX_OK);
		assert_bytes(&((struct server *)*state)->envelope, text_of(cases[i].envelope));
	}
}

static void test_wrong_words(void **state)
{
	static const struct {
		const char *words[WORDS_MAX + 1];
		bool talks;
		int code;
	} cases[] = {
		{ { "-f" }, false, EX_USAGE },
		{ { "-y", "a" }, false, EX_USAGE },
		{ { "-bd" }, false, EX_USAGE },
		{ { "-f", "not an address", "c" }, false, EX_USAGE },
		{ { "a b@c" }, false, EX_USAGE },
		{ { NULL }, true, EX_USAGE },
		{ { "-t" }, true, EX_USAGE }, /* The input names nobody. */
		{ { "bad@d.test" }, true, EX_NOUSER },
		{ { "c", "later@d.test" }, true, EX_TEMPFAIL },
	};
	struct server *server = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(run(server, cases[i].words, TEXT("Subject: x\n\ny\n"), cases[i].talks), cases[i].code);
		assert_int_equal(server->body.length, 0); /* Nothing was sent. */
	}
	close(server->fd);
	server->fd = -1;
	assert_int_equal(run(server, (const char *const[]){ "c", NULL }, TEXT("x\n"), false), EX_TEMPFAIL);
}

static void test_body(void **state)
{
	static const struct {
		const char *option;
		struct text input, body;
	} cases[] = {
		{ "-i", { "a\nb\n", 4 }, { "a\r\nb\r\n.\r\n", 9 } },
		{ "-i", { "a\r\nb", 4 }, { "a\r\nb\r\n.\r\n", 9 } },
		{ "-i", { "", 0 }, { ".\r\n", 3 } },
		{ "-i", { ".\n..\n.a\n", 8 }, { "..\r\n...\r\n..a\r\n.\r\n", 17 } },
		{ "-i", { "a\n.", 3 }, { "a\r\n..\r\n.\r\n", 10 } },
		{ "-v", { "a\n.\nb\n", 6 }, { "a\r\n.\r\n", 6 } },
		{ "-v", { "a\n.\r\nb\n", 7 }, { "a\r\n.\r\n", 6 } },
		{ "-v", { "a\n. \nb\n", 7 }, { "a\r\n.. \r\nb\r\n.\r\n", 14 } },
		{ "-v", { ".a\n", 3 }, { "..a\r\n.\r\n", 8 } },
		{ "-i", { "a\0b\n", 4 }, { "a\0b\r\n.\r\n", 8 } },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const words[] = { cases[i].option, "c", NULL };

		assert_int_equal(run(*state, words, cases[i].input, true), EX_OK);
		assert_bytes(&((struct server *)*state)->body, cases[i].body);
	}
}

/* Longer than every buffer on the way, with dots where one buffer ends and the next begins. */
static void test_long_lines(void **state)
{
	enum { LENGTH = 300000 };
	struct server *server = *state;
	char *input = malloc(LENGTH);

	memset(input, '.', LENGTH);
	input[LENGTH - 1] = '\n';
	assert_int_equal(run(server, (const char *const[]){ "-i", "c", NULL }, (struct text){ input, LENGTH }, true), EX_OK);
	assert_int_equal(server->body.length, LENGTH + 1 + 1 + 3);
	for (size_t i = 0; i < LENGTH; i += 2)
		input[i] = '\n';
	assert_int_equal(run(server, (const char *const[]){ "-i", "c", NULL }, (struct text){ input, LENGTH }, true), EX_OK);
	/* Every second byte is a line end, every other one a dot; the last two are line ends. */
	assert_int_equal(server->body.length, LENGTH + (LENGTH / 2 + 1) + (LENGTH / 2 - 1) + 3);
	free(input);
}

static void test_recipients_from_header(void **state)
{
	static const struct {
		const char *input, *envelope, *body;
	} cases[] = {
		{ "To: A <a@d.test>\nBcc: b@d.test,\n c@d.test\nSubject: x\n\nTo: no@d.test\n",
		    "RCPT TO:<a@d.test>|RCPT TO:<b@d.test>|RCPT TO:<c@d.test>|",
		    "To: A <a@d.test>\r\nSubject: x\r\n\r\nTo: no@d.test\r\n.\r\n" },
		{ "to: a@d.test\r\nBCC: b@d.test\r\n\r\n.x\r\n", "RCPT TO:<a@d.test>|RCPT TO:<b@d.test>|",
		    "to: a@d.test\r\n\r\n..x\r\n.\r\n" },
		{ "Cc: a\nBcc:\nTo: undisclosed-recipients:;\n\n", "RCPT TO:<a@here.test>|",
		    "Cc: a\r\nTo: undisclosed-recipients:;\r\n\r\n.\r\n" },
		{ "To: a@d.test", "RCPT TO:<a@d.test>|", "To: a@d.test\r\n.\r\n" },
	};
	struct server *server = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer wanted;

		buffer_init(&wanted, 4096);
		assert_true(buffer_print(&wanted, MAIL("s@d.test") "|%s", cases[i].envelope));
		assert_int_equal(run(server, (const char *const[]){ "-ti", "-fs@d.test", NULL }, text_of(cases[i].input), true), EX_OK);
		assert_bytes(&server->envelope, buffer_text(&wanted));
		assert_bytes(&server->body, text_of(cases[i].body));
		buffer_done(&wanted);
	}
	/* A field that cannot be read whole sends to nobody (L2). */
	assert_int_equal(run(server, (const char *const[]){ "-t", NULL }, TEXT("To: a@d.test, <b@@\n\nx\n"), true), EX_DATAERR);
	assert_int_equal(server->envelope.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_body, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_recipients_from_header, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
