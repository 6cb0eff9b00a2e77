/* The promises of spool.h that hold without a crash, for every engine. */
#include "spool/test_support.h"
#include "spool/flow.h"

#define DOMAIN TEXT("example.net")

static size_t due_count(struct door *door, struct text domain)
{
	struct spool_due *due;
	size_t count;

	assert_int_equal(spool_scan_due(door->spool, spool_shard_of(domain), (struct spool_position){ 0 }, INT64_MAX,
			     1000, door->arena, &due, &count), OK);
	return count;
}

static size_t domain_count(struct door *door, struct text domain)
{
	struct spool_position *positions;
	size_t count;

	assert_int_equal(spool_scan_domain(door->spool, domain, INT64_MAX, 1000,
			     door->arena, &positions, &count), OK);
	return count;
}

/* -- Messages ---------------------------------------------------------------------- */

static void everything_comes_back(void **state)
{
	struct door *door = door_of(state);
	struct recipient recipients[] = { recipient_to(0, DOMAIN, 100), recipient_to(3, TEXT("other.example"), 200) };
	struct message read;
	char room[SPOOL_CHUNK_SIZE], expected[SPOOL_CHUNK_SIZE];

	recipients[1].last = VERDICT(451, 4, 7, 1, "try again later");
	recipients[1].last.host = TEXT("mx.other.example[192.0.2.7]");
	recipients[1].attempt_count = 4;
	recipients[1].flags = RECIPIENT_EXPANDED;
	assert_int_equal(door_commit(door, message_change(42, 3, recipients, 2)), OK);

	assert_int_equal(spool_read_message(door->spool, 42, door->arena, &read), OK);
	assert_int_equal(read.envelope.id, 42);
	assert_int_equal(read.envelope.arrived_ms, 1700000000123);
	assert_int_equal(read.envelope.expires_ms, 1700432000123);
	assert_int_equal(read.envelope.held_until_ms, 1700000900123);
	assert_int_equal(read.envelope.deliver_by_ms, 1700001900123);
	assert_int_equal(read.envelope.flags, ENVELOPE_8BIT | ENVELOPE_SMTPUTF8);
	assert_int_equal(read.envelope.priority, -4);
	assert_int_equal(read.envelope.dsn_return, DSN_RETURN_HEADERS);
	expect_text(read.envelope.reverse_path.local, "sender");
	expect_text(read.envelope.reverse_path.domain, "example.org");
	expect_text(read.envelope.envelope_id, "QQ314159");
	expect_text(read.envelope.client, "client.example[192.0.2.1]");
	expect_text(read.envelope.user, "uid 1000");
	assert_int_equal(read.envelope.body_size, 77);
	assert_int_equal(read.envelope.chunk_count, 3);
	assert_int_equal(read.recipient_count, 2);
	assert_int_equal(read.recipients[0].index, 0);
	assert_int_equal(read.recipients[1].index, 3);
	expect_text(read.recipients[1].address.local, "user3");
	expect_text(read.recipients[1].address.domain, "other.example");
	expect_text(read.recipients[1].original, "rfc822;Original@example.org");
	assert_int_equal(read.recipients[1].notify, DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY);
	assert_int_equal(read.recipients[1].flags, RECIPIENT_EXPANDED);
	assert_int_equal(read.recipients[1].attempt_count, 4);
	assert_int_equal(read.recipients[1].due_ms, 200);
	assert_int_equal(read.recipients[1].last.code, 451);
	assert_int_equal(read.recipients[1].last.enhanced.subject, 7);
	expect_text(read.recipients[1].last.text, "try again later");
	expect_text(read.recipients[1].last.host, "mx.other.example[192.0.2.7]");

	for (uint32_t number = 0; number < 3; number++) {
		const struct text bytes = chunk_bytes(42, number, 3, expected);
		size_t length;

		assert_int_equal(spool_read_chunk(door->spool, 42, number, room, &length), OK);
		assert_int_equal(length, bytes.length);
		assert_memory_equal(room, bytes.bytes, length);
	}
	size_t length;

	assert_int_equal(spool_read_chunk(door->spool, 42, 3, room, &length), ERR_NOT_FOUND);
}

