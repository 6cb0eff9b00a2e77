/* Webhooks under a virtual clock, with a web that answers as the test wants. */
#include "reports/webhooks.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/sim/world.h"

enum { ASKED_MAX = 64, HOUR_MS = 3600 * 1000, KINDS = 1 << EVENT_DELIVERED | 1 << EVENT_BOUNCED };

/* -- In place of route/web.c ------------------------------------------------------------------ */

struct web {
	struct loop *loop;
	unsigned status;               /* 0: nobody is there. */
	bool silent;                   /* It does not answer yet. */
	struct web_request *open;
	size_t asked;
	int64_t asked_ms[ASKED_MAX];
	json_t *events[ASKED_MAX];     /* What was posted. */
	char field[WEBHOOK_SIGNATURE_SIZE];
};

struct web_request {
	struct web *web;
	struct loop_timer *timer;
	https_callback *callback;
	void *context;
};

void web_cancel(struct web_request *request)
{
	if (request == NULL)
		return;
	request->web->open = NULL;
	loop_timer_free(request->timer);
	free(request);
}

static void answer(void *context)
{
	struct web_request *request = context;
	const struct web_request own = *request;
	const struct https_response response = { .end = own.web->status != 0 ? HTTPS_ANSWERED : HTTPS_UNREACHABLE,
		.status = own.web->status, .trouble = TEXT("nobody is there") };

	web_cancel(request);
	own.callback(own.context, &response);
}

struct web_request *web_ask(struct web *web, const struct https_order *order, https_callback *callback, void *context)
{
	struct web_request *request = malloc(sizeof *request);

	assert_non_null(request);
	assert_null(web->open); /* W2, of one webhook. */
	assert_in_range(web->asked, 0, ASKED_MAX - 1);
	*request = (struct web_request){ web, loop_timer_new(web->loop, answer, request), callback, context };
	assert_non_null(request->timer);
	web->asked_ms[web->asked] = loop_now_ms(web->loop);
	web->events[web->asked] = json_loadb(order->content.bytes, order->content.length, 0, NULL);
	assert_true(json_is_array(web->events[web->asked]));
	web->asked++;
	snprintf(web->field, sizeof web->field, "%.*s", TEXT_FORMAT(order->header));
	assert_true(text_equal(order->content_type, TEXT("application/json")));
	web->open = request;
	if (!web->silent)
		loop_timer_set(request->timer, 0);
	return request;
}

static const char *posted(const struct web *web, size_t batch, size_t event, const char *key)
{
	return json_string_value(json_object_get(json_array_get(web->events[batch], event), key));
}

/* -- The world ---------------------------------------------------------------------------------- */

struct world {
	struct sim_process *process;
	struct web web;
	struct webhook_journal *journal;
	struct counters counters;
	struct webhooks *webhooks;
	unsigned told[EVENT_KIND_COUNT];
	char reason[64];                /* Of the last event. */
};

static struct sim_world *here;

struct sim_world *sim_world_here(void)
{
	return here;
}

static void report(void *context, const struct event *event)
{
	struct world *world = context;

	world->told[event->kind]++;
	snprintf(world->reason, sizeof world->reason, "%.*s", TEXT_FORMAT(event->fields[EVENT_FIELD_REASON]));
}

static void nothing(void *context)
{
	(void)context;
}

static void pass(int64_t ms)
{
	struct sim_event then = { 0 };
	const int64_t end_us = sim_now_us(here) + ms * 1000;

	sim_event_init(&then, NULL, nothing, NULL);
	sim_event_plan(here, &then, ms * 1000);
	while (sim_now_us(here) < end_us && sim_world_step(here))
		continue;
	sim_event_cancel(here, &then);
}

static const struct webhook_settings billing = { .name = { "billing", 7 }, .url = { "https://hook.test/", 18 }, .secret = { "swordfish", 9 },
	.kinds = KINDS };

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	here = sim_world_new(1);
	world->process = sim_process_new(here, "webhooks");
	sim_run_as(here, world->process);
	world->web = (struct web){ .loop = loop_new(), .status = 200 };
	assert_int_equal(journal_open(NULL, &world->journal), OK);
	const struct webhooks_parts parts = { .loop = world->web.loop,
		.web = &world->web,
		.journal = world->journal,
		.sink = { report, world },
		.counters = &world->counters };

	world->webhooks = webhooks_new(&parts);
	assert_non_null(world->webhooks);
	webhooks_reload(world->webhooks, &billing, 1);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	webhooks_free(world->webhooks);
	assert_null(world->web.open);
	for (size_t i = 0; i < world->web.asked; i++)
		json_decref(world->web.events[i]);
	journal_close(world->journal);
	loop_free(world->web.loop);
	sim_run_as(here, NULL);
	assert_int_equal(sim_process_end(world->process), 0);
	sim_world_free(here);
	here = NULL;
	free(world);
	return 0;
}

