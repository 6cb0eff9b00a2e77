#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "events/troubles.h"

struct heard {
	unsigned begins, ends;
	struct text part, reason;
};

static void hear(void *context, const struct event *event)
{
	struct heard *heard = context;

	heard->begins += event->kind == EVENT_TROUBLE;
	heard->ends += event->kind == EVENT_TROUBLE_OVER;
	heard->part = event->fields[EVENT_FIELD_PART];
	if (event->kind == EVENT_TROUBLE)
		heard->reason = event->fields[EVENT_FIELD_REASON];
}

static void many_reporters_make_one_trouble(void **state)
{
	struct troubles troubles = { 0 };
	struct heard one = { 0 }, two = { 0 };
	const struct event_sink first = { hear, &one }, second = { hear, &two };

	(void)state;
	trouble_begin(&troubles, TROUBLE_SPOOL, ERR_NO_SPACE, &first, 1);
	trouble_begin(&troubles, TROUBLE_SPOOL, ERR_IO, &second, 2);
	assert_int_equal(one.begins, 1);
	assert_int_equal(two.begins, 0);
	assert_string_equal(one.part.bytes, "spool");
	assert_string_equal(one.reason.bytes, error_text(ERR_NO_SPACE));
	trouble_begin(&troubles, TROUBLE_SOCKETS, ERR_DESCRIPTORS, &second, 3); /* Another matter. */
	assert_int_equal(two.begins, 1);
	trouble_end(&troubles, TROUBLE_SPOOL, &first, 4);
	assert_int_equal(one.ends, 0);
	trouble_end(&troubles, TROUBLE_SPOOL, &second, 5);
	assert_int_equal(two.ends, 1);
	assert_string_equal(two.part.bytes, "spool");
	trouble_begin(&troubles, TROUBLE_SPOOL, ERR_IO, &first, 6);
	assert_int_equal(one.begins, 2);
}

static void every_trouble_has_its_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TROUBLE_COUNT; i++) {
		assert_true(text_of(trouble_word((enum trouble)i)).length > 0);
		assert_true(text_of(trouble_prose((enum trouble)i)).length > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_reporters_make_one_trouble),
		cmocka_unit_test(every_trouble_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
