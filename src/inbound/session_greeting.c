/* Commands that concern no message: who the client is, and the small talk. */
#include "base/must.h"
#include "inbound/session_private.h"

static void remember_name(struct session *session, struct text name)
{
	must(name.length > 0 && name.length <= sizeof session->helo);
	memcpy(session->helo, name.bytes, name.length);
	session->helo_length = (uint8_t)name.length;
}

/* RFC 5321 §3.1: a server that does not want a client says so in place of its banner. */
size_t client_judged(struct session_step *step)
{
	const struct verdict verdict = step->event->verdict;

	/* It would not understand a word. */
	const bool secret = step->session->peer.tls == SESSION_TLS_IMPLICIT && step->session->secured == NULL;

	if (!verdict_is_success(&verdict)) {
		act(step, SESSION_REFUSED)->verdict = verdict;
		say_goodbye(step, verdict);
		if (secret)
			buffer_clear(&step->output->replies);
	} else if (secret) {
		await_verdict(step, SESSION_OF_HANDSHAKE);
	} else {
		say_banner(step);
	}
	return 0;
}

/* What costs us a little and brings no mail is bounded between two messages. */
static void count_talk(struct session_step *step)
{
	if (++step->session->junk_count > SESSION_JUNK_MAX)
		say_goodbye(step, TOO_MUCH_TALK);
}

/* RFC 5321 §4.1.4: a greeting in the middle works like RSET. RFC 2033 §4.1: LHLO, and only it, greets LMTP. */
static bool speaks_our_language(struct session_step *step)
{
	const bool lhlo = step->command->verb == COMMAND_LHLO;

	if (lhlo == (step->session->peer.role == SESSION_LMTP))
		return true;
	complain(step, lhlo ? VERDICT(500, 5, 5, 1, "This is SMTP: say EHLO")
			    : VERDICT(500, 5, 5, 1, "This is LMTP: say LHLO"));
	return false;
}

void greet(struct session_step *step)
{
	if (!speaks_our_language(step))
		return;
	remember_name(step->session, step->command->argument);
	step->session->extended = true;
	say_capabilities(step);
	count_talk(step);
	become_ready(step);
}

void greet_plain(struct session_step *step)
{
	if (!speaks_our_language(step))
		return;
	remember_name(step->session, step->command->argument);
	step->session->extended = false;
	say_format(step, "250 %.*s\r\n", TEXT_FORMAT(step->session->settings->hostname));
	count_talk(step);
	become_ready(step);
}

static void small_talk(struct session_step *step, struct verdict reply)
{
	say(step, reply);
	count_talk(step);
}

void noop(struct session_step *step)
{
	small_talk(step, VERDICT(250, 2, 0, 0, "Ok"));
}

void reset(struct session_step *step)
{
	small_talk(step, VERDICT(250, 2, 0, 0, "Ok"));
	become_ready(step);
}

/* RFC 5321 §3.5.3: 252 tells nothing, so that nobody can harvest our users. */
void verify(struct session_step *step)
{
	small_talk(step, VERDICT(252, 2, 0, 0, "Cannot verify, but will take a message and try to deliver it"));
}

void help(struct session_step *step)
{
	small_talk(step, step->session->peer.role == SESSION_LMTP
		? VERDICT(214, 2, 0, 0, "LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT")
		: VERDICT(214, 2, 0, 0, "HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT"));
}

void quit(struct session_step *step)
{
	say_goodbye(step, VERDICT(221, 2, 0, 0, "Goodbye"));
}

/* The parser knows the reply. A BDAT that cannot be read is followed by an unknown number of octets
 * that would be taken for commands: closing is the only way to keep in step (RFC 3030 §2). */
void refuse_fault(struct session_step *step)
{
	const bool lost = step->command->verb == COMMAND_BDAT;

	complain(step, step->command->fault);
	if (lost)
		say_goodbye(step, VERDICT(421, 4, 5, 2, "Lost track of the octets of BDAT"));
}

void refuse_unknown(struct session_step *step)
{
	complain(step, VERDICT(500, 5, 5, 1, "Command not recognized"));
}

void refuse_not_offered(struct session_step *step)
{
	complain(step, VERDICT(502, 5, 5, 1, "Command not offered here"));
}

void refuse_early(struct session_step *step)
{
	complain(step, step->session->peer.role == SESSION_LMTP ? VERDICT(503, 5, 5, 1, "Say LHLO first")
								: VERDICT(503, 5, 5, 1, "Say EHLO first"));
}
