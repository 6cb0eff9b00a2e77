/* How urgent a message is: MT-PRIORITY of MAIL (RFC 6710), or the field of that name where MAIL says nothing, because
 * somebody on its way did not know the extension (RFC 6758). Strangers may say that theirs can wait, and no more. */
#include "inbound/session_private.h"

static int8_t allowed_priority(const struct session *session, int8_t asked)
{
	const int8_t most = session_is_trusted(session) ? session->settings->priority_max : 0;

	return asked > most ? most : asked;
}

void note_priority(struct session *session, const struct command_mail *mail)
{
	struct transaction *transaction = session->transaction;

	transaction->prioritised = mail->prioritises;
	transaction->message.envelope.priority = allowed_priority(session, mail->priority);
	transaction->lowered = transaction->message.envelope.priority != mail->priority;
}

void settle_priority(struct session *session)
{
	struct transaction *transaction = session->transaction;
	int8_t asked;

	if (!transaction->prioritised && session_is_trusted(session) &&
	    priority_parse_field(header_scan_priority(&transaction->header), &asked))
		transaction->message.envelope.priority = allowed_priority(session, asked);
}

/* RFC 6710 §8.1: X.3.6, and the text begins with what it has now. */
struct verdict verdict_with_priority(struct session_step *step, struct verdict verdict)
{
	const struct transaction *transaction = step->session->transaction;
	struct text text;

	if (!verdict_is_success(&verdict) || !transaction->lowered ||
	    !arena_print(step->output->arena, &text, "%d is its priority. %.*s", transaction->message.envelope.priority,
	        TEXT_FORMAT(verdict.text)))
		return verdict;
	verdict.enhanced = (struct enhanced_code){ 2, 3, 6 };
	verdict.text = text;
	return verdict;
}
