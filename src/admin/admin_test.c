/* What operators ask and do, on the spool in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/admin_private.h"
#include "base/cleanup.h"
#include "base/must.h"
#include "io/loop.h"
#include "spool/record.h"

struct world {
	struct loop *loop;
	struct spool *spool;
	struct spool_port *port;
	struct arena *arena;
	struct dns *dns;
	struct hosts_settings hosts;
	struct router *router;
	struct admin *admin;
	int woken; /* An eventfd: the port has something. */
	json_t *answer;
	unsigned answers, events;
	enum event_kind last_event;
	bool reachable; /* The supervisor. */
	enum { QUEUE_ANSWERS, QUEUE_WAITS, QUEUE_HAS_NO_MEMORY } queue;
	size_t troubles; /* What the queue knows, asked for all; */
	struct queue_destination known; /* and asked for this one. Its key empty: nothing. */
};

static void wake(void *context)
{
	const uint64_t one = 1;

	must(write(((struct world *)context)->woken, &one, sizeof one) == sizeof one);
}

static void heard(void *context, const struct event *event)
{
	struct world *world = context;

	world->events++;
	world->last_event = event->kind;
}

static void sum_counters(void *context, struct counters *out_sum)
{
	(void)context;
	counters_add(out_sum, COUNTER_RECEIVED, 7);
}

static const struct counters *lane_counters(void *context, unsigned lane)
{
	static const struct counters none = { 0 };

	(void)context;
	return lane < 2 ? &none : NULL;
}

static void find(struct queue_survey *survey, const struct queue_destination *destination)
{
	survey->matching++;
	if (survey->found_count < QUEUE_SURVEY_MAX)
		survey->found[survey->found_count++] = (struct queue_surveyed){ 3, *destination };
}

static bool ask_queue(
    void *context, const struct admin_question *question, admin_surveyed *surveyed, void *surveyed_context)
{
	struct world *world = context;
	struct queue_survey survey;

	must((question->domain.length > 0) == (question->destination.length > 0));
	if (world->queue != QUEUE_ANSWERS)
		return world->queue == QUEUE_WAITS;
	must(queue_survey_init(&survey, question->destination));
	survey.counts = (struct queue_counts){ .active_domains = 1, .destinations = 2, .deliveries = 3, .unsettled = 4 };
	survey.paced = 5;
	for (size_t i = 0; i < world->troubles && survey.key.length == 0; i++)
		find(&survey, &world->known);
	if (survey.key.length > 0 && text_equal(survey.key, world->known.key))
		find(&survey, &world->known);
	if (survey.key.length == 0 && queue_destination_held_back(&world->known))
		survey.held_back[survey.held_back_count++] = (struct queue_surveyed){ 3, world->known };
	surveyed(surveyed_context, &survey);
	queue_survey_done(&survey);
	return true;
}

static bool tell_supervisor(void *context)
{
	return ((struct world *)context)->reachable;
}

static void wait_for_port(struct world *world)
{
	uint64_t count;

	must(read(world->woken, &count, sizeof count) == sizeof count);
	spool_port_poll(world->port);
}

static struct router *make_router(struct world *world)
{
	static const struct text domains[] = { { "here.test", 9 } }, users[] = { { "alice", 5 } };
	static const struct text via[] = { { "192.0.2.1:2525", 14 } };
	static const struct router_rule rules[] = { { .pattern = { "partner.test", 12 }, .via = via, .via_count = 1 } };
	struct text aliases, complaint;
	struct router *router = NULL;
	char many[8192] = "team: alice, zoe@partner.test\nmany: u0@partner.test";

