/* The facts of messages, and what a configuration makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/admin_private.h"
#include "admin/replay.h"
#include "base/must.h"
#include "spool/record.h"

struct world {
	struct arena *arena;
	struct spool *spool;
	struct spool_port *port;
	struct conf *conf;
	struct router *router;
	struct replay_side side;
};

static const char conf_text[] = "hostname = \"mail.here.test\"\ndomains = {\"here.test\"}\nlisten \"127.0.0.1:25\" { role = mx }\n"
	"relay-from = {\"192.0.2.0/24\"}\nsender-check = envelope\n"
	"limits { message-size = 1M recipients = 100 user-messages = \"10/1h\" }\n"
	"client { messages = \"5/1m\" recipients = \"50/1m\" }\nuser \"bob\" { recipients = \"20/1h\" }\nmailbox { path = \"/mail/%d/%u\" }\n";

static struct router *make_router(struct arena *arena)
{
	static const struct text domains[] = { { "here.test", 9 } }, users[] = { { "alice", 5 }, { "bob", 3 } };
	static const struct text via[] = { { "198.51.100.1:2525", 17 } };
	static const struct router_rule rules[] = { { .pattern = { "partner.test", 12 }, .via = via, .via_count = 1, .tls = { .level = TLS_VERIFIED } } };
	struct router *router = NULL;
	struct text complaint;
	const struct router_settings settings = { .hostname = TEXT("mail.here.test"),
		.domains = domains,
		.domain_count = 1,
		.users_known = true,
		.users = users,
		.user_count = 2,
		.aliases = TEXT("team: bob, alice, zoe@partner.test\nturn: alice, zoe@partner.test, bob\n"),
		.aliases_name = TEXT("aliases"),
		.rules = rules,
		.rule_count = 1 };

	assert_int_equal(router_new(&settings, arena, &router, &complaint), OK);
	return router;
}

static void wake(void *context)
{
	(void)context;
}

static int begin(void **state)
{
	static struct world world;
	struct buffer complaints;

	buffer_init(&complaints, 4096);
	world = (struct world){ .arena = arena_new(8 << 20), .conf = conf_load_text("/t.conf", conf_text, &complaints) };
	if (world.conf == NULL)
		print_error("%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	must(spool_memory_open(&world.spool) == OK && spool_port_open(world.spool, 0, wake, &world, &world.port) == OK);
	world.router = make_router(world.arena);
	world.side = (struct replay_side){ .conf = world.conf, .router = world.router, .now_ms = 1700000000000 };
	*state = &world;
	return world.conf != NULL ? 0 : -1;
}

static int end(void **state)
{
	struct world *world = *state;

	router_unref(world->router);
	conf_free(world->conf);
	spool_port_close(world->port);
	spool_close(world->spool);
	arena_free(world->arena);
	return 0;
}

/* Facts of a message that came by the door, for one recipient. */
static json_t *judge(struct world *world, const char *user, const char *client, const char *sender, const char *recipient)
{
	json_t *facts = json_pack("{s:s, s:I, s:b, s:b, s:s, s:s, s:s, s:I, s:I, s:[{s:s, s:b, s:b}]}", "id", "0sbmk23gg0000", "arrived_ms",
	    (json_int_t)1700000000000, "waiting", 0, "ours", 0, "sender", sender, "user", user, "client", client, "size", (json_int_t)1000, "recipients",
	    (json_int_t)1, "to", "address", recipient, "waiting", 0, "expanded", 0);
	json_t *judged = replay_judge(&world->side, facts);

	assert_true(facts != NULL && judged != NULL);
	json_decref(facts);
	return judged;
}

static const char *way(const json_t *judged, const char *key)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(judged, "to"), 0), key));
}

