#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "events/counters.h"

static void sums_are_taken_over_lanes(void **state)
{
	struct counters one = { 0 }, two = { 0 }, sum = { 0 };

	(void)state;
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		counters_add(&one, (enum counter)i, i + 1);
		counters_add(&one, (enum counter)i, 1);
		counters_add(&two, (enum counter)i, 1000);
	}
	counters_sum(&sum, &one);
	counters_sum(&sum, &two);
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		assert_int_equal(counters_get(&one, (enum counter)i), i + 2);
		assert_int_equal(counters_get(&sum, (enum counter)i), i + 1002);
	}
}

/* What one event of a kind counts, and nothing else. */
static const struct {
	enum event_kind kind;
	const char *host, *recipient;
	struct {
		enum counter counter;
		uint64_t value;
	} expected[3];
} counted[] = {
	{ EVENT_RECEIVED, NULL, NULL, { { COUNTER_RECEIVED, 1 }, { COUNTER_RECEIVED_BYTES, 4096 }, { COUNTER_RECEIVED_RECIPIENTS, 3 } } },
	{ EVENT_REJECTED, NULL, "a@b", { { COUNTER_REJECTED, 1 }, { COUNTER_REJECTED_RECIPIENTS, 1 } } },
	{ EVENT_REJECTED, NULL, NULL, { { COUNTER_REJECTED, 1 } } },
	{ EVENT_DELIVERED, "/var/mail/b/a", "a@b", { { COUNTER_DELIVERED, 1 }, { COUNTER_DELIVERED_HERE, 1 } } },
	{ EVENT_DELIVERED, "mx.b[192.0.2.1]", "a@b", { { COUNTER_DELIVERED, 1 } } },
	{ EVENT_DEFERRED, "/var/mail/b/a", "a@b", { { COUNTER_DEFERRED, 1 }, { COUNTER_DEFERRED_HERE, 1 } } },
	{ EVENT_DEFERRED, NULL, "a@b", { { COUNTER_DEFERRED, 1 } } },
	{ EVENT_BOUNCED, "/m", "a@b", { { COUNTER_BOUNCED, 1 }, { COUNTER_BOUNCED_HERE, 1 } } },
	{ EVENT_ATTEMPT, "/m", NULL, { { COUNTER_ATTEMPTS, 1 } } },
	{ EVENT_GENERATED, NULL, NULL, { { COUNTER_REPORTS, 1 } } },
	{ EVENT_FINISHED, NULL, NULL, { { COUNTER_FINISHED, 1 } } },
	{ EVENT_HANDSHAKE_FAILED, NULL, NULL, { { COUNTER_TLS_IN_FAILED, 1 } } },
	{ EVENT_LIST_FAILED, NULL, NULL, { { COUNTER_LISTS_FAILED, 1 } } },
	{ EVENT_PROXY_REFUSED, NULL, NULL, { { COUNTER_PROXY_REFUSED, 1 } } },
	{ EVENT_LOGIN_FAILED, NULL, NULL, { { COUNTER_LOGINS_FAILED, 1 } } },
	{ EVENT_LOGIN_DEFERRED, NULL, NULL, { { COUNTER_LOGINS_DEFERRED, 1 } } },
};

static void events_are_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
		struct event event = { .kind = counted[i].kind };
		struct counters counters = { 0 };
		uint64_t sum = 0, expected_sum = 0;

		event.fields[EVENT_FIELD_SIZE] = TEXT("4096");
		event.fields[EVENT_FIELD_RECIPIENTS] = TEXT("3");
		event.fields[EVENT_FIELD_HOST] = text_of(counted[i].host);
		event.fields[EVENT_FIELD_RECIPIENT] = text_of(counted[i].recipient);
		counters_count_event(&counters, &event);
		for (size_t k = 0; k < 3 && counted[i].expected[k].value > 0; k++) {
			assert_int_equal(counters_get(&counters, counted[i].expected[k].counter), counted[i].expected[k].value);
			expected_sum += counted[i].expected[k].value;
		}
		for (unsigned c = 0; c < COUNTER_COUNT; c++)
			sum += counters_get(&counters, (enum counter)c);
		assert_int_equal(sum, expected_sum);
	}
}

static void every_kind_of_event_has_a_counter(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		const struct event event = { .kind = (enum event_kind)kind };
		struct counters counters = { 0 };
		unsigned touched = 0;

		counters_count_event(&counters, &event);
		for (unsigned c = 0; c < COUNTER_COUNT; c++)
			touched += counters_get(&counters, (enum counter)c) == 1;
		assert_int_equal(touched, 1);
	}
}

static void words_differ_and_are_explained(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		assert_true(counter_prose((enum counter)i)[0] != '\0');
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(counter_word((enum counter)i), counter_word((enum counter)k));
	}
	assert_string_equal(counter_word(COUNTER_RECEIVED_BYTES), "received-bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_taken_over_lanes),
		cmocka_unit_test(events_are_counted),
		cmocka_unit_test(every_kind_of_event_has_a_counter),
		cmocka_unit_test(words_differ_and_are_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
