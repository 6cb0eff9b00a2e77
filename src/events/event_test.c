#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "events/event.h"

enum { HEAD_BYTES = 9 };

static struct event sample(void)
{
	struct event event = { .kind = EVENT_DEFERRED, .time_ms = 1764000000123, .id = 77 };

	event.fields[EVENT_FIELD_RECIPIENT] = TEXT("a@b");
	event.fields[EVENT_FIELD_USER] = TEXT("");
	event.fields[EVENT_FIELD_CODE] = TEXT("451");
	event.fields[EVENT_FIELD_REPLY] = TEXT("say \"hi\"\r\n\xff end");
	return event;
}

static void assert_same(const struct event *a, const struct event *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->time_ms, b->time_ms);
	assert_int_equal(a->id, b->id);
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++) {
		assert_true(text_equal(a->fields[i], b->fields[i]));
		assert_int_equal(a->fields[i].bytes == NULL, b->fields[i].bytes == NULL);
	}
}

static void stored_events_come_back(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		static const int64_t times[] = { 0, 1, 1764000000123, INT64_MAX, -1 };

		for (size_t t = 0; t < sizeof times / sizeof times[0]; t++) {
			struct event event = { .kind = (enum event_kind)kind, .time_ms = times[t], .id = 5 }, back;
			struct buffer stored;

			/* Every other field: absent, empty, and with any bytes. */
			for (unsigned i = kind % 2; i < EVENT_FIELD_COUNT; i += 2)
				event.fields[i] = i % 3 == 0 ? TEXT("") : TEXT("\0\xff\n{}");
			buffer_init(&stored, 4096);
			assert_true(event_encode(&event, &stored));
			assert_int_equal(event_decode(5, buffer_text(&stored), &back), OK);
			assert_same(&event, &back);
			buffer_done(&stored);
		}
	}
}

/* The stored form cut at `length`, in memory of exactly that size, so that a sanitizer sees any read behind it. */
static enum error decode_cut(const struct buffer *stored, size_t length, struct event *out_event)
{
	struct arena *arena = arena_new(length + 1024);
	struct text cut;

	assert_true(arena_copy(arena, text_part(buffer_text(stored), 0, length), &cut));
	const enum error error = event_decode(77, cut, out_event);

	arena_free(arena);
	return error;
}

static void cut_events_are_refused_unless_between_fields(void **state)
{
	const struct event event = sample();
	size_t whole_at[8] = { HEAD_BYTES }, whole_count = 1;
	struct buffer stored;

	(void)state;
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++)
		if (event.fields[i].bytes != NULL) {
			whole_at[whole_count] = whole_at[whole_count - 1] + 5 + event.fields[i].length;
			whole_count++;
		}
	buffer_init(&stored, 4096);
	assert_true(event_encode(&event, &stored));
	assert_int_equal(stored.length, whole_at[whole_count - 1]);
	for (size_t length = 0; length < stored.length; length++) {
		struct event back = { .id = 1 };
		bool whole = false;

		for (size_t i = 0; i < whole_count; i++)
			whole = whole || whole_at[i] == length;
		assert_int_equal(decode_cut(&stored, length, &back), whole ? OK : ERR_CORRUPT);
		if (!whole)
			assert_int_equal(back.id, 1); /* Untouched. */
	}
	buffer_done(&stored);
}

static void strange_stored_forms(void **state)
{
	static const char unknown_kind[HEAD_BYTES] = { (char)EVENT_KIND_COUNT };
	static const char unknown_field[] = "\0\0\0\0\0\0\0\0\1\xfe\0\0\0\2xy\1\0\0\0\3a@b";
	static const char long_field[] = "\0\0\0\0\0\0\0\0\1\1\xff\xff\xff\xff" "abc";
	struct event event;

	(void)state;
	assert_int_equal(event_decode(1, (struct text){ unknown_kind, sizeof unknown_kind }, &event), ERR_CORRUPT);
	assert_int_equal(event_decode(1, (struct text){ long_field, sizeof long_field - 1 }, &event), ERR_CORRUPT);
	/* A field of a later version is passed over. */
	assert_int_equal(event_decode(1, (struct text){ unknown_field, sizeof unknown_field - 1 }, &event), OK);
	assert_true(text_equal(event.fields[EVENT_FIELD_RECIPIENT], TEXT("a@b")));
}