	for (int i = 1; i < ADMIN_EXPLAIN_MAX + 5; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), ", u%d@partner.test", i);
	assert_true(arena_print(world->arena, &aliases, "%s\n", many));

	const struct router_settings settings = { .hostname = TEXT("mail.here.test"),
		.domains = domains,
		.domain_count = 1,
		.users_known = true,
		.users = users,
		.user_count = 1,
		.aliases = aliases,
		.aliases_name = TEXT("aliases"),
		.rules = rules,
		.rule_count = 1 };

	assert_int_equal(router_new(&settings, world->arena, &router, &complaint), OK);
	return router;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const char *reason = "";

	world->woken = eventfd(0, EFD_CLOEXEC);
	world->arena = arena_new(1 << 20);
	world->loop = loop_new();
	must(spool_memory_open(&world->spool) == OK);
	must(spool_port_open(world->spool, (1u << SPOOL_SHARD_COUNT) - 1, wake, world, &world->port) == OK);
	world->dns = dns_zone_new(world->loop, TEXT("{}"), &reason);
	must(world->dns != NULL);
	world->hosts = (struct hosts_settings){ .dns = world->dns, .hostname = TEXT("mail.here.test"), .port = 25 };
	world->router = make_router(world);

	const struct admin_settings settings = { .loop = world->loop,
		.spool = world->spool,
		.port = world->port,
		.router = world->router,
		.hosts = &world->hosts,
		.sink = { heard, world },
		.sum_counters = sum_counters,
		.lane_counters = lane_counters,
		.survey = ask_queue,
		.reload = tell_supervisor,
		.upgrade = tell_supervisor,
		.stop = tell_supervisor,
		.context = world };

	world->admin = admin_new(&settings);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	json_decref(world->answer);
	admin_free(world->admin);
	router_unref(world->router);
	spool_port_close(world->port);
	spool_close(world->spool);
	dns_free(world->dns);
	loop_free(world->loop);
	arena_free(world->arena);
	close(world->woken);
	free(world);
	return 0;
}

static void committed(void *context, enum error result)
{
	*(enum error *)context = result;
}

static void commit(struct world *world, struct spool_change *change)
{
	enum error result = ERR_BUSY;

	spool_submit(world->port, change, committed, &result);
	while (result == ERR_BUSY)
		wait_for_port(world);
	assert_int_equal(result, OK);
}

/* A message to a@one.test and b@two.test, from `sender`; its body is `body`. */
static void put(struct world *world, queue_id id, const char *sender, struct text body)
{
	struct recipient recipients[] = {
		{ .index = 0, .address = { TEXT("a"), TEXT("one.test") }, .due_ms = 1000, .attempt_count = 2,
		    .last = { .code = 451, .enhanced = { 4, 7, 1 }, .text = TEXT("later"), .host = TEXT("mx.one.test") } },
		{ .index = 1, .address = { TEXT("b"), TEXT("two.test") }, .due_ms = 2000 },
	};
	struct message message = { .envelope = { .id = id, .arrived_ms = 1700000000123, .expires_ms = 1700000900000,
		                       .body_size = body.length, .chunk_count = body.length > 0 },
		.recipients = recipients,
		.recipient_count = 2 };
	const struct text address = text_of(sender);
	struct event event = { .kind = EVENT_RECEIVED, .time_ms = 1700000000123, .id = id };
	struct spool_change *change = spool_change_new();

	if (address.length > 0)
		assert_int_equal(address_parse(address, true, world->arena, &message.envelope.reverse_path), OK);
	event.fields[EVENT_FIELD_REASON] = (struct text){ "nul\0here", 8 };
	if (body.length > 0)
		spool_change_put_chunk(change, id, 0, body);
	spool_change_put_message(change, &message);
	spool_record_event(change, &event, &address, 1);
	commit(world, change);
}

static void answered(void *context, json_t *answer)
{
	struct world *world = context;

	json_decref(world->answer);
	world->answer = answer;
	world->answers++;
	loop_stop(world->loop);
}

/* Ask with a request as text; waits for the answer. */
static const json_t *ask(struct world *world, const char *text)
{
	json_t *request = json_loads(text, JSON_ALLOW_NUL, NULL);
	const unsigned before = world->answers;

	assert_non_null(request);
	admin_request(world->admin, request, 42, answered, world);
	json_decref(request);
	while (world->answers == before)
		wait_for_port(world);
	assert_int_equal(world->answers, before + 1);
	return world->answer;
}

static size_t size_of(const json_t *answer, const char *key)
{
	return json_array_size(json_object_get(answer, key));
}

