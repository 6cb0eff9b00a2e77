#include "outbound/session_private.h"

#include "base/must.h"

static const struct message *message_of(const struct client_session *session)
{
	return session->delivery->message;
}

uint32_t client_next_marked(const struct client_session *session, uint32_t position, unsigned marks)
{
	const uint32_t count = message_of(session)->recipient_count;

	while (position < count && (session->marks[position] & marks) == 0)
		position++;
	return position;
}

/* -- Choosing --------------------------------------------------------------- */

enum domain_fit { DOMAIN_KNOWN, DOMAIN_FITS, DOMAIN_TOO_MANY };

/* RCPTDOMAINMAX counts over the whole connection (RFC 9422 §4.3). */
static enum domain_fit domain_fit(const struct client_session *session, uint64_t hash)
{
	const uint32_t announced = session->capabilities.rcpt_domain_max;
	const uint32_t limit = announced < CLIENT_DOMAINS_MAX ? announced : CLIENT_DOMAINS_MAX;

	if (announced == 0)
		return DOMAIN_KNOWN;
	for (uint32_t i = 0; i < session->domain_count; i++)
		if (session->domains[i] == hash)
			return DOMAIN_KNOWN;
	return session->domain_count < limit ? DOMAIN_FITS : DOMAIN_TOO_MANY;
}

static bool take_domain(struct client_session *session, struct text domain)
{
	const uint64_t hash = text_hash(domain, 0);
	const enum domain_fit fit = domain_fit(session, hash);

	if (fit == DOMAIN_FITS)
		session->domains[session->domain_count++] = hash;
	return fit != DOMAIN_TOO_MANY;
}

bool client_session_has_room(const struct client_session *session, const struct delivery *delivery)
{
	const struct message *message = delivery->message;

	for (uint32_t i = 0; i < message->recipient_count; i++)
		if (delivery->outcomes[i].verdict.code == 0 &&
		    domain_fit(session, text_hash(message->recipients[i].address.domain, 0)) != DOMAIN_TOO_MANY)
			return true;
	return false;
}

uint32_t client_choose_recipients(struct client_session *session)
{
	const struct message *message = message_of(session);
	uint32_t limit = session->capabilities.rcpt_max, count = 0;

	if (limit == 0)
		limit = CLIENT_RECIPIENTS_MAX;
	for (uint32_t i = 0; i < message->recipient_count && count < limit; i++) {
		if (session->marks[i] != MARK_WAITING || !take_domain(session, message->recipients[i].address.domain))
			continue;
		session->marks[i] = MARK_CHOSEN;
		count++;
	}
	return count;
}

/* -- Judging ---------------------------------------------------------------- */

int64_t client_seconds_left(const struct client_session *session)
{
	return (message_of(session)->envelope.deliver_by_ms - session->delivery->now_ms) / 1000;
}

/* The flag is set by MAIL's SMTPUTF8 or by any address; see ENVELOPE_SMTPUTF8. */
struct verdict client_unsuitable(const struct client_session *session)
{
	const struct envelope *envelope = &message_of(session)->envelope;
	const struct capabilities *capabilities = &session->capabilities;

	if ((envelope->flags & ENVELOPE_SMTPUTF8) && !capabilities_offer(capabilities, CAPABILITY_SMTPUTF8))
		return VERDICT(550, 5, 6, 7, "the message needs SMTPUTF8, which the server does not offer");
	if (capabilities->size_max > 0 && envelope->body_size > capabilities->size_max)
		return VERDICT(552, 5, 3, 4, "the message is larger than the server takes");
	if ((envelope->flags & ENVELOPE_BY_RETURN) && capabilities_offer(capabilities, CAPABILITY_DELIVERBY) &&
	    client_seconds_left(session) < (int64_t)capabilities->by_min_s)
		return VERDICT(550, 5, 4, 7, "the server takes longer than the message may");
	return (struct verdict){ 0 };
}

/* -- Settling --------------------------------------------------------------- */

/* A copy of the verdict that lives as long as the delivery. */
static struct verdict keep_verdict(struct client_session *session, const struct verdict *verdict)
{
	struct verdict kept = *verdict;

	if (!arena_copy(session->delivery->arena, verdict->text, &kept.text))
		kept.text = TEXT("(no memory to keep the reply's text)");
	kept.host = session->host;
	return kept;
}

static void put_outcome(
    struct client_session *session, uint32_t position, const struct verdict *verdict, bool pressure)
{
	struct delivery_outcome *outcome = &session->delivery->outcomes[position];

	must(verdict->code != 0);
	must(session->marks[position] != MARK_SETTLED);
	session->marks[position] = MARK_SETTLED;
	outcome->verdict = *verdict;
	outcome->pressure = pressure;
	outcome->relayed_without_deliverby =
	    verdict_is_success(verdict) && !capabilities_offer(&session->capabilities, CAPABILITY_DELIVERBY);
	outcome->relayed_without_dsn =
	    verdict_is_success(verdict) && !capabilities_offer(&session->capabilities, CAPABILITY_DSN);
}

void client_settle(struct client_session *session, uint32_t position, const struct verdict *verdict)
{
	const struct verdict kept = keep_verdict(session, verdict);

	put_outcome(session, position, &kept, false);
}

void client_settle_marked(
    struct client_session *session, unsigned marks, const struct verdict *verdict, bool pressure)
{
	const uint32_t count = message_of(session)->recipient_count;
	const struct verdict kept = keep_verdict(session, verdict);

	must((marks & MARK_SETTLED) == 0);
	for (uint32_t i = client_next_marked(session, 0, marks); i < count; i = client_next_marked(session, i + 1, marks))
		put_outcome(session, i, &kept, pressure);
}
