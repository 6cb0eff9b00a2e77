#include "reports/test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#define ZLIB_CONST
#include <zlib.h>

#include <cmocka.h>

enum { WATCHDOG_MS = 30000, ARENA_BYTES = 64 << 20 };

/* -- The world ------------------------------------------------------------------------------ */

static void too_long(void *context)
{
	(void)context;
	fail_msg("nothing happened for too long");
}

static void wake(void *context) { loop_wake_send(context); }

static void poll_spool(void *context) { (void)spool_port_poll(((struct reports_world *)context)->port); }

static int64_t now(void *context) { return ((struct reports_world *)context)->now_ms; }

static void report(void *context, const struct event *event)
{
	struct reports_world *world = context;

	assert_true(buffer_print(&world->events, "%s %.*s %.*s %.*s %.*s %.*s\n", event_kind_word(event->kind),
	    TEXT_FORMAT(event->fields[EVENT_FIELD_ABOUT]), TEXT_FORMAT(event->fields[EVENT_FIELD_DAY]),
	    TEXT_FORMAT(event->fields[EVENT_FIELD_DOMAIN]), TEXT_FORMAT(event->fields[EVENT_FIELD_TARGETS]),
	    TEXT_FORMAT(event->fields[EVENT_FIELD_REASON])));
}

void reports_world_open(struct reports_world *world)
{
	*world = (struct reports_world){ .loop = loop_new() };
	world->watchdog = loop_timer_new(world->loop, too_long, NULL);
	loop_timer_set(world->watchdog, WATCHDOG_MS);
	world->wake = loop_wake_new(world->loop, poll_spool, world);
	world->arena = arena_new(ARENA_BYTES);
	buffer_init(&world->events, TEST_ROOM);
	assert_int_equal(spool_memory_open(&world->spool), OK);
	assert_int_equal(spool_port_open(world->spool, 0, wake, world->wake, &world->port), OK);
	queue_id_source_init(&world->ids, 0, 0);
	world->web = web_new(world->loop);
	assert_non_null(world->web);
	world->settings = (struct reports_settings){ .hostname = TEXT("mail.example.org"),
		.contact = { TEXT("postmaster"), TEXT("example.org") } };
}

void reports_world_set_zone(struct reports_world *world, const char *zone)
{
	const char *reason = NULL;

	world->dns = dns_zone_new(world->loop, text_of(zone), &reason);
	assert_non_null(world->dns);
}

void reports_world_close(struct reports_world *world)
{
	spool_port_close(world->port);
	reports_free(world->reports);
	web_free(world->web);
	dns_free(world->dns);
	spool_close(world->spool);
	buffer_done(&world->events);
	arena_free(world->arena);
	loop_wake_free(world->wake);
	loop_timer_free(world->again);
	loop_timer_free(world->watchdog);
	loop_free(world->loop);
}

void reports_world_count(struct reports_world *world, const struct tally_set *set, struct text row, unsigned times)
{
	struct spool_change *change = spool_change_new();

	spool_change_tally(change, set, row, times);
	spool_submit(world->port, change, NULL, NULL);
	(void)spool_port_poll(world->port);
}

/* -- Reporting ------------------------------------------------------------------------------- */

void reports_world_start(struct reports_world *world)
{
	const struct reports_parts parts = { .loop = world->loop, .spool = world->spool, .port = world->port, .ids = &world->ids,
		.web = world->web, .sink = { report, world }, .now_unix_ms = now, .now_context = world };

	reports_free(world->reports);
	world->reports = reports_new(&parts, &world->settings);
	assert_non_null(world->reports);
	reports_set_dns(world->reports, world->dns);
}

static void was_sent(void *context, const struct reports_sum *sum)
{
	struct reports_world *world = context;

	world->sum = *sum;
	world->sent = true;
	loop_stop(world->loop);
}

/* Others may be under way: again in a moment. */
static void try_to_send(void *context)
{
	struct reports_world *world = context;

	if (!reports_send(world->reports, world->first, world->last, was_sent, world))
		loop_timer_set(world->again, 1);
}

void reports_world_send(struct reports_world *world, uint32_t first, uint32_t last)
{
	world->first = first;
	world->last = last;
	if (world->reports == NULL)
		reports_world_start(world);
	if (world->again == NULL)
		world->again = loop_timer_new(world->loop, try_to_send, world);
	world->sent = false;
	loop_timer_set(world->again, 0);
	loop_run(world->loop);
	assert_true(world->sent);
}

/* -- Reading -------------------------------------------------------------------------------- */

struct text reports_world_unpacked(struct reports_world *world, struct text packed)
{
	char *plain = arena_alloc(world->arena, TEST_ROOM);
	z_stream stream = { .next_in = (const Bytef *)packed.bytes, .avail_in = (uInt)packed.length, .next_out = (Bytef *)plain,
		.avail_out = TEST_ROOM };

	assert_non_null(plain);
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);
	return (struct text){ plain, stream.total_out };
}

bool test_json_has(const json_t *object, const char *members)
{
	json_t *wanted = json_loads(members, 0, NULL);
	const json_t *value;
	const char *key;
	bool same = wanted != NULL;

	json_object_foreach (wanted, key, value)
		same = same && json_equal(json_object_get(object, key), value);
	json_decref(wanted);
	if (!same)
		json_dumpf(object, stderr, 0);
	return same;
}