/* What a strange value becomes in both forms. */
static const struct {
	struct text value;
	const char *text, *json;
} printed[] = {
	{ TEXT("plain"), "plain", "\"plain\"" },
	{ TEXT(""), "\"\"", "\"\"" },
	{ TEXT("two words"), "\"two words\"", "\"two words\"" },
	{ TEXT("a\"b\\c"), "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"" },
	{ TEXT("\r\n\t\x1b[2J\x7f"), "\"\\u000d\\u000a\\u0009\\u001b[2J\\u007f\"", "\"\\u000d\\u000a\\u0009\\u001b[2J\\u007f\"" },
	{ TEXT("a\0b"), "\"a\xef\xbf\xbd" "b\"", "\"a\xef\xbf\xbd" "b\"" },
	{ TEXT("\xff\xc3\x28"), "\"\xef\xbf\xbd\xef\xbf\xbd(\"", "\"\xef\xbf\xbd\xef\xbf\xbd(\"" },
	{ TEXT("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\"" }, /* Cut short. */
	{ TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ TEXT("\xc2\x9b" "31m"), "\"\\u009b31m\"", "\"\\u009b31m\"" },
	{ TEXT("\xc2\xa0"), "\xc2\xa0", "\"\xc2\xa0\"" },
	{ TEXT("\xe2\x80\xa8"), "\"\\u2028\"", "\"\\u2028\"" },
	{ TEXT("gr\xc3\xbc\xc3\x9f\xf0\x9f\x93\xa7"), "gr\xc3\xbc\xc3\x9f\xf0\x9f\x93\xa7", "\"gr\xc3\xbc\xc3\x9f\xf0\x9f\x93\xa7\"" },
};

static void strange_values_are_escaped(void **state)
{
	static const char text_head[] = "2025-11-24T16:00:00.123Z - rejected reply=";
	static const char json_head[] = "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"rejected\",\"reply\":";

	(void)state;
	for (size_t i = 0; i < sizeof printed / sizeof printed[0]; i++) {
		struct event event = { .kind = EVENT_REJECTED, .time_ms = 1764000000123 };
		struct buffer out;

		event.fields[EVENT_FIELD_REPLY] = printed[i].value;
		buffer_init(&out, 4096);
		assert_true(event_print_text(&event, &out));
		assert_true(text_starts(buffer_text(&out), text_of(text_head)));
		assert_true(text_equal(text_from(buffer_text(&out), sizeof text_head - 1), text_of(printed[i].text)));
		buffer_clear(&out);
		assert_true(event_print_json(&event, &out));
		assert_true(text_starts(buffer_text(&out), text_of(json_head)));
		assert_true(text_starts(text_from(buffer_text(&out), sizeof json_head - 1), text_of(printed[i].json)));
		assert_true(text_ends(buffer_text(&out), TEXT("\"}")));
		buffer_done(&out);
	}
}

/* Any two bytes: one line, well-formed, and JSON that a strict reader takes. */
static void any_bytes_stay_one_line_of_json(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		const char bytes[] = { (char)(pair >> 8), (char)(pair & 0xff) };
		struct event event = { .kind = EVENT_REJECTED };

		event.fields[EVENT_FIELD_REPLY] = (struct text){ bytes, 2 };
		buffer_clear(&out);
		assert_true(event_print_json(&event, &out));
		assert_true(text_is_utf8(buffer_text(&out)));
		json_t *json = json_loadb(out.bytes + out.start, out.length, 0, NULL);

		assert_non_null(json);
		json_decref(json);
		for (size_t i = 0; i < out.length; i++)
			assert_true((unsigned char)buffer_text(&out).bytes[i] >= ' ');
		buffer_clear(&out);
		assert_true(event_print_text(&event, &out));
		assert_true(text_is_utf8(buffer_text(&out)));
		for (size_t i = 0; i < out.length; i++)
			assert_true((unsigned char)buffer_text(&out).bytes[i] >= ' ');
	}
	buffer_done(&out);
}

static void lines_look_as_promised(void **state)
{
	struct event event = sample();
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	assert_true(event_print_text(&event, &out));
	assert_true(text_equal(buffer_text(&out),
	    TEXT("2025-11-24T16:00:00.123Z 000000000002d deferred to=a@b user=\"\" code=451 "
	         "reply=\"say \\\"hi\\\"\\u000d\\u000a\xef\xbf\xbd end\"")));
	buffer_clear(&out);
	assert_true(event_print_json(&event, &out));
	assert_true(text_equal(buffer_text(&out),
	    TEXT("{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"deferred\",\"id\":\"000000000002d\",\"to\":\"a@b\","
	         "\"user\":\"\",\"code\":451,\"reply\":\"say \\\"hi\\\"\\u000d\\u000a\xef\xbf\xbd end\"}")));
	/* What is no number is not printed as one. */
	event.fields[EVENT_FIELD_CODE] = TEXT("4e51");
	buffer_clear(&out);
	assert_true(event_print_json(&event, &out));
	assert_true(text_find(buffer_text(&out), TEXT("\"code\":\"4e51\"")) < out.length);
	buffer_done(&out);
}

static void a_full_buffer_is_as_before(void **state)
{
	static bool (*const appends[])(const struct event *event, struct buffer *out) = { event_encode, event_print_text,
		event_print_json };
	const struct event event = sample();

	(void)state;
	for (size_t i = 0; i < sizeof appends / sizeof appends[0]; i++) {
		struct buffer out;
		size_t needed;

		buffer_init(&out, 4096);
		assert_true(appends[i](&event, &out));
		needed = out.length;
		buffer_done(&out);
		for (size_t limit = 3; limit < needed + 3; limit++) {
			buffer_init(&out, limit);
			assert_true(buffer_append(&out, TEXT("abc")));
			assert_false(appends[i](&event, &out));
			assert_true(text_equal(buffer_text(&out), TEXT("abc")));
			buffer_done(&out);
		}
	}
}

static void every_word_is_explained(void **state)
{
	(void)state;
	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++)
		assert_true(event_kind_word((enum event_kind)i)[0] && event_kind_prose((enum event_kind)i)[0]);
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++)
		assert_true(event_field_word((enum event_field)i)[0] && event_field_prose((enum event_field)i)[0]);
	assert_string_equal(event_kind_word(EVENT_IN_DOUBT), "in-doubt");
	assert_string_equal(event_field_word(EVENT_FIELD_DELAY), "delay-ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_events_come_back),
		cmocka_unit_test(cut_events_are_refused_unless_between_fields),
		cmocka_unit_test(strange_stored_forms),
		cmocka_unit_test(strange_values_are_escaped),
		cmocka_unit_test(any_bytes_stay_one_line_of_json),
		cmocka_unit_test(lines_look_as_promised),
		cmocka_unit_test(a_full_buffer_is_as_before),
		cmocka_unit_test(every_word_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
