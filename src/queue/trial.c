/* The trial of suspects: messages that were in hand when an earlier process died (Q5).
 *
 * Ordinary turns pass them by. Here one lane at a time takes one of them, through the same gates and on the
 * same way as any other mail; when it is settled, or is not to be tried now, the next may come. Lanes that
 * wait for each other look again once a second: it is a matter of minutes after a crash, not of throughput. */
#include "queue/queue_private.h"

enum {
	TRIAL_LOOK_MS = 1000,
	TRIES_PER_LOOK = 256
};

static bool is_due_here(const struct queue *queue, queue_id id, const struct recipient *recipient, int64_t now_ms)
{
	return !(recipient->flags & RECIPIENT_HELD) && recipient->due_ms <= now_ms &&
	    queue->shards[spool_shard_of(recipient->address.domain)].owned &&
	    !flight_is_on(queue, id, recipient->index);
}

/* The recipients of one domain that are due on this lane. */
static size_t choose(const struct queue *queue, const struct message *message, int64_t now_ms,
    uint32_t indexes[QUEUE_GROUP_MAX], struct text *out_domain)
{
	size_t count = 0;

	for (uint32_t i = 0; i < message->recipient_count && count < QUEUE_GROUP_MAX; i++) {
		const struct recipient *recipient = &message->recipients[i];

		if (!is_due_here(queue, message->envelope.id, recipient, now_ms))
			continue;
		if (count == 0)
			*out_domain = recipient->address.domain;
		else if (!text_equal_nocase(*out_domain, recipient->address.domain))
			continue;
		indexes[count++] = recipient->index;
	}
	return count;
}

/* As the table of domains knows it. False: no memory. */
static bool lower(struct arena *arena, struct text domain, struct text *out_domain)
{
	char *bytes = arena_alloc(arena, domain.length + 1);

	for (size_t i = 0; bytes != NULL && i < domain.length; i++)
		bytes[i] = byte_lower(domain.bytes[i]);
	*out_domain = (struct text){ bytes, domain.length };
	return bytes != NULL;
}

static void pull(struct queue *queue, struct domain *domain, queue_id id, uint32_t *indexes, size_t count)
{

	if (domain == NULL) {
		suspects_trial_end(queue->parts.suspects);
		return;
	}
	domain_pull_suspect(queue, domain, id, indexes, count);
	if (domain->job_count == 0 && domain->state == DOMAIN_IDLE)
		domain_free(queue, domain);
}

/* Another lane may have the trial, or nothing of the message is due here: then nothing happens. */
static void try_message(struct queue *queue, queue_id id, int64_t now_ms)
{
	struct arena *arena = arena_new(BATCH_ARENA_BYTES);
	uint32_t indexes[QUEUE_GROUP_MAX];
	struct message message;
	struct text domain;
	const enum error error = arena ? spool_read_message(queue->parts.spool, id, arena, &message) : ERR_NO_MEMORY;

	if (error == ERR_NOT_FOUND)
		suspects_acquit(queue->parts.suspects, id);
	if (error == OK) {
		const size_t count = choose(queue, &message, now_ms, indexes, &domain);

		if (count > 0 && lower(arena, domain, &domain) && suspects_trial_begin(queue->parts.suspects))
			pull(queue, domain_get(queue, domain, message.recipients[0].flow), id, indexes, count);
	}
	arena_free(arena);
}

void queue_try_suspects(struct queue *queue, int64_t now_ms)
{
	struct suspects *suspects = queue->parts.suspects;

	if (queue->on_trial || queue->trial_due_ms > now_ms)
		return;
	for (int tries = 0; tries < TRIES_PER_LOOK && !queue->on_trial; tries++) {
		if (queue->job_count >= queue->settings.in_flight_max)
			break;
		queue->last_tried = suspects_next(suspects, queue->last_tried, false);
		if (queue->last_tried == 0)
			break;
		try_message(queue, queue->last_tried, now_ms);
	}
	queue->trial_due_ms = now_ms + TRIAL_LOOK_MS;
}
