#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/tags.h"

static void a_list_is_read(void **state)
{
	struct tag_list list;
	struct text value;

	(void)state;
	assert_int_equal(
	    tags_parse(TEXT("v=1 ;\r\n\ta = rsa-sha256;b=\r\n Zm9v\r\n YmFy ; n=;x_1=a=b;"), &list), OK);
	assert_int_equal(list.count, 5);
	assert_true(tags_find(&list, TEXT("a"), &value) && text_equal(value, TEXT("rsa-sha256")));
	assert_true(tags_find(&list, TEXT("b"), &value) && text_equal(value, TEXT("Zm9v\r\n YmFy")));
	assert_true(text_equal(list.tags[2].raw, TEXT("\r\n Zm9v\r\n YmFy ")));
	assert_true(tags_find(&list, TEXT("n"), &value) && value.length == 0);
	assert_true(tags_find(&list, TEXT("x_1"), &value) && text_equal(value, TEXT("a=b")));
	assert_false(tags_find(&list, TEXT("A"), &value));
}

static void what_is_no_list_is_refused(void **state)
{
	static const char *const bad[] = { "a", "a=1;;b=2", ";a=1", "a=1;a=2", "1a=1", "a b=1", "=1",
		"a=\x01", "a=\xff" };
	struct tag_list list;
	char many[5 * TAGS_MAX + 6];
	size_t length = 0;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(tags_parse(text_of(bad[i]), &list), ERR_SYNTAX);
	for (int i = 0; i <= TAGS_MAX; i++) {
		const char tag[5] = { 'a', (char)('a' + i % 26), (char)('a' + i / 26), '=', ';' };

		memcpy(many + length, tag, sizeof tag);
		length += sizeof tag;
	}
	assert_int_equal(tags_parse((struct text){ many, length }, &list), ERR_TOO_LARGE);
	assert_int_equal(tags_parse((struct text){ many, length - 5 }, &list), OK);
	assert_int_equal(tags_parse(TEXT(""), &list), OK);
}

static void words_between_colons(void **state)
{
	(void)state;
	assert_true(tags_list_holds(TEXT("a : From:b"), TEXT("from")));
	assert_false(tags_list_holds(TEXT("a:Fromm:b"), TEXT("from")));
	assert_false(tags_list_holds(TEXT_EMPTY, TEXT("from")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_list_is_read),
		cmocka_unit_test(what_is_no_list_is_refused), cmocka_unit_test(words_between_colons) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
