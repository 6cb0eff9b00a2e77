/* What can be asked of a session, for its shell, for the log and for reports. */
#include "base/must.h"
#include "inbound/session_private.h"

size_t session_memory(const struct session *session)
{
	return sizeof *session + (session->arena ? arena_taken(session->arena) : 0);
}

uint32_t session_mistake_count(const struct session *session)
{
	return session->mistake_count;
}

bool session_skips(const struct session *session)
{
	return session->skipping;
}

struct text session_helo(const struct session *session)
{
	return (struct text){ session->helo, session->helo_length };
}

struct text session_client_text(const struct session *session, struct arena *arena)
{
	char room[ENDPOINT_TEXT_MAX];
	const struct endpoint *client = &session->peer.client;
	const struct text ip = client->family == ENDPOINT_IP4 || client->family == ENDPOINT_IP6
	    ? endpoint_print_ip(client, room)
	    : TEXT("local");
	struct text text;

	return arena_print(arena, &text, "%.*s[%.*s]", TEXT_FORMAT(session_helo(session)), TEXT_FORMAT(ip))
	    ? text
	    : TEXT_EMPTY;
}

const char *session_protocol(const struct session *session)
{
	switch (session->peer.role) {
	case SESSION_LMTP:
		return session->secured ? "LMTPS" : "LMTP";
	case SESSION_LOCAL:
		return "local";
	case SESSION_MX:
	case SESSION_SUBMISSION:
		break;
	}
	if (!session->extended)
		return "SMTP"; /* RFC 3848 has no word for it under TLS. */
	if (is_logged_in(session))
		return session->secured ? "ESMTPSA" : "ESMTPA"; /* S10 */
	return session->secured ? "ESMTPS" : "ESMTP";
}

const struct session_peer *session_peer(const struct session *session)
{
	return &session->peer;
}

bool session_is_trusted(const struct session *session)
{
	return session->peer.trusted || is_logged_in(session);
}

struct text session_login(const struct session *session)
{
	return is_logged_in(session) ? (struct text){ session->login->name, session->login->length } : TEXT_EMPTY;
}

const struct address *session_reverse_path(const struct session *session)
{
	must(session->transaction != NULL);
	return &session->transaction->message.envelope.reverse_path;
}

const struct message *session_message(const struct session *session)
{
	must(session->transaction != NULL);
	return &session->transaction->message;
}

struct text session_user(const struct session *session)
{
	return is_logged_in(session) ? session_login(session) : session->peer.user;
}

struct text session_tls(const struct session *session)
{
	return session->secured ? session->secured->tls : TEXT_EMPTY;
}

struct text session_certificate(const struct session *session)
{
	return session->secured ? session->secured->certificate : TEXT_EMPTY;
}

struct text session_sender(const struct session *session, struct arena *arena)
{
	struct text address, text;

	if (session->transaction == NULL)
		return TEXT_EMPTY;
	if (!address_print(&session->transaction->message.envelope.reverse_path, arena, &address))
		return TEXT_EMPTY;
	return arena_print(arena, &text, "<%.*s>", TEXT_FORMAT(address)) ? text : TEXT_EMPTY;
}
