/* Proxies that are right, wrong and slow: what they say whole, and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/socks5.h"

#define BYTES(literal) { (literal), sizeof(literal) - 1 }
#define OPENED "\5\0\0\1\x7f\0\0\1\x1f\x90"

static const struct socks5_login login = { { "mail", 4 }, { "secret", 6 } };

/* What the proxy says, a turn each; each turn is given when something was said before. */
static const struct dialogue {
	struct text turns[3];
	bool with_login;
	enum socks5_state state;
	enum socks5_fault fault;
	const char *reason;
	const char *rest; /* For the host. */
} dialogues[] = {
	{ { BYTES("\5\0"), BYTES(OPENED) }, .state = SOCKS5_OPEN },
	{ { BYTES("\5\0"), BYTES(OPENED "220 hi\r\n") }, .state = SOCKS5_OPEN, .rest = "220 hi\r\n" },
	{ { BYTES("\5\0"), BYTES("\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x19" "2") }, .state = SOCKS5_OPEN, .rest = "2" },
	{ { BYTES("\5\0"), BYTES("\5\0\0\3\0\0\x19" "2") }, .state = SOCKS5_OPEN, .rest = "2" },
	{ { BYTES("\5\0"), BYTES("\5\0\0\3\4host\0\x19" "2") }, .state = SOCKS5_OPEN, .rest = "2" },
	{ { BYTES("\5\0"), BYTES(OPENED) }, .with_login = true, .state = SOCKS5_OPEN },
	{ { BYTES("\5\2"), BYTES("\1\0"), BYTES(OPENED "2") }, .with_login = true, .state = SOCKS5_OPEN, .rest = "2" },
	{ { BYTES("\5\0"), BYTES("\5\0\0\1\x7f\0\0\1\x1f") }, .state = SOCKS5_CONNECT },
	{ { BYTES("\5") }, .state = SOCKS5_METHOD },
	{ { BYTES("\5\2"), BYTES("\1") }, .with_login = true, .state = SOCKS5_LOGIN },
	/* No proxy for us. */
	{ { BYTES("\5\xff") }, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "wants a login" },
	{ { BYTES("\5\xff") }, .with_login = true, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "no login of those" },
	{ { BYTES("\5\2") }, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "not offered" },
	{ { BYTES("\5\1") }, .with_login = true, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "not offered" },
	{ { BYTES("\5\2"), BYTES("\1\1") }, .with_login = true, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "user and password" },
	{ { BYTES("220 mx.test ESMTP\r\n") }, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "no SOCKS5" },
	{ { BYTES("\4\x5a") }, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "no SOCKS5" },
	{ { BYTES("\5\0"), BYTES("\4\0") }, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "no SOCKS5" },
	{ { BYTES("\5\0"), BYTES("\5\0\0\2\0") }, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "no SOCKS5" },
	{ { BYTES("\5\0" OPENED) }, .state = SOCKS5_FAILED, .fault = SOCKS5_PROXY, .reason = "out of turn" },
	/* No way there; some proxies break off behind the code. */
	{ { BYTES("\5\0"), BYTES("\5\1\0\1\0\0\0\0\0\0") }, .state = SOCKS5_FAILED, .fault = SOCKS5_WAY, .reason = "general" },
	{ { BYTES("\5\0"), BYTES("\5\2") }, .state = SOCKS5_FAILED, .fault = SOCKS5_WAY, .reason = "allow" },
	{ { BYTES("\5\0"), BYTES("\5\3") }, .state = SOCKS5_FAILED, .fault = SOCKS5_WAY, .reason = "network" },
	{ { BYTES("\5\0"), BYTES("\5\4") }, .state = SOCKS5_FAILED, .fault = SOCKS5_HOST, .reason = "host" },
	{ { BYTES("\5\0"), BYTES("\5\5") }, .state = SOCKS5_FAILED, .fault = SOCKS5_HOST, .reason = "refused" },
	{ { BYTES("\5\0"), BYTES("\5\6") }, .state = SOCKS5_FAILED, .fault = SOCKS5_HOST, .reason = "TTL" },
	{ { BYTES("\5\0"), BYTES("\5\7") }, .state = SOCKS5_FAILED, .fault = SOCKS5_WAY, .reason = "CONNECT" },
	{ { BYTES("\5\0"), BYTES("\5\x8") }, .state = SOCKS5_FAILED, .fault = SOCKS5_WAY, .reason = "family" },
	{ { BYTES("\5\0"), BYTES("\5\x9") }, .state = SOCKS5_FAILED, .fault = SOCKS5_WAY, .reason = "does not know" },
	{ { BYTES("\5\0"), BYTES("\5\xff") }, .state = SOCKS5_FAILED, .fault = SOCKS5_WAY, .reason = "does not know" },
};

