/* What the session says, and the actions it asks for. */
#include <stdarg.h>

#include "base/must.h"
#include "inbound/session_private.h"

struct session_action *act(struct session_step *step, enum session_action_kind kind)
{
	struct session_output *output = step->output;

	must(output->action_count < SESSION_ACTION_MAX);
	struct session_action *action = &output->actions[output->action_count++];

	*action = (struct session_action){ .kind = kind };
	return action;
}

struct session_action *await_verdict(struct session_step *step, enum session_question question)
{
	struct session_action *action = act(step, SESSION_ASK);

	step->session->state = STATE_JUDGING;
	step->session->question = question;
	action->question = question;
	return action;
}

void say_format(struct session_step *step, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (!buffer_print_list(&step->output->replies, format, list))
		step->session->mute = true;
	va_end(list);
}

/* RFC 2034 §4: enhanced codes in every 2yz, 4yz and 5yz
 * reply but the banner and those to HELO and EHLO, which come by say_format. */
static void say_line(struct session_step *step, struct verdict verdict, struct text subject)
{
	const struct enhanced_code *enhanced = &verdict.enhanced;
	struct buffer *out = &step->output->replies;
	const size_t before = out->length;
	bool said = buffer_append_number(out, verdict.code, 3) && buffer_append(out, TEXT(" "));

	must(verdict.code >= 200 && verdict.code <= 599);
	if (said && step->session->extended && enhanced->class != 0)
		said = buffer_append_number(out, enhanced->class, 1) && buffer_append(out, TEXT(".")) &&
		    buffer_append_number(out, enhanced->subject, 1) && buffer_append(out, TEXT(".")) &&
		    buffer_append_number(out, enhanced->detail, 1) && buffer_append(out, TEXT(" "));
	if (said && buffer_append(out, subject) && buffer_append(out, verdict.text) && buffer_append(out, TEXT("\r\n")))
		return;
	out->length = before; /* Half a reply is worse than none. */
	step->session->mute = true;
}

void say(struct session_step *step, struct verdict verdict)
{
	say_line(step, verdict, TEXT_EMPTY);
}

void say_goodbye(struct session_step *step, struct verdict verdict)
{
	struct session *session = step->session;

	if (session->state == STATE_CLOSED)
		return;
	end_transaction(step);
	session->skipping = false;
	session->state = STATE_CLOSED;
	say(step, verdict);
	act(step, SESSION_CLOSE);
}

void complain(struct session_step *step, struct verdict verdict)
{
	struct session *session = step->session;

	if (verdict.code == 421) { /* S11 */
		say_goodbye(step, verdict);
		return;
	}
	say(step, verdict);
	if (verdict_is_permanent(&verdict)) {
		session->mistake_count++;
		if (++session->error_count >= session->settings->error_count_max)
			say_goodbye(step, VERDICT(421, 4, 7, 0, "Too many errors"));
		return;
	}
	/* A 4yz is our trouble, not the client's mistake; but who hears it for two whole messages has heard enough. */
	if (++session->put_off_count > 2 * session->settings->recipient_count_max)
		say_goodbye(step, TOO_MUCH_TALK);
}

static const struct address *copy_of(struct session_step *step, const struct address *from)
{
	struct arena *arena = step->output->arena;
	struct address *address = arena_alloc(arena, sizeof *address);

	return address != NULL && arena_copy(arena, from->local, &address->local) &&
		arena_copy(arena, from->domain, &address->domain)
	    ? address
	    : NULL;
}

/* For the log. The transaction may be over before it is written. */
static void report_refusal(struct session_step *step, struct verdict verdict, const struct address *recipient)
{
	struct session_action *action = act(step, SESSION_REFUSED);

	/* A complaint may be the last word, and the transaction goes with it. Without memory the log lacks the name. */
	action->recipient = recipient ? copy_of(step, recipient) : NULL;
	action->verdict = verdict;
	action->bytes = session_sender(step->session, step->output->arena);
}

void refuse(struct session_step *step, struct verdict verdict, const struct address *recipient)
{
	report_refusal(step, verdict, recipient);
	complain(step, verdict);
}

static void say_to_each(struct session_step *step, struct verdict verdict)
{
	const struct message *message = &step->session->transaction->message;

	for (uint32_t i = 0; i < message->recipient_count; i++) {
		struct text address, subject = TEXT_EMPTY;

		/* Without memory for the name the reply is still true: their order tells. */
		if (address_print(&message->recipients[i].address, step->output->arena, &address))
			(void)!arena_print(step->output->arena, &subject, "<%.*s> ", TEXT_FORMAT(address));
		say_line(step, verdict, subject);
	}
}

void say_of_message(struct session_step *step, struct verdict verdict)
{
	if (!verdict_is_success(&verdict))
		report_refusal(step, verdict, NULL);
	if (step->session->peer.role == SESSION_LMTP && verdict.code != 421) /* S11: that is the last word to all of them. */
		say_to_each(step, verdict);
	else if (verdict_is_success(&verdict))
		say(step, verdict);
	else
		complain(step, verdict);
}

void say_banner(struct session_step *step)
{
	step->session->state = STATE_CONNECTED;
	say_format(step, "220 %.*s %s Postroad\r\n", TEXT_FORMAT(step->session->settings->hostname),
	    step->session->peer.role == SESSION_LMTP ? "LMTP" : "ESMTP");
}

static void say_mechanisms(struct session_step *step)
{
	const unsigned offered = offered_mechanisms(step->session);

	if (offered == 0)
		return;
	say_format(step, "250-AUTH");
	for (unsigned mechanism = 0; mechanism < SASL_MECHANISM_COUNT; mechanism++)
		if (offered & 1U << mechanism)
			say_format(step, " %s", sasl_mechanism_word((enum sasl_mechanism)mechanism));
	say_format(step, "\r\n");
}

void say_capabilities(struct session_step *step)
{
	const struct session_settings *settings = step->session->settings;

	say_format(step, "250-%.*s greets %.*s\r\n", TEXT_FORMAT(settings->hostname),
	    TEXT_FORMAT(session_helo(step->session)));
	say_format(step, "250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n",
	    (unsigned long long)settings->message_size_max);
	if (may_start_tls(step->session))
		say_format(step, "250-STARTTLS\r\n");
	say_mechanisms(step);
	if (offers_requiretls(step->session))
		say_format(step, "250-REQUIRETLS\r\n");
	if (step->session->peer.forwards)
		say_format(step, "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n");
	if (may_hold(step->session)) /* The interval bounds it, no date does. */
		say_format(step, "250-FUTURERELEASE %lld 9999-12-31T23:59:59Z\r\n", (long long)settings->hold_ms_max / 1000);
	say_format(step, "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-DELIVERBY\r\n250-MT-PRIORITY\r\n250-LIMITS RCPTMAX=%u\r\n250 HELP\r\n",
	    (unsigned)settings->recipient_count_max);
}