static json_int_t number(const json_t *answer, const char *key)
{
	const json_t *value = json_object_get(answer, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void assert_text(const json_t *object, const char *key, const char *wanted)
{
	const char *value = json_string_value(json_object_get(object, key));

	assert_non_null(value);
	assert_string_equal(value, wanted);
}

static const json_t *item(const json_t *object, const char *key, size_t i)
{
	const json_t *value = json_array_get(json_object_get(object, key), i);

	assert_non_null(value);
	return value;
}

static const char *print_request(char room[256], const char *format, queue_id id)
{
	char text[QUEUE_ID_TEXT_SIZE];

	queue_id_print(id, text);
	assert_true(snprintf(room, 256, "%s%s\"}", format, text) < 256);
	return room;
}

static void put_three(struct world *world)
{
	put(world, 10, "s@one.test", TEXT("Subject: x\r\n\r\nbody\r\n"));
	put(world, 20, "", TEXT(""));
	put(world, 30, "t@two.test", TEXT("no header end"));
}

static void test_list_filters(void **state)
{
	struct world *world = *state;
	static const struct {
		const char *request;
		size_t messages, recipients; /* recipients: of the first message. */
	} cases[] = {
		{ "{\"do\":\"queue list\"}", 3, 2 },
		{ "{\"do\":\"queue list\",\"sender\":\"S@one.test\"}", 1, 2 },
		{ "{\"do\":\"queue list\",\"sender\":\"<>\"}", 1, 2 },
		{ "{\"do\":\"queue list\",\"sender\":\"x@one.test\"}", 0, 0 },
		{ "{\"do\":\"queue list\",\"recipient\":\"a@one.test\"}", 3, 1 },
		{ "{\"do\":\"queue list\",\"domain\":\"TWO.test\"}", 3, 1 },
		{ "{\"do\":\"queue list\",\"domain\":\"three.test\"}", 0, 0 },
		{ "{\"do\":\"queue list\",\"state\":\"held\"}", 0, 0 },
		{ "{\"do\":\"queue list\",\"state\":\"waiting\",\"domain\":\"one.test\",\"sender\":\"t@two.test\"}", 1, 1 },
		{ "{\"do\":\"queue list\",\"sender\":null}", 3, 2 },
		{ "{\"do\":\"queue list\",\"limit\":100000}", 3, 2 },
	};

	put_three(world);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const json_t *answer = ask(world, cases[i].request);

		assert_true(json_is_true(json_object_get(answer, "ok")));
		assert_int_equal(size_of(answer, "messages"), cases[i].messages);
		if (cases[i].messages > 0)
			assert_int_equal(size_of(item(answer, "messages", 0), "recipients"), cases[i].recipients);
		assert_true(json_is_null(json_object_get(answer, "next")));
	}
}

static void test_list_pages(void **state)
{
	struct world *world = *state;
	char request[256], text[QUEUE_ID_TEXT_SIZE];
	const json_t *answer;

	put_three(world);
	answer = ask(world, "{\"do\":\"queue list\",\"limit\":2}");
	assert_int_equal(size_of(answer, "messages"), 2);
	assert_text(answer, "next", queue_id_print(20, text).bytes);
	answer = ask(world, print_request(request, "{\"do\":\"queue list\",\"limit\":2,\"after\":\"", 20));
	assert_int_equal(size_of(answer, "messages"), 1);
	assert_text(item(answer, "messages", 0), "id", queue_id_print(30, text).bytes);
	assert_true(json_is_null(json_object_get(answer, "next")));
}

static void test_show(void **state)
{
	struct world *world = *state;
	char request[256];
	const json_t *answer, *message;

	put_three(world);
	answer = ask(world, print_request(request, "{\"do\":\"queue show\",\"id\":\"", 10));
	message = json_object_get(answer, "message");
	assert_text(answer, "header", "Subject: x\r\n");
	assert_text(message, "sender", "s@one.test");
	assert_text(message, "arrived", "2023-11-14T22:13:20.123Z");
	assert_text(item(message, "recipients", 0), "last", "mx.one.test said: 451 4.7.1 later");
	assert_int_equal(number(item(message, "recipients", 0), "attempts"), 2);
	assert_true(json_is_null(json_object_get(item(message, "recipients", 1), "last")));
	answer = ask(world, print_request(request, "{\"do\":\"queue show\",\"id\":\"", 30));
	assert_text(answer, "header", "no header end");
	answer = ask(world, print_request(request, "{\"do\":\"queue show\",\"id\":\"", 20));
	assert_true(json_is_null(json_object_get(answer, "header")));
	answer = ask(world, print_request(request, "{\"do\":\"queue show\",\"id\":\"", 11));
	assert_int_equal(number(answer, "exit"), EX_NOINPUT);
}

static void test_show_bytes_that_are_no_text(void **state)
{
	struct world *world = *state;
	static const char body[] = "Subject: \xff\0\x1b[2J \xc3\xa4\r\n\r\n";
	char request[256];

	put(world, 10, "s@one.test", (struct text){ body, sizeof body - 1 });
	const json_t *answer = ask(world, print_request(request, "{\"do\":\"queue show\",\"id\":\"", 10));
	char *line = json_dumps(answer, JSON_COMPACT);
	json_t *again = line ? json_loads(line, JSON_ALLOW_NUL, NULL) : NULL;

	assert_non_null(again);
	assert_non_null(strstr(line, "\xef\xbf\xbd\\u0000\\u001B[2J"));
	json_decref(again);
	free(line);
}

static void test_trace(void **state)
{
	struct world *world = *state;
	char request[256];
	const json_t *answer, *step;

	put_three(world);
	answer = ask(world, print_request(request, "{\"do\":\"trace\",\"about\":\"", 10));
	assert_int_equal(size_of(answer, "messages"), 1);
	assert_text(item(answer, "messages", 0), "state", "in the queue");
	step = item(item(answer, "messages", 0), "steps", 0);
	assert_text(step, "event", "received");
	answer = ask(world, "{\"do\":\"trace\",\"about\":\"S@ONE.test\"}");
	assert_int_equal(size_of(answer, "messages"), 1);
	ask(world, print_request(request, "{\"do\":\"queue delete\",\"id\":\"", 10));
	answer = ask(world, print_request(request, "{\"do\":\"trace\",\"about\":\"", 10));
	assert_text(item(answer, "messages", 0), "state", "finished");
	assert_text(item(item(answer, "messages", 0), "steps", 1), "operator", "uid 42");
	answer = ask(world, "{\"do\":\"trace\",\"about\":\"nobody@one.test\"}");
	assert_int_equal(number(answer, "exit"), EX_NOINPUT);
	assert_int_equal(number(ask(world, "{\"do\":\"trace\"}"), "exit"), EX_NOINPUT);
	/* By what else is known of it. */
	answer = ask(world, "{\"do\":\"trace\",\"about\":\"UID 42\"}");
	assert_int_equal(size_of(answer, "messages"), 1);
	assert_text(item(answer, "messages", 0), "state", "finished");
	assert_int_equal(number(ask(world, "{\"do\":\"trace\",\"about\":\"ui\"}"), "exit"), EX_NOINPUT);
}

static void test_changes(void **state)
{
	struct world *world = *state;
	static const struct {
		const char *request;
		json_int_t messages, recipients;
		enum event_kind event;
		size_t held_after;
	} steps[] = {
		{ "{\"do\":\"queue hold\",\"domain\":\"one.test\"}", 3, 3, EVENT_HELD, 3 },
		{ "{\"do\":\"queue hold\",\"domain\":\"one.test\"}", 0, 0, EVENT_HELD, 3 },
		{ "{\"do\":\"queue retry\"}", 3, 3, EVENT_RETRIED, 3 },
		{ "{\"do\":\"queue release\",\"sender\":\"<>\"}", 1, 1, EVENT_RELEASED, 2 },
		{ "{\"do\":\"queue delete\",\"state\":\"held\"}", 2, 2, EVENT_DELETED, 0 },
		{ "{\"do\":\"queue delete\",\"sender\":\"<>\"}", 1, 2, EVENT_DELETED, 0 },
		{ "{\"do\":\"queue delete\"}", 2, 2, EVENT_DELETED, 0 },
		{ "{\"do\":\"queue delete\"}", 0, 0, EVENT_DELETED, 0 },
	};
	struct spool_totals totals;
	unsigned events = 0;

	put_three(world);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		const json_t *answer = ask(world, steps[i].request);

		assert_true(json_is_true(json_object_get(answer, "ok")));
		assert_int_equal(number(answer, "messages"), steps[i].messages);
		assert_int_equal(number(answer, "recipients"), steps[i].recipients);
		events += (unsigned)steps[i].messages; /* One for each message. */
		assert_int_equal(world->events, events);
		assert_int_equal(world->last_event, steps[i].event);
		answer = ask(world, "{\"do\":\"queue list\",\"state\":\"held\"}");
		assert_int_equal(size_of(answer, "messages"), steps[i].held_after);
	}
	assert_int_equal(spool_totals(world->spool, &totals), OK);
	assert_int_equal(totals.messages, 0);
}