/* What a body begins with is put last, in a short chunk, joined or alone. */
static void a_body_may_begin_with_a_short_chunk(void **state)
{
	struct door *door = door_of(state);
	char room[SPOOL_START_SIZE], full[SPOOL_CHUNK_SIZE];
	struct spool_change *change = spool_change_new();
	struct recipient recipient = recipient_to(0, TEXT("begin.example"), 10);
	struct message message = { envelope_of(43, 3), &recipient, 1 };
	size_t length;
	bool complete;

	spool_change_put_chunk(change, 43, 1, chunk_bytes(43, 1, 3, full));
	assert_int_equal(door_commit(door, change), OK);
	change = spool_change_new();
	spool_change_put_joined_chunk(change, 43, 0, TEXT("front "), TEXT("back"));
	spool_change_put_joined_chunk(change, 43, 2, TEXT_EMPTY, TEXT("end"));
	spool_change_put_message(change, &message);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(spool_read_start(door->spool, &message.envelope, room, &length, &complete), OK);
	assert_int_equal(length, strlen("front back") + SPOOL_CHUNK_SIZE);
	assert_memory_equal(room, "front back", strlen("front back"));
	assert_memory_equal(room + strlen("front back"), full, SPOOL_CHUNK_SIZE);
	assert_false(complete);
	assert_int_equal(spool_read_chunk(door->spool, 43, 2, room, &length), OK);
	assert_int_equal(length, strlen("end"));
	message.envelope.chunk_count = 1;
	assert_int_equal(spool_read_start(door->spool, &message.envelope, room, &length, &complete), OK);
	assert_true(complete && length == strlen("front back"));
}

static void some_recipients_are_read_in_the_order_asked(void **state)
{
	struct door *door = door_of(state);
	struct recipient recipients[] = { recipient_to(0, DOMAIN, 1), recipient_to(1, DOMAIN, 1), recipient_to(2, DOMAIN, 1) };
	const uint32_t wanted[] = { 2, 0 }, missing[] = { 1, 7 };
	struct message read;

	assert_int_equal(door_commit(door, message_change(1, 0, recipients, 3)), OK);
	assert_int_equal(spool_read_recipients(door->spool, 1, wanted, 2, door->arena, &read), OK);
	assert_int_equal(read.recipient_count, 2);
	assert_int_equal(read.recipients[0].index, 2);
	assert_int_equal(read.recipients[1].index, 0);
	assert_int_equal(spool_read_recipients(door->spool, 1, missing, 2, door->arena, &read), ERR_NOT_FOUND);
	assert_int_equal(spool_read_recipients(door->spool, 2, wanted, 2, door->arena, &read), ERR_NOT_FOUND);
}

static void an_id_is_used_once(void **state)
{
	struct door *door = door_of(state);
	struct recipient recipient = recipient_to(0, DOMAIN, 1);
	struct spool_change *change = spool_change_new();

	put_simple(door, 5, DOMAIN, 1);
	assert_int_equal(door_commit(door, message_change(5, 0, &recipient, 1)), ERR_EXISTS);
	spool_change_put_chunk(change, 5, 0, TEXT("other bytes"));
	assert_int_equal(door_commit(door, change), ERR_EXISTS);
	change = spool_change_new();
	spool_change_discard(change, 5);
	assert_int_equal(door_commit(door, change), ERR_EXISTS);
	assert_int_equal(spool_messages(door), 1);
}

static void a_body_with_a_hole_is_no_message(void **state)
{
	struct door *door = door_of(state);
	struct recipient recipient = recipient_to(0, DOMAIN, 1);
	const struct message message = { envelope_of(6, 3), &recipient, 1 };
	struct spool_change *change = spool_change_new();

	spool_change_put_chunk(change, 6, 0, TEXT("a"));
	spool_change_put_chunk(change, 6, 2, TEXT("c"));
	assert_int_equal(door_commit(door, change), OK);
	change = spool_change_new();
	spool_change_put_message(change, &message);
	assert_int_equal(door_commit(door, change), ERR_GONE);
	assert_false(spool_has(door, 6));
	change = spool_change_new();
	spool_change_put_chunk(change, 6, 1, TEXT("b"));
	spool_change_put_message(change, &message);
	assert_int_equal(door_commit(door, change), OK);
	assert_true(spool_has(door, 6));
}

static void discarded_chunks_are_gone(void **state)
{
	struct door *door = door_of(state);
	struct spool_change *change = spool_change_new();
	char room[SPOOL_CHUNK_SIZE];
	size_t length;

	for (uint32_t i = 0; i < 20; i++)
		spool_change_put_chunk(change, 9, i, TEXT("bytes"));
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(spool_read_chunk(door->spool, 9, 19, room, &length), OK);
	assert_int_equal(spool_messages(door), 0); /* P6 */
	change = spool_change_new();
	spool_change_discard(change, 9);
	assert_int_equal(door_commit(door, change), OK);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(spool_read_chunk(door->spool, 9, i, room, &length), ERR_NOT_FOUND);
}

