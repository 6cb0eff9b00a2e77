#include "inbound/session_driver.h"

#include "base/must.h"
#include "mail/address_list.h"

enum { BIG = 64 << 20 };

#define SESSION_NOW_MS 1795494481000LL /* 2026-11-24T04:28:01Z */

void driver_init(struct driver *driver)
{
	*driver = (struct driver){
		.settings = { .hostname = TEXT("mx.here.test"),
			.domain = TEXT("here.test"),
			.message_size_max = 1 << 20,
			.recipient_count_max = 100,
			.error_count_max = 20,
			.hold_ms_max = 86'400'000,
			.priority_max = 6 },
		.good_domain = TEXT("here.test"),
		.client = VERDICT(250, 2, 0, 0, "Welcome"),
		.handshake = VERDICT(250, 2, 0, 0, "Handshake ok"),
		.sender = VERDICT(250, 2, 1, 0, "Sender ok"),
		.message = VERDICT(250, 2, 6, 0, "Message ok"),
		.begin = VERDICT(250, 2, 0, 0, "Begin"),
		.store = VERDICT(250, 2, 0, 0, "Ok: queued as 0123456789abc"),
	};
	must(network_parse(TEXT("10.0.0.0/8"), &driver->trusted));
	driver->settings.relay_from = &driver->trusted;
	driver->settings.relay_from_count = 1;
	must(endpoint_parse_ip(TEXT("192.0.2.1"), &driver->peer.client));
	buffer_init(&driver->input, BIG);
	buffer_init(&driver->heard, BIG);
	buffer_init(&driver->body, BIG);
	buffer_init(&driver->stored, BIG);
	buffer_init(&driver->envelope, BIG);
	must(session_output_init(&driver->output));
}

void driver_done(struct driver *driver)
{
	session_free(driver->session);
	session_output_done(&driver->output);
	buffer_done(&driver->input);
	buffer_done(&driver->heard);
	buffer_done(&driver->body);
	buffer_done(&driver->stored);
	buffer_done(&driver->envelope);
}

/* A router of three users: alice, bob and postmaster. */
static struct verdict judge_recipient(const struct driver *driver, const struct address *recipient)
{
	const struct text local = recipient->local;

	if (driver->bad_domain.length > 0 && text_equal_nocase(recipient->domain, driver->bad_domain))
		return VERDICT(550, 5, 7, 1, "Refused");
	if (driver->good_domain.length == 0 || recipient->domain.length == 0)
		return VERDICT(250, 2, 1, 5, "Known");
	if (!text_equal_nocase(recipient->domain, driver->good_domain))
		return session_is_trusted(driver->session) ? VERDICT(250, 2, 1, 5, "Relayed")
					    : VERDICT(550, 5, 7, 1, "Relaying denied");
	if (text_equal(local, TEXT("alice")) || text_equal(local, TEXT("bob")) ||
	    text_equal_nocase(local, TEXT("postmaster")) || !text_is_ascii(local))
		return VERDICT(250, 2, 1, 5, "Known");
	return VERDICT(550, 5, 1, 1, "No such user here");
}

bool driver_owns(void *context, struct text login, struct text addresses)
{
	const struct driver *driver = context;
	struct address list[10];
	size_t count = 0;

	if (address_list_parse(addresses, TEXT("invalid"), driver->output.arena, list, 10, &count) != OK || count == 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!text_equal(list[i].local, login) || !text_equal_nocase(list[i].domain, driver->good_domain))
			return false;
	return true;
}

static struct verdict judge(const struct driver *driver, const struct session_action *action)
{
	switch (action->question) {
	case SESSION_OF_CLIENT:
		return driver->client;
	case SESSION_OF_HANDSHAKE:
		return driver->handshake;
	case SESSION_OF_SENDER:
		return driver->sender;
	case SESSION_OF_MESSAGE:
		return driver->message;
	case SESSION_OF_RECIPIENT:
		break;
	}
	return judge_recipient(driver, action->recipient);
}