static void test_change_goes_on_behind_its_page(void **state)
{
	struct world *world = *state;
	char request[256], text[QUEUE_ID_TEXT_SIZE];
	const json_t *answer;

	put_three(world);
	answer = ask(world, "{\"do\":\"queue delete\",\"limit\":2}");
	assert_int_equal(number(answer, "messages"), 2);
	assert_text(answer, "next", queue_id_print(20, text).bytes);
	answer = ask(world, print_request(request, "{\"do\":\"queue delete\",\"limit\":2,\"after\":\"", 20));
	assert_int_equal(number(answer, "messages"), 1);
	assert_true(json_is_null(json_object_get(answer, "next")));
}

static void test_ends_and_ways(void **state)
{
	struct world *world = *state;
	static const struct {
		const char *request;
		json_int_t recipients;
		enum event_kind event;
	} steps[] = {
		{ "{\"do\":\"queue reroute\",\"domain\":\"one.test\",\"via\":\"relay.test:26\"}", 3, EVENT_REROUTED },
		{ "{\"do\":\"queue reroute\",\"domain\":\"one.test\",\"via\":\"relay.test:26\"}", 0, EVENT_REROUTED },
		{ "{\"do\":\"queue reroute\",\"via\":\"routes\"}", 3, EVENT_REROUTED },
		{ "{\"do\":\"queue expire\",\"sender\":\"<>\"}", 2, EVENT_EXPIRED },
		{ "{\"do\":\"queue bounce\",\"sender\":\"<>\"}", 0, EVENT_EXPIRED }, /* Decided already. */
		{ "{\"do\":\"queue bounce\",\"domain\":\"one.test\"}", 2, EVENT_RETURNED },
		{ "{\"do\":\"queue bounce\",\"error\":\"never said\"}", 0, EVENT_RETURNED },
		{ "{\"do\":\"queue bounce\",\"older\":\"1000d\"}", 2, EVENT_RETURNED }, /* They are of 1970. */
	};

	put_three(world);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		const json_t *answer = ask(world, steps[i].request);

		assert_int_equal(number(answer, "recipients"), steps[i].recipients);
		assert_int_equal(world->last_event, steps[i].event);
	}
}

