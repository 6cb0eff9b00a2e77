/* The relay and a Dovecot that a script plays, over a real socket; the clock is the test's. */
#include "sasl/relay.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"

#define GREETING "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tX\nSPID\t1\nDONE\n"

enum { MECHANISMS = 1u << SASL_PLAIN | 1u << SASL_LOGIN, PATIENCE_MS = 10000 };

struct world {
	char folder[64], path[96];
	int listener, dovecot;      /* -1: none. */
	struct relay *relay;
	int64_t now_ms;
	char heard[4096];           /* By Dovecot. */
	struct sasl_answer answer;  /* The last one; its texts are in room. */
	char challenge[64], user[64], reason[SASL_REASON_MAX + 1];
	int answers, comings, goings;
};

static void answered(void *context, const struct sasl_answer *answer)
{
	struct world *world = context;

	world->answers++;
	world->answer = *answer;
	snprintf(world->challenge, sizeof world->challenge, "%.*s", TEXT_FORMAT(answer->challenge));
	snprintf(world->user, sizeof world->user, "%.*s", TEXT_FORMAT(answer->user));
	snprintf(world->reason, sizeof world->reason, "%.*s", TEXT_FORMAT(answer->reason));
}

static void changed(void *context, bool there, enum error why)
{
	struct world *world = context;

	assert_true(there == (why == OK));
	there ? world->comings++ : world->goings++;
}

static const struct relay_handler handler = { answered, changed };

/* Let the relay do what can be done now. */
static void settle(struct world *world)
{
	relay_turn(world->relay, world->now_ms);
	for (struct pollfd watched = { .fd = relay_fd(world->relay), .events = relay_events(world->relay) };
	     watched.fd >= 0 && poll(&watched, 1, 0) > 0;
	     watched = (struct pollfd){ .fd = relay_fd(world->relay), .events = relay_events(world->relay) })
		relay_ready(world->relay, watched.revents, world->now_ms);
}

static void listen_there(struct world *world)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s", world->path);
	world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(bind(world->listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(world->listener, 5) == 0);
}

/* Dovecot takes the connection, and says this. */
static void greet(struct world *world, const char *greeting)
{
	settle(world);
	world->dovecot = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC);
	must(world->dovecot >= 0 && write(world->dovecot, greeting, strlen(greeting)) == (ssize_t)strlen(greeting));
	settle(world);
}

static void say(struct world *world, const char *line)
{
	must(write(world->dovecot, line, strlen(line)) == (ssize_t)strlen(line));
	settle(world);
}

/* What Dovecot heard since the last time. */
static const char *heard(struct world *world)
{
	const ssize_t length = recv(world->dovecot, world->heard, sizeof world->heard - 1, MSG_DONTWAIT);

	world->heard[length > 0 ? length : 0] = '\0';
	return world->heard;
}

static void ask(struct world *world, enum sasl_request_kind kind, uint64_t number, struct text response)
{
	const struct sasl_request request = { .kind = kind, .number = number, .mechanism = SASL_PLAIN, .response = response };

	relay_ask(world->relay, &request, world->now_ms);
}

static int set_up(void **state)
{
	static struct world world;

	world = (struct world){ .listener = -1, .dovecot = -1, .now_ms = 1000 };
	snprintf(world.folder, sizeof world.folder, "%s", "/tmp/relay.XXXXXX");
	must(mkdtemp(world.folder) != NULL);
	snprintf(world.path, sizeof world.path, "%s/auth", world.folder);
	world.relay = relay_new(world.path, &handler, &world);
	must(world.relay != NULL);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	relay_free(world->relay);
	close(world->dovecot);
	close(world->listener);
	unlink(world->path);
	rmdir(world->folder);
	return 0;
}

static void a_login_goes_there_and_back(void **state)
{
	struct world *world = *state;

	listen_there(world);
	greet(world, GREETING);
	assert_int_equal(world->comings, 1);
	assert_int_equal(relay_mechanisms(world->relay), MECHANISMS);
	assert_non_null(strstr(heard(world), "VERSION\t1\t1\nCPID\t"));
	ask(world, SASL_BEGIN, 70, TEXT("\0a\0b"));
	assert_string_equal(heard(world), "AUTH\t1\tPLAIN\tservice=smtp\tsecured\tresp=AGEAYg==\n");
	say(world, "CONT\t1\tZ28=\n");
	assert_int_equal(world->answer.result, SASL_CONTINUE);
	assert_string_equal(world->challenge, "go");
	ask(world, SASL_STEP, 70, TEXT("x"));
	assert_string_equal(heard(world), "CONT\t1\teA==\n");
	/* In pieces, and with two others that nobody asked for. */
	say(world, "OK\t9\tuser=root\nOK\t1\tus");
	assert_int_equal(world->answers, 1);
	say(world, "er=alice\nOK\t1\tuser=root\n");
	assert_int_equal(world->answers, 2);
	assert_true(world->answer.number == 70 && world->answer.result == SASL_SUCCESS);
	assert_string_equal(world->user, "alice");
	ask(world, SASL_BEGIN, 71, TEXT("\0a\0c"));
	say(world, "FAIL\t2\tuser=a\n");
	assert_int_equal(world->answer.result, SASL_FAILURE);
	ask(world, SASL_BEGIN, 72, TEXT("\0a\0c"));
	say(world, "FAIL\t3\tuser=a\ttemp\n");
	assert_int_equal(world->answer.result, SASL_TROUBLE);
	ask(world, SASL_BEGIN, 73, TEXT("\0a\0c"));
	say(world, "OK\t4\tuser=a\tnologin\n");
	assert_int_equal(world->answer.result, SASL_FAILURE);
	assert_int_equal(world->answers, 5);
}

