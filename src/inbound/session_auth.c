/* Who the client is, by his password (RFC 4954): the dialogue's lines, while its sense is the auth role's.
 *
 * Who logged in may submit and relay until the connection ends; EHLO and RSET change nothing of it. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/must.h"
#include "inbound/session_private.h"

/* RFC 4954 §4: a line of base 64 may have this many octets without its CRLF. */
enum { RESPONSE_LINE_MAX = COMMAND_AUTH_LINE_MAX - 2 };

#define NOT_BASE64 VERDICT(501, 5, 5, 2, "That is not base64")

bool is_logged_in(const struct session *session)
{
	return session->login != NULL && session->login->proven;
}

/* In RFC 5802 §6 the mechanisms with -PLUS need a binding, and a client that sees them insists on it. */
static unsigned usable_mechanisms(const struct session *session)
{
	const unsigned bound = 1U << SASL_SCRAM_SHA_256_PLUS;
	const bool binding = session->secured != NULL && session->secured->binding;

	return binding ? session->peer.mechanisms : session->peer.mechanisms & ~bound;
}

static bool takes_logins(const struct session *session)
{
	return session->peer.role == SESSION_SUBMISSION && session->peer.mechanisms != 0;
}

unsigned offered_mechanisms(const struct session *session)
{
	return takes_logins(session) && session->secured != NULL ? usable_mechanisms(session) : 0;
}

/* A question goes to the auth role. */
static void ask(struct session_step *step, enum session_action_kind kind, enum sasl_mechanism mechanism,
    struct text response)
{
	struct session_action *action = act(step, kind);

	action->mechanism = mechanism;
	action->bytes = response;
	step->session->state = STATE_PROVING;
}

/* What is said of a password (S10). */
static enum error decode(struct session_step *step, struct text base64, struct text *out_response)
{
	step->output->secret = true;
	return base64_decode_strict(base64, step->output->arena, out_response);
}

/* RFC 4954 §4: behind the mechanism, "=" is a response of no octets. */
static void begin_by(struct session_step *step, enum sasl_mechanism mechanism, struct text initial)
{
	struct text response = TEXT_EMPTY;

	if (text_equal(initial, TEXT("=")) || decode(step, initial, &response) == OK)
		ask(step, SESSION_AUTH_BEGIN, mechanism, response);
	else
		complain(step, NOT_BASE64);
}

void begin_auth(struct session_step *step)
{
	struct session *session = step->session;
	const struct text argument = step->command->argument;
	const size_t end = text_find_byte(argument, ' ');
	enum sasl_mechanism mechanism;

	if (!takes_logins(session))
		refuse_not_offered(step);
	else if (!session->extended) /* RFC 4954 §3: it is an extension, and HELO asks for none. */
		refuse_early(step);
	else if (session->login != NULL)
		complain(step, VERDICT(503, 5, 5, 1, "You are logged in already"));
	else if (session->secured == NULL) /* S10 */
		complain(step, VERDICT(538, 5, 7, 11, "Passwords are taken under TLS only"));
	else if (!sasl_mechanism_find(text_part(argument, 0, end), &mechanism) ||
	    !(offered_mechanisms(session) & 1U << mechanism))
		complain(step, VERDICT(504, 5, 5, 4, "This mechanism is not offered"));
	else
		begin_by(step, mechanism, text_trim(text_from(argument, end)));
}

void refuse_auth_now(struct session_step *step)
{
	if (takes_logins(step->session))
		complain(step, VERDICT(503, 5, 5, 1, "Not within a transaction: say RSET first"));
	else
		refuse_not_offered(step);
}

/* -- The dialogue -------------------------------------------------------------------- */

/* Back to commands; a complaint may be the last word. */
static void break_off(struct session_step *step, struct verdict verdict)
{
	struct session *session = step->session;

	if (session->login == NULL)
		act(step, SESSION_AUTH_ABORT); /* Else the dialogue has ended with success, which now counts for nothing. */
	free(session->login);
	session->login = NULL;
	complain(step, verdict);
	become_ready(step);
}

