#include "io/socks5.h"

#include <string.h>

#include "base/must.h"

enum { VERSION = 5, LOGIN_VERSION = 1, METHOD_OPEN = 0, METHOD_LOGIN = 2, METHOD_NONE = 0xff, COMMAND_CONNECT = 1 };
enum { ADDRESS_IP4 = 1, ADDRESS_NAME = 3, ADDRESS_IP6 = 4 };
enum { SHORT_ANSWER = 2, HEAD_LENGTH = 5, PORT_LENGTH = 2 };

/* RFC 1928 §6. Who cannot reach a network, or forbids it, says nothing of the host. */
static const struct {
	enum socks5_fault fault;
	const char *reason;
} replies[] = {
	{ SOCKS5_NO_FAULT, "" },
	{ SOCKS5_WAY, "it failed (general SOCKS server failure)" },
	{ SOCKS5_WAY, "it does not allow the connection" },
	{ SOCKS5_WAY, "it cannot reach the network" },
	{ SOCKS5_HOST, "it cannot reach the host" },
	{ SOCKS5_HOST, "connection refused" },
	{ SOCKS5_HOST, "the way to the host is too long (TTL expired)" },
	{ SOCKS5_WAY, "it does not know the command CONNECT" },
	{ SOCKS5_WAY, "it does not know addresses of this family" },
};

static void put(struct socks5 *socks5, const void *bytes, size_t length)
{
	must(length <= sizeof socks5->say - socks5->say_length);
	memcpy(socks5->say + socks5->say_length, bytes, length);
	socks5->say_length += length;
}

static void put_byte(struct socks5 *socks5, unsigned byte)
{
	put(socks5, &(uint8_t){ (uint8_t)byte }, 1);
}

static void put_word(struct socks5 *socks5, struct text word)
{
	must(word.length >= 1 && word.length <= SOCKS5_WORD_MAX);
	put_byte(socks5, (unsigned)word.length);
	put(socks5, word.bytes, word.length);
}

static void fail(struct socks5 *socks5, enum socks5_fault fault, const char *reason)
{
	socks5_said(socks5);
	socks5->state = SOCKS5_FAILED;
	socks5->fault = fault;
	socks5->reason = reason;
}

static void expect(struct socks5 *socks5, enum socks5_state state)
{
	socks5->state = state;
	socks5->answer_length = 0;
}

void socks5_begin(struct socks5 *socks5, const struct endpoint *to, const struct socks5_login *login)
{
	must(to->family == ENDPOINT_IP4 || to->family == ENDPOINT_IP6);
	*socks5 = (struct socks5){ .state = SOCKS5_METHOD, .reason = "", .to = *to };
	if (login != NULL)
		socks5->login = *login;
	put_byte(socks5, VERSION);
	put_byte(socks5, login != NULL ? 2 : 1);
	put_byte(socks5, METHOD_OPEN);
	if (login != NULL)
		put_byte(socks5, METHOD_LOGIN);
}

static void ask_to_connect(struct socks5 *socks5)
{
	const struct endpoint *to = &socks5->to;
	const bool is_six = to->family == ENDPOINT_IP6;

	expect(socks5, SOCKS5_CONNECT);
	put_byte(socks5, VERSION);
	put_byte(socks5, COMMAND_CONNECT);
	put_byte(socks5, 0);
	put_byte(socks5, is_six ? ADDRESS_IP6 : ADDRESS_IP4);
	put(socks5, to->ip, is_six ? 16 : 4);
	put_byte(socks5, to->port >> 8);
	put_byte(socks5, to->port & 0xff);
}

