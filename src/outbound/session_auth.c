/* How we log in (RFC 4954): AUTH, an answer to each 334, and what the host's last word means.
 *
 *     AUTH ──334──► AUTH        the next step of the mechanism (sasl/login.h)
 *       ├──5yz──► AUTH          by PLAIN or LOGIN, when it was SCRAM
 *       ├──235──► READY         when the host has proved itself, where the mechanism asks for that
 *       └──4yz, 5yz──► ENDED    nothing is sent to a host that does not know who we are (O7) */
#include "outbound/session_private.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/must.h"

enum { LOGIN_ARENA_BYTES = 65536 };

/* What the host offers of those that we might speak. */
static unsigned offered(const struct client_session *session)
{
	static const struct {
		enum mechanism theirs;
		enum sasl_mechanism ours;
	} pairs[] = {
		{ MECHANISM_SCRAM_SHA_256, SASL_SCRAM_SHA_256 },
		{ MECHANISM_SCRAM_SHA_1, SASL_SCRAM_SHA_1 },
		{ MECHANISM_PLAIN, SASL_PLAIN },
		{ MECHANISM_LOGIN, SASL_LOGIN },
	};
	unsigned set = 0;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (session->capabilities.mechanisms & (uint32_t)pairs[i].theirs)
			set |= 1u << pairs[i].ours;
	return set;
}

/* -- Steps ------------------------------------------------------------------ */

/* What we think of the exchange, whatever the host says. */
static void give_up(struct client_session *session, enum sasl_result result)
{
	const struct text user = session->demanded->user;

	if (result == SASL_TROUBLE)
		client_session_trouble_print(session, 7, 0,
		    "the login as \"%.*s\" failed on our side: no memory, or characters that the mechanism does not allow",
		    TEXT_FORMAT(user));
	else if (result == SASL_FAILURE)
		client_session_trouble_print(session, 7, 8,
		    "the host has not shown that it knows the password of \"%.*s\", which it would have to", TEXT_FORMAT(user));
	else
		client_session_trouble_print(session, 7, 0, "the host does not keep to the mechanism by which \"%.*s\" logs in",
		    TEXT_FORMAT(user));
}

/* `prefix`, and the answer to `challenge` in base64. */
static void say_step(struct client_session *session, const char *prefix, struct text challenge, struct arena *arena)
{
	struct buffer response;
	struct text base64, line;

	buffer_init_secret(&response, SASL_BYTES_MAX);
	const enum sasl_result result = sasl_login_step(session->login, challenge, &response);

	if (result != SASL_CONTINUE && result != SASL_SUCCESS)
		give_up(session, result);
	else if (!base64_encode(buffer_text(&response), arena, &base64) ||
	    !arena_print(arena, &line, "%s%.*s", prefix, TEXT_FORMAT(base64)))
		give_up(session, SASL_TROUBLE);
	else
		client_send_line(session, line);
	buffer_done(&response);
}

static void say(struct client_session *session, const char *prefix, struct text challenge)
{
	struct arena *arena = arena_new(LOGIN_ARENA_BYTES);

	if (arena == NULL) {
		give_up(session, SASL_TROUBLE);
		return;
	}
	say_step(session, prefix, challenge, arena);
	arena_wipe(arena);
	arena_free(arena);
}

static void begin(struct client_session *session, enum sasl_mechanism mechanism)
{
	const struct client_login *demanded = session->demanded;
	char prefix[40];

	if (sasl_login_new(mechanism, demanded->user, demanded->password, &session->login) != OK) {
		give_up(session, SASL_TROUBLE);
		return;
	}
	session->mechanism = mechanism;
	const bool speaks_first = sasl_login_speaks_first(session->login);

	snprintf(prefix, sizeof prefix, "AUTH %s%s", sasl_mechanism_word(mechanism), speaks_first ? " " : "");
	if (speaks_first)
		say(session, prefix, TEXT_EMPTY);
	else
		client_send_line(session, text_of(prefix));
}

