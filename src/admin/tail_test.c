/* Events for who looks on, from a feed without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"
#include "base/cleanup.h"
#include "io/loop.h"

struct world {
	struct admin admin;
	struct loop_timer *timer;
	json_t *answer;
	unsigned answers;
};

static void answered(void *context, json_t *answer)
{
	struct world *world = context;

	json_decref(world->answer);
	world->answer = answer;
	world->answers++;
	loop_stop(world->admin.settings.loop);
}

static int begin(void **state)
{
	static struct world world;

	world = (struct world){ .admin = { .settings = { .loop = loop_new(), .feed = feed_new() }, .started_ms = 77 } };
	*state = &world;
	return world.admin.settings.loop != NULL && world.admin.settings.feed != NULL ? 0 : -1;
}

static int end(void **state)
{
	struct world *world = *state;

	loop_timer_free(world->timer);
	json_decref(take(world->answer));
	feed_free(world->admin.settings.feed);
	loop_free(world->admin.settings.loop);
	return 0;
}

static void add(struct world *world, enum event_kind kind, const char *from, const char *to)
{
	struct event event = { .kind = kind, .time_ms = loop_unix_ms(world->admin.settings.loop), .id = 4711 };
	struct buffer stored;

	event.fields[EVENT_FIELD_SENDER] = text_of(from);
	event.fields[EVENT_FIELD_RECIPIENT] = text_of(to);
	buffer_init(&stored, 4096);
	assert_true(event_encode(&event, &stored));
	feed_add(world->admin.settings.feed, event.id, buffer_text(&stored));
	buffer_done(&stored);
}

static void ask(struct world *world, const char *request_text)
{
	json_t *request = json_loads(request_text, 0, NULL);

	assert_non_null(request);
	admin_tail(&world->admin, request, answered, world);
	json_decref(request);
}

static json_int_t number(const struct world *world, const char *key)
{
	return json_integer_value(json_object_get(world->answer, key));
}

static size_t told(const struct world *world)
{
	return json_array_size(json_object_get(world->answer, "events"));
}

static void event_of_alias(struct world *world)
{
	struct event event = { .kind = EVENT_DELIVERED, .time_ms = loop_unix_ms(world->admin.settings.loop), .id = 4711 };
	struct buffer stored;

	event.fields[EVENT_FIELD_RECIPIENT] = TEXT("zoe@two.test");
	event.fields[EVENT_FIELD_ORIGINAL] = TEXT("rfc822;team@here.test");
	buffer_init(&stored, 4096);
	assert_true(event_encode(&event, &stored));
	feed_add(world->admin.settings.feed, event.id, buffer_text(&stored));
	buffer_done(&stored);
}

static void filters_choose(void **state)
{
	static const struct {
		const char *members;
		size_t told;
	} rows[] = {
		{ "", 4 },
		{ ",\"event\":\"bounced\"", 1 },
		{ ",\"event\":\"bounced, delivered\"", 3 },
		{ ",\"sender\":\"a@one.test\"", 2 },
		{ ",\"sender\":\"@ONE.test\"", 3 },
		{ ",\"sender\":\"<>\"", 1 },
		{ ",\"recipient\":\"bob@two.test\"", 2 },
		{ ",\"domain\":\"two.test\"", 3 },
		{ ",\"domain\":\"o.test\"", 0 },
		{ ",\"about\":\"b@one.test\"", 1 },
		{ ",\"sender\":\"a@one.test\",\"recipient\":\"bob@two.test\"", 1 },
		{ ",\"id\":\"0000000000001\"", 0 },
	};
	struct world *world = *state;
	char request[200];

	add(world, EVENT_RECEIVED, "<a@one.test>", "");
	add(world, EVENT_DELIVERED, "a@one.test", "bob@two.test");
	add(world, EVENT_DELIVERED, "b@one.test", "eve@two.test");
	add(world, EVENT_BOUNCED, "<>", "bob@two.test");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(request, sizeof request, "{\"since\":\"1h\"%s}", rows[i].members);
		ask(world, request);
		assert_int_equal(told(world), rows[i].told);
	}
	event_of_alias(world);
	ask(world, "{\"since\":\"1h\",\"recipient\":\"team@here.test\"}");
	assert_int_equal(told(world), 1);
	ask(world, "{}");
	assert_int_equal(told(world), 0); /* What is over is over. */
	assert_string_equal(json_string_value(json_object_get(world->answer, "next")), "77.5");
}