static void happens_with(struct world *world, enum event_kind kind, queue_id id, struct text reply)
{
	struct event event = { .kind = kind, .time_ms = loop_unix_ms(world->web.loop), .id = id };
	struct buffer stored;

	buffer_init(&stored, JOURNAL_RECORD_MAX);
	event.fields[EVENT_FIELD_REPLY] = reply;
	assert_true(event_encode(&event, &stored));
	journal_add(world->journal, id, buffer_text(&stored));
	buffer_done(&stored);
}

static void happens(struct world *world, enum event_kind kind, queue_id id)
{
	happens_with(world, kind, id, TEXT("250 \"Ok\"\r\n"));
}

static struct webhook_status status_of(struct world *world)
{
	struct webhook_status statuses[WEBHOOKS_MAX];

	assert_int_equal(webhooks_status(world->webhooks, statuses), 1);
	return statuses[0];
}

/* -- The tests ---------------------------------------------------------------------------------- */

/* The code is Python's. */
static void a_body_is_signed_with_its_time(void **state)
{
	char field[WEBHOOK_SIGNATURE_SIZE];

	(void)state;
	assert_true(webhook_sign(TEXT("swordfish"), 1700000000, TEXT("[{\"event\":\"delivered\"}]"), field));
	assert_string_equal(field, "Webhook-Signature: t=1700000000,v1=96437a3c0c7aea82e98dc788420df7b56196e9b024ff9c4527d793fa74c843bf");
}

static void a_batch_is_an_array_of_what_is_wanted(void **state)
{
	struct world *world = *state;
	const struct web *web = &world->web;
	char room[QUEUE_ID_TEXT_SIZE];

	happens(world, EVENT_RECEIVED, 1);
	happens(world, EVENT_DELIVERED, 2);
	happens(world, EVENT_DEFERRED, 3);
	happens(world, EVENT_BOUNCED, 4);
	pass(WEBHOOK_LOOK_MS + 100);
	assert_int_equal(web->asked, 1);
	assert_int_equal(json_array_size(web->events[0]), 2);
	assert_string_equal(posted(web, 0, 0, "event"), "delivered");
	assert_string_equal(posted(web, 0, 1, "event"), "bounced");
	assert_string_equal(posted(web, 0, 1, "id"), queue_id_print(4, room).bytes);
	assert_string_equal(posted(web, 0, 0, "reply"), "250 \"Ok\"\r\n");
	assert_int_equal(strncmp(web->field, "Webhook-Signature: t=", 21), 0);
	assert_int_equal(counters_get(&world->counters, COUNTER_WEBHOOK_EVENTS), 2);
	pass(HOUR_MS);
	assert_int_equal(web->asked, 1);
}

/* W2: by their number, and by their bytes. */
static void a_batch_is_bounded_and_the_next_goes_on(void **state)
{
	static char large[JOURNAL_RECORD_MAX - 100];
	struct world *world = *state;
	const struct web *web = &world->web;
	size_t taken = 0;

	for (unsigned i = 0; i < WEBHOOK_EVENTS_MAX + 20; i++)
		happens(world, EVENT_DELIVERED, i + 1);
	pass(WEBHOOK_LOOK_MS + 400);
	assert_int_equal(web->asked, 2);
	assert_int_equal(json_array_size(web->events[0]), WEBHOOK_EVENTS_MAX);
	assert_int_equal(json_array_size(web->events[1]), 20);
	memset(large, 'x', sizeof large);
	for (unsigned i = 0; i < 30; i++)
		happens_with(world, EVENT_BOUNCED, i + 1, (struct text){ large, sizeof large });
	pass(2 * WEBHOOK_LOOK_MS + 400);
	assert_int_equal(web->asked, 4);
	for (size_t batch = 2; batch < web->asked; batch++)
		taken += json_array_size(web->events[batch]);
	assert_int_equal(taken, 30);
	assert_in_range(json_array_size(web->events[2]), 2, WEBHOOK_BODY_MAX / sizeof large);
}