static void hear_turn(struct socks5 *socks5, struct text turn, size_t piece, char *rest)
{
	for (size_t at = 0; at < turn.length; at += piece) {
		const struct text part = text_part(turn, at, piece);
		const size_t taken = socks5_received(socks5, part);
		const struct text left = text_from(part, taken);

		if (left.length > 0)
			memcpy(rest + strlen(rest), left.bytes, left.length);
	}
}

static void play(const struct dialogue *row, size_t piece)
{
	const struct endpoint to = { .family = ENDPOINT_IP4, .port = 25, .ip = { 192, 0, 2, 1 } };
	char rest[32] = { 0 };
	struct socks5 socks5;

	socks5_begin(&socks5, &to, row->with_login ? &login : NULL);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(socks5_say(&socks5).length > 0, i == 0 || (row->turns[i].length > 0 && socks5.state < SOCKS5_OPEN));
		socks5_said(&socks5);
		hear_turn(&socks5, row->turns[i], piece, rest);
		if (row->turns[i + 1 < 3 ? i + 1 : 2].length == 0)
			break;
	}
	assert_int_equal(socks5.state, row->state);
	assert_int_equal(socks5.fault, row->fault);
	assert_string_equal(rest, row->rest != NULL ? row->rest : "");
	if (row->reason != NULL && strstr(socks5.reason, row->reason) == NULL)
		fail_msg("\"%s\" is not \"%s\"", socks5.reason, row->reason);
}

static void proxies_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
		play(&dialogues[i], 1000);
		play(&dialogues[i], 1);
		play(&dialogues[i], 3);
	}
}

static void expect_said(struct socks5 *socks5, struct text words)
{
	assert_true(text_equal(socks5_say(socks5), words));
	socks5_said(socks5);
	for (size_t i = 0; i < sizeof socks5->say; i++)
		assert_int_equal(socks5->say[i], 0);
}

static void we_speak_in_turn(void **state)
{
	const struct endpoint four = { .family = ENDPOINT_IP4, .port = 0x1234, .ip = { 192, 0, 2, 1 } };
	struct endpoint six;
	struct socks5 socks5;

	(void)state;
	socks5_begin(&socks5, &four, NULL);
	expect_said(&socks5, TEXT("\5\1\0"));
	assert_int_equal(socks5_received(&socks5, TEXT("\5\0")), 2);
	expect_said(&socks5, TEXT("\5\1\0\1\xc0\0\2\1\x12\x34"));

	assert_true(endpoint_parse(TEXT("[2001:db8::7]:25"), 1, &six));
	socks5_begin(&socks5, &six, &login);
	expect_said(&socks5, TEXT("\5\2\0\2"));
	assert_int_equal(socks5_received(&socks5, TEXT("\5\2")), 2);
	expect_said(&socks5, TEXT("\1\4mail\6secret"));
	assert_int_equal(socks5_received(&socks5, TEXT("\1\0")), 2);
	expect_said(&socks5, TEXT("\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\x19"));
	assert_int_equal(socks5.state, SOCKS5_CONNECT);
}

/* The longest words there can be. */
static void nothing_is_too_long(void **state)
{
	const struct endpoint to = { .family = ENDPOINT_IP4, .port = 25, .ip = { 192, 0, 2, 1 } };
	char word[SOCKS5_WORD_MAX], answer[SOCKS5_ANSWER_MAX] = { 5, 0, 0, 3, (char)0xff };
	const struct socks5_login longest = { { word, sizeof word }, { word, sizeof word } };
	struct socks5 socks5;

	(void)state;
	memset(word, 'x', sizeof word);
	socks5_begin(&socks5, &to, &longest);
	socks5_said(&socks5);
	(void)socks5_received(&socks5, TEXT("\5\2"));
	assert_int_equal(socks5_say(&socks5).length, SOCKS5_SAY_MAX);
	socks5_said(&socks5);
	(void)socks5_received(&socks5, TEXT("\1\0"));
	socks5_said(&socks5);
	assert_int_equal(socks5_received(&socks5, (struct text){ answer, sizeof answer - 1 }), sizeof answer - 1);
	assert_int_equal(socks5.state, SOCKS5_CONNECT);
	assert_int_equal(socks5_received(&socks5, TEXT("xy")), 1);
	assert_int_equal(socks5.state, SOCKS5_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxies_are_understood),
		cmocka_unit_test(we_speak_in_turn),
		cmocka_unit_test(nothing_is_too_long),
	};

	return cmocka_run_group_tests_name("io/socks5", tests, NULL, NULL);
}