static void hear_method(struct socks5 *socks5)
{
	const unsigned method = socks5->answer[1];

	if (socks5->answer[0] != VERSION) {
		fail(socks5, SOCKS5_PROXY, "what it says is no SOCKS5");
	} else if (method == METHOD_OPEN) {
		ask_to_connect(socks5);
	} else if (method == METHOD_LOGIN && socks5->login.user.length > 0) {
		expect(socks5, SOCKS5_LOGIN);
		put_byte(socks5, LOGIN_VERSION);
		put_word(socks5, socks5->login.user);
		put_word(socks5, socks5->login.password);
	} else {
		fail(socks5, SOCKS5_PROXY, method != METHOD_NONE ? "it chooses a login that was not offered"
		    : socks5->login.user.length > 0             ? "it takes no login of those that we know"
		                                                : "it wants a login, and we have none for it");
	}
}

static void hear_login(struct socks5 *socks5)
{
	if (socks5->answer[1] != 0)
		fail(socks5, SOCKS5_PROXY, "it does not take our user and password");
	else
		ask_to_connect(socks5);
}

static bool knows(unsigned family)
{
	return family == ADDRESS_IP4 || family == ADDRESS_NAME || family == ADDRESS_IP6;
}

/* A refusal is one from its second byte on: some proxies say no more. */
static void hear_answer(struct socks5 *socks5)
{
	const unsigned code = socks5->answer[1];

	if (socks5->answer[0] != VERSION)
		fail(socks5, SOCKS5_PROXY, "what it says is no SOCKS5");
	else if (code >= sizeof replies / sizeof *replies)
		fail(socks5, SOCKS5_WAY, "it refuses for a reason that RFC 1928 does not know");
	else if (code != 0)
		fail(socks5, replies[code].fault, replies[code].reason);
	else if (socks5->answer_length >= HEAD_LENGTH && !knows(socks5->answer[3]))
		fail(socks5, SOCKS5_PROXY, "what it says is no SOCKS5");
	else if (socks5->answer_length > HEAD_LENGTH)
		socks5->state = SOCKS5_OPEN;
}

/* The length of the answer, as far as it is known. */
static size_t wanted(const struct socks5 *socks5)
{
	if (socks5->state != SOCKS5_CONNECT || socks5->answer_length < SHORT_ANSWER)
		return SHORT_ANSWER;
	if (socks5->answer_length < HEAD_LENGTH)
		return HEAD_LENGTH;
	switch (socks5->answer[3]) {
	case ADDRESS_IP4:
		return 4 + 4 + PORT_LENGTH;
	case ADDRESS_NAME:
		return HEAD_LENGTH + (size_t)socks5->answer[4] + PORT_LENGTH;
	default:
		return 4 + 16 + PORT_LENGTH;
	}
}

static void hear(struct socks5 *socks5)
{
	switch (socks5->state) {
	case SOCKS5_METHOD:
		hear_method(socks5);
		break;
	case SOCKS5_LOGIN:
		hear_login(socks5);
		break;
	case SOCKS5_CONNECT:
		hear_answer(socks5);
		break;
	case SOCKS5_OPEN:
	case SOCKS5_FAILED:
		break;
	}
}

size_t socks5_received(struct socks5 *socks5, struct text bytes)
{
	size_t taken = 0;

	while (taken < bytes.length && socks5->state < SOCKS5_OPEN) {
		if (socks5->say_length > 0) {
			fail(socks5, SOCKS5_PROXY, "it speaks out of turn");
			break;
		}
		const size_t goal = wanted(socks5);
		const struct text piece = text_part(bytes, taken, goal - socks5->answer_length);

		memcpy(socks5->answer + socks5->answer_length, piece.bytes, piece.length);
		socks5->answer_length += piece.length;
		taken += piece.length;
		if (socks5->answer_length == goal)
			hear(socks5);
	}
	return socks5->state == SOCKS5_FAILED ? bytes.length : taken;
}

struct text socks5_say(const struct socks5 *socks5)
{
	return (struct text){ socks5->say, socks5->say_length };
}

void socks5_said(struct socks5 *socks5)
{
	explicit_bzero(socks5->say, sizeof socks5->say);
	socks5->say_length = 0;
}