static void test_pauses(void **state)
{
	struct world *world = *state;
	static const char *const wrong[] = { "{\"do\":\"queue pause\"}", "{\"do\":\"queue pause\",\"sender\":\"bulk\"}",
		"{\"do\":\"queue pause\",\"sender\":\"a@b.test\",\"domain\":\"c.test\"}", "{\"do\":\"queue resume\"}" };
	const json_t *answer;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(number(ask(world, wrong[i]), "exit"), EX_USAGE);
	put_three(world);
	assert_true(json_is_true(json_object_get(ask(world, "{\"do\":\"queue pause\",\"domain\":\"One.test\"}"), "ok")));
	assert_int_equal(world->last_event, EVENT_PAUSE_BEGAN);
	answer = ask(world, "{\"do\":\"queue pauses\"}");
	assert_int_equal(size_of(answer, "pauses"), 1);
	assert_text(item(answer, "pauses", 0), "of", "domain");
	assert_text(item(answer, "pauses", 0), "subject", "one.test");
	/* Nobody has held anything: there is nothing to release. */
	answer = ask(world, "{\"do\":\"queue resume\",\"domain\":\"one.test\"}");
	assert_int_equal(number(answer, "messages"), 0);
	assert_int_equal(world->last_event, EVENT_PAUSE_ENDED);
	assert_int_equal(size_of(ask(world, "{\"do\":\"queue pauses\"}"), "pauses"), 0);
}