static void it_waits_twice_as_long_each_time(void **state)
{
	struct world *world = *state;
	const struct web *web = &world->web;
	int64_t expected_ms = 1000;

	world->web.status = 503;
	happens(world, EVENT_DELIVERED, 1);
	pass(HOUR_MS);
	assert_in_range(web->asked, 12, ASKED_MAX - 1);
	for (size_t i = 1; i < web->asked; i++) {
		assert_in_range(web->asked_ms[i] - web->asked_ms[i - 1], expected_ms, expected_ms + 10);
		expected_ms = expected_ms == 256000 || expected_ms == 300000 ? 300000 : 2 * expected_ms;
	}
	assert_int_equal(expected_ms, 300000);
	assert_int_equal(world->told[EVENT_WEBHOOK_FAILED], 1);
	assert_string_equal(world->reason, "it answers 503");

	const size_t before = web->asked;

	world->web.status = 204;
	pass(WEBHOOK_WAIT_MS_MAX + 100);
	assert_int_equal(web->asked, before + 1);
	assert_int_equal(world->told[EVENT_WEBHOOK_WORKS], 1);
	world->web.status = 0;
	happens(world, EVENT_DELIVERED, 2);
	pass(WEBHOOK_LOOK_MS + WEBHOOK_WAIT_MS_MIN + 100); /* From the least on again. */
	assert_int_equal(web->asked, before + 3);
	assert_int_equal(world->told[EVENT_WEBHOOK_FAILED], 2);
	assert_string_equal(world->reason, "nobody is there");
}

static void a_wait_is_bounded(void **state)
{
	(void)state;
	assert_int_equal(webhook_wait_ms(0), WEBHOOK_WAIT_MS_MIN);
	assert_int_equal(webhook_wait_ms(WEBHOOK_WAIT_MS_MIN), 2 * WEBHOOK_WAIT_MS_MIN);
	assert_int_equal(webhook_wait_ms(WEBHOOK_WAIT_MS_MAX / 2 - 1), WEBHOOK_WAIT_MS_MAX - 2);
	assert_int_equal(webhook_wait_ms(WEBHOOK_WAIT_MS_MAX), WEBHOOK_WAIT_MS_MAX);
	assert_int_equal(webhook_wait_ms(INT64_MAX), WEBHOOK_WAIT_MS_MAX);
}

/* RFC 9110 §15.5.11: whoever answers so wants to be left alone; its events wait for a reload. */
static void gone_is_left_alone_until_a_reload(void **state)
{
	struct world *world = *state;

	world->web.status = 410;
	happens(world, EVENT_DELIVERED, 1);
	pass(HOUR_MS);
	happens(world, EVENT_DELIVERED, 2);
	pass(HOUR_MS);
	assert_int_equal(world->web.asked, 1);
	assert_int_equal(world->told[EVENT_WEBHOOK_FAILED], 1);
	assert_string_equal(world->reason, "it answers 410, and is told nothing until a reload");
	struct webhook_status status = status_of(world);

	assert_int_equal(status.state, WEBHOOK_STOPPED);
	assert_int_equal(status.past.status, 410);
	assert_int_equal(status.waiting, 2);
	assert_int_equal(status.next_ms, 0);
	world->web.status = 200;
	webhooks_reload(world->webhooks, &billing, 1);
	pass(WEBHOOK_LOOK_MS + 100);
	assert_int_equal(world->web.asked, 2);
	assert_int_equal(json_array_size(world->web.events[1]), 2);
	assert_int_equal(world->told[EVENT_WEBHOOK_WORKS], 1);
	assert_int_equal(status_of(world).state, WEBHOOK_WORKS);
}

static void what_gave_way_is_told_and_counted(void **state)
{
	enum { ALL = 2000 };
	static char large[JOURNAL_RECORD_MAX - 100];
	struct world *world = *state;
	char expected[64];

	memset(large, 'x', sizeof large);
	world->web.status = 503;
	happens(world, EVENT_DELIVERED, 1);
	pass(WEBHOOK_LOOK_MS + 100);
	assert_int_equal(status_of(world).past.dropped, 0);
	for (unsigned i = 1; i < ALL; i++)
		happens_with(world, EVENT_DELIVERED, i + 1, (struct text){ large, sizeof large });
	const struct webhook_status before = status_of(world);

	assert_int_equal(world->told[EVENT_WEBHOOK_DROPPED], 0); /* To look tells nobody. */
	assert_in_range(before.waiting, JOURNAL_BYTES / JOURNAL_RECORD_MAX, ALL - 1);
	assert_int_equal(before.past.dropped + before.waiting, ALL);
	pass(WEBHOOK_WAIT_MS_MIN);
	assert_int_equal(world->told[EVENT_WEBHOOK_DROPPED], 1);
	snprintf(expected, sizeof expected, "%llu events", (unsigned long long)before.past.dropped);
	assert_string_equal(world->reason, expected);
	assert_int_equal(status_of(world).past.dropped, before.past.dropped);
	world->web.status = 200;
	world->web.silent = true;
	pass(2 * WEBHOOK_WAIT_MS_MIN + 100);
	for (unsigned i = 0; i < 5; i++) /* Over what is under way: it is not dropped, as long as it may be taken. */
		happens_with(world, EVENT_DELIVERED, i + 1, (struct text){ large, sizeof large });
	assert_true(status_of(world).under_way);
	assert_int_equal(status_of(world).past.dropped, before.past.dropped);
}

