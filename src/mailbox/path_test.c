/* Paths of mailboxes: what is expanded, and what no stranger may reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mailbox/path.h"

struct expansion {
	struct text path_template, user, domain, detail;
	enum error error;
	const char *path;
};

#define USUAL TEXT("/var/mail/%d/%u")
#define DOMAIN TEXT("example.org")
static const struct text nothing = { NULL, 0 };

static void expansions(void **state)
{
	const struct expansion table[] = {
		{ USUAL, TEXT("alice"), DOMAIN, nothing, OK, "/var/mail/example.org/alice" },
		{ TEXT("/m/%n/%%/%d"), TEXT("bob"), TEXT("x"), nothing, OK, "/m/bob/%/x" },
		{ TEXT("/m/%u/.%t"), TEXT("bob"), DOMAIN, TEXT("lists"), OK, "/m/bob/.lists" },
		{ TEXT("/m/%u/.%t"), TEXT("bob"), DOMAIN, nothing, OK, "/m/bob/." },
		{ TEXT("/m/%u/.%t"), TEXT("bob"), DOMAIN, TEXT("."), ERR_DENIED, NULL },
		{ TEXT("/m/%u/.%t"), TEXT("bob"), DOMAIN, TEXT("../../alice"), ERR_DENIED, NULL },
		{ USUAL, TEXT("o'neil $(x);*"), DOMAIN, nothing, OK, "/var/mail/example.org/o'neil $(x);*" },
		{ USUAL, TEXT("j\xc3\xb6rg"), DOMAIN, nothing, OK, "/var/mail/example.org/j\xc3\xb6rg" },
		{ USUAL, TEXT("%d"), DOMAIN, nothing, OK, "/var/mail/example.org/%d" },
		{ USUAL, TEXT("a..b"), DOMAIN, nothing, OK, "/var/mail/example.org/a..b" },
		{ USUAL, TEXT(".."), DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("."), DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT(".hidden"), DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("a/../../root"), DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("/etc"), DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("a\0b"), DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("a\nb"), DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("a\x7f"), DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, nothing, DOMAIN, nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("alice"), TEXT(".."), nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("alice"), TEXT("a/b"), nothing, ERR_DENIED, NULL },
		{ USUAL, TEXT("alice"), nothing, nothing, ERR_DENIED, NULL },
		{ TEXT("relative/%u"), TEXT("alice"), DOMAIN, nothing, ERR_SYNTAX, NULL },
		{ TEXT("/m/%x/%u"), TEXT("alice"), DOMAIN, nothing, ERR_SYNTAX, NULL },
		{ TEXT("/m/%u%"), TEXT("alice"), DOMAIN, nothing, ERR_SYNTAX, NULL },
		{ TEXT("/m/%d"), TEXT("alice"), DOMAIN, nothing, ERR_SYNTAX, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct expansion *e = &table[i];
		const struct mailbox_parts parts = { .user = e->user, .domain = e->domain, .detail = e->detail };
		char room[MAILBOX_PATH_MAX + 1];
		struct text path = TEXT("untouched");

		assert_int_equal(mailbox_path_expand(e->path_template, &parts, room, &path), e->error);
		assert_string_equal(path.bytes, e->path != NULL ? e->path : "untouched");
		assert_int_equal(path.length, strlen(path.bytes));
	}
}

static void lengths(void **state)
{
	char room[MAILBOX_PATH_MAX + 1];
	char long_part[MAILBOX_PART_MAX + 1], long_template[MAILBOX_PATH_MAX];
	struct mailbox_parts parts = { TEXT("alice"), DOMAIN, nothing, false };
	struct text path;

	(void)state;
	memset(long_part, 'a', sizeof long_part);
	parts.user = (struct text){ long_part, MAILBOX_PART_MAX };
	assert_int_equal(mailbox_path_expand(USUAL, &parts, room, &path), OK);
	parts.user.length++;
	assert_int_equal(mailbox_path_expand(USUAL, &parts, room, &path), ERR_TOO_LARGE);

	memset(long_template, 'x', sizeof long_template);
	long_template[0] = '/';
	memcpy(long_template + sizeof long_template - 3, "/%u", 3);
	const struct text whole = { long_template, sizeof long_template };

	parts.user = TEXT("bob"); /* 1023 bytes: "/%u" became "/bob". */
	assert_int_equal(mailbox_path_expand(text_from(whole, 0), &parts, room, &path), ERR_TOO_LARGE);
	parts.user = TEXT("ab");
	assert_int_equal(mailbox_path_expand(whole, &parts, room, &path), OK);
	assert_int_equal(path.length, MAILBOX_PATH_MAX);
}

static void folders_above_the_user_are_shared(void **state)
{
	static const struct {
		const char *path_template, *shared;
	} rows[] = {
		{ "/var/mail/%d/%u", "/var/mail/example.org" },
		{ "/home/%u/Maildir", "/home" },
		{ "/%u", "" },
		{ "/var/%%/x-%n/%d", "/var/%" },
		{ "/%d/%d-%u/%u", "/example.org" },
	};
	const struct mailbox_parts parts = { TEXT("alice"), TEXT("example.org"), nothing, false };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(mailbox_path_shared(text_of(rows[i].path_template), &parts), strlen(rows[i].shared));
}

/* What its author disowns is not sorted by its detail. */
static void junk_has_its_folder(void **state)
{
	const struct mailbox_parts parts = { TEXT("bob"), DOMAIN, TEXT("lists"), true };
	char room[MAILBOX_PATH_MAX + 1];
	struct text path;

	(void)state;
	assert_int_equal(mailbox_path_expand(USUAL, &parts, room, &path), OK);
	assert_string_equal(path.bytes, "/var/mail/example.org/bob/.Junk");
	assert_int_equal(path.length, strlen(path.bytes));
	assert_int_equal(mailbox_path_expand(TEXT("/m/%u/.%t"), &parts, room, &path), OK);
	assert_string_equal(path.bytes, "/m/bob/./.Junk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expansions),
		cmocka_unit_test(junk_has_its_folder),
		cmocka_unit_test(lengths),
		cmocka_unit_test(folders_above_the_user_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
