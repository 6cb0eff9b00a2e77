#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/srs.h"
#include "base/must.h"

static const int64_t day = 86400000, today = 20000LL * 86400000 + 12345;
static const struct srs_secrets ours = { { TEXT("ours, and nobody knows it") }, 1 },
				theirs = { { TEXT("theirs, another one") }, 1 };

struct fixture {
	struct arena *arena;
};

static int begin(void **state)
{
	struct fixture *fixture = test_malloc(sizeof *fixture);

	fixture->arena = arena_new(1 << 20);
	*state = fixture;
	return 0;
}

static int end(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->arena);
	test_free(fixture);
	return 0;
}

static struct address address_of(struct fixture *fixture, const char *text)
{
	struct address address;

	must(address_parse(text_of(text), true, fixture->arena, &address) == OK);
	return address;
}

static const char *printed(struct fixture *fixture, const struct address *address)
{
	struct text text, copy;

	must(address_print(address, fixture->arena, &text) && arena_copy(fixture->arena, text, &copy));
	return copy.bytes;
}

static struct address forward(struct fixture *fixture, const struct srs_secrets *secrets, const char *domain,
    const struct address *sender, int64_t now_ms)
{
	struct address address;

	assert_int_equal(srs_forward(secrets, text_of(domain), sender, now_ms, fixture->arena, &address), OK);
	return address;
}

static enum error reverse(struct fixture *fixture, struct text local, int64_t now_ms)
{
	struct address address;

	return srs_reverse(&ours, local, now_ms, fixture->arena, &address);
}

/* Changes one byte of a copy. */
static struct text with_byte(struct fixture *fixture, struct text text, size_t at, char byte)
{
	struct text copy;

	must(arena_copy(fixture->arena, text, &copy));
	((char *)copy.bytes)[at] = byte;
	return copy;
}

static void a_report_finds_its_way_back(void **state)
{
	static const char *const senders[] = { "alice@example.net", "alice=x@example.net", "a@[192.0.2.1]",
		"\"a b\\\"\"@example.net", "SRS0@example.net", "SRS1=x@example.net",
		"\"SRS1=x=y z=\"@example.net", "j\xc3\xb6rg@b\xc3\xa4rn.test" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
		const struct address sender = address_of(fixture, senders[i]);
		const struct address rewritten = forward(fixture, &ours, "forward.test", &sender, today);
		struct address back;

		assert_true(text_starts(rewritten.local, TEXT("SRS0=")));
		assert_true(srs_looks_like(rewritten.local));
		assert_true(text_equal(rewritten.domain, TEXT("forward.test")));
		assert_int_equal(srs_reverse(&ours, rewritten.local, today, fixture->arena, &back), OK);
		assert_string_equal(printed(fixture, &back), senders[i]);
	}
}

/* It is told to others, so its form is fixed: what was made before an update must lead back after it. */
static void the_form_is_known(void **state)
{
	struct fixture *fixture = *state;
	const struct address sender = address_of(fixture, "alice@example.net");
	const struct address rewritten = forward(fixture, &ours, "forward.test", &sender, today);

	assert_string_equal(printed(fixture, &rewritten), "SRS0=P7TATR=RA=example.net=alice@forward.test");
}

static void what_is_not_signed_by_us_is_refused(void **state)
{
	struct fixture *fixture = *state;
	const struct address sender = address_of(fixture, "alice@example.net");
	const struct address rewritten = forward(fixture, &ours, "forward.test", &sender, today);
	const struct address foreign = forward(fixture, &theirs, "forward.test", &sender, today);

	assert_int_equal(reverse(fixture, foreign.local, today), ERR_DENIED);
	/* Every byte counts: hash, day, domain and name. */
	for (size_t i = 5; i < rewritten.local.length; i++) {
		const char other =
		    rewritten.local.bytes[i] == 'B' || rewritten.local.bytes[i] == 'b' ? 'C' : 'B';

		if (rewritten.local.bytes[i] != '=')
			assert_int_equal(
			    reverse(fixture, with_byte(fixture, rewritten.local, i, other), today),
			    ERR_DENIED);
	}
	/* A hash of one kind is none of the other. */
	assert_int_not_equal(reverse(fixture, with_byte(fixture, rewritten.local, 3, '1'), today), OK);
	/* Nor is the beginning of one. */
	assert_int_equal(reverse(fixture, TEXT("SRS0=P7TAT=RA=example.net=alice"), today), ERR_DENIED);
	assert_int_equal(reverse(fixture, TEXT("SRS0=P7TATRA=RA=example.net=alice"), today), ERR_DENIED);
}

