#include "sasl/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"

/* Made with doveadm pw, mkpasswd and argon2(1); the SCRAM record is the one of RFC 7677 §3. */
static const struct row {
	const char *stored, *given;
	bool right;
} rows[] = {
	{ "{PLAIN}pencil", "pencil", true },
	{ "{plain}pencil", "pencil", true },
	{ "{CLEARTEXT}pencil", "pencil", true },
	{ "{PLAIN}pencil", "pencils", false },
	{ "{PLAIN}pencil", "", false },
	{ "{PLAIN}", "", true },
	{ "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
	  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
	    "pencil", true },
	{ "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
	  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
	    "Pencil", false },
	{ "{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=", "pencil", true },
	{ "{SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
	    "password", true },
	{ "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/", "password",
	    true },
	{ "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/", "passwort",
	    false },
	{ "{BLF-CRYPT}$2b$05$Xa8BYfMz8nv45X.9/btN3ewo/EnaMR3QN5pkLGtKkJmX8pvoceLZG", "password", true },
	{ "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password", true },
	{ "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "passwort", false },
	/* What cannot be understood lets nobody in. */
	{ "{MD5}xyz", "xyz", false },
	{ "pencil", "pencil", false },
	{ "", "", false },
	{ "{PLAIN", "", false },
	{ "*", "*", false },
	{ "{CRYPT}*", "*", false },
	{ "$9$", "", false },
	{ "{SCRAM-SHA-256}4096,x,y", "pencil", false },
	{ "{SCRAM-SHA-256}0,W22Z,W22Z,W22Z", "pencil", false },
	{ "{SCRAM-SHA-256}4096,!!!!,W22Z,W22Z", "pencil", false },
	{ "{ARGON2ID}$argon2id$v=19$m=256", "", false },
};

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (password_check(text_of(rows[i].stored), text_of(rows[i].given)) != rows[i].right)
			fail_msg("%s against %s", rows[i].given, rows[i].stored);
	}
}

static void what_is_stored_is_recognised(void **state)
{
	static const char *const passwords[] = { "pencil", "p", "with space and \xc3\xa4", "{PLAIN}odd:$," };
	struct arena *arena = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof passwords / sizeof passwords[0]; i++) {
		struct text stored, again;

		assert_int_equal(password_store(text_of(passwords[i]), arena, &stored), OK);
		assert_int_equal(password_store(text_of(passwords[i]), arena, &again), OK);
		assert_false(text_equal(stored, again)); /* The salt differs. */
		assert_true(text_find(stored, TEXT(":")) == stored.length);
		assert_true(password_check(stored, text_of(passwords[i])));
		assert_false(password_check(stored, TEXT("another")));
	}
	arena_free(arena);
}

static void what_is_no_password_is_not_stored(void **state)
{
	struct arena *arena = arena_new(1 << 16);
	char long_one[PASSWORD_LENGTH_MAX + 1];
	struct text stored;

	(void)state;
	memset(long_one, 'x', sizeof long_one);
	assert_int_equal(password_store(TEXT(""), arena, &stored), ERR_SYNTAX);
	assert_int_equal(password_store(TEXT("a\0b"), arena, &stored), ERR_SYNTAX);
	assert_int_equal(password_store(TEXT("a\x07"), arena, &stored), ERR_SYNTAX);
	assert_int_equal(password_store((struct text){ long_one, sizeof long_one }, arena, &stored), ERR_SYNTAX);
	assert_false(password_check(TEXT("{PLAIN}x"), (struct text){ long_one, sizeof long_one }));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(what_is_stored_is_recognised),
		cmocka_unit_test(what_is_no_password_is_not_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
