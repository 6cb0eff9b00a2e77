#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/spf.h"
#include "io/loop.h"
#include "lookup/lookup.h"

static const char zone[] =
    "{\"a.test\": {\"TXT\": [[\"v=spf1 mx \", \"-all\"]], \"MX\": [[10, \"mail.a.test\"]]},"
    " \"mail.a.test\": {\"A\": [\"192.0.2.1\"]}, \"late.test\": \"TIMEOUT\"}";

struct world {
	struct loop *loop;
	struct dns *dns;
	struct arena *arena;
	struct spf *spf;
	unsigned heard, ended;
	enum answer_status last;
};

static void heard(void *context, const struct question *question, enum answer_status status)
{
	struct world *world = context;

	assert_true(question->name.length > 0);
	world->heard++;
	world->last = status;
}

static void ended(void *context)
{
	struct world *world = context;

	world->ended++;
	loop_stop(world->loop);
}

static struct lookup *begin(struct world *world, const char *sender)
{
	const struct lookup_listener listener = { .done = ended, .heard = heard, .context = world };
	struct spf_request request = { .sender = text_of(sender) };

	assert_true(endpoint_parse_ip(TEXT("192.0.2.1"), &request.client));
	world->heard = world->ended = 0;
	world->spf = spf_new(&request, world->arena);
	struct lookup *lookup = lookup_start(world->dns, &lookup_spf, world->spf, &listener);

	assert_non_null(lookup);
	assert_int_equal(world->heard + world->ended, 0);
	return lookup;
}

static void an_evaluator_gets_its_answers(void **state)
{
	struct world *world = *state;

	begin(world, "x@a.test");
	loop_run(world->loop);
	assert_int_equal(world->ended, 1);
	assert_int_equal(world->heard, 3);
	assert_int_equal(spf_verdict(world->spf)->result, AUTH_PASS);

	begin(world, "x@absent.test");
	loop_run(world->loop);
	assert_int_equal(world->last, ANSWER_ABSENT);
	assert_int_equal(spf_verdict(world->spf)->result, AUTH_NONE);

	begin(world, "x@mail.a.test");
	loop_run(world->loop);
	assert_int_equal(world->last, ANSWER_EMPTY);

	begin(world, "x@late.test");
	loop_run(world->loop);
	assert_int_equal(world->last, ANSWER_FAILED);
	assert_int_equal(spf_verdict(world->spf)->result, AUTH_TEMPERROR);
}

static void what_is_cancelled_stays_silent(void **state)
{
	struct world *world = *state;
	struct lookup *cancelled = begin(world, "x@a.test");

	lookup_cancel(cancelled);
	lookup_cancel(NULL);
	begin(world, "x@absent.test");
	loop_run(world->loop);
	assert_int_equal(world->ended, 1);
	assert_int_equal(world->heard, 1);
}

static int set_up(void **state)
{
	static struct world world;
	const char *reason;

	world = (struct world){ .loop = loop_new(), .arena = arena_new(1 << 20) };
	world.dns = dns_zone_new(world.loop, text_of(zone), &reason);
	*state = &world;
	return world.dns != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	dns_free(world->dns);
	loop_free(world->loop);
	arena_free(world->arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(
						an_evaluator_gets_its_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_cancelled_stays_silent, set_up, tear_down) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
