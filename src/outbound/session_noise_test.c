/* Servers that say anything at any time: no broken truth, no outcome without a reason, one end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "outbound/session.h"

enum { ROUNDS = 60000, STEPS = 40, RECIPIENTS = 5 };

static const char *const sayings[] = {
	"220 hi\r\n", "250 Ok\r\n", "250 Ok\r\n", "250 Ok\r\n", "250 Ok\r\n", "354 go\r\n", "354 go\r\n", "221 bye\r\n",
	"250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2 MAILMAX=3\r\n",
	"250-x\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n", "250-x\r\n250-AUTH LOGIN SCRAM-SHA-1\r\n250 PIPELINING\r\n", "250-x\r\n250-CHUNKING\r\n250-8BITMIME\r\n250 LIMITS RCPTDOMAINMAX=1\r\n", "250 x\r\n250 x\r\n250 x\r\n354 go\r\n250 x\r\n",
	"421 bye\r\n", "450 4.2.0 grey\r\n", "452 4.5.3 too many\r\n", "452 full\r\n", "503 what\r\n", "550 5.1.1 no\r\n",
	"552 big\r\n", "235 in\r\n", "235 in\r\n", "334 \r\n", "334 cj1hLHM9YixpPTE=\r\n", "334 what\r\n", "454 later\r\n", "535 no\r\n", "25", "0 Ok\r\n", "250-\r\n", "noise\r\n", "\r\n",
};

static const struct client_login login = { { "u", 1 }, { "pencil", 6 } };

struct game {
	struct client_settings settings;
	struct client_session *session;
	struct arena *arena;
	struct recipient recipients[RECIPIENTS];
	struct message message;
	struct delivery_outcome outcomes[RECIPIENTS];
	struct delivery delivery;
	bool in_hand, handshake, demanded, logged_in;
	unsigned finals;
};

static unsigned draw(unsigned below)
{
	return (unsigned)rand() % below;
}

static void give(struct game *game)
{
	static const char *const domains[] = { "a.test", "b.test", "c.test" };

	for (uint32_t i = 0; i < RECIPIENTS; i++)
		game->recipients[i] = (struct recipient){ .index = i,
			.address = { TEXT("r"), text_of(domains[draw(3)]) } };
	game->message = (struct message){
		.envelope = { .flags = draw(2) ? ENVELOPE_8BIT : 0, .chunk_count = draw(4) },
		.recipients = game->recipients,
		.recipient_count = 1 + draw(RECIPIENTS),
	};
	game->message.envelope.body_size = game->message.envelope.chunk_count * 7;
	memset(game->outcomes, 0, sizeof game->outcomes);
	arena_reset(game->arena);
	game->delivery =
	    (struct delivery){ .message = &game->message, .arena = game->arena, .outcomes = game->outcomes };
	game->in_hand = true;
	client_session_send(game->session, &game->delivery);
}

static void carry_out(struct game *game)
{
	const struct client_todo *todo = client_session_todo(game->session);
	const struct verdict damaged = VERDICT(451, 4, 3, 0, "damaged");

	while (todo->want_chunk && draw(3) > 0) {
		if (draw(50) == 0)
			client_session_chunk_failed(game->session, &damaged);
		else
			client_session_chunk(game->session, draw(9) ? TEXT("hello\r\n") : TEXT("\xff\n.\r\n"));
		todo = client_session_todo(game->session);
	}
	if (todo->finished) {
		assert_true(game->in_hand);
		game->in_hand = false;
		for (uint32_t i = 0; i < game->message.recipient_count; i++)
			assert_true(game->outcomes[i].verdict.code == 0 || game->outcomes[i].verdict.code / 100 == 2 ||
			    game->outcomes[i].verdict.code >= 400);
	}
	assert_true(!todo->ended || !game->in_hand || todo->finished);
	game->logged_in = game->logged_in || todo->logged_in;
	assert_true(!todo->ready || !game->in_hand);
	assert_true(!todo->ready || !game->demanded || game->logged_in);
	assert_false(todo->login_failed && !(todo->ended && game->demanded && !game->logged_in));
	game->handshake = game->handshake || todo->start_tls;
	client_session_did(game->session);
}

static void happen(struct game *game)
{
	const struct client_todo *todo = client_session_todo(game->session);
	const unsigned what = draw(60);

	if (game->handshake && what < 55) {
		game->handshake = false;
		if (what < 50)
			client_session_secured(game->session, TEXT("TLSv1.3 CIPHER"));
		else
			client_session_tls_failed(game->session, TEXT("wrong version number"));
	} else if (todo->ready && what < 50)
		give(game);
	else if (todo->ready && what == 50)
		client_session_quit(game->session);
	else if (what == 51)
		client_session_closed(game->session, ERR_RESET);
	else if (what == 52)
		client_session_timed_out(game->session);
	else
		client_session_bytes(game->session, text_of(sayings[draw(sizeof sayings / sizeof *sayings)]));
	carry_out(game);
}

static void play(struct game *game)
{
	game->session = client_session_new(&game->settings, TEXT("peer[192.0.2.1]"),
	    (struct tls_demand){ .level = (enum tls_level)draw(4), .implicit = draw(8) == 0 });
	game->in_hand = game->handshake = game->logged_in = false;
	game->demanded = draw(4) == 0;
	if (game->demanded)
		client_session_demand_login(game->session, &login);
	client_session_connected(game->session);
	carry_out(game);
	/* Most games shall get beyond the greeting. */
	if (draw(10) > 0 && !game->handshake) {
		client_session_bytes(game->session, TEXT("220 hi\r\n"));
		carry_out(game);
		client_session_bytes(game->session, text_of(sayings[8 + draw(5)]));
		carry_out(game);
	}
	for (unsigned i = 0; i < STEPS && !client_session_todo(game->session)->ended; i++)
		happen(game);
	if (!client_session_todo(game->session)->ended) {
		client_session_closed(game->session, ERR_CLOSED);
		carry_out(game);
	}
	assert_true(client_session_todo(game->session)->ended);
	assert_false(game->in_hand);
	client_session_free(game->session);
}

static void nothing_a_server_says_breaks_us(void **state)
{
	struct game game = { .settings = { .hostname = TEXT("client.test"), .timeouts = CLIENT_TIMEOUTS_DEFAULT } };

	(void)state;
	srand(821);
	game.arena = arena_new(1 << 20);
	for (unsigned round = 0; round < ROUNDS; round++) {
		game.settings.lmtp = draw(4) == 0;
		game.settings.messages_max = 1 + draw(10);
		play(&game);
	}
	arena_free(game.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_a_server_says_breaks_us) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
