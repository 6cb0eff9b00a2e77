/* The picture of `postroad top`, of made-up answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/top_frame.h"

static const char stats_text[] = "{\"version\":\"9.9\",\"spool\":{\"messages\":3,\"recipients\":5},"
	"\"queue\":{\"deliveries\":2,\"active_domains\":1,\"in_trouble\":1,\"trouble\":[{\"destination\":\"slow.test\",\"gate\":\"down\","
	"\"paused_until\":\"2023-11-14T22:15:20.000Z\",\"lane\":1,\"deliveries\":0,\"concurrency\":1,\"last_trouble\":\"451 later\"}]},"
	"\"counters\":{\"received\":1000,\"rejected\":10,\"delivered\":900,\"delivered-here\":300,\"deferred\":50,\"bounced\":4,\"discarded\":1},"
	"\"lanes\":[{\"received\":600,\"attempts\":500},{\"received\":400,\"attempts\":450}],"
	"\"times\":{\"time-to-250\":{\"bounds\":[10,100,5000],\"counts\":[60,35,4,1]},"
	"\"time-in-queue\":{\"bounds\":[10,100,5000],\"counts\":[0,0,0,0]}},"
	"\"host\":{\"uptime_ms\":100000,\"load\":1500,\"spool_free_bytes\":2500000000}}";
static const char destinations_text[] = "{\"destinations\":[{\"domain\":\"slow.test\",\"recipients\":5,\"held\":1,\"paused\":1,"
	"\"oldest\":\"2023-11-14T20:13:20.000Z\",\"next\":\"2023-11-14T22:14:20.000Z\",\"last\":\"mx said: 451 later\"}],\"complete\":false}";

struct world {
	json_t *stats, *destinations;
	struct top_sample now, before;
	struct top_view view;
	struct buffer out;
};

static int begin(void **state)
{
	static struct world world;

	world = (struct world){ .stats = json_loads(stats_text, 0, NULL), .destinations = json_loads(destinations_text, 0, NULL) };
	world.now = top_sample_of(world.stats);
	world.view = (struct top_view){ .stats = world.stats, .destinations = world.destinations, .now = &world.now, .unix_ms = 1700000000000 };
	buffer_init(&world.out, TOP_FRAME_BYTES);
	*state = &world;
	return world.stats != NULL && world.destinations != NULL ? 0 : -1;
}

static int end(void **state)
{
	struct world *world = *state;

	json_decref(world->stats);
	json_decref(world->destinations);
	buffer_done(&world->out);
	return 0;
}

static const char *draw(struct world *world)
{
	buffer_clear(&world->out);
	assert_true(top_frame(&world->view, &world->out));
	assert_true(buffer_append(&world->out, (struct text){ "", 1 }));
	return buffer_text(&world->out).bytes;
}

#define assert_holds(picture, part) assert_non_null(strstr(picture, part))

static void shows_what_there_is(void **state)
{
	const char *picture = draw(*state);

	assert_holds(picture, "postroad 9.9  22:13:20Z  up 1m  load 1.50  disk of the spool 2.5 GB free");
	assert_holds(picture, "in                     -          -       10.0         1000");
	assert_holds(picture, "to mailboxes here      -          -        3.0          300");
	assert_holds(picture, "to other hosts         -          -        6.0          600");
	assert_holds(picture, "failed for good        -          -        0.1            5");
	assert_holds(picture, "until 250: half <= 10 ms, 95% <= 100 ms;  in the queue: half -, 95% -");
	assert_holds(picture, "lanes  0: 6.0 in, 5.0 attempts   1: 4.0 in, 4.5 attempts");
	assert_holds(picture, "queue: 3 messages, 5 recipients; 2 deliveries under way, 1 domains in work, 1 destinations in trouble");
	assert_holds(picture, "slow.test: down, tried in 2m (lane 1, 0 of 1 under way): 451 later");
	assert_holds(picture, "      5      2  2h 0m    1m        slow.test  mx said: 451 later");
	assert_holds(picture, "and more");
	assert_null(strchr(picture, '\033'));
}

static void rates_are_of_what_came_since(void **state)
{
	struct world *world = *state;

	world->before = world->now;
	world->before.uptime_ms -= 2000;
	world->before.counts[0] -= 50;
	world->view.before = world->view.minute = &world->before;
	assert_holds(draw(world), "in                  25.0       25.0       10.0         1000");
	/* Nothing came in this minute. */
	assert_holds(draw(world), "until 250: half -, 95% -");
	/* Another server: its counts are no differences. */
	world->before.uptime_ms = 500000;
	assert_holds(draw(world), "in                  10.0       10.0       10.0         1000");
}