/* -- Changes ------------------------------------------------------------------------- */

static void a_change_that_names_what_is_gone_has_no_effect(void **state)
{
	struct door *door = door_of(state);
	struct recipient other = recipient_to(0, DOMAIN, 5);
	const struct message message = { envelope_of(8, 0), &other, 1 };
	struct spool_change *change = spool_change_new();
	struct text *steps;
	size_t count;

	put_simple(door, 7, DOMAIN, 5);
	spool_change_put_message(change, &message);
	spool_change_record(change, 7, TEXT("step"), NULL, 0);
	spool_change_retire(change, 7, 0);
	spool_change_retire(change, 7, 1); /* Never was. */
	assert_int_equal(door_commit(door, change), ERR_GONE);
	assert_true(spool_has(door, 7));
	assert_false(spool_has(door, 8));
	assert_int_equal(due_count(door, DOMAIN), 1);
	assert_int_equal(spool_read_history(door->spool, 7, door->arena, &steps, &count), ERR_NOT_FOUND);

	assert_int_equal(door_commit(door, retire_change(7, 0)), OK);
	assert_int_equal(door_commit(door, retire_change(7, 0)), ERR_GONE);
	change = spool_change_new();
	spool_change_update(change, 7, &other);
	assert_int_equal(door_commit(door, change), ERR_GONE);
	change = spool_change_new();
	spool_change_add_recipient(change, 7, &other);
	assert_int_equal(door_commit(door, change), ERR_GONE);
}

/* Each row is one change over a message 1 with recipients 0 and 1. */
static void operations_of_one_change_see_each_other(void **state)
{
	enum step { END, RETIRE_0, RETIRE_1, UPDATE_0, STEER_0, ADD, PUT_2, RETIRE_2_0 };
	static const struct {
		enum step steps[5];
		enum error expected;
	} rows[] = {
		{ { RETIRE_0, RETIRE_1 }, OK },
		{ { RETIRE_1, RETIRE_0 }, OK },
		{ { RETIRE_0, RETIRE_0 }, ERR_GONE },
		{ { RETIRE_0, UPDATE_0 }, ERR_GONE },
		{ { RETIRE_0, STEER_0 }, ERR_GONE },
		{ { STEER_0, UPDATE_0, RETIRE_0 }, OK },
		{ { UPDATE_0, RETIRE_0 }, OK },
		{ { UPDATE_0, UPDATE_0 }, OK },
		{ { RETIRE_0, RETIRE_1, ADD }, ERR_GONE },
		{ { RETIRE_1, ADD, RETIRE_0 }, OK },
		{ { ADD, RETIRE_0, RETIRE_1, ADD }, OK },
		{ { PUT_2, RETIRE_2_0 }, OK },
		{ { PUT_2, RETIRE_2_0, RETIRE_2_0 }, ERR_GONE },
		{ { PUT_2, RETIRE_2_0, PUT_2 }, ERR_EXISTS },
		{ { PUT_2, PUT_2 }, ERR_EXISTS },
		{ { RETIRE_2_0 }, ERR_GONE },
		{ { RETIRE_2_0, PUT_2 }, ERR_GONE },
	};
	struct contract_world *world = *state;
	struct recipient two[] = { recipient_to(0, DOMAIN, 1), recipient_to(1, DOMAIN, 2) };
	const struct message second = { envelope_of(2, 0), two, 1 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct spool_change *change = spool_change_new();
		char folder[64];
		struct door door;

		folder_make(folder);
		door_open(&door, world->engine->open(folder), ALL_SHARDS);
		assert_int_equal(door_commit(&door, message_change(1, 1, two, 2)), OK);
		for (size_t k = 0; rows[i].steps[k] != END; k++) {
			switch (rows[i].steps[k]) {
			case RETIRE_0: spool_change_retire(change, 1, 0); break;
			case RETIRE_1: spool_change_retire(change, 1, 1); break;
			case UPDATE_0: spool_change_update(change, 1, &two[0]); break;
			case STEER_0: spool_change_steer(change, 1, 0, &(struct spool_steering){ .held = STEER_HELD, .due_ms = 3 }); break;
			case ADD: spool_change_add_recipient(change, 1, &two[0]); break;
			case PUT_2: spool_change_put_message(change, &second); break;
			case RETIRE_2_0: spool_change_retire(change, 2, 0); break;
			case END: break;
			}
		}
		if (door_commit(&door, change) != rows[i].expected)
			fail_msg("row %zu", i);
		if (rows[i].expected != OK) { /* Without effect. */
			assert_int_equal(due_count(&door, DOMAIN), 2);
			assert_true(spool_has(&door, 1));
			assert_false(spool_has(&door, 2));
		}

		struct spool *spool = door.spool;

		door_close(&door);
		spool_close(spool);
		folder_remove(folder);
	}
}

