#include "outbound/session_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"

enum { RECIPIENTS_MAX = 4, CHUNKS_MAX = 4 };

struct player {
	const struct script *script;
	enum script_cut cut;
	struct client_settings settings;
	struct client_session *session;
	struct buffer said;        /* By the client, not yet expected. */
	struct buffer heard;       /* By the client, gathered for SCRIPT_BLOCKS. */
	struct arena *arena;
	struct recipient recipients[RECIPIENTS_MAX];
	struct message message;
	struct delivery_outcome outcomes[RECIPIENTS_MAX];
	struct delivery delivery;
	bool final, finished, handshake, logged_in;
	struct text line;
};

static void stray(const struct player *player, const char *what)
{
	print_error("script '%s' (cut %d), line '%.*s': %s; said: '%.*s'\n", player->script->name, (int)player->cut,
	    TEXT_FORMAT(player->line), what, TEXT_FORMAT(buffer_text(&player->said)));
	fail();
}

/* Do what is to be done, as a shell would. */
static void carry_out(struct player *player, bool damaged)
{
	const struct client_todo *todo = client_session_todo(player->session);

	while (todo->want_chunk) {
		const struct verdict verdict = VERDICT(451, 4, 3, 0, "stored message is damaged");
		const char *chunk = player->script->chunks[todo->chunk];

		if (damaged)
			client_session_chunk_failed(player->session, &verdict);
		else
			client_session_chunk(player->session, chunk ? text_of(chunk) : TEXT("hello\r\n"));
		damaged = false;
		todo = client_session_todo(player->session);
	}
	assert_true(buffer_append(&player->said, todo->write));
	if (todo->final && player->final)
		stray(player, "a second final");
	player->final = player->final || todo->final;
	if (todo->finished && player->finished)
		stray(player, "finished twice");
	player->finished = player->finished || todo->finished;
	player->handshake = player->handshake || todo->start_tls;
	player->logged_in = player->logged_in || todo->logged_in;
	client_session_did(player->session);
}

static void fill_recipients(struct player *player)
{
	const struct script *script = player->script;
	uint32_t count = 0;

	for (; count < RECIPIENTS_MAX && (count == 0 || script->recipients[count] != NULL); count++) {
		struct recipient *recipient = &player->recipients[count];
		struct text text = text_of(script->recipients[count] ? script->recipients[count] : "r0@a.test");

		recipient->index = count;
		text_cut(&text, '@', &recipient->address.local);
		recipient->address.domain = text;
		recipient->original = text_of(script->original);
		recipient->notify = (uint8_t)script->notify;
	}
	player->message.recipients = player->recipients;
	player->message.recipient_count = count;
}

static void fill_message(struct player *player)
{
	const struct script *script = player->script;
	struct envelope *envelope = &player->message.envelope;

	*envelope = script->envelope;
	if (!script->null_path)
		envelope->reverse_path = (struct address){ TEXT("s"), TEXT("client.test") };
	if (!script->no_body && envelope->chunk_count == 0) {
		while (envelope->chunk_count < CHUNKS_MAX && script->chunks[envelope->chunk_count] != NULL)
			envelope->body_size += strlen(script->chunks[envelope->chunk_count++]);
		if (envelope->chunk_count == 0) {
			envelope->chunk_count = 1;
			envelope->body_size = envelope->body_size ? envelope->body_size : 7;
		}
	}
	fill_recipients(player);
	memset(player->outcomes, 0, sizeof player->outcomes);
	player->delivery = (struct delivery){
		.message = &player->message,
		.arena = player->arena,
		.outcomes = player->outcomes,
	};
}

static void feed(struct player *player, struct text bytes)
{
	const size_t step = player->cut == SCRIPT_BYTES ? 1 : bytes.length;

	for (size_t at = 0; at < bytes.length; at += step) {
		client_session_bytes(player->session, text_part(bytes, at, step));
		carry_out(player, false);
		/* After its end no event may follow. */
		if (client_session_todo(player->session)->ended)
			break;
	}
}

static void server_says(struct player *player, struct text words, bool more)
{
	if (player->said.length > 0)
		stray(player, "the client said more than expected");
	assert_true(buffer_append(&player->heard, words) && buffer_append(&player->heard, TEXT("\r\n")));
	if (player->cut == SCRIPT_BLOCKS && more)
		return;
	feed(player, buffer_text(&player->heard));
	buffer_clear(&player->heard);
}

static void client_said(struct player *player, struct text words, bool whole)
{
	const struct text said = buffer_text(&player->said);
	const size_t end = text_find(said, TEXT("\r\n"));

	if (end == said.length || !text_equal(text_part(said, 0, whole ? end : words.length), words))
		stray(player, "the client said something else");
	buffer_consume(&player->said, end + 2);
}

static uint32_t take_number(struct text *rest)
{
	struct text word;
	uint64_t number = 0;

	assert_true(text_cut(rest, ' ', &word) && text_to_u64(word, &number));
	return (uint32_t)number;
}

static void check_verdict(const struct player *player, const struct verdict *verdict, struct text rest)
{
	if (verdict->code != take_number(&rest))
		stray(player, "another code");
	if (!text_starts(verdict->text, rest))
		stray(player, "another text");
	if (verdict->code != 0 && verdict->host.length > 0 && !text_equal(verdict->host, TEXT("mx.test[192.0.2.1]")))
		stray(player, "another host");
}

