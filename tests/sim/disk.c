/* A disk under a virtual clock: changes gather while a flush is under way, and become durable, visible and answered
 * together when it ends. Until then a death may lose them, or have them all: a commit is one write of a page. */
#include <stdlib.h>

#include "base/must.h"
#include "sim/town.h"
#include "spool/codec.h"
#include "spool/memory.h"

enum { FLUSH_US_MIN = 100, FLUSH_US_MAX = 20000 };

struct disk {
	struct town *town;
	unsigned number;
	struct spool *platters;         /* What is durable. */
	struct disk_spool *open;        /* The spool of the process that is alive. */
	struct change_list gathering, flushing;
	struct sim_event flush;
	int64_t trouble_until_us, stall_us;
	enum error failure;             /* OK: only slow. */
};

struct disk_spool {                     /* Of its process. */
	struct spool spool;             /* First: the engine's functions get this pointer. */
	struct disk *disk;
};

static struct spool *platters_of(struct spool *spool)
{
	return ((struct disk_spool *)spool)->disk->platters;
}

/* -- Writing --------------------------------------------------------------------------------- */

/* Of a change that failed only doubts are told: their log line comes in any case. */
static void tell_facts(struct disk *disk, const struct spool_change *change)
{
	struct op op;

	for (size_t offset = 0; change_next(change, &offset, &op);) {
		struct event event;

		if (op.kind != OP_RECORD)
			continue;
		must(event_decode(op.id, text_from(op.bytes, 8 * (size_t)op.number), &event) == OK);
		if (change->result == OK || event.kind == EVENT_IN_DOUBT)
			ledger_fact(disk->town->ledger, disk->number, &event);
	}
}

static void apply(struct disk *disk, struct spool_change *change, struct due_news *news)
{
	struct sim_process *runner = sim_run_as(disk->town->world, NULL);

	memory_apply(disk->platters, change, news);
	tell_facts(disk, change);
	sim_run_as(disk->town->world, runner);
}

static void begin_flush(struct disk *disk)
{
	struct sim_world *world = disk->town->world;
	int64_t delay_us = sim_between(world, FLUSH_US_MIN, FLUSH_US_MAX);

	if (sim_event_is_planned(&disk->flush) || disk->gathering.first == NULL)
		return;
	if (sim_now_us(world) < disk->trouble_until_us)
		delay_us += disk->stall_us;
	disk->flushing = disk->gathering;
	disk->gathering = (struct change_list){ 0 };
	sim_event_plan(world, &disk->flush, delay_us);
}

/* The process whose changes these are gets its answers. */
static void end_flush(struct disk *disk)
{
	struct due_news news;
	const bool fails =
	    disk->failure != OK && sim_now_us(disk->town->world) < disk->trouble_until_us && !disk->town->peace;

	due_news_init(&news);
	for (struct spool_change *change = disk->flushing.first; change != NULL; change = change->next) {
		if (fails) {
			change->result = disk->failure;
			tell_facts(disk, change);
		} else if (change->result == OK) {
			apply(disk, change, &news);
		}
	}
	disk->town->counts.disk_failures += fails;
	if (disk->open != NULL)
		ports_finish(&disk->open->spool, &disk->flushing, fails ? NULL : &news);
}

static void flushed(void *context)
{
	struct disk *disk = context;

	end_flush(disk);
	begin_flush(disk);
}

/* The mutant: new mail is answered at once, and durable only later. */
static void lie(struct disk *disk, struct spool_change *change)
{
	struct change_list answered = { 0 };
	struct spool_change *copy = spool_change_new();

	must(copy != NULL && buffer_append(&copy->ops, buffer_text(&change->ops)));
	copy->grows = copy->settles = true; /* A lie is not told twice. */
	spool_submit(change->port, copy, NULL, NULL);
	change->result = OK;
	change_list_append(&answered, change);
	ports_finish(&disk->open->spool, &answered, NULL);
}

static void disk_submit(struct spool *spool, struct change_list *list)
{
	struct disk *disk = ((struct disk_spool *)spool)->disk;
	struct spool_change *change;

	while ((change = change_list_pop(list)) != NULL) {
		change->result = change->failed ? ERR_NO_MEMORY : OK;
		if (disk->town->settings.mutant == MUTANT_DISK_LIES && change->grows && !change->settles)
			lie(disk, change);
		else
			change_list_append(&disk->gathering, change);
	}
	begin_flush(disk);
}

/* -- Reading: what is durable ------------------------------------------------------------------- */

static enum error disk_read_message(struct spool *spool, queue_id id, const uint32_t *indexes, size_t index_count,
    struct arena *arena, struct message *out_message)
{
	struct spool *from = platters_of(spool);

	return from->engine->read_message(from, id, indexes, index_count, arena, out_message);
}

static enum error disk_read_chunk(
    struct spool *spool, queue_id id, uint32_t number, char *room, size_t *out_length)
{
	struct spool *from = platters_of(spool);

	return from->engine->read_chunk(from, id, number, room, out_length);
}

static enum error disk_scan_due(struct spool *spool, const struct due_query *query, struct arena *arena,
    struct spool_due **out_due, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->scan_due(from, query, arena, out_due, out_count);
}

