/* The queue's eyes: what is due, and the table of domains that it is for.
 *
 * The table is bounded, and a mailing to more domains than fit must not keep the mail of others waiting: of its last
 * quarter a sender gets places only while he has less than a sixteenth of it all. Who finds no place is left behind
 * where he is, in the spool; the watermark passes on, and when half of the table is free again the queue goes back. */
#include <stdlib.h>

#include "base/must.h"
#include "queue/queue_private.h"

enum { SCAN_BATCH = 256 }; /* Due recipients looked at for a shard in one turn. */

static struct spool_position position_before(struct spool_position position)
{
	if (position.index > 0) {
		position.index--;
	} else if (position.id > 0) {
		position.id--;
		position.index = UINT32_MAX;
	} else {
		position.due_ms--;
		position.id = UINT64_MAX;
		position.index = UINT32_MAX;
	}
	return position;
}

bool position_less(struct spool_position a, struct spool_position b)
{
	if (a.due_ms != b.due_ms)
		return a.due_ms < b.due_ms;
	return a.id != b.id ? a.id < b.id : a.index < b.index;
}

enum { DOMAIN_KEY_FLOW = sizeof(uint32_t) + 1, DOMAIN_KEY_MAX = DOMAIN_KEY_FLOW + ADDRESS_DOMAIN_MAX };

/* Flow and name; returns how long. */
static size_t domain_key(struct text name, struct flow flow, char key[DOMAIN_KEY_MAX])
{
	must(name.length <= ADDRESS_DOMAIN_MAX);
	key[0] = (char)flow.priority;
	memcpy(key + 1, &flow.sender, sizeof flow.sender);
	memcpy(key + DOMAIN_KEY_FLOW, name.length > 0 ? name.bytes : "", name.length);
	return DOMAIN_KEY_FLOW + name.length;
}

/* -- Whose they are ------------------------------------------------------------------------------- */

/* A place in the table for one more of this sender's; NULL: there is none, or no memory. */
static struct sender_share *share_take(struct queue *queue, uint32_t sender)
{
	const uint32_t max = queue->settings.domain_max;
	struct sender_share *share;

	if (queue->domain_count >= max)
		return NULL;
	HASH_FIND(hh, queue->shares, &sender, sizeof sender, share);
	if (share != NULL && queue->domain_count >= max - max / 4 && share->domain_count >= max / 16)
		return NULL;
	if (share == NULL) {
		share = calloc(1, sizeof *share);
		if (share == NULL)
			return NULL;
		share->sender = sender;
		HASH_ADD(hh, queue->shares, sender, sizeof share->sender, share);
		if (share->hh.tbl == NULL) {
			free(share);
			return NULL;
		}
	}
	share->domain_count++;
	queue->domain_count++;
	return share;
}

static void share_give_back(struct queue *queue, struct sender_share *share)
{
	/* Whom the table had no room for may come, once there is room for many. */
	if (queue->domain_count-- == queue->settings.domain_max / 2 + 1)
		queue_kick(queue);
	if (--share->domain_count > 0)
		return;
	HASH_DELETE(hh, queue->shares, share);
	free(share);
}

/* -- The table of domains --------------------------------------------------------------------------- */

/* NULL: the table is full, for this sender at least, or no memory. */
static struct domain *domain_new(struct queue *queue, struct text name, struct flow flow)
{
	struct sender_share *share = share_take(queue, flow.sender);

	if (share == NULL)
		return NULL;

	struct domain *domain = calloc(1, sizeof *domain + DOMAIN_KEY_FLOW + name.length);

	if (domain != NULL) {
		char *key = (char *)(domain + 1);
		const size_t length = domain_key(name, flow, key);

		domain->name = (struct text){ key + DOMAIN_KEY_FLOW, name.length };
		domain->seat.flow = flow;
		domain->state = DOMAIN_IDLE;
		domain->share = share;
		HASH_ADD_KEYPTR(hh, queue->domains, key, length, domain);
		if (domain->hh.tbl != NULL)
			return domain;
	}
	free(domain);
	share_give_back(queue, share);
	return NULL;
}

void domain_free(struct queue *queue, struct domain *domain)
{
	domain_leave_line(queue, domain);
	domain_drop_ticket(domain);
	HASH_DELETE(hh, queue->domains, domain);
	destination_unref(queue, domain->destination);
	share_give_back(queue, domain->share);
	free(domain);
}

static struct domain *find_domain(struct queue *queue, struct text name, struct flow flow)
{
	char key[DOMAIN_KEY_MAX];
	const size_t length = domain_key(name, flow, key);
	struct domain *domain;

	HASH_FIND(hh, queue->domains, key, length, domain);
	return domain;
}

