/* XCLIENT (https://www.postfix.org/XCLIENT_README.html): a front end tells for whom it speaks, and the session begins
 * anew, with another client. Only TLS, which is between the front end and us, and the right to say it again stay. */
#include <stdlib.h>

#include "inbound/session_private.h"

void refuse_xclient_now(struct session_step *step)
{
	complain(step, VERDICT(503, 5, 5, 1, "Not within a transaction: say RSET first"));
}

/* False: no memory. */
static bool take_login(struct session *session, struct text name)
{
	struct login *login = NULL;

	if (name.length > 0) {
		login = malloc(sizeof *login + name.length);
		if (login == NULL)
			return false;
		*login = (struct login){ .proven = true, .told = true, .length = name.length };
		memcpy(login->name, name.bytes, name.length);
	}
	free(session->login);
	session->login = login;
	return true;
}

/* Rights are those of the client that was told, never those of who tells it. */
static void become(struct session *session, const struct command_xclient *told)
{
	struct session_peer *peer = &session->peer;
	const uint16_t port = told->tells_port ? told->port : peer->client.port;

	if (told->tells_client)
		peer->client = told->client;
	peer->client.port = port;
	peer->user = TEXT_EMPTY;
	peer->trusted = network_any_holds(
	    session->settings->relay_from, session->settings->relay_from_count, &peer->client);
}

void take_xclient(struct session_step *step)
{
	struct session *session = step->session;
	const struct command_xclient *told = &step->command->xclient;

	if (!session->peer.forwards) {
		complain(step, VERDICT(550, 5, 7, 0, "You may not speak for others"));
	} else if (!take_login(session, told->tells_login ? told->login : TEXT_EMPTY)) {
		say_goodbye(step, VERDICT(421, 4, 3, 1, "Insufficient system resources"));
	} else {
		become(session, told);
		session->helo_length = 0;
		session->extended = false;
		await_verdict(step, SESSION_OF_CLIENT);
	}
}
