/* Facts of a settling: noted in its change, told to the sink when that is durable. */
#include "base/must.h"
#include "mail/date.h"
#include "queue/queue_private.h"

enum { FALLBACK_BYTES_MAX = 256 };

struct event *fact_new(struct job *job, enum event_kind kind)
{
	must(job->fact_count < job->fact_max);

	struct event *fact = &job->facts[job->fact_count++];

	*fact = (struct event){
		.kind = kind,
		.time_ms = queue_now_ms(job->queue),
		.id = job->message.envelope.id,
	};
	return fact;
}

bool fact_number(struct job *job, struct event *fact, enum event_field field, int64_t number)
{
	return arena_print(job->settle_arena, &fact->fields[field], "%lld", (long long)number);
}

static bool put_verdict(struct job *job, struct event *fact, const struct verdict *verdict)
{
	const struct enhanced_code *code = &verdict->enhanced;

	if (verdict->host.length > 0)
		fact->fields[EVENT_FIELD_HOST] = verdict->host;
	fact->fields[EVENT_FIELD_REPLY] = verdict->text.length > 0 ? verdict->text : TEXT("");
	return fact_number(job, fact, EVENT_FIELD_CODE, verdict->code) &&
	    (code->class == 0 ||
	        arena_print(job->settle_arena, &fact->fields[EVENT_FIELD_STATUS], "%u.%u.%u", code->class, code->subject,
	            code->detail));
}

struct event *fact_of_recipient(
    struct job *job, enum event_kind kind, const struct recipient *recipient, const struct verdict *verdict)
{
	const struct envelope *envelope = &job->message.envelope;
	struct event *fact = fact_new(job, kind);

	if (!address_print(&envelope->reverse_path, job->settle_arena, &fact->fields[EVENT_FIELD_SENDER]) ||
	    !address_print(&recipient->address, job->settle_arena, &fact->fields[EVENT_FIELD_RECIPIENT]) ||
	    !fact_number(job, fact, EVENT_FIELD_DELAY, fact->time_ms - envelope->arrived_ms))
		return NULL;
	if (address_is_null(&envelope->reverse_path))
		fact->fields[EVENT_FIELD_SENDER] = TEXT("<>");
	if (recipient->original.length > 0)
		fact->fields[EVENT_FIELD_ORIGINAL] = recipient->original;
	if (verdict == NULL)
		return fact;
	if (job->sent_as != NULL && job->delivery.sent_as == job->sent_as &&
	    !address_print(job->sent_as, job->settle_arena, &fact->fields[EVENT_FIELD_SENT_AS]))
		return NULL;
	if (job->delivery.tls.length > 0)
		fact->fields[EVENT_FIELD_TLS] = job->delivery.tls;
	if (job->delivery.fallback.length > 0)
		fact->fields[EVENT_FIELD_FALLBACK] = text_part(job->delivery.fallback, 0, FALLBACK_BYTES_MAX);
	if (job->delivery.source.length > 0)
		fact->fields[EVENT_FIELD_SOURCE] = job->delivery.source;
	return put_verdict(job, fact, verdict) &&
	        fact_number(job, fact, EVENT_FIELD_ATTEMPTS, (int64_t)recipient->attempt_count + 1)
	    ? fact
	    : NULL;
}
