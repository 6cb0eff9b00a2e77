#include "sim/crowd_spool.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/must.h"
#include "spool/engine.h"
#include "spool/records.h"

/* Lives until the spool is closed: entries of the indexes point to it. */
struct mail {
	queue_id id;
	UT_hash_handle hh;
	struct text envelope, recipient; /* Records. */
	struct recipient view;           /* Borrows from the second. */
	bool gone;
};

/* In the order of positions. An entry whose mail is gone or has another due time is passed over. */
struct index {
	struct entry {
		struct spool_position at;
		struct mail *mail;
	} *entries;
	size_t count, room;
};

struct flow_index {
	UT_hash_handle hh;
	struct index index;
	size_t key_length;
	char key[sizeof(struct flow) + ADDRESS_DOMAIN_MAX];
};

struct crowd_spool {
	struct spool spool; /* First. */
	struct mail *mails;
	struct flow_index *flows;
	struct index shards[SPOOL_SHARD_COUNT];
	uint64_t count;
};

static struct crowd_spool *crowd_of(struct spool *spool)
{
	return (struct crowd_spool *)spool;
}

/* -- Indexes ------------------------------------------------------------------------------------ */

static int compare(const struct spool_position *a, const struct spool_position *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms ? -1 : 1;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* The first entry behind `after`. */
static size_t first_behind(const struct index *index, const struct spool_position *after)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare(&index->entries[middle].at, after) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void index_add(struct index *index, struct mail *mail)
{
	const struct spool_position at = { mail->view.due_ms, mail->id, 0 };
	const size_t place = first_behind(index, &at);

	if (index->count == index->room) {
		index->room = index->room > 0 ? 2 * index->room : 4;
		index->entries = realloc(index->entries, index->room * sizeof *index->entries);
		must(index->entries != NULL);
	}
	memmove(index->entries + place + 1, index->entries + place, (index->count - place) * sizeof *index->entries);
	index->entries[place] = (struct entry){ at, mail };
	index->count++;
}

static bool is_due(const struct entry *entry)
{
	return !entry->mail->gone && entry->mail->view.due_ms == entry->at.due_ms && !(entry->mail->view.flags & RECIPIENT_HELD);
}

static struct flow_index *flow_index(struct crowd_spool *crowd, struct text domain, struct flow flow, bool make)
{
	char key[sizeof(struct flow) + ADDRESS_DOMAIN_MAX] = { 0 };
	struct flow_index *found;

	memcpy(key, &flow.sender, sizeof flow.sender);
	key[sizeof flow.sender] = (char)flow.priority;
	(void)domain_lower(domain, key + sizeof flow);
	HASH_FIND(hh, crowd->flows, key, sizeof flow + domain.length, found);
	if (found != NULL || !make)
		return found;
	found = calloc(1, sizeof *found);
	must(found != NULL);
	found->key_length = sizeof flow + domain.length;
	memcpy(found->key, key, sizeof key);
	HASH_ADD(hh, crowd->flows, key, found->key_length, found);
	return found;
}

static void list_mail(struct crowd_spool *crowd, struct mail *mail, struct due_news *news)
{
	const struct text domain = mail->view.address.domain;

	index_add(&crowd->shards[spool_shard_of(domain)], mail);
	index_add(&flow_index(crowd, domain, mail->view.flow, true)->index, mail);
	due_news_add(news, &mail->view);
}

/* -- Changes ------------------------------------------------------------------------------------ */

static struct text keep(struct text record)
{
	char *bytes = malloc(record.length);

	must(bytes != NULL);
	memcpy(bytes, record.bytes, record.length);
	return (struct text){ bytes, record.length };
}

static struct mail *find(struct crowd_spool *crowd, queue_id id)
{
	struct mail *mail;

	HASH_FIND(hh, crowd->mails, &id, sizeof id, mail);
	return mail;
}

static void set_recipient(struct mail *mail, const struct recipient *recipient)
{
	const size_t size = recipient_record_size(recipient);
	char *room = malloc(size);

	must(room != NULL);
	recipient_record_write(recipient, room);
	free((char *)mail->recipient.bytes);
	mail->recipient = (struct text){ room, size };
	must(recipient_record_view(mail->recipient, &mail->view) == OK);
}

static void apply_op(struct crowd_spool *crowd, const struct op *op, struct due_news *news)
{
	struct mail *mail = find(crowd, op->id);
	struct recipient changed;

	switch (op->kind) {
	case OP_MESSAGE:
		must(mail == NULL && op->number == 1);
		mail = calloc(1, sizeof *mail);
		must(mail != NULL);
		mail->id = op->id;
		mail->envelope = keep(op->bytes);
		HASH_ADD(hh, crowd->mails, id, sizeof mail->id, mail);
		crowd->count++;
		break;
	case OP_RECIPIENT:
		must(mail != NULL && recipient_record_view(op->bytes, &changed) == OK);
		set_recipient(mail, &changed);
		list_mail(crowd, mail, news);
		break;
	case OP_UPDATE:
	case OP_STEER:
		must(mail != NULL && !mail->gone && recipient_changed(&mail->view, op, &changed) == OK);
		set_recipient(mail, &changed);
		list_mail(crowd, mail, news);
		break;
	case OP_RETIRE:
		must(mail != NULL && !mail->gone);
		mail->gone = true;
		crowd->count--;
		break;
	default:
		break;
	}
}

static void crowd_submit(struct spool *spool, struct change_list *list)
{
	struct due_news news;

	due_news_init(&news);
	for (struct spool_change *change = list->first; change != NULL; change = change->next) {
		struct op op;

		for (size_t offset = 0; change_next(change, &offset, &op);)
			apply_op(crowd_of(spool), &op, &news);
		change->result = OK;
	}
	ports_finish(spool, list, &news);
}

/* -- Questions ---------------------------------------------------------------------------------- */

static enum error crowd_read_message(struct spool *spool, queue_id id, const uint32_t *indexes, size_t index_count,
    struct arena *arena, struct message *out_message)
{
	const struct mail *mail = find(crowd_of(spool), id);
	struct recipient *recipient = arena_alloc(arena, sizeof *recipient);

	if (mail == NULL || mail->gone || (indexes != NULL && (index_count != 1 || indexes[0] != 0)))
		return ERR_NOT_FOUND;
	must(recipient != NULL && recipient_record_read(0, mail->recipient, arena, recipient) == OK);
	*out_message = (struct message){ .recipients = recipient, .recipient_count = 1 };
	return envelope_record_read(id, mail->envelope, arena, &out_message->envelope);
}

static enum error crowd_scan_due(struct spool *spool, const struct due_query *query, struct arena *arena,
    struct spool_due **out_due, size_t *out_count)
{
	const struct index *index = &crowd_of(spool)->shards[query->shard];
	struct spool_due *due = arena_array(arena, query->max, sizeof *due);
	size_t count = 0;

	must(due != NULL);
	for (size_t i = first_behind(index, &query->after); count < query->max && i < index->count; i++) {
		const struct entry *entry = &index->entries[i];

		if (entry->at.due_ms > query->until_ms)
			break;
		if (!is_due(entry))
			continue;
		due[count] = (struct spool_due){ .position = entry->at, .flow = entry->mail->view.flow };
		must(arena_copy(arena, entry->mail->view.address.domain, &due[count].domain));
		count++;
	}
	*out_due = due;
	*out_count = count;
	return OK;
}

static enum error crowd_scan_domain(struct spool *spool, struct text domain, const struct flow *flow,
    const struct due_query *query, struct arena *arena, struct spool_position **out_positions, size_t *out_count)
{
	must(flow != NULL); /* Only operators ask for all. */

	const struct flow_index *found = flow_index(crowd_of(spool), domain, *flow, false);
	struct spool_position *positions = arena_array(arena, query->max, sizeof *positions);
	size_t count = 0;

	must(positions != NULL);
	for (size_t i = found ? first_behind(&found->index, &query->after) : 0;
	     found != NULL && count < query->max && i < found->index.count; i++) {
		const struct entry *entry = &found->index.entries[i];

		if (entry->at.due_ms > query->until_ms)
			break;
		if (is_due(entry))
			positions[count++] = entry->at;
	}
	*out_positions = positions;
	*out_count = count;
	return OK;
}

static enum error crowd_next_due(struct spool *spool, unsigned shard, struct spool_position after, int64_t *out_due_ms)
{
	const struct index *index = &crowd_of(spool)->shards[shard];

	*out_due_ms = INT64_MAX;
	for (size_t i = first_behind(index, &after); *out_due_ms == INT64_MAX && i < index->count; i++)
		if (is_due(&index->entries[i]))
			*out_due_ms = index->entries[i].at.due_ms;
	return OK;
}

static enum error crowd_totals(struct spool *spool, struct spool_totals *out_totals)
{
	*out_totals = (struct spool_totals){ .messages = crowd_of(spool)->count, .recipients = crowd_of(spool)->count };
	return OK;
}

static enum error crowd_read_notes(struct spool *spool, struct text prefix, struct arena *arena,
    struct spool_note **out_notes, size_t *out_count)
{
	(void)spool, (void)prefix;
	*out_notes = arena_alloc(arena, sizeof **out_notes);
	*out_count = 0;
	return OK;
}

/* -- Life --------------------------------------------------------------------------------------- */

static void crowd_close(struct spool *spool)
{
	struct crowd_spool *crowd = crowd_of(spool);

	for (struct mail *mail = crowd->mails, *next; mail != NULL; mail = next) {
		next = mail->hh.next;
		free((char *)mail->envelope.bytes);
		free((char *)mail->recipient.bytes);
		HASH_DELETE(hh, crowd->mails, mail);
		free(mail);
	}
	for (struct flow_index *flow = crowd->flows, *next; flow != NULL; flow = next) {
		next = flow->hh.next;
		free(flow->index.entries);
		HASH_DELETE(hh, crowd->flows, flow);
		free(flow);
	}
	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++)
		free(crowd->shards[i].entries);
	spool_done_with(spool);
	free(crowd);
}

static const struct engine crowd_engine = {
	.close = crowd_close,
	.submit = crowd_submit,
	.read_message = crowd_read_message,
	.scan_due = crowd_scan_due,
	.scan_domain = crowd_scan_domain,
	.next_due = crowd_next_due,
	.totals = crowd_totals,
	.read_notes = crowd_read_notes,
};

struct spool *crowd_spool_new(void)
{
	struct crowd_spool *crowd = calloc(1, sizeof *crowd);

	must(crowd != NULL);
	spool_init(&crowd->spool, &crowd_engine);
	return &crowd->spool;
}