static void ways_are_told(void **state)
{
	static const struct {
		const char *client, *recipient, *way;
		bool refused;
	} rows[] = {
		{ "c[203.0.113.1]", "alice@here.test", "a mailbox of here.test", false },
		{ "c[203.0.113.1]", "eve@here.test", "550 5.1.1", true },
		{ "c[203.0.113.1]", "eve@other.test", "550 5.7.1", true }, /* A stranger. */
		{ "c[192.0.2.7]", "eve@other.test", "the hosts of its domain", false },
		{ "c[192.0.2.7]", "zoe@partner.test", "route \"partner.test\" via 198.51.100.1:2525, TLS required", false },
		{ "c[203.0.113.1]", "team@here.test", "an alias: a mailbox of here.test, route \"partner.test\"", false },
		{ "c[192.0.2.7]", "no address", "what cannot be told", false },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *judged = judge(world, "", rows[i].client, "s@away.test", rows[i].recipient);

		assert_int_equal(strncmp(way(judged, "way"), rows[i].way, strlen(rows[i].way)), 0);
		assert_int_equal(json_is_true(json_object_get(json_array_get(json_object_get(judged, "to"), 0), "refused")), rows[i].refused);
		assert_string_equal(json_string_value(json_object_get(judged, "mailboxes")), "/mail/%d/%u");
		json_decref(judged);
	}
}

static void the_order_of_an_alias_does_not_matter(void **state)
{
	json_t *one = judge(*state, "", "c[203.0.113.1]", "s@away.test", "team@here.test");
	json_t *other = judge(*state, "", "c[203.0.113.1]", "s@away.test", "turn@here.test");

	assert_string_equal(way(one, "key"), way(other, "key"));
	json_decref(one);
	json_decref(other);
}

static const char *text_member(const json_t *judged, const char *key)
{
	return json_string_value(json_object_get(judged, key));
}

static void who_hands_it_in_is_judged(void **state)
{
	struct world *world = *state;
	json_t *judged = judge(world, "bob", "c[203.0.113.1]", "bob@here.test", "eve@other.test"), *rates = json_object_get(judged, "rates");

	assert_null(text_member(judged, "refused"));
	assert_int_equal(json_array_size(rates), 2); /* Messages of all users, recipients of his own. */
	assert_string_equal(text_member(json_array_get(rates, 0), "who"), "user bob");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rates, 1), "count")), 20);
	json_decref(judged);

	judged = judge(world, "bob", "c[203.0.113.1]", "alice@here.test", "eve@other.test");
	assert_int_equal(strncmp(text_member(judged, "refused"), "553", 3), 0);
	json_decref(judged);

	judged = judge(world, "uid 1000", "local", "alice@here.test", "eve@other.test"); /* sendmail(1) */
	assert_null(text_member(judged, "refused"));
	assert_int_equal(json_array_size(json_object_get(judged, "rates")), 0);
	json_decref(judged);

	judged = judge(world, "", "c[2001:db8::1:2:3:4]", "s@away.test", "alice@here.test");
	rates = json_object_get(judged, "rates");
	assert_int_equal(json_array_size(rates), 2);
	assert_string_equal(text_member(json_array_get(rates, 0), "who"), "client 2001:db8::/64");
	json_decref(judged);
}

static void record(struct spool_change *change, queue_id id, enum event_kind kind, const char *to, const char *original)
{
	struct event event = { .kind = kind, .time_ms = 1700000000000, .id = id };
	const struct text address = TEXT("s@away.test");

	if (kind == EVENT_RECEIVED) {
		event.fields[EVENT_FIELD_SENDER] = TEXT("<s@away.test>");
		event.fields[EVENT_FIELD_CLIENT] = TEXT("c[203.0.113.1]");
		event.fields[EVENT_FIELD_SIZE] = TEXT("1234");
		event.fields[EVENT_FIELD_RECIPIENTS] = TEXT("3");
	}
	if (to != NULL)
		event.fields[EVENT_FIELD_RECIPIENT] = text_of(to);
	if (original != NULL)
		event.fields[EVENT_FIELD_ORIGINAL] = text_of(original);
	spool_record_event(change, &event, &address, 1);
}