static void an_address_lives_three_weeks(void **state)
{
	struct fixture *fixture = *state;
	const struct address sender = address_of(fixture, "alice@example.net");
	const struct address rewritten = forward(fixture, &ours, "forward.test", &sender, today);

	assert_int_equal(reverse(fixture, rewritten.local, today + SRS_DAYS_MAX * day), OK);
	assert_int_equal(reverse(fixture, rewritten.local, today + (SRS_DAYS_MAX + 1) * day), ERR_GONE);
	assert_int_equal(reverse(fixture, rewritten.local, today + 500 * day), ERR_GONE);
	/* Another server's clock may be behind ours. */
	assert_int_equal(reverse(fixture, rewritten.local, today - day), OK);
	assert_int_equal(reverse(fixture, rewritten.local, today - 2 * day), ERR_GONE);
	assert_int_equal(reverse(fixture, rewritten.local, -1), OK);

	/* The count of days begins anew without a day that would be old on either side. */
	const int64_t turn = 1023 * day;
	const struct address late = forward(fixture, &ours, "forward.test", &sender, turn);

	assert_int_equal(reverse(fixture, late.local, turn + 2 * day), OK);
	assert_int_equal(reverse(fixture, late.local, turn + 22 * day), ERR_GONE);
}

static void case_may_be_folded(void **state)
{
	struct fixture *fixture = *state;
	const struct address sender = address_of(fixture, "Alice.Smith@example.net");
	const struct address rewritten = forward(fixture, &ours, "forward.test", &sender, today);
	char lower[ADDRESS_LOCAL_MAX];
	struct address back;

	for (size_t i = 0; i < rewritten.local.length; i++)
		lower[i] = byte_lower(rewritten.local.bytes[i]);
	assert_int_equal(
	    srs_reverse(&ours, (struct text){ lower, rewritten.local.length }, today, fixture->arena, &back),
	    OK);
	assert_string_equal(printed(fixture, &back), "alice.smith@example.net");
}

static void a_chain_of_forwarders_stays_two_long(void **state)
{
	struct fixture *fixture = *state;
	const struct address sender = address_of(fixture, "alice@example.net");
	const struct address first = forward(fixture, &theirs, "first.test", &sender, today);
	const struct address second = forward(fixture, &theirs, "second.test", &first, today);
	const struct address third = forward(fixture, &ours, "third.test", &second, today);
	struct address back;

	assert_true(text_starts(second.local, TEXT("SRS1=")));
	assert_int_equal(third.local.length, second.local.length);
	assert_int_equal(srs_reverse(&ours, second.local, today, fixture->arena, &back), ERR_DENIED);
	/* The second one is passed over on the way back. */
	assert_int_equal(srs_reverse(&ours, third.local, today, fixture->arena, &back), OK);
	assert_true(address_equal(&back, &first));
	assert_int_equal(srs_reverse(&theirs, back.local, today, fixture->arena, &back), OK);
	assert_true(address_equal(&back, &sender));

	/* However the first one writes it. */
	const struct address plus = address_of(fixture, "SRS0+xyz=ab=example.net=alice@first.test");
	const struct address rewritten = forward(fixture, &ours, "third.test", &plus, today);

	assert_int_equal(srs_reverse(&ours, rewritten.local, today + 100 * day, fixture->arena, &back), OK);
	assert_true(address_equal(&back, &plus));
}

static void the_first_secret_makes_and_all_verify(void **state)
{
	struct fixture *fixture = *state;
	const struct address sender = address_of(fixture, "alice@example.net");
	struct srs_secrets both;
	struct address back;
	size_t line;
	const char *why;

	assert_int_equal(
	    srs_secrets_parse(
		TEXT("# new\n  a new one, never seen \r\n\nours, and nobody knows it"), &both, &line, &why),
	    OK);
	assert_int_equal(both.count, 2);
	assert_true(text_equal(both.texts[0], TEXT("a new one, never seen")));

	const struct address old = forward(fixture, &ours, "forward.test", &sender, today);
	const struct address new = forward(fixture, &both, "forward.test", &sender, today);

	assert_int_equal(srs_reverse(&both, old.local, today, fixture->arena, &back), OK);
	assert_int_equal(srs_reverse(&both, new.local, today, fixture->arena, &back), OK);
	assert_int_equal(srs_reverse(&ours, new.local, today, fixture->arena, &back), ERR_DENIED);
}

