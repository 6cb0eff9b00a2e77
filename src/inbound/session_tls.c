/* From clear text into TLS (RFC 3207), and who must go there. */
#include <stdlib.h>

#include "base/must.h"
#include "inbound/session_private.h"

bool may_start_tls(const struct session *session)
{
	return session->secured == NULL &&
	    (session->peer.tls == SESSION_TLS_OFFERED || session->peer.tls == SESSION_TLS_REQUIRED);
}

bool offers_requiretls(const struct session *session)
{
	return session->secured != NULL;
}

/* RFC 3207 §4 lets these pass. HELO cannot lead to TLS, but who says it hears why with its next command. */
bool lacks_tls(const struct session *session, enum command_verb verb)
{
	switch (verb) {
	case COMMAND_EHLO:
	case COMMAND_LHLO:
	case COMMAND_HELO:
	case COMMAND_NOOP:
	case COMMAND_STARTTLS:
	case COMMAND_QUIT:
		return false;
	default:
		return session->peer.tls == SESSION_TLS_REQUIRED && session->secured == NULL;
	}
}

/* S8: the client has said nothing yet. */
static void forget_client(struct session *session)
{
	session->helo_length = 0;
	session->extended = false;
}

static void await_tls(struct session_step *step)
{
	forget_client(step->session);
	step->session->state = STATE_SECURING;
	act(step, SESSION_START_TLS);
}

void start_tls(struct session_step *step)
{
	struct session *session = step->session;

	if (session->secured != NULL) {
		complain(step, VERDICT(503, 5, 5, 1, "TLS is in use already"));
	} else if (!may_start_tls(session)) {
		refuse_not_offered(step);
	} else if (step->followed) { /* S8. Not 220: who asked for TLS must not take what follows for it. */
		say_goodbye(step, VERDICT(554, 5, 5, 1, "Nothing may stand behind STARTTLS, closing the connection"));
	} else {
		await_verdict(step, SESSION_OF_HANDSHAKE);
	}
}

/* Refused is the whole session, not TLS alone (454): a client that may do without would go on in clear text. */
size_t handshake_judged(struct session_step *step)
{
	const struct verdict verdict = step->event->verdict;
	const bool implicit = step->session->peer.tls == SESSION_TLS_IMPLICIT;

	if (verdict_is_success(&verdict)) {
		if (!implicit)
			say(step, VERDICT(220, 2, 0, 0, "Go ahead with TLS"));
		await_tls(step);
		return 0;
	}
	act(step, SESSION_REFUSED)->verdict = verdict;
	say_goodbye(step, verdict);
	if (implicit) /* It would not understand a word. */
		buffer_clear(&step->output->replies);
	return 0;
}

void refuse_tls_now(struct session_step *step)
{
	if (may_start_tls(step->session))
		complain(step, VERDICT(503, 5, 5, 1, "Not within a transaction: say RSET first"));
	else
		start_tls(step);
}

/* The shell gives none: what comes before TLS_STARTED belongs to the handshake. */
size_t refuse_clear_text(struct session_step *step)
{
	say_goodbye(step, VERDICT(554, 5, 5, 1, "Nothing may stand behind STARTTLS, closing the connection"));
	return step->event->bytes.length;
}

static struct text put(char **at, struct text text)
{
	char *bytes = *at;

	if (text.length > 0)
		memcpy(bytes, text.bytes, text.length);
	*at += text.length;
	return (struct text){ bytes, text.length };
}

static struct secured *secured_new(const struct session_event *event)
{
	const struct text version = event->tls.version, cipher = event->tls.cipher;
	struct secured *secured =
	    malloc(sizeof *secured + version.length + 1 + cipher.length + event->tls.certificate.length);

	if (secured == NULL)
		return NULL;
	char *at = secured->bytes;

	secured->binding = event->tls.binding;
	secured->tls = put(&at, version);
	(void)put(&at, TEXT(" "));
	(void)put(&at, cipher);
	secured->tls.length = version.length + 1 + cipher.length;
	secured->certificate = put(&at, event->tls.certificate);
	return secured;
}

size_t tls_started(struct session_step *step)
{
	struct session *session = step->session;

	must(session->secured == NULL);
	session->secured = secured_new(step->event);
	if (session->secured == NULL)
		say_goodbye(step, VERDICT(421, 4, 3, 1, "Insufficient system resources"));
	else if (session->peer.tls == SESSION_TLS_IMPLICIT)
		say_banner(step);
	else
		session->state = STATE_CONNECTED;
	return 0;
}