static void programs_get_the_same(void **state)
{
	struct world *world = *state;

	world->before = world->now;
	world->before.uptime_ms -= 2000;
	world->before.counts[0] -= 50;
	json_t *first = top_frame_json(&world->view), *in = json_object_get(json_object_get(first, "rates"), "in");
	const json_t *time = json_object_get(json_object_get(first, "times"), "time-to-250");

	assert_string_equal(json_string_value(json_object_get(first, "time")), "2023-11-14T22:13:20.000Z");
	assert_int_equal(json_integer_value(json_object_get(in, "all")), 1000);
	assert_true(json_real_value(json_object_get(in, "a_second")) == 10);
	assert_true(json_is_null(json_object_get(in, "a_second_now")));
	assert_int_equal(json_integer_value(json_object_get(time, "half_below_ms")), 10);
	assert_int_equal(json_integer_value(json_object_get(time, "95_percent_below_ms")), 100);
	assert_true(json_is_null(json_object_get(json_object_get(json_object_get(first, "times"), "time-in-queue"), "half_below_ms")));
	assert_true(json_equal(json_object_get(first, "destinations"), json_object_get(world->destinations, "destinations")));
	assert_true(json_is_null(json_object_get(first, "held_back")));
	assert_true(json_is_false(json_object_get(first, "complete")));
	assert_int_equal(json_array_size(json_object_get(first, "lanes")), 2);
	json_decref(first);
	world->view.before = &world->before;
	first = top_frame_json(&world->view);
	assert_true(json_real_value(json_object_get(json_object_get(json_object_get(first, "rates"), "in"), "a_second_now")) == 25);
	json_decref(first);
}

static void what_is_held_back_is_told(void **state)
{
	struct world *world = *state;

	json_object_set_new(json_array_get(json_object_get(world->destinations, "destinations"), 0), "state",
	    json_pack("{s:s}", "gate", "paced"));
	assert_holds(draw(world), "slow.test  waits for its rate  mx said: 451 later");
}

static void fits_any_screen(void **state)
{
	struct world *world = *state;

	json_object_set_new(json_array_get(json_object_get(world->destinations, "destinations"), 0), "last", json_string("\xc3\xa4\xc3\xa4\xc3\xa4 long answer of somebody"));
	for (unsigned rows = 1; rows < 25; rows++) {
		for (unsigned columns = 1; columns < 100; columns++) {
			const char *line;
			unsigned lines = 0;

			world->view.rows = rows;
			world->view.columns = columns;
			line = draw(world);
			while (line != NULL) {
				const char *next = strchr(line, '\n');
				const size_t length = next ? (size_t)(next - line) : strlen(line);
				size_t characters = 0;

				for (size_t i = 0; i < length; i++)
					characters += ((unsigned char)line[i] & 0xc0) != 0x80;
				assert_true(characters <= columns);
				assert_true(text_is_utf8((struct text){ line, length }));
				lines++;
				line = next ? next + 1 : NULL;
			}
			assert_true(lines <= rows);
		}
	}
	world->view.trouble = "The server does not answer";
	world->view.columns = 0;
	assert_holds(draw(world), "does not answer; what follows is old");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shows_what_there_is, begin, end),
		cmocka_unit_test_setup_teardown(rates_are_of_what_came_since, begin, end),
		cmocka_unit_test_setup_teardown(programs_get_the_same, begin, end),
		cmocka_unit_test_setup_teardown(what_is_held_back_is_told, begin, end),
		cmocka_unit_test_setup_teardown(fits_any_screen, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