static void check_outcome(struct player *player, struct text keyword, struct text rest)
{
	const uint32_t position = take_number(&rest);
	const struct delivery_outcome *outcome = &player->outcomes[position];

	if (text_equal(keyword, TEXT("=")))
		check_verdict(player, &outcome->verdict, rest);
	else if (text_equal(keyword, TEXT("pressure")) && !outcome->pressure)
		stray(player, "no pressure");
	else if (text_equal(keyword, TEXT("without-dsn")) && !outcome->relayed_without_dsn)
		stray(player, "relayed with DSN");
	else if (text_equal(keyword, TEXT("without-deliverby")) && !outcome->relayed_without_deliverby)
		stray(player, "relayed with DELIVERBY");
	else if (text_equal(keyword, TEXT("stake")) && !client_session_at_stake(player->session, position))
		stray(player, "not at stake");
}

static void check_flag(struct player *player, bool *flag)
{
	if (!*flag)
		stray(player, "not so");
	*flag = false;
}

static void check_ended(struct player *player, struct text rest)
{
	const struct client_todo *todo = client_session_todo(player->session);

	if (!todo->ended)
		stray(player, "not ended");
	if (rest.length > 0)
		check_verdict(player, &todo->trouble, rest);
	else if (todo->trouble.code != 0)
		stray(player, "ended with trouble");
}

static bool play_event(struct player *player, struct text keyword, struct text rest)
{
	const bool damaged = text_equal(keyword, TEXT("damaged"));

	if (text_equal(keyword, TEXT("M")) || damaged) {
		fill_message(player);
		client_session_send(player->session, &player->delivery);
	} else if (text_equal(keyword, TEXT("Q"))) {
		client_session_quit(player->session);
	} else if (text_equal(keyword, TEXT("closed"))) {
		client_session_closed(player->session, ERR_CLOSED);
	} else if (text_equal(keyword, TEXT("secured"))) {
		client_session_secured(player->session, TEXT("TLSv1.3 CIPHER"));
	} else if (text_equal(keyword, TEXT("tls-failed"))) {
		client_session_tls_failed(player->session, rest);
	} else if (text_equal(keyword, TEXT("timeout"))) {
		client_session_timed_out(player->session);
	} else {
		return false;
	}
	carry_out(player, damaged);
	return true;
}

static void play_line(struct player *player, bool server_goes_on)
{
	struct text rest = player->line, keyword;
	bool ready, stale, clear, failed, refused;

	assert_true(text_cut(&rest, ' ', &keyword));
	ready = client_session_todo(player->session)->ready;
	stale = client_session_todo(player->session)->stale;
	clear = client_session_todo(player->session)->clear_text_may_do;
	failed = client_session_todo(player->session)->login_failed;
	refused = client_session_todo(player->session)->login_refused;
	if (text_equal(keyword, TEXT("S")))
		server_says(player, rest, server_goes_on);
	else if (text_equal(keyword, TEXT("C")))
		client_said(player, rest, true);
	else if (text_equal(keyword, TEXT("C*")))
		client_said(player, rest, false);
	else if (text_equal(keyword, TEXT("final")))
		check_flag(player, &player->final);
	else if (text_equal(keyword, TEXT("finished")))
		check_flag(player, &player->finished);
	else if (text_equal(keyword, TEXT("ready")))
		check_flag(player, &ready);
	else if (text_equal(keyword, TEXT("stale")))
		check_flag(player, &stale);
	else if (text_equal(keyword, TEXT("ended")))
		check_ended(player, rest);
	else if (text_equal(keyword, TEXT("handshake")))
		check_flag(player, &player->handshake);
	else if (text_equal(keyword, TEXT("logged-in")))
		check_flag(player, &player->logged_in);
	else if (text_equal(keyword, TEXT("login-failed")))
		check_flag(player, &failed);
	else if (text_equal(keyword, TEXT("login-refused")))
		check_flag(player, &refused);
	else if (text_equal(keyword, TEXT("clear")))
		check_flag(player, &clear);
	else if (text_equal(keyword, TEXT("tls")))
		assert_true(text_equal(player->delivery.tls, rest));
	else if (!play_event(player, keyword, rest))
		check_outcome(player, keyword, rest);
}

void script_play(const struct script *script, enum script_cut cut)
{
	struct player player = { .script = script, .cut = cut };
	struct text rest = text_of(script->lines), next;

	player.settings = (struct client_settings){
		.hostname = TEXT("client.test"),
		.timeouts = CLIENT_TIMEOUTS_DEFAULT,
		.messages_max = script->messages_max ? script->messages_max : 100,
		.lmtp = script->lmtp,
	};
	player.session = client_session_new(&player.settings, TEXT("mx.test[192.0.2.1]"), script->tls);
	player.arena = arena_new(1 << 20);
	assert_non_null(player.session);
	assert_non_null(player.arena);
	if (script->login.user.length > 0)
		client_session_demand_login(player.session, &script->login);
	buffer_init(&player.said, 1 << 22);
	buffer_init(&player.heard, 1 << 16);

	client_session_connected(player.session);
	carry_out(&player, false);
	while (rest.length > 0 && text_cut(&rest, '\n', &player.line)) {
		next = text_part(rest, 0, 2);
		play_line(&player, text_equal(next, TEXT("S ")));
	}
	if (player.said.length > 0 || player.final || player.finished || player.logged_in)
		stray(&player, "more came at the end");

	buffer_done(&player.said);
	buffer_done(&player.heard);
	arena_free(player.arena);
	client_session_free(player.session);
}
