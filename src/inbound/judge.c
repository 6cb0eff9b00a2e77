/* Who may talk to us, and what we take from whom. */
#include "inbound/inbound_private.h"

#define YES VERDICT(250, 2, 0, 0, "Ok")

struct verdict judge(struct inbound *inbound, const struct session *session, const struct session_action *question)
{
	switch (question->question) {
	case SESSION_OF_CLIENT:
	case SESSION_OF_SENDER:
	case SESSION_OF_MESSAGE:
		break;
	case SESSION_OF_RECIPIENT:
		/* LMTP takes mail for mailboxes here, whoever hands it in; it relays for nobody it does not trust. */
		return router_judge(inbound->router, question->recipient, session_is_trusted(session));
	}
	return YES;
}