/* What is meant to name one thing must never come to mean the whole queue. */
static void test_wrong_filters(void **state)
{
	struct world *world = *state;
	static const char *const requests[] = {
		"{\"do\":\"queue delete\",\"sender\":\"\"}",
		"{\"do\":\"queue delete\",\"id\":\"\"}",
		"{\"do\":\"queue delete\",\"id\":7}",
		"{\"do\":\"queue delete\",\"id\":\"no id\"}",
		"{\"do\":\"queue delete\",\"after\":\"-\"}",
		"{\"do\":\"queue delete\",\"domain\":[\"one.test\"]}",
		"{\"do\":\"queue delete\",\"state\":\"wating\"}",
		"{\"do\":\"queue delete\",\"older\":\"2\"}",
		"{\"do\":\"queue delete\",\"host\":\"\"}",
		"{\"do\":\"queue reroute\"}",
		"{\"do\":\"queue reroute\",\"via\":\"relay:x\"}",
		"{\"do\":\"queue list\",\"recipient\":\"\"}",
		"{\"do\":\"queue destroy\"}",
		"{\"do\":\"\"}",
		"{\"do\":5}",
		"[1]",
		"{\"do\":\"\\u0000\\u001b%s%n\"}",
	};

	put_three(world);
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		const json_t *answer = ask(world, requests[i]);

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_int_equal(number(answer, "exit"), EX_USAGE);
	}
	assert_int_equal(size_of(ask(world, "{\"do\":\"queue list\"}"), "messages"), 3);
	assert_int_equal(world->events, 0);
}

static void test_long_list_ends_its_page_early(void **state)
{
	struct world *world = *state;
	enum { EACH = ADMIN_RECIPIENTS_MAX / 2 };
	struct recipient *recipients = calloc(EACH, sizeof *recipients);

	for (uint32_t i = 0; i < EACH; i++)
		recipients[i] = (struct recipient){ .index = i, .address = { TEXT("r"), TEXT("one.test") }, .due_ms = 1 };
	for (queue_id id = 1; id <= 3; id++) {
		const struct message message = { .envelope = { .id = id }, .recipients = recipients, .recipient_count = EACH };
		struct spool_change *change = spool_change_new();

		spool_change_put_message(change, &message);
		commit(world, change);
	}
	free(recipients);

	char text[QUEUE_ID_TEXT_SIZE], request[256];
	const json_t *answer = ask(world, "{\"do\":\"queue list\"}");

	assert_int_equal(size_of(answer, "messages"), 2);
	assert_text(answer, "next", queue_id_print(2, text).bytes);
	answer = ask(world, print_request(request, "{\"do\":\"queue list\",\"after\":\"", 2));
	assert_int_equal(size_of(answer, "messages"), 1);
	assert_true(json_is_null(json_object_get(answer, "next")));
}

/* The answer may come later: let the loop turn until it is there. */
static const json_t *explain(struct world *world, const char *address)
{
	json_t *request = json_pack("{s:s, s:s}", "do", "explain", "address", address);
	const unsigned before = world->answers;

	admin_request(world->admin, request, 0, answered, world);
	json_decref(request);
	while (world->answers == before)
		loop_run(world->loop);
	assert_int_equal(world->answers, before + 1);
	return world->answer;
}

static void test_explain(void **state)
{
	struct world *world = *state;
	const json_t *answer = explain(world, "alice@here.test");

	assert_int_equal(size_of(answer, "destinations"), 1);
	assert_text(item(answer, "destinations", 0), "kind", "mailbox");
	assert_text(item(answer, "destinations", 0), "user", "alice");
	answer = explain(world, "team@here.test");
	assert_int_equal(size_of(answer, "destinations"), 3);
	assert_text(item(answer, "destinations", 0), "kind", "alias");
	assert_text(item(answer, "destinations", 2), "kind", "smtp");
	assert_text(item(item(answer, "destinations", 2), "hosts", 0), "endpoint", "192.0.2.1:2525");
	answer = explain(world, "nobody@here.test");
	assert_text(item(answer, "destinations", 0), "kind", "refused");
	assert_int_equal(number(explain(world, ""), "exit"), EX_USAGE);
	assert_int_equal(number(explain(world, "a b@c"), "exit"), EX_USAGE);
}

