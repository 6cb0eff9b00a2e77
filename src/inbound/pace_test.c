/* Slow clients, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "inbound/pace.h"

enum { S = 1000, M = 60 * S };

static const struct pace_limits limits = {
	.silence_ms = 5 * M, .line_ms = M, .dialogue_ms = 30 * M, .proof_ms = 2 * M, .text_bytes_per_s = 500
};

struct client {
	struct pace pace;
	int64_t now_ms, left_ms;
};

static void begin(struct client *client)
{
	*client = (struct client){ .now_ms = 12345 };
	pace_init(&client->pace, client->now_ms);
}

static void look(struct client *client, enum pace_phase phase, bool progressed, bool in_line)
{
	const struct pace_facts facts = { .phase = phase, .progressed = progressed, .in_line = in_line,
		.now_ms = client->now_ms };

	client->left_ms = pace_step(&client->pace, &limits, &facts);
}

/* It is late at the end of what it was given, and not a moment before. */
static void assert_late_after(struct client *client, int64_t ms, const char *complaint)
{
	assert_int_equal(client->left_ms, ms);
	assert_null(pace_complaint(&client->pace, &limits, client->now_ms + ms - 1));
	assert_string_equal(pace_complaint(&client->pace, &limits, client->now_ms + ms), complaint);
}

static void silence(void **state)
{
	struct client client;

	(void)state;
	begin(&client);
	look(&client, PACE_COMMANDS, true, false);
	assert_late_after(&client, 5 * M, "Timeout");
	client.now_ms += 4 * M;
	look(&client, PACE_COMMANDS, true, false);
	assert_late_after(&client, 5 * M, "Timeout");
}

static void half_a_line(void **state)
{
	struct client client;

	(void)state;
	begin(&client);
	look(&client, PACE_COMMANDS, true, false);
	client.now_ms += 10 * S;
	look(&client, PACE_COMMANDS, false, true);
	assert_late_after(&client, M, "The line takes too long");
	for (int i = 0; i < 5; i++) { /* Byte by byte it is no faster. */
		client.now_ms += 10 * S;
		look(&client, PACE_COMMANDS, false, true);
	}
	assert_late_after(&client, 10 * S, "The line takes too long");
	client.now_ms += 5 * S; /* Its end, and half of the next. */
	look(&client, PACE_COMMANDS, true, true);
	assert_late_after(&client, M, "The line takes too long");
	look(&client, PACE_COMMANDS, true, false);
	assert_late_after(&client, 5 * M, "Timeout");
}

/* The session drops what comes of it; that is no progress. */
static void an_endless_line(void **state)
{
	struct client client;
	struct pace_facts facts = { .phase = PACE_COMMANDS, .progressed = true, .in_line = true, .endless = true };

	(void)state;
	begin(&client);
	look(&client, PACE_COMMANDS, true, false);
	for (int i = 0; i < 59; i++) {
		facts.now_ms = client.now_ms += S;
		client.left_ms = pace_step(&client.pace, &limits, &facts);
	}
	assert_late_after(&client, 2 * S, "The line takes too long");
}

static void commands_without_a_message(void **state)
{
	struct client client;

	(void)state;
	begin(&client);
	for (int i = 0; i < 29; i++) {
		look(&client, PACE_COMMANDS, true, false);
		client.now_ms += M;
	}
	look(&client, PACE_COMMANDS, true, false);
	assert_late_after(&client, M, "No message for too long");
	pace_message(&client.pace, client.now_ms);
	look(&client, PACE_COMMANDS, true, false);
	assert_late_after(&client, 5 * M, "Timeout");
}

static void text_that_trickles(void **state)
{
	struct client client;

	(void)state;
	begin(&client);
	look(&client, PACE_COMMANDS, true, false);
	look(&client, PACE_OURS, true, false);
	look(&client, PACE_TEXT, true, false);
	for (int i = 0; i < 290; i++) {
		client.now_ms += S;
		pace_text(&client.pace, 10);
		look(&client, PACE_TEXT, true, false);
	}
	assert_late_after(&client, 10 * S + 290 * 10 * 1000 / 500, "The text comes too slowly");
}

/* Five minutes of a chunk, then of another: they are one text. Our own time does not count. */
static void slow_text_that_is_fast_enough(void **state)
{
	struct client client;

	(void)state;
	begin(&client);
	look(&client, PACE_COMMANDS, true, false);
	look(&client, PACE_TEXT, true, false);
	for (int i = 0; i < 100; i++) {
		client.now_ms += M;
		pace_text(&client.pace, 500 * 60);
		look(&client, PACE_TEXT, true, false);
		look(&client, PACE_OURS, false, false);
		client.now_ms += 10 * M;
		look(&client, PACE_TEXT, false, false);
		assert_late_after(&client, 5 * M, "Timeout");
	}
}

static void proof_has_one_time_for_all_its_steps(void **state)
{
	struct client client;

	(void)state;
	begin(&client);
	look(&client, PACE_COMMANDS, true, false);
	look(&client, PACE_OURS, true, false);
	look(&client, PACE_PROOF, true, false);
	assert_late_after(&client, 2 * M, "The handshake takes too long");
	client.now_ms += M;
	look(&client, PACE_OURS, true, false);
	client.now_ms += M; /* Ours. */
	look(&client, PACE_PROOF, true, false);
	assert_late_after(&client, M, "The handshake takes too long");
	look(&client, PACE_COMMANDS, true, false);
	client.now_ms += M;
	look(&client, PACE_PROOF, true, false); /* Another. */
	assert_late_after(&client, 2 * M, "The handshake takes too long");
}

static void replies_that_are_not_read(void **state)
{
	struct client client;

	(void)state;
	begin(&client);
	look(&client, PACE_COMMANDS, true, false);
	look(&client, PACE_DEAF, true, true);
	client.now_ms += 2 * M;
	look(&client, PACE_DEAF, false, true);
	assert_late_after(&client, 3 * M, "The replies are not read");
}

static void we_take_our_time(void **state)
{
	struct client client;

	(void)state;
	begin(&client);
	look(&client, PACE_OURS, false, false);
	assert_int_equal(client.left_ms, 0);
	client.now_ms += 1000 * M;
	assert_null(pace_complaint(&client.pace, &limits, client.now_ms));
	look(&client, PACE_COMMANDS, true, false);
	assert_late_after(&client, 5 * M, "Timeout");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence),
		cmocka_unit_test(half_a_line),
		cmocka_unit_test(an_endless_line),
		cmocka_unit_test(commands_without_a_message),
		cmocka_unit_test(text_that_trickles),
		cmocka_unit_test(slow_text_that_is_fast_enough),
		cmocka_unit_test(proof_has_one_time_for_all_its_steps),
		cmocka_unit_test(replies_that_are_not_read),
		cmocka_unit_test(we_take_our_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