void client_introduced(struct client_session *session)
{
	const bool encrypted = session->tls[0] != '\0';
	enum sasl_mechanism mechanism;

	if (session->demanded == NULL) {
		client_rest(session);
		return;
	}
	session->state = CLIENT_AUTH;
	const struct text user = session->demanded->user;

	if (!capabilities_offer(&session->capabilities, CAPABILITY_AUTH))
		client_session_trouble_print(session, 7, 0, "we are to log in as \"%.*s\", and the host does not offer AUTH%s",
		    TEXT_FORMAT(user), encrypted ? "" : " without TLS");
	else if (!sasl_login_choose(offered(session), encrypted, &mechanism))
		client_session_trouble_print(session, 7, 0,
		    "we are to log in as \"%.*s\", and the host offers no mechanism that we use%s", TEXT_FORMAT(user),
		    encrypted ? "" : " without TLS");
	else
		begin(session, mechanism);
}

/* -- Replies ---------------------------------------------------------------- */

static void challenged(struct client_session *session, struct arena *arena)
{
	const struct text base64 = text_trim(reply_line(&session->parser));
	struct text challenge;

	if (arena == NULL)
		give_up(session, SASL_TROUBLE);
	else if (reply_line_count(&session->parser) != 1 || base64_decode(base64, arena, &challenge) != OK)
		give_up(session, SASL_MALFORMED);
	else
		say(session, "", challenge);
	arena_free(arena);
}

/* A host offers SCRAM to all and may have only a hash of this password that serves no SCRAM: then it says that it is wrong. The
 * password is no less safe than with a host that offers no SCRAM at all. */
static bool begin_plainly(struct client_session *session)
{
	const unsigned scram = 1u << SASL_SCRAM_SHA_256 | 1u << SASL_SCRAM_SHA_1;
	enum sasl_mechanism mechanism;

	if ((scram & 1u << session->mechanism) == 0 ||
	    !sasl_login_choose(offered(session) & ~scram, session->tls[0] != '\0', &mechanism))
		return false;
	sasl_login_free(session->login);
	session->login = NULL;
	begin(session, mechanism);
	return true;
}

/* What may be told of the host's words: 50z is how servers speak of lines that they do not understand, and some repeat them. */
static struct text harmless_words(const struct client_session *session, const struct verdict *reply)
{
	if (reply->code < 510 && reply->code >= 500)
		return TEXT("it does not know the command");
	if (text_find(reply->text, session->demanded->password) < reply->text.length)
		return TEXT("(its words hold the password)");
	return reply->text;
}

/* RFC 4954 §6: 535 means name and password; whatever else is permanent (534, 538, 550) somebody has to look at, too. */
static void refused(struct client_session *session, const struct verdict *reply)
{
	const bool final = verdict_is_permanent(reply);
	const struct enhanced_code enhanced = reply->enhanced;
	char status[32] = "";

	if (enhanced.class > 0)
		snprintf(status, sizeof status, " %u.%u.%u", enhanced.class, enhanced.subject, enhanced.detail);
	session->todo.login_refused = final;
	if (final && begin_plainly(session))
		return;
	client_session_trouble_print(session, 7, final ? 8 : 0, "the login as \"%.*s\" was %s: %u%s %.*s",
	    TEXT_FORMAT(session->demanded->user), final ? "refused" : "put off", reply->code, status,
	    TEXT_FORMAT(harmless_words(session, reply)));
}

static void accepted(struct client_session *session)
{
	if (!sasl_login_is_proven(session->login)) {
		give_up(session, SASL_FAILURE);
		return;
	}
	sasl_login_free(session->login);
	session->login = NULL;
	session->todo.login_refused = false;
	session->logged_in = session->todo.logged_in = true;
	client_rest(session);
}

void client_reply_auth(struct client_session *session, const struct verdict *reply)
{
	if (reply->code == 334)
		challenged(session, arena_new(LOGIN_ARENA_BYTES));
	else if (reply->code == 235)
		accepted(session);
	else if (verdict_is_temporary(reply) || verdict_is_permanent(reply))
		refused(session, reply);
	else
		client_session_trouble_print(session, 5, 0, "unexpected reply while logging in: %u", reply->code);
}