/* To alice, who has it; to an alias, of which one target has it and one waits. */
static void put(struct world *world, queue_id id)
{
	struct recipient recipient = { .index = 3, .address = { TEXT("zoe"), TEXT("partner.test") }, .flags = RECIPIENT_EXPANDED, .due_ms = 1000 };
	struct message message = { .envelope = { .id = id, .arrived_ms = 1700000000000, .expires_ms = 1700000900000 },
		.recipients = &recipient,
		.recipient_count = 1 };
	struct spool_change *change = spool_change_new();

	assert_int_equal(address_parse(TEXT("s@away.test"), true, world->arena, &message.envelope.reverse_path), OK);
	spool_change_put_message(change, &message);
	record(change, id, EVENT_RECEIVED, NULL, NULL);
	record(change, id, EVENT_DELIVERED, "alice@here.test", "rfc822;her@elsewhere.test"); /* ORCPT of the client. */
	record(change, id, EVENT_EXPANDED, "team@here.test", NULL);
	record(change, id, EVENT_DELIVERED, "bob@here.test", "rfc822;team@here.test");
	spool_submit(world->port, change, NULL, NULL);
	spool_port_poll(world->port);
}

static bool has(const json_t *facts, const char *address, bool waiting)
{
	const json_t *recipient;
	size_t i;

	json_array_foreach (json_object_get(facts, "to"), i, recipient)
		if (strcmp(text_member(recipient, "address"), address) == 0)
			return json_is_true(json_object_get(recipient, "waiting")) == waiting;
	return false;
}

static void facts_are_of_the_envelope(void **state)
{
	struct world *world = *state;

	put(world, 4711);
	json_t *facts = replay_facts(world->spool, 4711, world->arena);

	assert_non_null(facts);
	assert_string_equal(text_member(facts, "sender"), "s@away.test");
	assert_int_equal(json_integer_value(json_object_get(facts, "size")), 1234);
	assert_int_equal(json_integer_value(json_object_get(facts, "recipients")), 3);
	assert_int_equal(json_array_size(json_object_get(facts, "to")), 3);
	assert_true(has(facts, "alice@here.test", false));
	assert_true(has(facts, "team@here.test", false));
	assert_true(has(facts, "zoe@partner.test", true));
	json_decref(facts);
	assert_null(replay_facts(world->spool, 4712, world->arena));
}

static void requests_are_bounded(void **state)
{
	struct world *world = *state;
	json_t *request = json_object(), *ids = json_array(), *answer;

	put(world, 4711);
	answer = admin_replay_list(world->spool, request);
	assert_int_equal(json_array_size(json_object_get(answer, "waiting")), 1);
	assert_int_equal(json_array_size(json_object_get(answer, "history")), 1);
	json_object_set(request, "ids", json_object_get(answer, "waiting"));
	json_decref(answer);
	answer = admin_replay(world->spool, &world->side, request);
	assert_int_equal(json_array_size(json_object_get(answer, "cases")), 1);
	assert_int_equal(json_integer_value(json_object_get(answer, "done")), 1);
	json_decref(answer);

	for (int i = 0; i <= REPLAY_IDS_MAX; i++)
		json_array_append_new(ids, json_string("0sbmk23gg0000"));
	json_object_set_new(request, "ids", ids);
	answer = admin_replay(world->spool, &world->side, request);
	assert_int_equal(json_integer_value(json_object_get(answer, "exit")), EX_USAGE);
	json_decref(answer);
	json_object_set_new(request, "ids", json_pack("[i]", 7));
	answer = admin_replay(world->spool, &world->side, request);
	assert_int_equal(json_integer_value(json_object_get(answer, "exit")), EX_USAGE);
	json_decref(answer);
	json_decref(request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ways_are_told, begin, end),
		cmocka_unit_test_setup_teardown(the_order_of_an_alias_does_not_matter, begin, end),
		cmocka_unit_test_setup_teardown(who_hands_it_in_is_judged, begin, end),
		cmocka_unit_test_setup_teardown(facts_are_of_the_envelope, begin, end),
		cmocka_unit_test_setup_teardown(requests_are_bounded, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