static enum error disk_scan_domain(struct spool *spool, struct text domain, const struct flow *flow,
    const struct due_query *query, struct arena *arena, struct spool_position **out_positions, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->scan_domain(from, domain, flow, query, arena, out_positions, out_count);
}

static enum error disk_next_due(
    struct spool *spool, unsigned shard, struct spool_position after, int64_t *out_due_ms)
{
	struct spool *from = platters_of(spool);

	return from->engine->next_due(from, shard, after, out_due_ms);
}

static enum error disk_list(struct spool *spool, queue_id after, size_t max, struct arena *arena,
    queue_id **out_ids, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->list(from, after, max, arena, out_ids, out_count);
}

static enum error disk_list_newest(struct spool *spool, size_t max, struct arena *arena, queue_id **out_ids, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->list_newest(from, max, arena, out_ids, out_count);
}

static enum error disk_newest_id(struct spool *spool, queue_id *out_id)
{
	struct spool *from = platters_of(spool);

	return from->engine->newest_id(from, out_id);
}

static enum error disk_totals(struct spool *spool, struct spool_totals *out_totals)
{
	struct spool *from = platters_of(spool);

	return from->engine->totals(from, out_totals);
}

static enum error disk_read_history(
    struct spool *spool, queue_id id, struct arena *arena, struct text **out_steps, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->read_history(from, id, arena, out_steps, out_count);
}

static enum error disk_find_address(struct spool *spool, uint64_t hash, size_t max, struct arena *arena,
    queue_id **out_ids, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->find_address(from, hash, max, arena, out_ids, out_count);
}

static enum error disk_read_notes(struct spool *spool, struct text prefix, struct arena *arena,
    struct spool_note **out_notes, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->read_notes(from, prefix, arena, out_notes, out_count);
}

static enum error disk_tally_sets(struct spool *spool, const struct tally_query *query, struct arena *arena,
    struct tally_listed **out_sets, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->tally_sets(from, query, arena, out_sets, out_count);
}

static enum error disk_tally_rows(struct spool *spool, const struct tally_set *set, uint64_t from_key, size_t max,
    struct arena *arena, struct tally_row **out_rows, size_t *out_count)
{
	struct spool *from = platters_of(spool);

	return from->engine->tally_rows(from, set, from_key, max, arena, out_rows, out_count);
}

/* -- Life ------------------------------------------------------------------------------------------ */

static void disk_close(struct spool *spool)
{
	struct disk *disk = ((struct disk_spool *)spool)->disk;

	disk->open = NULL;
	spool_done_with(spool);
	free(spool);
}

static const struct engine disk_engine = {
	.close = disk_close,
	.submit = disk_submit,
	.read_message = disk_read_message,
	.read_chunk = disk_read_chunk,
	.scan_due = disk_scan_due,
	.scan_domain = disk_scan_domain,
	.next_due = disk_next_due,
	.list = disk_list,
	.list_newest = disk_list_newest,
	.newest_id = disk_newest_id,
	.totals = disk_totals,
	.read_history = disk_read_history,
	.find_address = disk_find_address,
	.read_notes = disk_read_notes,
	.tally_sets = disk_tally_sets,
	.tally_rows = disk_tally_rows,
};

struct disk *disk_new(struct town *town, unsigned number)
{
	struct disk *disk = calloc(1, sizeof *disk);

	must(disk != NULL && spool_memory_open(&disk->platters) == OK);
	disk->town = town;
	disk->number = number;
	sim_event_init(&disk->flush, NULL, flushed, disk);
	return disk;
}

void disk_free(struct disk *disk)
{
	if (disk == NULL)
		return;
	sim_event_cancel(disk->town->world, &disk->flush);
	spool_close(disk->platters);
	free(disk);
}

struct spool *disk_open(struct disk *disk)
{
	must(disk->open == NULL);
	disk->open = calloc(1, sizeof *disk->open);
	must(disk->open != NULL);
	spool_init(&disk->open->spool, &disk_engine);
	disk->open->disk = disk;
	return &disk->open->spool;
}

struct spool *disk_platters(struct disk *disk) { return disk->platters; }

void disk_sync(struct disk *disk)
{
	while (disk->flushing.first != NULL || disk->gathering.first != NULL) {
		sim_event_cancel(disk->town->world, &disk->flush);
		end_flush(disk);
		disk->flushing = disk->gathering;
		disk->gathering = (struct change_list){ 0 };
	}
}

void disk_lose(struct disk *disk)
{
	struct due_news news;

	due_news_init(&news);
	sim_event_cancel(disk->town->world, &disk->flush);
	if (sim_chance(disk->town->world, 500))
		for (struct spool_change *change = disk->flushing.first; change != NULL; change = change->next)
			if (!change->failed)
				apply(disk, change, &news);
	/* The changes themselves go with the memory of their process. */
	disk->flushing = disk->gathering = (struct change_list){ 0 };
	disk->open = NULL;
}

void disk_trouble(struct disk *disk, int64_t until_us, enum error failure, int64_t stall_us)
{
	disk->trouble_until_us = until_us;
	disk->failure = failure;
	disk->stall_us = stall_us;
}