static void print_envelope(struct driver *driver, const struct session_action *action)
{
	static const char *const returns[] = { "", " ret=full", " ret=hdrs" };
	const struct message *message = action->message;
	const struct envelope *envelope = &message->envelope;
	struct arena *arena = driver->output.arena;
	struct buffer *out = &driver->envelope;
	struct text text = TEXT_EMPTY;

	buffer_clear(out);
	must(address_print(&envelope->reverse_path, arena, &text));
	must(buffer_print(out, "from=<%.*s> to=", TEXT_FORMAT(text)));
	for (uint32_t i = 0; i < message->recipient_count; i++) {
		const struct recipient *recipient = &message->recipients[i];

		must(recipient->index == i);
		must(address_print(&recipient->address, arena, &text));
		must(buffer_print(out, "%s<%.*s>", i > 0 ? "," : "", TEXT_FORMAT(text)));
		if (recipient->notify != 0)
			must(buffer_print(out, "notify=%u", recipient->notify));
		if (recipient->original.length > 0)
			must(buffer_print(out, "orcpt=%.*s", TEXT_FORMAT(recipient->original)));
	}
	must(buffer_print(out, " client=%.*s", TEXT_FORMAT(envelope->client)));
	if (envelope->user.length > 0)
		must(buffer_print(out, " user=%.*s", TEXT_FORMAT(envelope->user)));
	if (session_certificate(driver->session).length > 0)
		must(buffer_print(out, " certificate=%.*s", TEXT_FORMAT(session_certificate(driver->session))));
	must(buffer_print(out, "%s%s%s", returns[envelope->dsn_return],
	    envelope->flags & ENVELOPE_8BIT ? " 8bit" : "", envelope->flags & ENVELOPE_SMTPUTF8 ? " utf8" : ""));
	if (envelope->envelope_id.length > 0)
		must(buffer_print(out, " envid=%.*s", TEXT_FORMAT(envelope->envelope_id)));
	if (envelope->held_until_ms != 0)
		must(buffer_print(out, " held=%llds", (long long)(envelope->held_until_ms - SESSION_NOW_MS) / 1000));
	if (envelope->deliver_by_ms != 0)
		must(buffer_print(out, " by=%llds%s%s", (long long)(envelope->deliver_by_ms - SESSION_NOW_MS) / 1000,
		    envelope->flags & ENVELOPE_BY_RETURN ? ";R" : ";N", envelope->flags & ENVELOPE_BY_TRACE ? "T" : ""));
	if (envelope->priority != 0)
		must(buffer_print(out, " priority=%d", envelope->priority));
	if (envelope->flags & ENVELOPE_TLS_WAIVED)
		must(buffer_print(out, " tls-waived"));
	if (envelope->flags & ENVELOPE_REQUIRETLS)
		must(buffer_print(out, " requiretls"));
	if (action->claim_key.length > 0)
		must(buffer_print(out, " claim=%.*s.%.*s", TEXT_FORMAT(action->claim_key), TEXT_FORMAT(action->claim_mark)));
	if (action->message_id.length > 0)
		must(buffer_print(out, " id=%.*s", TEXT_FORMAT(action->message_id)));
}

static void owe(struct driver *driver, enum session_event_kind kind, struct verdict verdict)
{
	must(!driver->owes);
	driver->owes = true;
	driver->owed[0] = (struct session_event){
		.kind = kind, .verdict = verdict, .id = 1234567890123456789U, .unix_ms = SESSION_NOW_MS
	};
}

/* An auth role that knows one user, alice, whose password is pencil; SCRAM, whatever is said, ends with more to
 * hear, and LOGIN asks for more after the first word. */
static void prove(struct driver *driver, const struct session_action *action)
{
	struct session_event *event = &driver->owed[0];
	const struct text said = action->bytes;

	owe(driver, SESSION_AUTH_ANSWERED, (struct verdict){ 0 });
	event->auth.result = SASL_FAILURE;
	event->auth.user = TEXT("alice");
	if (text_equal(said, TEXT("trouble"))) {
		event->auth.result = SASL_TROUBLE;
	} else if (text_equal(said, TEXT("nonsense"))) {
		event->auth.result = SASL_MALFORMED;
	} else if (said.length == 0 || text_equal(said, TEXT("again"))) {
		event->auth.result = SASL_CONTINUE;
		event->auth.challenge = said.length == 0 ? TEXT_EMPTY : TEXT("Password:");
	} else if (text_equal(said, TEXT("\0alice\0pencil"))) {
		event->auth.result = SASL_SUCCESS;
	} else if (text_equal(said, TEXT("scram"))) {
		event->auth.result = SASL_SUCCESS;
		event->auth.challenge = TEXT("v=proof");
	}
	driver->dialogue = event->auth.result == SASL_CONTINUE;
}