static void it_is_shown_how_it_fares(void **state)
{
	struct world *world = *state;
	struct webhook_status status = status_of(world);

	assert_int_equal(status.state, WEBHOOK_WORKS);
	assert_int_equal(status.waiting, 0);
	assert_int_equal(status.past.asked_ms + status.next_ms, 0);
	assert_true(text_equal(status.settings->url, billing.url));
	world->web.silent = true;
	world->web.status = 503;
	happens(world, EVENT_RECEIVED, 1);
	happens(world, EVENT_DELIVERED, 2);
	const int64_t happened_ms = loop_unix_ms(world->web.loop);

	status = status_of(world);
	assert_int_equal(status.waiting, 1);
	assert_int_equal(status.oldest_ms, happened_ms);
	assert_in_range(status.next_ms, happened_ms, happened_ms + WEBHOOK_LOOK_MS);
	pass(WEBHOOK_LOOK_MS + 100);
	status = status_of(world);
	assert_true(status.under_way);
	assert_int_equal(status.waiting, 1);
	assert_int_equal(status.next_ms, 0);
	loop_timer_set(world->web.open->timer, 0);
	pass(100);
	happens(world, EVENT_BOUNCED, 3);
	status = status_of(world);
	assert_false(status.under_way);
	assert_int_equal(status.state, WEBHOOK_FAILS);
	assert_int_equal(status.past.status, 503);
	assert_string_equal(status.past.trouble, "it answers 503");
	assert_int_equal(status.waiting, 2);
	assert_in_range(status.next_ms, status.past.asked_ms + WEBHOOK_WAIT_MS_MIN, status.past.asked_ms + WEBHOOK_WAIT_MS_MIN + 10);
	const int64_t failing_since_ms = status.past.failing_since_ms;

	assert_int_equal(failing_since_ms, status.past.asked_ms);
	world->web.silent = false;
	webhooks_reload(world->webhooks, &billing, 1); /* W5 */
	pass(WEBHOOK_LOOK_MS + 100);
	status = status_of(world);
	assert_int_equal(status.past.failing_since_ms, failing_since_ms);
	assert_true(status.past.asked_ms > failing_since_ms);
	assert_int_equal(world->told[EVENT_WEBHOOK_FAILED], 1);
	world->web.status = 202;
	pass(WEBHOOK_WAIT_MS_MIN + 100);
	status = status_of(world);
	assert_int_equal(status.state, WEBHOOK_WORKS);
	assert_int_equal(status.waiting, 0);
	assert_int_equal(status.oldest_ms + status.past.failing_since_ms, 0);
	assert_int_equal(status.past.status, 202);
	assert_string_equal(status.past.trouble, "");
	assert_int_equal(status.past.worked_ms, status.past.asked_ms);
	assert_int_equal(status.past.taken, 2);
}

static void each_has_its_own_lag(void **state)
{
	struct world *world = *state;
	const struct webhook_settings both[] = { billing,
		{ .name = TEXT("shop"), .url = TEXT("https://shop.test/"), .kinds = 1 << EVENT_RECEIVED, .problem = "it is empty" } };
	struct webhook_status statuses[WEBHOOKS_MAX];

	webhooks_reload(world->webhooks, both, 2);
	happens(world, EVENT_DELIVERED, 1);
	pass(WEBHOOK_LOOK_MS + 100);
	happens(world, EVENT_RECEIVED, 2);
	happens(world, EVENT_RECEIVED, 3);
	happens(world, EVENT_BOUNCED, 4);
	assert_int_equal(webhooks_status(world->webhooks, statuses), 2);
	assert_int_equal(statuses[0].waiting, 1);
	assert_int_equal(statuses[1].waiting, 2);
	assert_int_equal(statuses[1].state, WEBHOOK_UNUSABLE);
	assert_int_equal(statuses[1].next_ms, 0);
	pass(HOUR_MS);
	assert_int_equal(world->web.asked, 2);
	assert_int_equal(webhooks_status(world->webhooks, statuses), 2);
	assert_int_equal(statuses[0].waiting, 0);
	assert_int_equal(statuses[1].waiting, 2);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_signed_with_its_time),
		cmocka_unit_test(a_wait_is_bounded),
		IN_WORLD(a_batch_is_an_array_of_what_is_wanted),
		IN_WORLD(a_batch_is_bounded_and_the_next_goes_on),
		IN_WORLD(it_waits_twice_as_long_each_time),
		IN_WORLD(gone_is_left_alone_until_a_reload),
		IN_WORLD(what_gave_way_is_told_and_counted),
		IN_WORLD(it_is_shown_how_it_fares),
		IN_WORLD(each_has_its_own_lag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
