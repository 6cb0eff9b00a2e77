#include "outbound/session_private.h"

#include "base/must.h"
#include "smtp/xtext.h"

static const struct message *message_of(const struct client_session *session)
{
	return session->delivery->message;
}

static bool offers(const struct client_session *session, enum capability capability)
{
	return capabilities_offer(&session->capabilities, capability);
}

/* LMTP would answer BDAT LAST once for each recipient, or once for all when it fails: servers
 * differ (RFC 2033 does not know BDAT). DATA is clear. */
bool client_uses_bdat(const struct client_session *session)
{
	return offers(session, CAPABILITY_CHUNKING) && !session->settings->lmtp;
}

static bool out_of_memory(struct client_session *session)
{
	const struct verdict verdict = VERDICT(451, 4, 3, 0, "out of memory while sending");

	client_session_trouble(session, &verdict);
	return false;
}

bool client_send_line(struct client_session *session, struct text line)
{
	if (!buffer_append(&session->out, line) || !buffer_append(&session->out, TEXT("\r\n")))
		return out_of_memory(session);
	session->unanswered++;
	return true;
}

bool client_send_hello(struct client_session *session, struct text verb)
{
	const struct text hostname = session->hostname.length > 0 ? session->hostname : session->settings->hostname;

	if (!buffer_print(&session->out, "%.*s %.*s\r\n", TEXT_FORMAT(verb), TEXT_FORMAT(hostname)))
		return out_of_memory(session);
	session->unanswered++;
	return true;
}

/* -- MAIL ------------------------------------------------------------------- */

static bool add_mail_dsn(struct client_session *session, const struct envelope *envelope)
{
	struct text xtext;

	if (envelope->dsn_return != DSN_RETURN_UNSPECIFIED &&
	    !buffer_append(&session->out,
		envelope->dsn_return == DSN_RETURN_FULL ? TEXT(" RET=FULL") : TEXT(" RET=HDRS")))
		return false;
	if (envelope->envelope_id.length == 0)
		return true;
	return xtext_encode(envelope->envelope_id, session->scratch, &xtext) &&
	    buffer_print(&session->out, " ENVID=%.*s", TEXT_FORMAT(xtext));
}

/* RFC 2852 §4: nine digits. One that is to be returned and is not yet late has a second at least. */
static bool add_deliver_by(struct client_session *session, const struct envelope *envelope)
{
	enum { SECONDS_MAX = 999'999'999 };
	const bool returns = envelope->flags & ENVELOPE_BY_RETURN;
	int64_t seconds = client_seconds_left(session);

	if (returns && seconds < 1)
		seconds = 1;
	if (seconds > SECONDS_MAX || seconds < -SECONDS_MAX)
		seconds = seconds > 0 ? SECONDS_MAX : -SECONDS_MAX;
	return buffer_print(&session->out, " BY=%lld;%c%s", (long long)seconds, returns ? 'R' : 'N',
	    envelope->flags & ENVELOPE_BY_TRACE ? "T" : "");
}

static bool print_mail(struct client_session *session)
{
	const struct envelope *envelope = &message_of(session)->envelope;
	const struct address *sent_as = session->delivery->sent_as;
	struct buffer *out = &session->out;
	struct text path;

	if (!address_print(sent_as != NULL ? sent_as : &envelope->reverse_path, session->scratch, &path) ||
	    !buffer_print(out, "MAIL FROM:<%.*s>", TEXT_FORMAT(path)))
		return false;
	if (offers(session, CAPABILITY_SIZE) &&
	    !buffer_print(out, " SIZE=%llu", (unsigned long long)envelope->body_size))
		return false;
	if (offers(session, CAPABILITY_8BITMIME) && (envelope->flags & ENVELOPE_8BIT) &&
	    !buffer_append(out, TEXT(" BODY=8BITMIME")))
		return false;
	if ((envelope->flags & ENVELOPE_SMTPUTF8) && !buffer_append(out, TEXT(" SMTPUTF8")))
		return false;
	if (offers(session, CAPABILITY_DSN) && !add_mail_dsn(session, envelope))
		return false;
	if (offers(session, CAPABILITY_DELIVERBY) && envelope->deliver_by_ms != 0 && !add_deliver_by(session, envelope))
		return false;
	if (session->demand.whole_way && !buffer_append(out, TEXT(" REQUIRETLS")))
		return false;
	/* RFC 6710 §4.4: what nobody asked for is not said. */
	if (offers(session, CAPABILITY_MT_PRIORITY) && envelope->priority != 0 &&
	    !buffer_print(out, " MT-PRIORITY=%d", envelope->priority))
		return false;
	return buffer_append(out, TEXT("\r\n"));
}

