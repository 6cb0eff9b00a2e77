/* What is counted for reports, as operators see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin_private.h"
#include "base/must.h"
#include "dsn/tls_result.h"
#include "reports/test_world.h"

enum { DAY = 20000 }; /* 2024-10-04 */

struct world {
	struct spool *spool;
	struct spool_port *port;
	json_t *answer;
};

static void wake(void *context) { (void)context; }

static void count(struct world *world, enum tally_kind kind, uint32_t day, const char *domain, struct text row, unsigned times)
{
	const struct tally_set set = { kind, day, text_of(domain) };
	struct spool_change *change = spool_change_new();

	spool_change_tally(change, &set, row, times);
	spool_submit(world->port, change, NULL, NULL);
	spool_port_poll(world->port);
}

static void count_tls(struct world *world, const char *domain, enum tls_result_type type, const char *reason, unsigned times)
{
	const struct tls_result result = { .policy = TLS_POLICY_STS, .type = type, .mx = TEXT("mx.a.test"), .reason = text_of(reason) };
	char room[TLS_RESULT_ROW_MAX];

	count(world, TALLY_TLS, DAY, domain, tls_result_encode(&result, room), times);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	must(spool_memory_open(&world->spool) == OK);
	must(spool_port_open(world->spool, 1, wake, world, &world->port) == OK);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	json_decref(world->answer);
	spool_port_close(world->port);
	spool_close(world->spool);
	free(world);
	return 0;
}

static const json_t *ask(struct world *world, const char *key, const char *value)
{
	json_t *request = json_pack("{s:s}", "do", "reports");

	if (key != NULL)
		json_object_set_new(request, key, json_string(value));
	json_decref(world->answer);
	world->answer = admin_ask(world->spool, request);
	json_decref(request);
	return json_object_get(world->answer, "sets");
}

static void what_is_counted_is_listed(void **state)
{
	struct world *world = *state;
	const json_t *sets = ask(world, NULL, NULL);

	assert_int_equal(json_array_size(sets), 0);
	count_tls(world, "b.test", TLS_RESULT_SUCCESS, "", 5);
	count_tls(world, "a.test", TLS_RESULT_CERTIFICATE_EXPIRED, "", 2);
	count(world, TALLY_DMARC, DAY + 1, "a.test", TEXT("row"), 1);
	sets = ask(world, NULL, NULL);
	assert_int_equal(json_array_size(sets), 3);
	assert_true(test_json_has(json_array_get(sets, 0),
	    "{\"day\": \"2024-10-04\", \"kind\": \"tls\", \"domain\": \"a.test\", \"count\": 2, \"rows\": 1, \"overflow\": 0}"));
	assert_true(test_json_has(json_array_get(sets, 1), "{\"kind\": \"tls\", \"domain\": \"b.test\", \"count\": 5}"));
	assert_true(test_json_has(json_array_get(sets, 2), "{\"day\": \"2024-10-05\", \"kind\": \"dmarc\"}"));
}

static void of_a_domain_every_row_is_shown(void **state)
{
	struct world *world = *state;
	const json_t *sets, *rows;

	count_tls(world, "a.test", TLS_RESULT_SUCCESS, "", 5);
	count_tls(world, "a.test", TLS_RESULT_CERTIFICATE_EXPIRED, "too old", 2);
	count_tls(world, "b.test", TLS_RESULT_SUCCESS, "", 1);
	count(world, TALLY_DMARC, DAY + 1, "a.test", TEXT("row"), 4);
	sets = ask(world, "domain", "A.Test");
	assert_int_equal(json_array_size(sets), 2);
	rows = json_object_get(json_array_get(sets, 0), "rows");
	assert_int_equal(json_array_size(rows), 2);
	const json_t *failed = json_array_get(rows, json_object_get(json_array_get(rows, 0), "reason") != NULL &&
	    json_string_length(json_object_get(json_array_get(rows, 0), "reason")) > 0 ? 0 : 1);

	assert_true(test_json_has(failed, "{\"policy\": \"sts\", \"result\": \"certificate-expired\", \"mx\": \"mx.a.test\", "
			       "\"reason\": \"too old\", \"count\": 2}"));
	assert_true(test_json_has(json_array_get(sets, 1), "{\"kind\": \"dmarc\", \"rows\": [{\"count\": 4}]}"));
	assert_int_equal(json_array_size(ask(world, "domain", "c.test")), 0);
	assert_null(ask(world, "domain", "no domain"));
}

static void pages_go_on_where_the_one_before_ended(void **state)
{
	enum { MANY = ADMIN_PAGE_MAX + 20 };
	struct world *world = *state;
	char domain[16], next[64];
	size_t seen;

	for (int i = 0; i < MANY; i++) {
		snprintf(domain, sizeof domain, "d%04d.test", i);
		count_tls(world, domain, TLS_RESULT_SUCCESS, "", 1);
	}
	count(world, TALLY_DMARC, DAY, "a.test", TEXT("row"), 1);
	seen = json_array_size(ask(world, NULL, NULL));
	assert_int_equal(seen, ADMIN_PAGE_MAX - 1); /* And the day's account. */
	snprintf(next, sizeof next, "%s", json_string_value(json_object_get(world->answer, "next")));
	assert_string_equal(next, "tls 2024-10-04 d0498.test");
	seen += json_array_size(ask(world, "after", next));
	assert_int_equal(seen, MANY + 1);
	assert_true(json_is_null(json_object_get(world->answer, "next")));
	assert_null(ask(world, "after", "tls yesteryear a.test"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_counted_is_listed),
		TEST(of_a_domain_every_row_is_shown),
		TEST(pages_go_on_where_the_one_before_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