static void the_last_recipient_takes_the_message_along(void **state)
{
	struct door *door = door_of(state);
	struct recipient recipients[] = { recipient_to(0, DOMAIN, 1), recipient_to(1, DOMAIN, 2) };
	char room[SPOOL_CHUNK_SIZE];
	struct spool_totals totals;
	size_t length;

	assert_int_equal(door_commit(door, message_change(11, 2, recipients, 2)), OK);
	put_simple(door, 12, DOMAIN, 1); /* A neighbour that stays. */
	assert_int_equal(door_commit(door, retire_change(11, 0)), OK);
	assert_true(spool_has(door, 11));
	assert_int_equal(due_count(door, DOMAIN), 2);
	assert_int_equal(domain_count(door, DOMAIN), 2);
	assert_int_equal(door_commit(door, retire_change(11, 1)), OK);
	assert_false(spool_has(door, 11));
	assert_int_equal(spool_read_chunk(door->spool, 11, 0, room, &length), ERR_NOT_FOUND);
	assert_int_equal(spool_read_chunk(door->spool, 11, 1, room, &length), ERR_NOT_FOUND);
	assert_int_equal(due_count(door, DOMAIN), 1);
	assert_int_equal(domain_count(door, DOMAIN), 1);
	assert_true(spool_has(door, 12));
	assert_int_equal(spool_totals(door->spool, &totals), OK);
	assert_int_equal(totals.messages, 1);
	assert_int_equal(totals.recipients, 1);
	assert_true(totals.changes >= 4);
	assert_true(totals.commits >= 1 && totals.commits <= totals.changes);
}

static void an_update_changes_state_and_nothing_else(void **state)
{
	struct door *door = door_of(state);
	struct recipient state_now = recipient_to(0, TEXT("ignored.example"), 900);
	struct spool_change *change = spool_change_new();
	struct message read;

	put_simple(door, 13, DOMAIN, 5);
	state_now.attempt_count = 2;
	state_now.flags = RECIPIENT_WARNED;
	state_now.notify = 0;
	state_now.last = VERDICT(450, 4, 2, 0, "full");
	spool_change_update(change, 13, &state_now);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(spool_read_message(door->spool, 13, door->arena, &read), OK);
	expect_text(read.recipients[0].address.domain, "example.net");
	expect_text(read.recipients[0].original, "rfc822;Original@example.org");
	assert_int_equal(read.recipients[0].notify, DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY);
	assert_int_equal(read.recipients[0].due_ms, 900);
	assert_int_equal(read.recipients[0].attempt_count, 2);
	assert_int_equal(read.recipients[0].flags, RECIPIENT_WARNED);
	expect_text(read.recipients[0].last.text, "full");

	int64_t next;

	assert_int_equal(due_count(door, DOMAIN), 1);
	assert_int_equal(domain_count(door, DOMAIN), 1);
	assert_int_equal(spool_next_due(door->spool, spool_shard_of(DOMAIN), (struct spool_position){ 0 }, &next), OK);
	assert_int_equal(next, 900);
}

static void the_held_are_not_due(void **state)
{
	struct door *door = door_of(state);
	struct recipient recipient = recipient_to(0, DOMAIN, 5);
	const struct spool_steering hold = { .held = STEER_HELD, .due_ms = -1 };
	const struct spool_steering release = { .held = STEER_NOT_HELD, .due_ms = 77 };
	struct spool_change *change = spool_change_new();
	int64_t next;

	recipient.flags = RECIPIENT_HELD;
	put_simple(door, 14, DOMAIN, 5);
	spool_change_steer(change, 14, 0, &hold);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(due_count(door, DOMAIN), 0);
	assert_int_equal(domain_count(door, DOMAIN), 0);
	assert_int_equal(spool_next_due(door->spool, spool_shard_of(DOMAIN), (struct spool_position){ 0 }, &next), OK);
	assert_true(next == INT64_MAX);

	assert_int_equal(door_commit(door, message_change(15, 0, &recipient, 1)), OK); /* Held from the start. */
	assert_int_equal(due_count(door, DOMAIN), 0);

	change = spool_change_new();
	spool_change_steer(change, 14, 0, &release);
	spool_change_steer(change, 15, 0, &release);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(due_count(door, DOMAIN), 2);
	assert_int_equal(domain_count(door, DOMAIN), 2);

	/* A held one is retired like any other. */
	change = spool_change_new();
	spool_change_steer(change, 14, 0, &hold);
	spool_change_retire(change, 14, 0);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(due_count(door, DOMAIN), 1);
	assert_false(spool_has(door, 14));
}

