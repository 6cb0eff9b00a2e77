#include "target.h"

#include "outbound/session.h"

/* Carry out what the session wants, and hand it a message whenever it can take one. */
static void serve(struct client_session *session, struct delivery *delivery)
{
	while (client_session_todo(session)->want_chunk)
		client_session_chunk(session, TEXT("a\r\n.\r\n\xff"));
	if (client_session_todo(session)->ready) {
		memset(
		    delivery->outcomes, 0, delivery->message->recipient_count * sizeof *delivery->outcomes);
		client_session_send(session, delivery);
	}
	const bool start_tls = client_session_todo(session)->start_tls;

	client_session_did(session);
	if (start_tls)
		client_session_secured(session, TEXT("TLSv1.3 CIPHER"));
	client_session_did(session);
}

void target(struct text input, unsigned choice, struct arena *arena)
{
	const struct client_settings settings = { .hostname = TEXT("mail.test"),
		.lmtp = choice & 1,
		.timeouts = CLIENT_TIMEOUTS_DEFAULT,
		.messages_max = 3 };
	struct client_session *session = client_session_new(
	    &settings, TEXT("mx.test[192.0.2.1]"), (struct tls_demand){ .level = (enum tls_level)(choice >> 2 & 3), .implicit = choice & 16 });
	struct recipient recipients[3] = { { .address = { TEXT("a"), TEXT("x.test") } },
		{ .index = 1, .address = { TEXT("b c"), TEXT("x.test") } },
		{ .index = 2, .address = { TEXT("d"), TEXT("y.test") } } };
	const struct message message = { .recipients = recipients,
		.recipient_count = 3,
		.envelope = { .flags = choice & 2 ? ENVELOPE_8BIT : 0, .chunk_count = 2, .body_size = 14 } };
	struct delivery_outcome outcomes[3];
	struct delivery delivery = { .message = &message, .arena = arena, .outcomes = outcomes };

	const struct client_login login = { TEXT("user"), TEXT("pencil") };

	must(session != NULL);
	if (choice & 64)
		client_session_demand_login(session, &login);
	client_session_connected(session);
	serve(session, &delivery);
	for (; input.length > 0 && !client_session_todo(session)->ended;
	     input = text_from(input, 1 + choice / 32)) {
		client_session_bytes(session, text_part(input, 0, 1 + choice / 32));
		serve(session, &delivery);
	}
	client_session_free(session);
}