static void a_slow_login_keeps_nobody_waiting(void **state)
{
	struct world *world = *state;

	listen_there(world);
	greet(world, GREETING);
	ask(world, SASL_BEGIN, 70, TEXT("\0a\0b"));
	ask(world, SASL_BEGIN, 71, TEXT("\0b\0b"));
	say(world, "OK\t2\tuser=b\n");
	assert_true(world->answer.number == 71 && world->answers == 1);
	heard(world);
	ask(world, SASL_ABORT, 70, TEXT_EMPTY);
	assert_string_equal(heard(world), "CANCEL\t1\n");
	say(world, "OK\t1\tuser=a\n");
	assert_int_equal(world->answers, 1);
}

static void one_that_is_away_is_tried_again(void **state)
{
	static const int waits[] = { 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
	struct world *world = *state;

	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		settle(world);
		assert_int_equal(relay_fd(world->relay), -1);
		assert_true(relay_due_ms(world->relay) == world->now_ms + waits[i]);
		world->now_ms = relay_due_ms(world->relay);
	}
	assert_int_equal(world->goings, 1);
	ask(world, SASL_BEGIN, 70, TEXT("\0a\0b"));
	assert_int_equal(world->answer.result, SASL_TROUBLE);
	assert_string_equal(world->reason, "Dovecot is away");
	assert_false(relay_was_there(world->relay));
	listen_there(world);
	greet(world, GREETING);
	assert_true(relay_was_there(world->relay));
	assert_int_equal(world->comings, 1);
	/* It goes with a login under way; what it had is offered on. */
	ask(world, SASL_BEGIN, 71, TEXT("\0a\0b"));
	close(world->dovecot);
	settle(world);
	assert_true(world->answer.number == 71 && world->answer.result == SASL_TROUBLE && world->goings == 2);
	assert_int_equal(relay_mechanisms(world->relay), MECHANISMS);
	assert_true(relay_due_ms(world->relay) == world->now_ms + RELAY_WAIT_MS_MIN);
	world->now_ms += RELAY_WAIT_MS_MIN;
	greet(world, "VERSION\t1\t2\nMECH\tLOGIN\nDONE\n");
	assert_int_equal(relay_mechanisms(world->relay), 1u << SASL_LOGIN);
	ask(world, SASL_STEP, 71, TEXT("x"));
	assert_int_equal(world->answer.result, SASL_TROUBLE);
}

static void silence_has_its_bounds(void **state)
{
	struct world *world = *state;

	listen_there(world);
	greet(world, "VERSION\t1\t2\n");
	ask(world, SASL_BEGIN, 70, TEXT("\0a\0b"));
	assert_int_equal(world->answer.result, SASL_TROUBLE); /* Not yet there. */
	world->now_ms = relay_due_ms(world->relay);
	settle(world);
	assert_true(world->goings == 1 && relay_fd(world->relay) == -1);
	world->now_ms = relay_due_ms(world->relay);
	close(world->dovecot);
	greet(world, GREETING);
	ask(world, SASL_BEGIN, 71, TEXT("\0a\0b"));
	assert_true(relay_due_ms(world->relay) == world->now_ms + RELAY_PATIENCE_MS);
	world->now_ms += RELAY_PATIENCE_MS;
	settle(world);
	assert_true(world->answer.number == 71 && world->answer.result == SASL_TROUBLE);
	assert_string_equal(world->reason, "Dovecot does not answer");
	assert_true(relay_due_ms(world->relay) == INT64_MAX);
}

static void nonsense_ends_the_connection(void **state)
{
	static const char *const nonsense[] = { "VERSION\t2\t0\n", GREETING "OK\t1\n", GREETING "CONT\tx\n" };
	struct world *world = *state;
	char line[8192];

	listen_there(world);
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
		world->now_ms += RELAY_WAIT_MS_MAX;
		greet(world, nonsense[i]);
		assert_int_equal(relay_fd(world->relay), -1);
		close(world->dovecot);
	}
	/* A line without an end. */
	world->now_ms += RELAY_WAIT_MS_MAX;
	greet(world, GREETING);
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\0';
	for (int i = 0; i < 5 && relay_fd(world->relay) >= 0; i++)
		say(world, line);
	assert_int_equal(relay_fd(world->relay), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_login_goes_there_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slow_login_keeps_nobody_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_away_is_tried_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_has_its_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nonsense_ends_the_connection, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
