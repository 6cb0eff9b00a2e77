/* Floods that are too large for a script: what a client may send without handing in a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/session_driver.h"

enum { PIECE = 60000 };

static void open_transaction(struct driver *driver)
{
	driver_init(driver);
	driver_open(driver);
	driver_say(driver, TEXT("EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<alice@here.test>\r\n"));
	buffer_clear(&driver->heard);
}

/* `size` bytes of these. Returns how many were said before the connection was closed. */
static size_t pour(struct driver *driver, const char *unit, size_t size)
{
	struct buffer words;
	size_t said = 0;

	buffer_init(&words, PIECE + 2048);
	while (words.length < PIECE)
		must(buffer_append(&words, text_of(unit)));
	while (said < size && !driver->closed) {
		driver_say(driver, buffer_text(&words));
		said += words.length;
	}
	buffer_done(&words);
	return said;
}

static void assert_heard(struct driver *driver, const char *words)
{
	if (!text_equal(buffer_text(&driver->heard), text_of(words)))
		fail_msg("heard: %.*s", TEXT_FORMAT(buffer_text(&driver->heard)));
}

/* Each field costs nothing to keep, for none is kept; together they have their bound. */
static void a_header_of_fields_without_end(void **state)
{
	struct driver driver;

	(void)state;
	open_transaction(&driver);
	driver.settings.message_size_max = 50 << 20;
	driver_say(&driver, TEXT("DATA\r\n"));
	(void)pour(&driver, "X: y\r\n", SESSION_HEADER_MAX + PIECE);
	driver_say(&driver, TEXT("\r\nhello\r\n.\r\n"));
	assert_heard(&driver, "354 End data with <CR><LF>.<CR><LF>\r\n552 5.3.4 The header of the message is too large\r\n");
	assert_false(driver.closed);
	assert_int_equal(driver.committed_count, 0);
	driver_done(&driver);
}

static void one_field_without_end(void **state)
{
	struct driver driver;

	(void)state;
	open_transaction(&driver);
	driver.settings.message_size_max = 50 << 20;
	driver_say(&driver, TEXT("DATA\r\nSubject: x\r\n"));
	(void)pour(&driver, "\tand then it was said that it was not so\r\n", SESSION_HEADER_MAX);
	driver_say(&driver, TEXT("\r\nhello\r\n.\r\n"));
	assert_heard(&driver, "354 End data with <CR><LF>.<CR><LF>\r\n552 5.3.4 The header of the message is too large\r\n");
	driver_done(&driver);
}

static void a_large_body_is_no_large_header(void **state)
{
	struct driver driver;

	(void)state;
	open_transaction(&driver);
	driver.settings.message_size_max = 50 << 20;
	driver_say(&driver, TEXT("DATA\r\nSubject: x\r\n\r\n"));
	(void)pour(&driver, "0123456789012345678901234567890123456789\r\n", 2 * SESSION_HEADER_MAX);
	driver_say(&driver, TEXT(".\r\n"));
	assert_int_equal(driver.committed_count, 1);
	driver_done(&driver);
}

/* A message that is too large by a little is refused at its end, one without an end is not waited for. */
static void text_without_end(void **state)
{
	struct driver driver;

	(void)state;
	open_transaction(&driver);
	driver_say(&driver, TEXT("DATA\r\nSubject: x\r\n\r\n"));
	const size_t said = pour(&driver, "0123456789012345678901234567890123456789\r\n", 1 << 30);

	assert_true(said > SESSION_DROPPED_MAX && said < SESSION_DROPPED_MAX + (4 << 20));
	assert_heard(&driver, "354 End data with <CR><LF>.<CR><LF>\r\n552 5.3.4 Message size exceeds the limit\r\n");
	assert_int_equal(driver.refused_count, 1);
	driver_done(&driver);
}

static void a_chunk_without_end(void **state)
{
	struct driver driver;

	(void)state;
	driver_init(&driver);
	driver_open(&driver);
	buffer_clear(&driver.heard);
	driver_say(&driver, TEXT("BDAT 9999999999999\r\n"));
	const size_t said = pour(&driver, "x", 1 << 30);

	assert_true(driver.closed && said < SESSION_DROPPED_MAX + (1 << 20));
	assert_heard(&driver, "503 Say EHLO first\r\n");
	driver_done(&driver);
}

/* Of a hundred bytes each there is no end in sight, of a thousand there is. */
static void small_chunks(void **state)
{
	static const struct {
		unsigned size;
		bool borne;
	} cases[] = { { 3, false }, { 200, false }, { 1000, true } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct driver driver;
		char chunk[1100];

		open_transaction(&driver);
		driver.settings.message_size_max = 50 << 20;
		snprintf(chunk, sizeof chunk, "BDAT %u\r\n%0*u\r\n", cases[i].size, (int)cases[i].size - 2, 1);
		(void)pour(&driver, chunk, strlen(chunk) * 3 * SESSION_CHUNKS_FREE);
		assert_int_equal(!driver.closed, cases[i].borne);
		driver_done(&driver);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_of_fields_without_end),
		cmocka_unit_test(one_field_without_end),
		cmocka_unit_test(a_large_body_is_no_large_header),
		cmocka_unit_test(text_without_end),
		cmocka_unit_test(a_chunk_without_end),
		cmocka_unit_test(small_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