static bool send_mail(struct client_session *session)
{
	if (!print_mail(session))
		return out_of_memory(session);
	session->unanswered++;
	session->transaction_count++;
	session->sending = SEND_RCPT;
	return true;
}

/* -- RCPT ------------------------------------------------------------------- */

/* NOTIFY=NEVER stands alone (RFC 3461 §4.1). */
static bool add_notify(struct buffer *out, unsigned notify)
{
	static const struct { unsigned bit; const char *word; } words[] = {
		{ DSN_NOTIFY_SUCCESS, "SUCCESS" }, { DSN_NOTIFY_FAILURE, "FAILURE" }, { DSN_NOTIFY_DELAY, "DELAY" },
	};
	const char *joint = " NOTIFY=";

	if (notify & DSN_NOTIFY_NEVER)
		return buffer_append(out, TEXT(" NOTIFY=NEVER"));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		if (!buffer_print(out, "%s%s", joint, words[i].word))
			return false;
		joint = ",";
	}
	return true;
}

/* The character at the start of `rest`, which is well-formed UTF-8, and its length. */
static size_t read_character(struct text rest, uint32_t *out_character)
{
	const unsigned char lead = (unsigned char)rest.bytes[0];
	const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
	uint32_t character = length == 1 ? lead : lead & (0xFFu >> (length + 1));

	for (size_t i = 1; i < length; i++)
		character = character << 6 | ((unsigned char)rest.bytes[i] & 0x3F);
	*out_character = character;
	return length;
}

/* utf-8-addr-xtext (RFC 6533 §3): the 7-bit form, which may be sent with and without SMTPUTF8. */
static bool add_utf8_address(struct buffer *out, struct text address)
{
	while (address.length > 0) {
		uint32_t character;
		const size_t length = read_character(address, &character);
		const bool plain = character > ' ' && character < 127 && strchr("+=\\", (int)character) == NULL;

		if (plain ? !buffer_append(out, text_part(address, 0, 1))
			  : !buffer_print(out, "\\x{%02X}", (unsigned)character))
			return false;
		address = text_from(address, length);
	}
	return true;
}

/* `original` is decoded: "rfc822;user@example.org". */
static bool add_original(struct client_session *session, struct text original)
{
	struct text address = original, type, xtext;

	text_cut(&address, ';', &type);
	if (address.length == 0)
		return true; /* Not one; nothing to pass on. */
	if (!buffer_print(&session->out, " ORCPT=%.*s;", TEXT_FORMAT(type)))
		return false;
	if (text_equal_nocase(type, TEXT("utf-8")) && text_is_utf8(address))
		return add_utf8_address(&session->out, address);
	return xtext_encode(address, session->scratch, &xtext) && buffer_append(&session->out, xtext);
}

static bool print_rcpt(struct client_session *session, const struct recipient *recipient)
{
	struct text path;

	if (!address_print(&recipient->address, session->scratch, &path) ||
	    !buffer_print(&session->out, "RCPT TO:<%.*s>", TEXT_FORMAT(path)))
		return false;
	if (offers(session, CAPABILITY_DSN) &&
	    (!add_notify(&session->out, recipient->notify) ||
		(recipient->original.length > 0 && !add_original(session, recipient->original))))
		return false;
	return buffer_append(&session->out, TEXT("\r\n"));
}

static bool send_rcpt(struct client_session *session)
{
	const struct message *message = message_of(session);
	const uint32_t position = client_next_marked(session, session->send_cursor, MARK_CHOSEN);

	must(position < message->recipient_count);
	if (!print_rcpt(session, &message->recipients[position]))
		return out_of_memory(session);
	session->unanswered++;
	session->send_cursor = position + 1;
	if (client_next_marked(session, position + 1, MARK_CHOSEN) == message->recipient_count)
		session->sending = client_uses_bdat(session) ? SEND_BODY : SEND_DATA;
	return true;
}