/* The queue settles an attempt while an operator steers: neither undoes the other, whoever comes first. */
static void settling_and_steering_keep_each_other(void **state)
{
	struct door *door = door_of(state);
	const struct spool_steering hold = { .held = STEER_HELD, .due_ms = -1 }, retry = { .held = STEER_AS_IT_WAS, .due_ms = 33 };
	const struct spool_steering release = { .held = STEER_NOT_HELD, .due_ms = -1 };
	struct recipient settled = recipient_to(0, DOMAIN, 900);
	struct message read;

	settled.attempt_count = 3;
	settled.flags = RECIPIENT_WARNED; /* As it was when the attempt began: not held. */
	settled.last = VERDICT(450, 4, 2, 0, "full");
	for (queue_id id = 60; id < 62; id++) {
		const bool steered_first = id == 60;
		struct spool_change *settle = spool_change_new(), *steer = spool_change_new();

		put_simple(door, id, DOMAIN, 5);
		spool_change_update(settle, id, &settled);
		spool_change_steer(steer, id, 0, &hold);
		assert_int_equal(door_commit(door, steered_first ? steer : settle), OK);
		assert_int_equal(door_commit(door, steered_first ? settle : steer), OK);
		assert_int_equal(spool_read_message(door->spool, id, door->arena, &read), OK);
		assert_int_equal(read.recipients[0].flags, RECIPIENT_WARNED | RECIPIENT_HELD);
		assert_int_equal(read.recipients[0].attempt_count, 3);
		assert_int_equal(read.recipients[0].due_ms, 900);
		expect_text(read.recipients[0].last.text, "full");
		assert_int_equal(due_count(door, DOMAIN), 0);
	}

	/* A retry does not release; a release alone keeps the due time. */
	struct spool_change *change = spool_change_new();

	spool_change_steer(change, 60, 0, &retry);
	spool_change_steer(change, 61, 0, &release);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(spool_read_message(door->spool, 60, door->arena, &read), OK);
	assert_int_equal(read.recipients[0].flags, RECIPIENT_WARNED | RECIPIENT_HELD);
	assert_int_equal(read.recipients[0].due_ms, 33);
	assert_int_equal(spool_read_message(door->spool, 61, door->arena, &read), OK);
	assert_int_equal(read.recipients[0].flags, RECIPIENT_WARNED);
	assert_int_equal(read.recipients[0].due_ms, 900);
	assert_int_equal(due_count(door, DOMAIN), 1);
}

static void added_recipients_get_indexes_never_used(void **state)
{
	struct door *door = door_of(state);
	struct recipient recipients[] = { recipient_to(0, DOMAIN, 1), recipient_to(6, DOMAIN, 1) };
	struct recipient added = recipient_to(99, TEXT("alias.example"), 30);
	struct spool_change *change = spool_change_new();
	struct message read;

	assert_int_equal(door_commit(door, message_change(16, 1, recipients, 2)), OK);
	spool_change_add_recipient(change, 16, &added);
	spool_change_add_recipient(change, 16, &added);
	spool_change_retire(change, 16, 0);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(door_commit(door, retire_change(16, 8)), OK);
	change = spool_change_new();
	spool_change_add_recipient(change, 16, &added);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(spool_read_message(door->spool, 16, door->arena, &read), OK);
	assert_int_equal(read.recipient_count, 3);
	assert_int_equal(read.recipients[0].index, 6);
	assert_int_equal(read.recipients[1].index, 7);
	assert_int_equal(read.recipients[2].index, 9); /* 8 was used. */
	expect_text(read.recipients[2].address.domain, "alias.example");
	assert_int_equal(due_count(door, TEXT("alias.example")), 2);
}

