#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "events/counters.h"

static struct event sample(void)
{
	struct event event = { .kind = EVENT_DEFERRED, .time_ms = 1764000000123, .id = 77 };

	event.fields[EVENT_FIELD_RECIPIENT] = TEXT("a@b");
	event.fields[EVENT_FIELD_CODE] = TEXT("451");
	event.fields[EVENT_FIELD_REPLY] = TEXT("say \"hi\"\r\n\xff end");
	event.fields[EVENT_FIELD_USER] = TEXT("");
	return event;
}

static void stored_events_come_back(void **state)
{
	const struct event event = sample();
	struct event back;
	struct buffer stored;

	(void)state;
	buffer_init(&stored, 4096);
	assert_true(event_encode(&event, &stored));
	assert_int_equal(event_decode(77, buffer_text(&stored), &back), OK);
	assert_int_equal(back.kind, event.kind);
	assert_int_equal(back.time_ms, event.time_ms);
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++) {
		assert_true(text_equal(back.fields[i], event.fields[i]));
		assert_int_equal(back.fields[i].bytes == NULL, event.fields[i].bytes == NULL);
	}
	/* Every cut that does not end between two fields is refused, and none is read past its end. */
	for (size_t length = 0; length < stored.length; length++) {
		struct buffer cut;

		buffer_init(&cut, 4096);
		assert_true(buffer_append(&cut, text_part(buffer_text(&stored), 0, length)));
		if (event_decode(1, buffer_text(&cut), &back) == OK)
			assert_true(length >= 9);
		buffer_done(&cut);
	}
	buffer_done(&stored);
}

static void lines_are_safe_to_read(void **state)
{
	const struct event event = sample();
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	assert_true(event_print_text(&event, &out));
	assert_true(text_equal(buffer_text(&out),
	    TEXT("2025-11-24T16:00:00.123Z 000000000002d deferred to=a@b user=\"\" code=451 "
	         "reply=\"say \\\"hi\\\"\\u000d\\u000a\xef\xbf\xbd end\"")) ||
	    text_find_byte(buffer_text(&out), '\n') == out.length);
	assert_true(text_is_utf8(buffer_text(&out)));
	buffer_clear(&out);
	assert_true(event_print_json(&event, &out));
	const struct text line = buffer_text(&out);
	json_t *json = json_loadb(line.bytes, line.length, 0, NULL);

	assert_non_null(json);
	assert_int_equal(json_integer_value(json_object_get(json, "code")), 451);
	assert_string_equal(json_string_value(json_object_get(json, "event")), "deferred");
	assert_string_equal(json_string_value(json_object_get(json, "reply")), "say \"hi\"\r\n\xef\xbf\xbd end");
	json_decref(json);
	buffer_done(&out);
}

static void counters_add_up(void **state)
{
	struct counters one = { 0 }, sum = { 0 };
	struct event event = { .kind = EVENT_RECEIVED };

	(void)state;
	event.fields[EVENT_FIELD_SIZE] = TEXT("4096");
	counters_count_event(&one, &event);
	counters_count_event(&one, &event);
	counters_sum(&sum, &one);
	counters_sum(&sum, &one);
	assert_int_equal(counters_get(&sum, COUNTER_RECEIVED), 4);
	assert_int_equal(counters_get(&sum, COUNTER_RECEIVED_BYTES), 4 * 4096);
	assert_string_equal(counter_word(COUNTER_RECEIVED_BYTES), "received-bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_events_come_back),
		cmocka_unit_test(lines_are_safe_to_read),
		cmocka_unit_test(counters_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
