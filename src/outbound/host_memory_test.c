#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "outbound/host_memory.h"

enum { NOW = 1'000'000, MINUTE = 60'000, HOUR = 60 * MINUTE };

static struct endpoint host_at(unsigned number)
{
	struct endpoint endpoint = { .family = ENDPOINT_IP4, .port = 25, .ip = { 10, 0, (uint8_t)(number >> 8), (uint8_t)number } };

	return endpoint;
}

static int64_t rest_after(struct host_memory *memory, const struct endpoint *host, int64_t now_ms)
{
	host_memory_failed(memory, host, TEXT_EMPTY, TEXT("connection refused"), now_ms);
	return host_memory_find(memory, host, TEXT_EMPTY)->rests_until_ms - now_ms;
}

/* H3 */
static void a_dead_host_rests_longer_each_time(void **state)
{
	struct host_memory *memory = host_memory_new();
	const struct endpoint host = host_at(1);
	const struct host_known *known;
	const struct capabilities nothing = { 0 };

	(void)state;
	assert_null(host_memory_find(memory, &host, TEXT_EMPTY));
	assert_false(host_known_rests(NULL, NOW));
	assert_int_equal(rest_after(memory, &host, NOW), MINUTE / 2);
	assert_int_equal(rest_after(memory, &host, NOW), MINUTE);
	for (unsigned i = 0; i < 10; i++)
		rest_after(memory, &host, NOW);
	assert_int_equal(rest_after(memory, &host, NOW), 5 * MINUTE);
	known = host_memory_find(memory, &host, TEXT_EMPTY);
	assert_true(text_equal(known->trouble, TEXT("connection refused")));
	assert_true(host_known_rests(known, NOW + 5 * MINUTE - 1));
	assert_false(host_known_rests(known, NOW + 5 * MINUTE));

	/* One probe at a time. */
	host_memory_dialled(memory, &host, TEXT_EMPTY, 1000, NOW + 5 * MINUTE);
	assert_true(host_known_rests(known, NOW + 5 * MINUTE + 999));
	assert_false(host_known_rests(known, NOW + 5 * MINUTE + 1000));

	/* It is back; and what took us a moment ago is not dead. */
	host_memory_heard(memory, &host, TEXT_EMPTY, &nothing, false, NOW + 6 * MINUTE);
	assert_false(host_known_rests(known, NOW + 6 * MINUTE));
	host_memory_failed(memory, &host, TEXT_EMPTY, TEXT("reset"), NOW + 7 * MINUTE - 1);
	assert_false(host_known_rests(known, NOW + 7 * MINUTE - 1));
	assert_int_equal(rest_after(memory, &host, NOW + 7 * MINUTE), MINUTE / 2);
	host_memory_forgive(memory);
	assert_false(host_known_rests(known, NOW + 7 * MINUTE));
	host_memory_dialled(memory, &host, TEXT_EMPTY, 1000, NOW + 7 * MINUTE);
	assert_false(host_known_rests(known, NOW + 7 * MINUTE));
	host_memory_free(memory);
}

static void each_pool_has_its_own_experience(void **state)
{
	struct host_memory *memory = host_memory_new();
	const struct endpoint host = host_at(1), other = host_at(2);

	(void)state;
	host_memory_failed(memory, &host, TEXT("a"), TEXT("no way"), NOW);
	assert_true(host_known_rests(host_memory_find(memory, &host, TEXT("a")), NOW));
	assert_null(host_memory_find(memory, &host, TEXT("b")));
	assert_null(host_memory_find(memory, &host, TEXT_EMPTY));
	assert_null(host_memory_find(memory, &other, TEXT("a")));
	host_memory_free(memory);
}

static void tls_that_is_gone_is_news_once(void **state)
{
	struct host_memory *memory = host_memory_new();
	const struct endpoint host = host_at(1);
	const struct capabilities nothing = { 0 };

	(void)state;
	assert_false(host_memory_lost_tls(memory, &host, TEXT_EMPTY));
	host_memory_heard(memory, &host, TEXT_EMPTY, &nothing, false, NOW);
	assert_false(host_memory_lost_tls(memory, &host, TEXT_EMPTY));
	host_memory_heard(memory, &host, TEXT_EMPTY, &nothing, true, NOW);
	assert_true(host_memory_lost_tls(memory, &host, TEXT_EMPTY));
	assert_false(host_memory_lost_tls(memory, &host, TEXT_EMPTY));
	host_memory_free(memory);
}

static void what_a_host_takes_is_known_for_an_hour(void **state)
{
	static const struct {
		uint32_t offered;
		uint64_t size_max;
		uint16_t flags;
		bool whole_way, unsuitable;
	} rows[] = {
		{ 0, 0, 0, false, false },
		{ 0, 0, ENVELOPE_SMTPUTF8, false, true },
		{ CAPABILITY_SMTPUTF8, 0, ENVELOPE_SMTPUTF8, false, false },
		{ 0, 0, ENVELOPE_8BIT, false, true },
		{ CAPABILITY_8BITMIME, 0, ENVELOPE_8BIT, false, false },
		{ 0, 0, 0, true, true },
		{ CAPABILITY_REQUIRETLS, 0, 0, true, false },
		{ CAPABILITY_SIZE, 1000, 0, false, false },
		{ CAPABILITY_SIZE, 999, 0, false, true },
	};
	const struct endpoint host = host_at(1);

	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct host_memory *memory = host_memory_new();
		const struct envelope envelope = { .flags = rows[i].flags, .body_size = 1000 };
		const struct capabilities offer = { .offered = rows[i].offered, .size_max = rows[i].size_max };

		assert_false(host_known_unsuitable(NULL, &envelope, rows[i].whole_way, NOW));
		host_memory_heard(memory, &host, TEXT_EMPTY, &offer, false, NOW);
		const struct host_known *known = host_memory_find(memory, &host, TEXT_EMPTY);

		assert_int_equal(host_known_unsuitable(known, &envelope, rows[i].whole_way, NOW + HOUR), rows[i].unsuitable);
		assert_false(host_known_unsuitable(known, &envelope, rows[i].whole_way, NOW + HOUR + 1));
		host_memory_free(memory);
	}
}

/* H4 */
static void who_was_met_longest_ago_makes_room(void **state)
{
	struct host_memory *memory = host_memory_new();
	const struct capabilities nothing = { 0 };
	const struct endpoint first = host_at(0), second = host_at(1);

	(void)state;
	for (unsigned i = 0; i < HOSTS_REMEMBERED_MAX; i++) {
		const struct endpoint host = host_at(i);

		host_memory_heard(memory, &host, TEXT_EMPTY, &nothing, false, NOW);
	}
	host_memory_heard(memory, &first, TEXT_EMPTY, &nothing, false, NOW);
	const struct endpoint more = host_at(HOSTS_REMEMBERED_MAX);

	host_memory_heard(memory, &more, TEXT_EMPTY, &nothing, false, NOW);
	assert_non_null(host_memory_find(memory, &first, TEXT_EMPTY));
	assert_null(host_memory_find(memory, &second, TEXT_EMPTY));
	assert_non_null(host_memory_find(memory, &more, TEXT_EMPTY));
	host_memory_free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_host_rests_longer_each_time),
		cmocka_unit_test(each_pool_has_its_own_experience),
		cmocka_unit_test(tls_that_is_gone_is_news_once),
		cmocka_unit_test(what_a_host_takes_is_known_for_an_hour),
		cmocka_unit_test(who_was_met_longest_ago_makes_room),
	};

	return cmocka_run_group_tests_name("outbound/host_memory", tests, NULL, NULL);
}