static void changes_of_a_port_keep_their_order(void **state)
{
	enum { COUNT = 200 };
	struct door *door = door_of(state);
	struct recipient recipient = recipient_to(0, DOMAIN, 0);
	struct outcome outcome = { 0 };
	struct message read;

	put_simple(door, 17, DOMAIN, 1);
	for (uint32_t i = 1; i <= COUNT; i++) {
		struct spool_change *change = spool_change_new();

		recipient.attempt_count = i;
		recipient.due_ms = (int64_t)(i * 37 % 101);
		spool_change_update(change, 17, &recipient);
		spool_submit(door->port, change, outcome_done, &outcome);
	}
	while (outcome.calls < COUNT)
		door_wait(door);
	assert_int_equal(outcome.result, OK);
	assert_int_equal(spool_read_message(door->spool, 17, door->arena, &read), OK);
	assert_int_equal(read.recipients[0].attempt_count, COUNT);
	assert_int_equal(due_count(door, DOMAIN), 1);
}

static void done_is_called_by_poll_only(void **state)
{
	struct door *door = door_of(state);
	struct outcome outcome = { 0 };

	spool_submit(door->port, spool_change_new(), outcome_done, &outcome);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(door_wait(door), 1);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.result, OK);
	assert_int_equal(spool_port_poll(door->port), 0);

	spool_submit(door->port, retire_change(1, 1), NULL, NULL); /* Nobody asks. */
	assert_int_equal(door_wait(door), 1);
	spool_change_free(spool_change_new());
	spool_change_free(NULL);
}

static void count_call(void *context)
{
	struct door *door = context;

	door->gathered++;
}

static void gathered_changes_wait_to_be_handed_in(void **state)
{
	struct door *door = door_of(state);
	struct recipient recipient = recipient_to(0, DOMAIN, 0);
	struct outcome outcomes[3] = { 0 };
	struct message read;

	spool_port_gather(door->port, count_call);
	spool_port_hand_in(door->port); /* Of nothing. */
	spool_submit(door->port, message_change(5, 1, &recipient, 1), outcome_done, &outcomes[0]);
	spool_submit(door->port, retire_change(5, 0), outcome_done, &outcomes[1]);
	assert_int_equal(door->gathered, 1);
	assert_int_equal(spool_port_poll(door->port), 0);
	assert_int_equal(spool_read_message(door->spool, 5, door->arena, &read), ERR_NOT_FOUND);

	spool_port_hand_in(door->port);
	while (outcomes[1].calls == 0)
		door_wait(door);
	assert_int_equal(outcomes[0].result, OK); /* P2: the retirement found the message. */
	assert_int_equal(outcomes[1].result, OK);

	spool_submit(door->port, message_change(6, 1, &recipient, 1), outcome_done, &outcomes[2]);
	assert_int_equal(door->gathered, 2);
	spool_port_hand_in(door->port);
	while (outcomes[2].calls == 0)
		door_wait(door);
	assert_int_equal(outcomes[2].result, OK);
}

static void a_change_without_memory_fails_when_submitted(void **state)
{
	struct door *door = door_of(state);
	struct spool_change *change = spool_change_new();
	struct recipient recipient = recipient_to(0, DOMAIN, 1);
	const struct message message = { envelope_of(18, 0), &recipient, 1 };
	static char room[SPOOL_CHUNK_SIZE];

	spool_change_put_message(change, &message);
	for (uint32_t i = 0; i < 3000; i++) /* More than a change may hold. */
		spool_change_put_chunk(change, 19, i, (struct text){ room, sizeof room });
	assert_int_equal(door_commit(door, change), ERR_NO_MEMORY);
	assert_false(spool_has(door, 18));
}

static void closing_a_port_waits_for_its_changes(void **state)
{
	struct door *door = door_of(state), other;
	struct recipient recipient = recipient_to(0, DOMAIN, 1);
	struct outcome outcome = { 0 };

	door_open(&other, door->spool, 0);
	for (queue_id id = 100; id < 150; id++)
		spool_submit(other.port, message_change(id, 1, &recipient, 1), outcome_done, &outcome);
	door_close(&other);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(spool_messages(door), 50);
}

/* -- Scans --------------------------------------------------------------------------- */