static const struct queue_destination troubled = { .key = { "via 192.0.2.1:2525", 18 },
	.gate = QUEUE_GATE_DOWN,
	.site = { "mx.partner.test:25", 18 },
	.site_destinations = 3,
	.shape = { "partner.test", 12 },
	.limits = { .connections = 2, .rate = { 90, 60000 } },
	.concurrency = 1,
	.waiting_domains = 7,
	.paused_until_ms = 1700000000123,
	.last = { .code = 451, .enhanced = { 4, 4, 1 }, .text = { "refused", 7 }, .host = { "mx", 2 } } };

static void test_explain_tells_the_state_of_a_destination(void **state)
{
	struct world *world = *state;
	const json_t *destination = item(explain(world, "zoe@partner.test"), "destinations", 0), *limits;

	assert_text(destination, "destination", "via 192.0.2.1:2525");
	assert_null(json_object_get(destination, "state"));
	world->known = troubled;
	destination = item(explain(world, "zoe@partner.test"), "destinations", 0);
	assert_text(json_object_get(destination, "state"), "gate", "down");
	assert_text(json_object_get(destination, "state"), "paused_until", "2023-11-14T22:13:20.123Z");
	assert_text(json_object_get(destination, "state"), "last_trouble", "mx said: 451 4.4.1 refused");
	assert_int_equal(number(json_object_get(destination, "state"), "concurrency"), 1);
	assert_text(json_object_get(destination, "state"), "site", "mx.partner.test:25");
	limits = json_object_get(json_object_get(destination, "state"), "limits");
	assert_text(limits, "by", "partner.test");
	assert_text(limits, "rate", "90 messages in 60 s");
	assert_int_equal(number(limits, "connections"), 2);
	assert_null(json_object_get(limits, "concurrency"));
	world->queue = QUEUE_HAS_NO_MEMORY;
	destination = item(explain(world, "zoe@partner.test"), "destinations", 0);
	assert_null(json_object_get(destination, "state"));
	assert_int_equal(size_of(destination, "hosts"), 1);
}

static void test_stats_tell_what_is_in_trouble(void **state)
{
	struct world *world = *state;
	const json_t *queue = json_object_get(ask(world, "{\"do\":\"stats\"}"), "queue");

	assert_int_equal(number(queue, "active_domains"), 1);
	assert_int_equal(number(queue, "unsettled"), 4);
	assert_int_equal(size_of(queue, "trouble"), 0);
	world->known = troubled;
	world->troubles = QUEUE_SURVEY_MAX + 5;
	queue = json_object_get(ask(world, "{\"do\":\"stats\"}"), "queue");
	assert_int_equal(size_of(queue, "trouble"), QUEUE_SURVEY_MAX);
	assert_int_equal(number(queue, "in_trouble"), QUEUE_SURVEY_MAX + 5);
	assert_text(item(queue, "trouble", 0), "destination", "via 192.0.2.1:2525");
	assert_int_equal(number(item(queue, "trouble", 0), "lane"), 3);
	assert_int_equal(number(item(queue, "trouble", 0), "waiting_domains"), 7);
	world->queue = QUEUE_HAS_NO_MEMORY;
	assert_int_equal(number(ask(world, "{\"do\":\"stats\"}"), "exit"), EX_OSERR);
}

