/* Whose a message is, and that the index tells. */
#include "spool/test_support.h"

#include "spool/flow.h"

#define DOMAIN TEXT("example.net")

static struct flow flow_from(const char *local, const char *domain, const char *user)
{
	const struct envelope envelope = { .reverse_path = { text_of(local), text_of(domain) }, .user = text_of(user) };

	return flow_of(&envelope);
}

static void what_is_made_for_each_message_does_not_count(void **state)
{
	static const char *const cases[][2] = { { "ann", "ann" }, { "ann.lee", "ann.lee" }, { "ann+tag", "ann" },
		{ "bounces-4711-bob=far.test", "bounces-" }, { "msprvs1=18abc=bounces", "msprvs" }, { "bounces-a8f3", "bounces-" },
		{ "010001abcd", "" }, { "john82", "john" }, { "", "" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_true(text_equal(flow_local_part(text_of(cases[i][0])), text_of(cases[i][1])));
}

static void senders_are_told_apart(void **state)
{
	(void)state;
	assert_true(flow_equal(flow_from("ann", "a.test", ""), flow_from("ANN", "A.TEST", "")));
	assert_true(flow_equal(flow_from("list-1", "a.test", ""), flow_from("list-2", "a.test", "")));
	assert_false(flow_equal(flow_from("ann", "a.test", ""), flow_from("bob", "a.test", "")));
	assert_false(flow_equal(flow_from("ann", "a.test", ""), flow_from("ann", "b.test", "")));
	/* Who logged in is one, whatever he says. */
	assert_true(flow_equal(flow_from("ann", "a.test", "ann"), flow_from("bob", "b.test", "ann")));
	assert_false(flow_equal(flow_from("ann", "a.test", "ann"), flow_from("ann", "a.test", "bob")));
}

/* Of 100 messages of one and one of another, that one is found at once, wherever it stands. */
static void flows_are_apart(void **state)
{
	enum { COUNT = 100 };
	struct door *door = door_of(state);
	struct recipient recipient = recipient_to(0, DOMAIN, 1000);
	struct message other = { envelope_of(COUNT + 1, 0), &recipient, 1 };
	struct spool_change *change = spool_change_new();
	struct spool_position *positions;
	struct message read;
	size_t count;

	other.envelope.user = TEXT("uid 1002");
	for (queue_id id = 1; id <= COUNT; id++)
		put_simple(door, id, DOMAIN, (int64_t)id);
	spool_change_put_message(change, &other);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(spool_scan_flow(door->spool, DOMAIN, flow_of(&other.envelope), (struct spool_position){ 0 }, 1000, 9,
			     door->arena, &positions, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(positions[0].id, COUNT + 1);
	assert_int_equal(spool_scan_domain(door->spool, DOMAIN, 1000, 1000, door->arena, &positions, &count), OK);
	assert_int_equal(count, COUNT + 1);

	/* It keeps it when it is put off, and when another comes to its message. */
	recipient.due_ms = 2 << 20;
	change = spool_change_new();
	spool_change_update(change, COUNT + 1, &recipient);
	assert_int_equal(spool_read_message(door->spool, COUNT + 1, door->arena, &read), OK);
	assert_true(flow_equal(read.recipients[0].flow, flow_of(&other.envelope)));
	spool_change_add_recipient(change, COUNT + 1, &read.recipients[0]);
	assert_int_equal(door_commit(door, change), OK);
	assert_int_equal(spool_scan_flow(door->spool, DOMAIN, flow_of(&other.envelope), (struct spool_position){ 0 }, 3 << 20, 9,
			     door->arena, &positions, &count), OK);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_made_for_each_message_does_not_count),
		cmocka_unit_test(senders_are_told_apart), BOTH(flows_are_apart) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