static void what_was_missed_is_said(void **state)
{
	struct world *world = *state;

	ask(world, "{}");
	for (unsigned i = 0; i < FEED_EVENTS_MAX + 5; i++)
		add(world, EVENT_DELIVERED, "a@one.test", "bob@two.test");
	ask(world, "{\"after\":\"77.0\",\"limit\":3}");
	assert_int_equal(number(world, "lost"), 5);
	assert_int_equal(told(world), 3);
	assert_string_equal(json_string_value(json_object_get(world->answer, "next")), "77.8");
	ask(world, "{\"after\":\"77.8\"}");
	assert_int_equal(number(world, "lost"), 0);

	/* Who comes later has missed nothing, but is told how far back it goes. */
	ask(world, "{\"since\":\"1h\"}");
	assert_int_equal(number(world, "lost"), 0);
	assert_non_null(json_object_get(world->answer, "remembered_since"));

	/* The number is of a server before this one. */
	ask(world, "{\"after\":\"76.9000\",\"limit\":2}");
	assert_true(json_is_true(json_object_get(world->answer, "restarted")));
	assert_int_equal(told(world), 2);
}

static void happens_later(void *context)
{
	struct world *world = context;

	add(world, EVENT_DELIVERED, "a@one.test", "bob@two.test");
}

static void who_waits_is_answered_when_it_happens(void **state)
{
	struct world *world = *state;

	world->timer = loop_timer_new(world->admin.settings.loop, happens_later, world);
	loop_timer_set(world->timer, 10);
	ask(world, "{\"after\":\"77.0\",\"wait\":true,\"recipient\":\"bob@two.test\"}");
	assert_int_equal(world->answers, 0);
	assert_int_equal(world->admin.tails, 1);
	loop_run(world->admin.settings.loop);
	assert_int_equal(world->answers, 1);
	assert_int_equal(told(world), 1);
	assert_int_equal(world->admin.tails, 0);
	assert_null(world->admin.pending);
}

static void who_waits_is_bounded(void **state)
{
	struct world *world = *state;

	for (unsigned i = 0; i < ADMIN_TAILS_MAX; i++)
		ask(world, "{\"after\":\"77.0\",\"wait\":true}");
	assert_int_equal(world->answers, 0);
	ask(world, "{\"after\":\"77.0\",\"wait\":true}");
	assert_int_equal(number(world, "exit"), EX_TEMPFAIL);
	while (world->admin.pending != NULL) {
		struct admin_pending *pending = world->admin.pending;

		DL_DELETE(world->admin.pending, pending);
		pending->give_up(pending);
	}
	assert_int_equal(world->answers, ADMIN_TAILS_MAX + 1);
}

static void what_is_wrong_is_refused(void **state)
{
	static const char *const wrong[] = { "{\"event\":\"nonsense\"}", "{\"event\":\"\"}", "{\"sender\":\"\"}", "{\"sender\":7}",
		"{\"id\":\"x\"}", "{\"about\":\"x\"}", "{\"since\":\"x\"}", "{\"after\":\"7\"}", "{\"after\":\"77.x\"}" };
	struct world *world = *state;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		ask(world, wrong[i]);
		assert_int_equal(number(world, "exit"), EX_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(filters_choose, begin, end),
		cmocka_unit_test_setup_teardown(what_was_missed_is_said, begin, end),
		cmocka_unit_test_setup_teardown(who_waits_is_answered_when_it_happens, begin, end),
		cmocka_unit_test_setup_teardown(who_waits_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_refused, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
