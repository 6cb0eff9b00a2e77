/* Which limits hold, how a rate is spread, and who hosts are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/shape.h"

static const struct text google[] = { { ".google.com", 11 }, { "mx.other.test", 13 } };
static const struct shape shapes[] = {
	{ .pattern = { "*", 1 } },
	{ .pattern = { "google", 6 }, .mx = google, .mx_count = 2 },
	{ .pattern = { ".example.net", 12 } },
	{ .pattern = { ".b.example.net", 14 } },
	{ .pattern = { "a.example.net", 13 } },
};

static struct host host_of(const char *name, uint16_t port)
{
	return (struct host){ .name = text_of(name), .endpoint = { .family = ENDPOINT_IP4, .port = port } };
}

static void test_the_most_exact_holds(void **state)
{
	static const struct {
		const char *domain, *host;
		size_t holds;
	} cases[] = {
		{ "a.example.net", NULL, 4 },
		{ "A.Example.NET", "mx.google.com", 4 },
		{ "c.example.net", NULL, 2 },
		{ "x.b.example.net", "mx.google.com", 3 },
		{ "example.net", NULL, 0 },
		{ "badexample.net", NULL, 0 },
		{ "other.test", "ASPMX.L.Google.com", 1 },
		{ "other.test", "google.com", 0 },
		{ "other.test", "mx.other.test", 1 },
		{ "other.test", "x.mx.other.test", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct host host = host_of(cases[i].host ? cases[i].host : "", 25);
		const struct host_list list = { .hosts = &host, .host_count = cases[i].host ? 1 : 0 };
		const struct shape *shape = shape_find(shapes, 5, text_of(cases[i].domain), &list);

		if (shape != &shapes[cases[i].holds])
			fail_msg("case %zu", i);
	}
	assert_null(shape_find(shapes + 2, 3, TEXT("other.test"), NULL));
}

static void test_a_rate_is_spread(void **state)
{
	static const struct {
		struct rate rate, spread;
	} cases[] = {
		{ { 100, 3600000 }, { 1, 36000 } },
		{ { 7, 60000 }, { 1, 8572 } },
		{ { 100, 60000 }, { 2, 1200 } },
		{ { 60, 60000 }, { 2, 2000 } },
		{ { 1000, 1000 }, { 1001, 1001 } },
		{ { RATE_COUNT_MAX, RATE_PERIOD_MS_MIN }, { RATE_COUNT_MAX, RATE_PERIOD_MS_MIN } },
		{ { 1, RATE_PERIOD_MS_MAX }, { 1, RATE_PERIOD_MS_MAX } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rate spread = shape_spread(cases[i].rate);

		if (spread.count != cases[i].spread.count || spread.period_ms != cases[i].spread.period_ms)
			fail_msg("case %zu: %u in %lld ms", i, spread.count, (long long)spread.period_ms);
	}
}

static struct text key_of(const struct shape *shape, const struct host *hosts, size_t count, struct arena *arena)
{
	const struct host_list list = { .hosts = hosts, .host_count = count };
	struct text key;

	assert_true(shape_site_key(shape, &list, arena, &key));
	return key;
}

static void test_the_same_hosts_are_one_site(void **state)
{
	const struct host ab[] = { host_of("a.test", 25), host_of("B.test", 25), host_of("b.test", 25) };
	const struct host ba[] = { host_of("b.test", 25), host_of("a.test", 25) };
	const struct host other[] = { host_of("a.test", 26), host_of("b.test", 25) };
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	assert_true(text_equal(key_of(NULL, ab, 3, arena), TEXT("a.test:25,b.test:25")));
	assert_true(text_equal(key_of(NULL, ab, 3, arena), key_of(NULL, ba, 2, arena)));
	assert_false(text_equal(key_of(NULL, ab, 3, arena), key_of(NULL, other, 2, arena)));
	assert_false(text_equal(key_of(NULL, ab, 3, arena), key_of(NULL, ab, 1, arena)));
	/* What is fixed for some domains is theirs alone; of a provider all hosts are one. */
	assert_true(text_equal(key_of(&shapes[2], ba, 2, arena), TEXT(".example.net at a.test:25,b.test:25")));
	assert_true(text_equal(key_of(&shapes[0], ba, 2, arena), key_of(NULL, ab, 3, arena)));
	assert_true(text_equal(key_of(&shapes[1], ab, 3, arena), key_of(&shapes[1], other, 2, arena)));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_the_most_exact_holds),
		cmocka_unit_test(test_a_rate_is_spread), cmocka_unit_test(test_the_same_hosts_are_one_site) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