static void welcome(struct session_step *step)
{
	step->session->login->proven = true;
	say(step, VERDICT(235, 2, 7, 0, "Welcome"));
	become_ready(step);
}

static void take_response_line(struct session_step *step, struct text line)
{
	struct text response;

	if (text_ends(line, TEXT("\r")))
		line = text_part(line, 0, line.length - 1);
	if (text_equal(line, TEXT("*")))
		break_off(step, VERDICT(501, 5, 7, 0, "Cancelled"));
	else if (line.length > RESPONSE_LINE_MAX) /* RFC 4954 §4 */
		break_off(step, VERDICT(500, 5, 5, 6, "Line too long"));
	else if (decode(step, line, &response) != OK)
		break_off(step, NOT_BASE64);
	else if (step->session->login == NULL)
		ask(step, SESSION_AUTH_STEP, 0, response);
	else if (response.length == 0)
		welcome(step);
	else
		break_off(step, VERDICT(501, 5, 5, 2, "Nothing was to be said any more"));
}

/* One line, or as much of one as has no end in sight. */
size_t take_response(struct session_step *step)
{
	enum { ENOUGH = RESPONSE_LINE_MAX + 2 };
	const struct text bytes = text_part(step->event->bytes, 0, ENOUGH);
	const size_t end = text_find_byte(bytes, '\n');

	if (end < bytes.length) {
		take_response_line(step, text_part(bytes, 0, end));
		return end + 1;
	}
	if (bytes.length < ENOUGH)
		return 0;
	break_off(step, VERDICT(500, 5, 5, 6, "Line too long"));
	step->session->skipping = step->session->state != STATE_CLOSED;
	return bytes.length;
}

static void say_challenge(struct session_step *step, struct text challenge)
{
	struct text encoded;

	step->session->state = STATE_RESPONSE;
	if (base64_encode(challenge, step->output->arena, &encoded))
		say_format(step, "334 %.*s\r\n", TEXT_FORMAT(encoded));
	else
		say_goodbye(step, VERDICT(421, 4, 3, 1, "Insufficient system resources"));
}

/* RFC 4954 §4: what comes with success is said as a challenge, and answered by an empty line. */
static void succeed(struct session_step *step)
{
	struct session *session = step->session;
	const struct text user = step->event->auth.user, challenge = step->event->auth.challenge;

	must(session->login == NULL && user.length > 0);
	session->login = malloc(sizeof *session->login + user.length);
	if (session->login == NULL) {
		say_goodbye(step, VERDICT(421, 4, 3, 1, "Insufficient system resources"));
		return;
	}
	*session->login = (struct login){ .length = user.length };
	memcpy(session->login->name, user.bytes, user.length);
	if (challenge.length > 0)
		say_challenge(step, challenge);
	else
		welcome(step);
}

/* X1 of sasl/exchange.h: who is unknown and whose password is wrong hear the same. */
static void fail(struct session_step *step)
{
	complain(step, VERDICT(535, 5, 7, 8, "Wrong name or password"));
	if (++step->session->failed_login_count >= SESSION_LOGINS_MAX)
		say_goodbye(step, VERDICT(421, 4, 7, 0, "Too many failed logins"));
	become_ready(step);
}

static struct verdict trouble(const struct session_step *step)
{
	struct verdict verdict = VERDICT(454, 4, 7, 0, "Cannot check passwords now, try again later");

	if (step->event->text.length > 0)
		verdict.text = step->event->text;
	return verdict;
}

size_t auth_answered(struct session_step *step)
{
	switch (step->event->auth.result) {
	case SASL_CONTINUE:
		say_challenge(step, step->event->auth.challenge);
		break;
	case SASL_SUCCESS:
		succeed(step);
		break;
	case SASL_FAILURE:
		fail(step);
		break;
	case SASL_MALFORMED:
		complain(step, VERDICT(501, 5, 5, 2, "That does not belong to this mechanism"));
		become_ready(step);
		break;
	case SASL_TROUBLE:
		complain(step, trouble(step));
		become_ready(step);
		break;
	}
	return 0;
}