static void put_on_top(struct driver *driver, struct text field)
{
	struct buffer below = driver->body;

	buffer_init(&driver->body, below.limit);
	must(text_ends(field, TEXT("\r\n")) && buffer_append(&driver->body, field));
	must(buffer_append(&driver->body, buffer_text(&below)));
	buffer_done(&below);
}

static void perform(struct driver *driver, const struct session_action *action)
{
	must(!driver->closed);
	switch (action->kind) {
	case SESSION_ASK:
		owe(driver, SESSION_JUDGED, judge(driver, action));
		break;
	case SESSION_BEGIN:
		buffer_clear(&driver->body);
		driver->begun_count += verdict_is_success(&driver->begin);
		owe(driver, SESSION_BEGUN, driver->begin);
		break;
	case SESSION_ON_TOP:
		put_on_top(driver, action->bytes);
		break;
	case SESSION_BODY:
		must(driver->begun_count == driver->committed_count + driver->abandoned_count + 1);
		must(action->bytes.length > 0 && buffer_append(&driver->body, action->bytes));
		break;
	case SESSION_COMMIT:
		driver->committed_count++;
		buffer_clear(&driver->stored);
		must(buffer_append(&driver->stored, buffer_text(&driver->body)));
		print_envelope(driver, action);
		owe(driver, SESSION_STORED, driver->store);
		break;
	case SESSION_ABANDON:
		driver->abandoned_count++;
		break;
	case SESSION_START_TLS:
		must(driver->handshake_count == 0 && !driver->wants_tls);
		driver->wants_tls = true;
		break;
	case SESSION_AUTH_BEGIN:
		must(!driver->dialogue);
		prove(driver, action);
		break;
	case SESSION_AUTH_STEP:
		must(driver->dialogue);
		prove(driver, action);
		break;
	case SESSION_AUTH_ABORT:
		must(driver->dialogue);
		driver->dialogue = false;
		break;
	case SESSION_REFUSED:
		must(action->verdict.code >= 400);
		driver->refused_count++;
		break;
	case SESSION_CLOSE:
		driver->closed = true;
		break;
	}
}

static size_t step(struct driver *driver, const struct session_event *event)
{
	const size_t consumed = session_step(driver->session, event, &driver->output);

	for (size_t i = 0; i < driver->output.action_count; i++)
		perform(driver, &driver->output.actions[i]);
	must(buffer_append(&driver->heard, buffer_text(&driver->output.replies)));
	buffer_clear(&driver->output.replies);
	must(driver->begun_count - driver->committed_count - driver->abandoned_count <= 1); /* S4 */
	return consumed;
}

static void pay(struct driver *driver)
{
	while (driver->owes) {
		must(session_awaits(driver->session) || driver->closed);
		driver->owes = false;
		(void)step(driver, &driver->owed[0]);
	}
}

static void shake_hands(struct driver *driver)
{
	const struct session_event event = { .kind = SESSION_TLS_STARTED,
		.tls = { TEXT("TLSv1.3"), TEXT("TLS_AES_256_GCM_SHA384"), driver->certificate, !driver->unbound } };

	if (!driver->wants_tls || driver->stalls || driver->closed)
		return;
	must(driver->input.length == 0); /* S8 */
	driver->wants_tls = false;
	driver->handshake_count++;
	(void)step(driver, &event);
}

static void offer(struct driver *driver, bool answer)
{
	size_t taken;

	do {
		const struct session_event event = { .kind = SESSION_BYTES, .bytes = buffer_text(&driver->input) };

		taken = step(driver, &event);
		buffer_consume(&driver->input, taken);
		if (answer && driver->owes) {
			pay(driver);
			taken = 1;
		}
	} while (taken > 0 && driver->input.length > 0);
	shake_hands(driver);
}

void driver_open(struct driver *driver)
{
	driver->session = session_new(&driver->settings, &driver->peer);
	must(driver->session != NULL);
	driver_event(driver, SESSION_OPENED);
	pay(driver);
	shake_hands(driver);
}

void driver_say(struct driver *driver, struct text bytes)
{
	const size_t piece_size = driver->piece_size > 0 ? driver->piece_size : bytes.length;

	for (size_t at = 0; at < bytes.length; at += piece_size) {
		must(buffer_append(&driver->input, text_part(bytes, at, piece_size)));
		offer(driver, !driver->late);
	}
	offer(driver, true);
}

void driver_event(struct driver *driver, enum session_event_kind kind)
{
	(void)step(driver, &(struct session_event){ .kind = kind });
}
