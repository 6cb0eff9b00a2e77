#include "queue/fate.h"

#include "base/must.h"

/* NOTIFY as given, or what its absence means (RFC 3461 §4.1). */
static bool wants(const struct recipient *recipient, enum dsn_notify what)
{
	const unsigned notify = recipient->notify ? recipient->notify : DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY;

	return (notify & what) && !(notify & DSN_NOTIFY_NEVER);
}

/* RFC 2852 §4.1.4: whoever asked for a trace, or whose wish ends here, hears that the message was passed on. */
static bool is_relay_told(const struct fate_question *question)
{
	const struct envelope *envelope = question->envelope;

	if (question->final || envelope->deliver_by_ms == 0 || (question->recipient->notify & DSN_NOTIFY_NEVER))
		return false;
	return (envelope->flags & ENVELOPE_BY_TRACE) ||
	    ((envelope->flags & ENVELOPE_BY_RETURN) && question->relayed_without_deliverby);
}

static struct fate fate_done(const struct fate_question *question)
{
	const bool success_told =
	    (question->final || question->relayed_without_dsn) && wants(question->recipient, DSN_NOTIFY_SUCCESS);

	return (struct fate){
		.kind = FATE_DONE,
		.action = question->final ? DSN_DELIVERED : DSN_RELAYED,
		.told = !address_is_null(&question->envelope->reverse_path) && (success_told || is_relay_told(question)),
	};
}

static struct fate fate_failed(const struct fate_question *question, bool expired)
{
	return (struct fate){
		.kind = FATE_FAILED,
		.expired = expired,
		.action = DSN_FAILED,
		.told = wants(question->recipient, DSN_NOTIFY_FAILURE),
	};
}

/* When its sender is told that it waits; INT64_MAX: never. */
static int64_t warning_ms(const struct fate_question *question)
{
	const struct envelope *envelope = question->envelope;

	if (envelope->deliver_by_ms != 0 && !(envelope->flags & ENVELOPE_BY_RETURN))
		return envelope->deliver_by_ms;
	return question->warn_after_ms > 0 ? envelope_start_ms(envelope) + question->warn_after_ms : INT64_MAX;
}

static bool is_warning_due(const struct fate_question *question)
{
	const struct envelope *envelope = question->envelope;

	return question->now_ms >= warning_ms(question) &&
	    !(question->recipient->flags & RECIPIENT_WARNED) && !(envelope->flags & ENVELOPE_BOUNCE) &&
	    !address_is_null(&envelope->reverse_path) && wants(question->recipient, DSN_NOTIFY_DELAY);
}

static struct fate fate_waits(const struct fate_question *question)
{
	const struct recipient *recipient = question->recipient;
	const struct retry_moment moment = {
		.now_ms = question->now_ms,
		.expires_ms = question->envelope->expires_ms,
		.attempt_count = recipient->attempt_count + 1,
		.spread = retry_spread(question->envelope->id, recipient->index),
		.cause = question->by_host ? retry_cause_of(question->verdict) : RETRY_USUAL,
	};
	struct fate fate = { .kind = FATE_WAITS, .action = DSN_DELAYED };

	if (retry_schedule_next(question->schedule, &moment, &fate.due_ms) == RETRY_EXPIRED)
		return fate_failed(question, true);
	fate.told = is_warning_due(question);
	/* Tried once more at the moment by which it was wanted, so that its sender hears of it then. */
	const int64_t by_ms = question->envelope->deliver_by_ms;

	if (by_ms > question->now_ms && by_ms < fate.due_ms)
		fate.due_ms = by_ms;
	return fate;
}

struct fate fate_decide(const struct fate_question *question)
{
	const struct verdict *verdict = question->verdict;

	must(verdict->code != 0);
	if (question->recipient->flags & RECIPIENT_EXPIRED)
		return fate_failed(question, true);
	if (verdict_is_success(verdict))
		return fate_done(question);
	if (verdict_is_permanent(verdict))
		return fate_failed(question, false);
	return fate_waits(question);
}