static void scans_go_in_order_and_continue_by_position(void **state)
{
	enum { COUNT = 60, PAGE = 7 };
	struct door *door = door_of(state);
	const unsigned shard = spool_shard_of(DOMAIN);
	const struct envelope envelope = envelope_of(7, 1);
	const struct flow flow = flow_of(&envelope);
	struct spool_position after = { 0 };
	size_t seen = 0, count;

	for (queue_id id = 7; id <= 7 * COUNT; id += 7) /* One sender's (envelope_of). */
		put_simple(door, id, DOMAIN, (int64_t)(id * 17 % 10));
	do {
		struct spool_due *due;
		struct spool_position *positions;
		size_t position_count;

		assert_int_equal(spool_scan_due(door->spool, shard, after, 8, PAGE, door->arena, &due, &count), OK);
		assert_int_equal(spool_scan_flow(door->spool, TEXT("EXAMPLE.net"), flow, after, 8, PAGE, door->arena,
				     &positions, &position_count), OK);
		assert_int_equal(position_count, count);
		for (size_t i = 0; i < count; i++) {
			const struct spool_position now = due[i].position;

			assert_int_equal(positions[i].due_ms, now.due_ms);
			assert_int_equal(positions[i].id, now.id);
			assert_int_equal(positions[i].index, now.index);
			expect_text(due[i].domain, "example.net");
			assert_true(flow_equal(due[i].flow, flow));
			assert_true(now.due_ms > after.due_ms || (now.due_ms == after.due_ms && now.id > after.id) ||
			    seen + i == 0);
			assert_int_equal(now.due_ms, (int64_t)(now.id * 17 % 10));
			assert_true(now.due_ms <= 8);
			after = now;
		}
		seen += count;
	} while (count == PAGE);
	assert_int_equal(seen, COUNT - COUNT / 10);

	int64_t next;

	assert_int_equal(spool_next_due(door->spool, shard, after, &next), OK);
	assert_int_equal(next, 9);
	after = (struct spool_position){ 9, UINT64_MAX, UINT32_MAX };
	assert_int_equal(spool_next_due(door->spool, shard, after, &next), OK);
	assert_true(next == INT64_MAX);
}

static void shards_and_domains_are_apart(void **state)
{
	struct door *door = door_of(state);
	const struct text upper = TEXT("Example.NET"), longer = TEXT("example.net.org"), part = TEXT("example.ne");
	size_t total = 0;

	put_simple(door, 20, upper, 3);
	put_simple(door, 21, longer, 3);
	assert_int_equal(spool_shard_of(upper), spool_shard_of(DOMAIN));
	assert_int_equal(domain_count(door, DOMAIN), 1);
	assert_int_equal(domain_count(door, longer), 1);
	assert_int_equal(domain_count(door, part), 0);
	for (unsigned shard = 0; shard < SPOOL_SHARD_COUNT; shard++) {
		struct spool_due *due;
		size_t count;

		assert_int_equal(spool_scan_due(door->spool, shard, (struct spool_position){ 0 }, 3, 10, door->arena, &due,
				     &count), OK);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(spool_shard_of(due[i].domain), shard);
		total += count;
	}
	assert_int_equal(total, 2);
}

static void lists_are_sorted_and_paged(void **state)
{
	struct door *door = door_of(state);
	const queue_id ids[] = { 30, 10, 20, UINT64_C(1) << 60, 25 };
	queue_id *listed, newest;
	size_t count;

	assert_int_equal(spool_newest_id(door->spool, &newest), OK);
	assert_int_equal(newest, 0);
	for (size_t i = 0; i < 5; i++)
		put_simple(door, ids[i], DOMAIN, 1);
	assert_int_equal(spool_list(door->spool, 0, 3, door->arena, &listed, &count), OK);
	assert_int_equal(count, 3);
	assert_int_equal(listed[0], 10);
	assert_int_equal(listed[2], 25);
	assert_int_equal(spool_list(door->spool, 25, 3, door->arena, &listed, &count), OK);
	assert_int_equal(count, 2);
	assert_int_equal(listed[1], UINT64_C(1) << 60);
	assert_int_equal(spool_list(door->spool, UINT64_MAX, 3, door->arena, &listed, &count), OK);
	assert_int_equal(count, 0);
	assert_int_equal(spool_newest_id(door->spool, &newest), OK);
	assert_int_equal(newest, UINT64_C(1) << 60);
	assert_int_equal(door_commit(door, record_change((UINT64_C(1) << 60) + 1, "step", NULL)), OK);
	assert_int_equal(spool_newest_id(door->spool, &newest), OK);
	assert_int_equal(newest, (UINT64_C(1) << 60) + 1);
}

/* -- News ---------------------------------------------------------------------------- */