#define TWICE(text) text text
#define EIGHT TWICE(TWICE(TWICE("long enough, that too\n")))

static void a_file_of_secrets_is_checked(void **state)
{
	const struct text short_one = TEXT("long enough for a secret\nshort\n"), many = TEXT(EIGHT),
			  too_many = TEXT(EIGHT "and this is one too many\n");
	struct srs_secrets secrets;
	const char *why;
	size_t line = 0;

	(void)state;
	assert_int_equal(srs_secrets_parse(TEXT_EMPTY, &secrets, &line, &why), ERR_SYNTAX);
	assert_string_equal(why, "no secret");
	assert_int_equal(srs_secrets_parse(TEXT("# only words\n\n"), &secrets, &line, &why), ERR_SYNTAX);
	assert_int_equal(srs_secrets_parse(short_one, &secrets, &line, &why), ERR_SYNTAX);
	assert_int_equal(line, 2);
	assert_int_equal(srs_secrets_parse(many, &secrets, &line, &why), OK);
	assert_int_equal(secrets.count, SRS_SECRETS_MAX);
	assert_int_equal(srs_secrets_parse(too_many, &secrets, &line, &why), ERR_SYNTAX);
	assert_int_equal(line, SRS_SECRETS_MAX + 1);
}

static void what_would_not_fit_is_not_made(void **state)
{
	struct fixture *fixture = *state;
	char text[] = "0123456789012345678901234567890123456@example.net";
	struct address sender = address_of(fixture, text), rewritten;

	/* 5 + 6 + 1 + 2 + 1 + 11 + 1 + 37 = 64 */
	assert_int_equal(
	    srs_forward(&ours, TEXT("forward.test"), &sender, today, fixture->arena, &rewritten), OK);
	assert_int_equal(rewritten.local.length, ADDRESS_LOCAL_MAX);
	sender = address_of(fixture, "01234567890123456789012345678901234567@example.net");
	assert_int_equal(srs_forward(&ours, TEXT("forward.test"), &sender, today, fixture->arena, &rewritten),
	    ERR_TOO_LARGE);
	/* With its quotes. */
	sender = address_of(fixture, "\"012345678901234567890123456789012345 \"@example.net");
	assert_int_equal(srs_forward(&ours, TEXT("forward.test"), &sender, today, fixture->arena, &rewritten),
	    ERR_TOO_LARGE);
}

static void nonsense_is_no_address(void **state)
{
	static const char *const locals[] = { "", "SRS0", "SRS0=", "SRS0==", "SRS0=ABCDEF",
		"SRS0=ABCDEF=", "SRS0=ABCDEF=AA=", "SRS0=ABCDEF=AA==", "SRS0=ABCDEF=AA=example.net=",
		"SRS0=ABCDEF=A=example.net=alice", "SRS0=ABCDEF=A1=example.net=alice",
		"SRS1=", "SRS1=ABCDEF==x", "SRS1=ABCDEF=first=", "SRS2=ABCDEF=AA=example.net=alice",
		"SRS0+ABCDEF=AA=example.net=alice", "alice" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof locals / sizeof *locals; i++)
		assert_int_equal(reverse(fixture, text_of(locals[i]), today), ERR_SYNTAX);
	assert_false(srs_looks_like(TEXT("SRS0+ABCDEF=AA=example.net=alice")));
	assert_false(srs_looks_like(TEXT("alice")));
	assert_true(srs_looks_like(TEXT("srs1=")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(a_report_finds_its_way_back), TEST(the_form_is_known),
		TEST(what_is_not_signed_by_us_is_refused), TEST(an_address_lives_three_weeks),
		TEST(case_may_be_folded), TEST(a_chain_of_forwarders_stays_two_long),
		TEST(the_first_secret_makes_and_all_verify), TEST(a_file_of_secrets_is_checked),
		TEST(what_would_not_fit_is_not_made), TEST(nonsense_is_no_address) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