/* A domain's own hosts are told of in its row; others are told of by themselves. */
static void test_destinations_tell_what_is_held_back(void **state)
{
	struct world *world = *state;
	const json_t *answer;

	put(world, 10, "s@one.test", TEXT("body"));
	world->known = troubled;
	answer = ask(world, "{\"do\":\"queue destinations\"}");
	assert_int_equal(size_of(answer, "destinations"), 2);
	assert_null(json_object_get(item(answer, "destinations", 0), "state"));
	assert_text(item(answer, "held_back", 0), "destination", "via 192.0.2.1:2525");
	world->known.key = TEXT("ONE.test");
	answer = ask(world, "{\"do\":\"queue destinations\"}");
	assert_int_equal(size_of(answer, "held_back"), 0);
	assert_text(item(answer, "destinations", 0), "domain", "one.test");
	assert_int_equal(number(json_object_get(item(answer, "destinations", 0), "state"), "waiting_domains"), 7);
	assert_int_equal(number(json_object_get(item(answer, "destinations", 0), "state"), "same_hosts"), 3);
	world->known.idle = true;
	assert_null(json_object_get(item(ask(world, "{\"do\":\"queue destinations\"}"), "destinations", 0), "state"));
	world->queue = QUEUE_HAS_NO_MEMORY;
	assert_int_equal(number(ask(world, "{\"do\":\"queue destinations\"}"), "exit"), EX_OSERR);
}

static void test_explain_is_bounded(void **state)
{
	struct world *world = *state;
	const json_t *answer = explain(world, "many@here.test");

	assert_int_equal(size_of(answer, "destinations"), 1 + ADMIN_EXPLAIN_MAX);
	assert_int_equal(number(answer, "omitted"), 5);
}

/* Nobody may wait for ever, nor may anything leak (the sanitizers see it). */
static void test_what_is_open_at_the_end_is_answered(void **state)
{
	static const char *const requests[] = { "{\"do\":\"queue hold\"}",
		"{\"do\":\"explain\",\"address\":\"many@here.test\"}", "{\"do\":\"stats\"}" };
	struct world *world = *state;

	put_three(world);
	world->queue = QUEUE_WAITS;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		json_t *request = json_loads(requests[i], 0, NULL);

		admin_request(world->admin, request, 42, answered, world);
		json_decref(request);
	}
	assert_int_equal(world->answers, 0);
	admin_free(take(world->admin));
	assert_int_equal(world->answers, 3);
	assert_int_equal(number(world->answer, "exit"), EX_TEMPFAIL);
	assert_int_equal(world->events, 0);
}

static void test_stats_and_supervisor(void **state)
{
	struct world *world = *state;
	const json_t *answer;

	put_three(world);
	answer = ask(world, "{\"do\":\"stats\"}");
	assert_int_equal(number(json_object_get(answer, "spool"), "messages"), 3);
	assert_int_equal(number(json_object_get(answer, "spool"), "recipients"), 6);
	assert_int_equal(number(json_object_get(answer, "counters"), "received"), 7);
	assert_int_equal(size_of(answer, "lanes"), 2);
	assert_int_equal(number(ask(world, "{\"do\":\"reload\"}"), "exit"), EX_TEMPFAIL);
	world->reachable = true;
	assert_true(json_is_true(json_object_get(ask(world, "{\"do\":\"reload\"}"), "ok")));
	assert_true(json_is_true(json_object_get(ask(world, "{\"do\":\"stop\"}"), "ok")));
}

static void test_failure_holds_any_bytes(void **state)
{
	char hostile[2000];

	(void)state;
	memset(hostile, 0xe2, sizeof hostile);
	json_t *answer = admin_failure(EX_USAGE, "%.*s%%n", (int)sizeof hostile, hostile);

	assert_non_null(answer);
	assert_true(json_string_length(json_object_get(answer, "error")) <= 3 * 512);
	json_decref(answer);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_list_filters),
		TEST(test_list_pages),
		TEST(test_show),
		TEST(test_show_bytes_that_are_no_text),
		TEST(test_trace),
		TEST(test_changes),
		TEST(test_change_goes_on_behind_its_page),
		TEST(test_ends_and_ways),
		TEST(test_pauses),
		TEST(test_wrong_filters),
		TEST(test_long_list_ends_its_page_early),
		TEST(test_explain),
		TEST(test_explain_tells_the_state_of_a_destination),
		TEST(test_stats_tell_what_is_in_trouble),
		TEST(test_destinations_tell_what_is_held_back),
		TEST(test_explain_is_bounded),
		TEST(test_what_is_open_at_the_end_is_answered),
		TEST(test_stats_and_supervisor),
		cmocka_unit_test(test_failure_holds_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