static void news_reach_the_port_that_owns_the_shard(void **state)
{
	struct door *door = door_of(state), owner, stranger;
	const unsigned shard = spool_shard_of(DOMAIN);
	struct recipient recipient = recipient_to(0, DOMAIN, 600);
	struct spool_change *change;

	door_open(&owner, door->spool, 1u << shard);
	door_open(&stranger, door->spool, (uint32_t)ALL_SHARDS & ~(1u << shard));
	assert_true(spool_port_news(owner.port, shard) == INT64_MAX);
	put_simple(door, 40, DOMAIN, 500);
	put_simple(door, 41, DOMAIN, 300);
	put_simple(door, 42, DOMAIN, 400);
	door_wait(&owner);
	assert_int_equal(spool_port_news(owner.port, shard), 300);
	assert_true(spool_port_news(owner.port, shard) == INT64_MAX);
	assert_int_equal(stranger.wakes, 0);

	change = spool_change_new();
	spool_change_update(change, 40, &recipient);
	assert_int_equal(door_commit(door, change), OK);
	door_wait(&owner);
	assert_int_equal(spool_port_news(owner.port, shard), 600);

	change = spool_change_new();
	spool_change_steer(change, 41, 0, &(struct spool_steering){ .held = STEER_HELD, .due_ms = 1 });
	spool_change_retire(change, 42, 0);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(door_commit(door, retire_change(99, 0)), ERR_GONE);
	assert_true(spool_port_news(owner.port, shard) == INT64_MAX);
	door_close(&owner);
	door_close(&stranger);
}

/* -- Threads --------------------------------------------------------------------------- */

struct worker {
	struct spool *spool;
	queue_id first;
	pthread_t thread;
	unsigned failures;
};

enum { WORKERS = 4, MESSAGES_EACH = 100 };

static void *work(void *context)
{
	struct worker *worker = context;
	struct door door;
	struct recipient recipient = recipient_to(0, DOMAIN, 1);
	char room[SPOOL_CHUNK_SIZE], expected[SPOOL_CHUNK_SIZE];

	door_open(&door, worker->spool, 0);
	for (queue_id id = worker->first; id < worker->first + MESSAGES_EACH; id++) {
		const struct text bytes = chunk_bytes(id, 0, 1, expected);
		size_t length = 0;

		worker->failures += door_commit(&door, message_change(id, 1, &recipient, 1)) != OK;
		worker->failures += spool_read_chunk(worker->spool, id, 0, room, &length) != OK;
		worker->failures += length != bytes.length || memcmp(room, bytes.bytes, length) != 0;
		if (id % 2 == 0)
			worker->failures += door_commit(&door, retire_change(id, 0)) != OK;
	}
	door_close(&door);
	return NULL;
}

static void many_threads_write_and_read(void **state)
{
	struct door *door = door_of(state);
	struct worker workers[WORKERS];
	unsigned failures = 0;

	for (size_t i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .spool = door->spool, .first = 1000 * (i + 1) };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		failures += workers[i].failures;
	}
	assert_int_equal(failures, 0);
	assert_int_equal(spool_messages(door), WORKERS * MESSAGES_EACH / 2);
	assert_int_equal(due_count(door, DOMAIN), WORKERS * MESSAGES_EACH / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(everything_comes_back),
		BOTH(some_recipients_are_read_in_the_order_asked),
		BOTH(an_id_is_used_once),
		BOTH(a_body_with_a_hole_is_no_message),
		BOTH(a_body_may_begin_with_a_short_chunk),
		BOTH(discarded_chunks_are_gone),
		BOTH(a_change_that_names_what_is_gone_has_no_effect),
		BOTH(operations_of_one_change_see_each_other),
		BOTH(the_last_recipient_takes_the_message_along),
		BOTH(an_update_changes_state_and_nothing_else),
		BOTH(settling_and_steering_keep_each_other),
		BOTH(the_held_are_not_due),
		BOTH(added_recipients_get_indexes_never_used),
		BOTH(changes_of_a_port_keep_their_order),
		BOTH(done_is_called_by_poll_only),
		BOTH(gathered_changes_wait_to_be_handed_in),
		BOTH(a_change_without_memory_fails_when_submitted),
		BOTH(closing_a_port_waits_for_its_changes),
		BOTH(scans_go_in_order_and_continue_by_position),
		BOTH(shards_and_domains_are_apart),
		BOTH(lists_are_sorted_and_paged),
		BOTH(news_reach_the_port_that_owns_the_shard),
		BOTH(many_threads_write_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
