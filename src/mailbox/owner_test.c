/* Whose a mailbox is. That it is written as the owner takes root, and is tested with a server (tests/e2e/test_confinement.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mailbox/owner.h"

static const struct owner others = { true, 7, 8 };

static uid_t uid_of(const struct owners *owners, const char *user, const char *domain)
{
	const struct mailbox_parts parts = { text_of(user), text_of(domain), TEXT(""), false };
	const struct owner owner = owners_find(owners, &parts);

	assert_true(owner.differs && owner.gid == owner.uid + 1);
	return owner.uid;
}

static void addresses_come_before_users_and_others_behind_both(void **state)
{
	struct owners *owners;

	(void)state;
	assert_int_equal(owners_new(TEXT("bob 20 21\nalice@example.net 30 31\nalice 10 11\n"), &others, &owners), OK);
	assert_int_equal(uid_of(owners, "alice", "example.org"), 10);
	assert_int_equal(uid_of(owners, "alice", "example.net"), 30);
	assert_int_equal(uid_of(owners, "bob", "example.net"), 20);
	assert_int_equal(uid_of(owners, "bo", "example.net"), 7);
	assert_int_equal(uid_of(owners, "carol", "example.net"), 7);
	owners_free(owners);
	assert_int_equal(owners_new(TEXT(""), &others, &owners), OK);
	assert_int_equal(uid_of(owners, "alice", "example.org"), 7);
	owners_free(owners);
}

static void nothing_else_is_believed(void **state)
{
	static const char *const wrong[] = { "alice\n", "alice 1\n", "alice 1 \n", "alice x 1\n", "alice 1 1 1\n", " 1 1\n",
		"alice 4294967295 1\n", "alice 1 -1\n", "\n", "bob 1 1\nalice\n" };
	struct owners *owners = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(owners_new(text_of(wrong[i]), &others, &owners), ERR_SYNTAX);
	assert_null(owners);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_before_users_and_others_behind_both),
		cmocka_unit_test(nothing_else_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
