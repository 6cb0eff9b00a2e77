#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "web/letter.h"

static const struct {
	const char *body, *query, *type, *expected; /* Part of the message; or what is wrong, if it begins with "!". */
	size_t recipients;
} letters[] = {
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"subject\": \"Hi\", \"text\": \"Hello\"}", "{}", "application/json",
	    "From: a@x.test\r\nTo: b@y.test\r\nSubject: Hi\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\nHello\r\n", 1 },
	{ "{\"from\": \"a@x.test\", \"to\": [\"B <b@y.test>\", \"c@y.test\"], \"bcc\": [\"d@y.test\"], \"text\": \"\"}", "{}", "application/json; charset=utf-8",
	    "To: B <b@y.test>,\r\n c@y.test\r\nMIME-Version", 3 },
	{ "{\"from\": \"J\\u00fcrgen <a@x.test>\", \"to\": \"b@y.test\", \"subject\": \"Gr\\u00fc\\u00dfe\", \"text\": \"\\u00fc\"}", "{}", "application/json",
	    "From: =?utf-8?B?SsO8cmdlbg==?= <a@x.test>\r\nTo: b@y.test\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw7w=\r\n", 1 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"text\": \"t\", \"html\": \"<p>\"}", "{}", "application/json",
	    "Content-Type: multipart/alternative; boundary=\"=_postroad_alternative_0\"\r\n\r\n--=_postroad_alternative_0\r\n", 1 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"text\": \"=_postroad_mixed_0\", \"attachments\": [{\"filename\": \"a.txt\", \"type\": \"text/plain\", \"content\": \"aGk=\"}]}",
	    "{}", "application/json", "--=_postroad_mixed_1\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; "
	    "filename=\"a.txt\"\r\n\r\naGk=\r\n--=_postroad_mixed_1--\r\n", 1 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"headers\": {\"X-Tag\": \"news\"}, \"text\": \"t\"}", "{}", "application/json", "X-Tag: news\r\n", 1 },
	{ "Subject: raw\n\nraw\n", "{\"from\": \"a@x.test\", \"to\": \"b@y.test, c@y.test\"}", "message/rfc822", "Subject: raw\n\nraw\n", 2 },
	{ "x", "{\"from\": \"<>\", \"to\": \"b@y.test\"}", "message/rfc822", "x", 1 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"text\": \"a\\nb\\n\"}", "{}", "application/json", "7bit\r\n\r\na\nb\n", 1 },
	/* What could lead elsewhere. */
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"subject\": \"Hi\\r\\nBcc: e@z.test\"}", "{}", "application/json", "!the subject", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\\n\"}", "{}", "application/json", "!a recipient", 0 },
	{ "{\"from\": \"a@x.test\\r\\nX: y\", \"to\": \"b@y.test\"}", "{}", "application/json", "!from", 0 },
	{ "{\"from\": \"a@x.test> SIZE=1\", \"to\": \"b@y.test\"}", "{}", "application/json", "!from", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"headers\": {\"Bcc\": \"e@z.test\"}}", "{}", "application/json", "!a field", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"headers\": {\"X: y\": \"z\"}}", "{}", "application/json", "!a field", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"headers\": {\"X\": \"a\\nb\"}}", "{}", "application/json", "!a field", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"attachments\": [{\"filename\": \"a\\\"; x=\\\"\", \"content\": \"\"}]}", "{}", "application/json", "!an attachment", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"attachments\": [{\"filename\": \"a\", \"type\": \"a/b\\r\\nX: y\", \"content\": \"\"}]}", "{}", "application/json", "!an attachment", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"attachments\": [{\"content\": \"*\"}]}", "{}", "application/json", "!an attachment", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test, c@y.test\"}", "{}", "application/json", "!a recipient", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": 5}", "{}", "application/json", "!a member of the message has the wrong type", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": [5]}", "{}", "application/json", "!a recipient", 0 },
	{ "{\"from\": \"a@x.test\", \"two\": \"b@y.test\"}", "{}", "application/json", "!a member of the message is not known", 0 },
	{ "{\"to\": \"b@y.test\"}", "{}", "application/json", "!from is missing", 0 },
	{ "{\"from\": \"a@x.test\"}", "{}", "application/json", "!to is missing", 0 },
	{ "[]", "{}", "application/json", "!the body is no JSON object", 0 },
	{ "", "{}", "application/json", "!the body is no JSON object", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"notify\": \"never BODY=7BIT\"}", "{}", "application/json", "!notify or ret", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"ret\": \"full>\"}", "{}", "application/json", "!notify or ret", 0 },
	{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"envid\": \"a\\nb\"}", "{}", "application/json", "!envid", 0 },
	{ "x", "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"notify\": \"a\\r\\nb\"}", "message/rfc822", "!notify or ret", 0 },
	{ "x", "{\"from\": \"a@x.test\"}", "message/rfc822", "!to is missing", 0 },
	{ "x", "{\"to\": \"a@x.test\"}", "message/rfc822", "!from", 0 },
	{ "{}", "{}", "text/plain", "!the body is application/json or message/rfc822", 0 },
	{ "{}", "{}", "", "!the body is application/json or message/rfc822", 0 },
};

static void letters_become_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
		struct arena *arena = arena_new(LETTER_ARENA_BYTES);
		struct web_call call = { .query = json_loads(letters[i].query, 0, NULL), .body = text_of(letters[i].body) };
		struct web_letter letter = { .hostname = TEXT("mail.example.org") };
		const char *wrong = "", *expected = letters[i].expected;
		const bool right = web_letter_read(&call, text_of(letters[i].type), arena, &letter, &wrong);

		if (expected[0] == '!' && (right || strncmp(wrong, expected + 1, strlen(expected + 1)) != 0))
			fail_msg("letter %zu: %s", i, right ? "it was taken" : wrong);
		if (expected[0] != '!' && !right)
			fail_msg("letter %zu: %s", i, wrong);
		if (right && text_find(letter.message, text_of(expected)) == letter.message.length)
			fail_msg("letter %zu: %.*s", i, TEXT_FORMAT(letter.message));
		if (right)
			assert_int_equal(letter.recipient_count, letters[i].recipients);
		if (right)
			assert_true(text_find(letter.message, TEXT("d@y.test")) == letter.message.length);
		json_decref((json_t *)call.query);
		arena_free(arena);
	}
}

/* In JSON and beside a finished message; what could end a parameter is encoded. */
static void wishes_for_reports_are_read(void **state)
{
	static const struct {
		const char *body, *query, *type;
	} both[] = {
		{ "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"notify\": \"success,delay\", \"ret\": \"hdrs\", \"envid\": \"no 7+\"}", "{}", "application/json" },
		{ "x", "{\"from\": \"a@x.test\", \"to\": \"b@y.test\", \"notify\": \"success,delay\", \"ret\": \"hdrs\", \"envid\": \"no 7+\"}", "message/rfc822" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
		struct arena *arena = arena_new(LETTER_ARENA_BYTES);
		struct web_call call = { .query = json_loads(both[i].query, 0, NULL), .body = text_of(both[i].body) };
		struct web_letter letter = { .hostname = TEXT("mail.example.org") };
		const char *wrong = "";

		assert_true(web_letter_read(&call, text_of(both[i].type), arena, &letter, &wrong));
		assert_true(text_equal(letter.notify, TEXT("success,delay")) && text_equal(letter.ret, TEXT("hdrs")));
		assert_true(text_equal(letter.envelope_id, TEXT("no+207+2B")));
		json_decref((json_t *)call.query);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(letters_become_messages), cmocka_unit_test(wishes_for_reports_are_read) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
