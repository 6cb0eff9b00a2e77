/* Who may talk to us, and what we take from whom. */
#include "inbound/inbound_private.h"

#define YES VERDICT(250, 2, 0, 0, "Ok")

static struct submitter submitter_of(struct inbound *inbound, struct text login)
{
	return (struct submitter){ .rules = &inbound->snapshot->submitters,
		.router = inbound->router,
		.rates = inbound->wiring.rates,
		.name = login,
		.reply = inbound->submitter_reply,
		.now_ms = loop_now_ms(inbound->wiring.loop) };
}

bool judge_owns(void *context, struct text login, struct text addresses)
{
	struct submitter submitter = submitter_of(context, login);

	return submitter.rules->check == SUBMITTER_FREE || submitter_owns(&submitter, addresses);
}

/* What somebody who has logged in may do. */
static struct verdict judge_submitter(
    struct inbound *inbound, const struct session *session, const struct session_action *question)
{
	struct verdict verdict = YES;
	struct submitter submitter = submitter_of(inbound, session_login(session));

	if (submitter.name.length == 0)
		return YES;
	if (question->question == SESSION_OF_SENDER)
		verdict = submitter_sender(&submitter, question->sender);
	else if (question->question == SESSION_OF_RECIPIENT)
		verdict = submitter_recipient(&submitter);
	else if (question->question == SESSION_OF_MESSAGE)
		verdict = submitter_authors(&submitter, question->authors);
	if (submitter.is_foreign && inbound->wiring.counters != NULL)
		counters_add(inbound->wiring.counters, COUNTER_SENDERS_FOREIGN, 1);
	if (submitter.is_too_fast && inbound->wiring.counters != NULL)
		counters_add(inbound->wiring.counters, COUNTER_USERS_LIMITED, 1);
	return verdict;
}

struct verdict judge(struct inbound *inbound, const struct session *session, const struct session_action *question)
{
	struct verdict verdict = YES;

	switch (question->question) {
	case SESSION_OF_CLIENT:
	case SESSION_OF_HANDSHAKE:
	case SESSION_OF_SENDER:
	case SESSION_OF_MESSAGE:
		break;
	case SESSION_OF_RECIPIENT:
		/* LMTP takes mail for mailboxes here, whoever hands it in; it relays for nobody it does not trust. */
		verdict = router_judge(inbound->router, question->recipient, session_is_trusted(session),
		    loop_unix_ms(inbound->wiring.loop));
		break;
	}
	return verdict_is_success(&verdict) ? judge_submitter(inbound, session, question) : verdict;
}