struct domain *domain_get(struct queue *queue, struct text name, struct flow flow)
{
	struct domain *domain = find_domain(queue, name, flow);

	return domain != NULL ? domain : domain_new(queue, name, flow);
}

/* -- Looking for what is due ----------------------------------------------------------------------- */

void domain_look_back(struct queue *queue, struct domain *domain, struct spool_position position)
{
	if (!position_less(domain->cursor, position))
		domain->cursor = position_before(position);
	if (domain->state == DOMAIN_IDLE)
		domain_ready(queue, domain);
}

/* A due recipient was seen: its domain is active from now on. False: no room for one more. */
static bool activate(struct queue *queue, const struct spool_due *due)
{
	struct domain *domain = find_domain(queue, due->domain, due->flow);

	if (domain == NULL) {
		domain = domain_get(queue, due->domain, due->flow);
		if (domain == NULL)
			return false;
	} else if (!position_less(domain->cursor, due->position)) {
		if (flight_is_on(queue, due->position.id, due->position.index))
			return true;
		domain->cursor = position_before(due->position);
	}
	if (domain->state == DOMAIN_IDLE)
		domain_ready(queue, domain);
	return true;
}

/* The next batch of due recipients behind *cursor, which moves on; those that find no room are left behind. False:
 * trouble. */
static bool scan_batch(
    struct queue *queue, unsigned number, struct spool_position *cursor, int64_t now_ms, size_t *out_count)
{
	struct shard *shard = &queue->shards[number];
	struct spool_due *due;

	arena_reset(queue->scratch);
	if (spool_scan_due(queue->parts.spool, number, *cursor, now_ms, SCAN_BATCH, queue->scratch, &due, out_count) != OK) {
		queue->trouble_until_ms = now_ms + TROUBLE_MS;
		return false;
	}
	for (size_t i = 0; i < *out_count; i++) {
		if (!activate(queue, &due[i]) && (!shard->has_left || position_less(due[i].position, shard->left))) {
			shard->left = position_before(due[i].position);
			shard->has_left = true;
		}
		*cursor = due[i].position;
	}
	return true;
}

/* True: there may be more now. */
static bool scan_shard(struct queue *queue, unsigned number, int64_t now_ms)
{
	struct shard *shard = &queue->shards[number];
	size_t count;

	if (!scan_batch(queue, number, &shard->watermark, now_ms, &count))
		return false;
	if (count == SCAN_BATCH)
		return true;
	if (spool_next_due(queue->parts.spool, number, shard->watermark, &shard->next_due_ms) != OK)
		shard->next_due_ms = now_ms + TROUBLE_MS;
	return shard->next_due_ms <= now_ms;
}

static bool has_room_for_left(const struct queue *queue)
{
	return queue->domain_count <= queue->settings.domain_max / 2;
}

/* Go back for those who were left behind, now that there is room for them; who finds none again is left again. True:
 * there may be more now. */
static bool scan_left(struct queue *queue, unsigned number, int64_t now_ms)
{
	struct shard *shard = &queue->shards[number];
	struct spool_position cursor = shard->left;
	size_t count;

	if (!shard->has_left || !has_room_for_left(queue))
		return false;
	shard->has_left = false;
	if (!scan_batch(queue, number, &cursor, now_ms, &count)) {
		shard->has_left = true;
		return false;
	}
	if (shard->has_left) /* No memory, most likely. */
		return false;
	shard->has_left = count == SCAN_BATCH && position_less(cursor, shard->watermark);
	shard->left = cursor;
	return shard->has_left;
}

bool queue_scan(struct queue *queue, int64_t now_ms)
{
	bool more = false;

	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++) {
		if (queue->shards[i].owned && queue->shards[i].next_due_ms <= now_ms)
			more |= scan_shard(queue, i, now_ms);
		more |= scan_left(queue, i, now_ms);
	}
	return more;
}

int64_t queue_scan_due_ms(const struct queue *queue, int64_t now_ms)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++) {
		const struct shard *shard = &queue->shards[i];

		if (shard->owned && shard->next_due_ms < next_ms)
			next_ms = shard->next_due_ms;
		if (shard->has_left && has_room_for_left(queue) && now_ms + TROUBLE_MS < next_ms)
			next_ms = now_ms + TROUBLE_MS;
	}
	return next_ms;
}

void queue_take_news(struct queue *queue)
{
	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++) {
		struct shard *shard = &queue->shards[i];
		const int64_t due_ms = shard->owned ? spool_port_news(queue->parts.port, i) : INT64_MAX;

		if (due_ms < shard->next_due_ms)
			shard->next_due_ms = due_ms;
		if (due_ms <= shard->watermark.due_ms) /* Q1 */
			shard->watermark = position_before((struct spool_position){ .due_ms = due_ms });
	}
}