static bool send_data(struct client_session *session)
{
	if (!client_send_line(session, TEXT("DATA")))
		return false;
	session->data_sent = true;
	session->sending = SEND_NOTHING; /* Until 354. */
	return true;
}

/* -- The body --------------------------------------------------------------- */

static bool send_bdat(struct client_session *session, struct text bytes, bool last)
{
	struct buffer piece;
	bool sent;

	/* The number comes before the bytes, and line ends that are set right change it. */
	buffer_init(&piece, CLIENT_OUTPUT_MAX);
	sent = body_write(&session->body, bytes, &piece) && (!last || body_finish(&session->body, &piece)) &&
	    buffer_print(&session->out, "BDAT %zu%s\r\n", piece.length, last ? " LAST" : "") &&
	    buffer_append(&session->out, buffer_text(&piece));
	buffer_done(&piece);
	session->unanswered++;
	return sent;
}

static bool send_dotted(struct client_session *session, struct text bytes, bool last)
{
	if (!body_write(&session->body, bytes, &session->out) || (last && !body_finish(&session->body, &session->out)))
		return false;
	if (last) {
		/* LMTP answers once for each recipient it accepted (RFC 2033 §4.2). */
		session->unanswered += session->settings->lmtp ? session->accepted_count : 1;
		session->reply_cursor = 0;
		session->state = CLIENT_DOT;
	}
	return true;
}

void client_send_chunk(struct client_session *session, struct text bytes)
{
	const uint32_t count = message_of(session)->envelope.chunk_count;

	if (count > 0)
		session->chunk++;
	const bool last = session->chunk == count;

	session->todo.want_chunk = false;
	if (!(client_uses_bdat(session) ? send_bdat : send_dotted)(session, bytes, last)) {
		out_of_memory(session);
		return;
	}
	if (last) {
		session->sending = SEND_NOTHING;
		session->committed = session->todo.final = true;
	}
	client_send_more(session);
}

/* May the next chunk go out? With DATA: after 354. With BDAT: after the first accepted recipient, as
 * far ahead as PIPELINING allows; a small body goes out together with its envelope. */
static bool may_send_body(const struct client_session *session)
{
	const bool pipelining = offers(session, CAPABILITY_PIPELINING);

	if (!client_uses_bdat(session))
		return session->state == CLIENT_BODY;
	if (session->unanswered == 0)
		return true;
	if (!pipelining || session->unanswered >= CLIENT_GROUP_MAX)
		return false;
	const struct envelope *envelope = &message_of(session)->envelope;

	return session->state == CLIENT_BDAT ||
	    (envelope->chunk_count <= 1 && envelope->body_size <= CLIENT_SMALL_BODY_MAX);
}

static bool may_send_command(const struct client_session *session)
{
	if (session->sending == SEND_NOTHING || session->sending == SEND_BODY)
		return false;
	if (session->unanswered == 0)
		return true;
	return offers(session, CAPABILITY_PIPELINING) && session->sending != SEND_MAIL &&
	    session->unanswered < CLIENT_GROUP_MAX;
}

static bool send_command(struct client_session *session)
{
	arena_reset(session->scratch);
	switch (session->sending) {
	case SEND_MAIL:
		return send_mail(session);
	case SEND_RCPT:
		return send_rcpt(session);
	case SEND_DATA:
		return send_data(session);
	case SEND_NOTHING:
	case SEND_BODY:
		break;
	}
	must(false); /* may_send_command said there is one. */
	return false;
}

void client_send_more(struct client_session *session)
{
	while (may_send_command(session))
		if (!send_command(session))
			return;
	if (session->sending != SEND_BODY || !may_send_body(session))
		return;
	if (message_of(session)->envelope.chunk_count == 0) {
		client_send_chunk(session, TEXT_EMPTY);
		return;
	}
	session->todo.want_chunk = true;
	session->todo.chunk = session->chunk;
}
