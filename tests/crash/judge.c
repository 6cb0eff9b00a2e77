#include "crash/judge.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/must.h"
#include "events/event.h"
#include "spool/spool.h"

enum { ARENA_BYTES = 64 << 20, LIST_MAX = 100000, DEPTH_MAX = 4 };

struct trial {
	struct judge *judge;
	const struct cut *cut;
	struct spool *spool;
	struct arena *arena;
	queue_id *ids;
	size_t id_count;
	uint64_t waiting;   /* Recipients that are not held. */
};

[[gnu::format(printf, 2, 3)]] static void find(struct judge *judge, const char *format, ...)
{
	va_list list;

	if (judge->finding[0] != '\0')
		return;
	va_start(list, format);
	vsnprintf(judge->finding, sizeof judge->finding, format, list);
	va_end(list);
}

static const char *print(queue_id id)
{
	static char rooms[4][QUEUE_ID_TEXT_SIZE];
	static unsigned next;

	return queue_id_print(id, rooms[next++ % 4]).bytes;
}

/* -- The database's file ----------------------------------------------------------------------------- */

static void write_at(int file, const char *bytes, uint64_t length, uint64_t offset)
{
	while (length > 0) {
		const ssize_t written = pwrite(file, bytes, length, (off_t)offset);

		must(written > 0);
		bytes += written;
		length -= (uint64_t)written;
		offset += (uint64_t)written;
	}
}

void judge_durable(void *context, struct object *object, uint64_t offset, uint64_t length)
{
	struct judge *judge = context;

	if (object != judge->database)
		return;
	write_at(judge->image, object->durable + offset, length, offset);
	must(ftruncate(judge->image, (off_t)object->size) == 0);
}

static void image_piece(void *context, uint64_t offset, const char *bytes, uint64_t length)
{
	struct judge *judge = context;

	write_at(judge->image, bytes, length, offset);
}

static void image_undo(void *context, uint64_t offset, const char *bytes, uint64_t length)
{
	struct judge *judge = context;
	const struct object *file = judge->database;

	(void)bytes;
	if (offset >= file->size)
		return;
	if (length > file->size - offset)
		length = file->size - offset;
	write_at(judge->image, file->durable + offset, length, offset);
}

static void image_make(struct judge *judge, const struct cut *cut, struct object *database)
{
	if (judge->database != database) {
		judge->database = database;
		must(ftruncate(judge->image, 0) == 0);
		write_at(judge->image, database->durable, database->size, 0);
	}
	must(ftruncate(judge->image, (off_t)cut_file(cut, database, image_piece, judge)) == 0);
}

static void image_restore(struct judge *judge, const struct cut *cut)
{
	must(ftruncate(judge->image, (off_t)judge->database->size) == 0);
	(void)cut_file(cut, judge->database, image_undo, judge);
}

/* -- J4, and where a message lies -------------------------------------------------------------------- */

static bool is_whole(struct judge *judge, const struct cut *cut, const struct object *file)
{
	const struct final *final = &judge->finals[file->number];
	uint64_t size;
	char *content = cut_content(cut, file, &size);
	const bool whole = size == final->size && XXH3_64bits(content, size) == final->hash;

	free(content);
	return whole;
}

static bool is_shown(struct judge *judge, const struct cut *cut, struct object *file)
{
	struct object *folder = file->parent;

	return folder != NULL && strcmp(folder->label ? folder->label : "", "new") == 0 &&
	    cut_find(cut, folder, file->label) == file && cut_reaches(cut, judge->model, folder);
}

static void judge_maildirs(struct trial *trial)
{
	struct judge *judge = trial->judge;

	for (size_t i = 0; i < judge->model->object_count; i++) {
		struct object *file = judge->model->objects[i];

		if (file->is_folder || (file->write_count == 0 && file->size == judge->finals[i].size))
			continue;
		if (is_shown(judge, trial->cut, file) && !is_whole(judge, trial->cut, file))
			find(judge, "J4: %s/%s is torn", file->parent->label, file->label);
	}
}

static bool has_copy(struct trial *trial, const struct debt *debt)
{
	for (unsigned i = 0; i < debt->copy_count; i++)
		if (is_shown(trial->judge, trial->cut, debt->copies[i]) &&
		    (debt->copies[i]->write_count == 0 || is_whole(trial->judge, trial->cut, debt->copies[i])))
			return true;
	return false;
}

/* -- J1 ------------------------------------------------------------------------------------------------ */

static void judge_body(struct trial *trial, const struct envelope *envelope)
{
	char room[SPOOL_CHUNK_SIZE];
	uint64_t size = 0;

	for (uint32_t number = 0; number < envelope->chunk_count; number++) {
		size_t length = 0;
		const enum error error = spool_read_chunk(trial->spool, envelope->id, number, room, &length);

		if (error != OK)
			find(trial->judge, "J1: chunk %u of %s: %s", number, print(envelope->id), error_text(error));
		size += length;
	}
	if (size != envelope->body_size)
		find(trial->judge, "J1: the body of %s is too short", print(envelope->id));
}

static void judge_message(struct trial *trial, queue_id id)
{
	struct judge *judge = trial->judge;
	struct arena *arena = arena_new(ARENA_BYTES);
	struct message message;
	const enum error error = spool_read_message(trial->spool, id, arena, &message);

	if (error != OK)
		find(judge, "J1: message %s: %s", print(id), error_text(error));
	else if (message.recipient_count == 0)
		find(judge, "J1: message %s has no recipients", print(id));
	for (uint32_t i = 0; error == OK && i < message.recipient_count; i++) {
		const struct recipient *recipient = &message.recipients[i];
		struct text address;

		must(address_print(&recipient->address, arena, &address));

		char *name = strndup(address.bytes, address.length);
		struct debt *debt = ledger_debt(judge->ledger, id, name);

		debt->waits_at = judge->cut_number;
		debt->held = recipient->flags & RECIPIENT_HELD;
		trial->waiting += !(recipient->flags & RECIPIENT_HELD);
		if (debt->told)
			find(judge, "J3: %s of %s is done, as the log says, and would be tried again", name, print(id));
		free(name);
	}
	if (error == OK)
		judge_body(trial, &message.envelope);
	arena_free(arena);
}

static void judge_index(struct trial *trial)
{
	uint64_t listed = 0;

	for (unsigned shard = 0; shard < SPOOL_SHARD_COUNT; shard++) {
		struct arena *arena = arena_new(ARENA_BYTES);
		struct spool_due *due = NULL;
		size_t count = 0;
		const enum error error = spool_scan_due(trial->spool, shard, (struct spool_position){ 0 }, INT64_MAX - 1,
		    LIST_MAX, arena, &due, &count);

		if (error != OK)
			find(trial->judge, "J1: due mail: %s", error_text(error));
		for (size_t i = 0; i < count; i++) {
			struct message message;

			if (spool_read_recipients(trial->spool, due[i].position.id, &due[i].position.index, 1, arena,
			        &message) != OK)
				find(trial->judge, "J1: due, but not there: %s", print(due[i].position.id));
		}
		listed += count;
		arena_free(arena);
	}
	if (listed != trial->waiting)
		find(trial->judge, "J1: %llu recipients wait, %llu are listed", (unsigned long long)trial->waiting,
		    (unsigned long long)listed);
}

static void judge_spool(struct trial *trial)
{
	const enum error error = spool_list(trial->spool, 0, LIST_MAX, trial->arena, &trial->ids, &trial->id_count);

	if (error != OK) {
		find(trial->judge, "J1: the list of messages: %s", error_text(error));
		return;
	}
	for (size_t i = 0; i < trial->id_count; i++)
		judge_message(trial, trial->ids[i]);
	judge_index(trial);
}

/* -- J2 ------------------------------------------------------------------------------------------------ */

static enum state state_of(struct trial *trial, queue_id id, const struct debt *debt, unsigned depth);

static bool is_safe_address(struct trial *trial, queue_id id, struct text address, unsigned depth)
{
	char *name = strndup(address.bytes, address.length);
	struct debt *debt = ledger_debt(trial->judge->ledger, id, name);

	free(name);
	return state_of(trial, id, debt, depth) != STATE_LOST;
}

/* The report that a bounced recipient became: its one recipient is in its history. */
static bool is_safe_report(struct trial *trial, struct text printed, unsigned depth)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	struct text *steps;
	struct event event;
	size_t count;
	queue_id id;
	bool safe = false;

	if (queue_id_parse(printed, &id) && spool_read_history(trial->spool, id, arena, &steps, &count) == OK &&
	    event_decode(id, steps[0], &event) == OK && event.kind == EVENT_GENERATED)
		safe = is_safe_address(trial, id, event.fields[EVENT_FIELD_RECIPIENT], depth);
	arena_free(arena);
	return safe;
}

static bool are_safe_targets(struct trial *trial, queue_id id, struct text targets, unsigned depth)
{
	bool safe = true;

	while (targets.length > 0) {
		const size_t length = text_find_byte(targets, ' ');

		safe = safe && is_safe_address(trial, id, text_part(targets, 0, length), depth);
		targets = length < targets.length ? text_from(targets, length + 1) : TEXT_EMPTY;
	}
	return safe;
}

/* What became of a recipient by one step of its message's life. */
static enum state state_by(struct trial *trial, const struct event *event, const struct debt *debt, unsigned depth)
{
	if (event->kind == EVENT_DELETED && ledger_promise(trial->judge->ledger, event->id)->deleting)
		return STATE_DELETED;
	if (!text_equal(event->fields[EVENT_FIELD_RECIPIENT], text_of(debt->address)))
		return STATE_LOST;
	if (event->kind == EVENT_BOUNCED && is_safe_report(trial, event->fields[EVENT_FIELD_REPORT], depth))
		return STATE_REPORTED;
	if (event->kind == EVENT_EXPANDED &&
	    are_safe_targets(trial, event->id, event->fields[EVENT_FIELD_TARGETS], depth))
		return STATE_EXPANDED;
	return STATE_LOST;
}

/* What became of a recipient that is nowhere, by the history. */
static enum state state_by_history(struct trial *trial, queue_id id, const struct debt *debt, unsigned depth)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	enum state state = STATE_LOST;
	struct text *steps;
	size_t count = 0;

	if (spool_read_history(trial->spool, id, arena, &steps, &count) != OK)
		count = 0;
	for (size_t i = 0; i < count && state == STATE_LOST; i++) {
		struct event event;

		if (event_decode(id, steps[i], &event) == OK)
			state = state_by(trial, &event, debt, depth);
	}
	arena_free(arena);
	return state;
}

static enum state state_of(struct trial *trial, queue_id id, const struct debt *debt, unsigned depth)
{
	const bool waits = debt->waits_at == trial->judge->cut_number;
	const bool arrived = debt->taken || has_copy(trial, debt);

	if (waits && arrived)
		return STATE_IN_DOUBT;
	if (waits)
		return debt->held ? STATE_HELD : STATE_WAITING;
	if (arrived)
		return debt->taken ? STATE_TAKEN : STATE_DELIVERED;
	return depth < DEPTH_MAX ? state_by_history(trial, id, debt, depth + 1) : STATE_LOST;
}

static void judge_promise(struct trial *trial, struct promise *promise)
{
	struct judge *judge = trial->judge;

	for (struct debt *debt = promise->debts; debt != NULL; debt = debt->next) {
		if (!debt->owed)
			continue;

		const enum state state = state_of(trial, promise->id, debt, 0);

		judge->states[state]++;
		if (state == STATE_LOST)
			find(judge, "J2: %s of %s is lost", debt->address, print(promise->id));
	}
}

/* -- J3 ------------------------------------------------------------------------------------------------ */

static void judge_history(struct trial *trial, const struct promise *promise)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	struct text *steps;
	size_t count = 0;

	if (spool_read_history(trial->spool, promise->id, arena, &steps, &count) != OK)
		count = 0;
	if (count < promise->told_steps)
		find(trial->judge, "J3: the history of %s has %zu of %u steps that the log told", print(promise->id), count,
		    promise->told_steps);
	arena_free(arena);
}

static void judge_promises(struct trial *trial)
{
	struct promise *promise, *next;

	HASH_ITER (hh, trial->judge->ledger->promises, promise, next) {
		if (promise->told_steps > 0)
			judge_history(trial, promise);
		if (promise->accepted)
			judge_promise(trial, promise);
	}
}

/* -- J5 ------------------------------------------------------------------------------------------------ */

static void copy_image(const struct judge *judge, const char *folder)
{
	char path[4096], room[1 << 16];
	ssize_t length;
	off_t offset = 0;

	mkdir(folder, 0700);
	snprintf(path, sizeof path, "%s/data.mdb", folder);

	const int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(out >= 0);
	for (; (length = pread(judge->image, room, sizeof room, offset)) > 0; offset += length)
		write_at(out, room, (uint64_t)length, (uint64_t)offset);
	close(out);
}

static void woken(void *context)
{
	(void)context;
}

static enum error commit_one(struct spool *spool)
{
	struct spool_change *change = spool_change_new();
	struct spool_port *port;
	enum error error;

	spool_change_put_chunk(change, 1, 0, TEXT("x"));
	error = spool_port_open(spool, 0, woken, NULL, &port);
	must(error == OK);
	spool_submit(port, change, NULL, NULL);
	spool_port_close(port); /* Waits for it. */
	return OK;
}

static void judge_reopened(struct judge *judge, const struct cut *cut, const struct trial *before)
{
	char folder[4096];
	struct spool_lmdb_settings settings = { .path = folder, .history_max = 1000000 };
	struct trial trial = { .judge = judge, .cut = cut, .arena = arena_new(ARENA_BYTES) };

	snprintf(folder, sizeof folder, "%s/two", judge->folder);
	copy_image(judge, folder);

	const enum error error = spool_lmdb_open(&settings, &trial.spool);

	judge->reopened++;
	if (error != OK) {
		find(judge, "J5: a server cannot open the spool: %s", error_text(error));
	} else {
		(void)commit_one(trial.spool);
		judge_spool(&trial);
		judge_promises(&trial);
		if (before != NULL && trial.id_count != before->id_count)
			find(judge, "J5: %zu messages have become %zu", before->id_count, trial.id_count);
		spool_close(trial.spool);
	}
	arena_free(trial.arena);
}

/* -- A cut --------------------------------------------------------------------------------------------- */

static void judge_database(struct judge *judge, struct trial *trial, bool reopen)
{
	char folder[4096];
	const bool is_young = judge->ledger->told_count == 0 && judge->ledger->accepted_count == 0;
	struct spool_lmdb_settings settings = { .path = folder, .read_only = true };

	snprintf(folder, sizeof folder, "%s/one", judge->folder);
	if (is_young) { /* It may not be made yet: that is for a server to do. */
		judge_reopened(judge, trial->cut, NULL);
		return;
	}

	const enum error error = spool_lmdb_open(&settings, &trial->spool);

	if (error != OK) {
		find(judge, "J1: the database does not open: %s", error_text(error));
		return;
	}
	judge_spool(trial);
	judge_promises(trial);
	spool_close(trial->spool);
	if (reopen && judge->finding[0] == '\0') {
		judge->cut_number++; /* What waits is looked for anew. */
		judge_reopened(judge, trial->cut, trial);
	}
}

void judge_cut(struct judge *judge, const struct cut *cut, bool reopen)
{
	struct trial trial = { .judge = judge, .cut = cut, .arena = arena_new(ARENA_BYTES) };
	struct object *database = cut_find_path(cut, judge->model, "spool/data.mdb");

	judge->finding[0] = '\0';
	judge->cut_number++;
	if (database != NULL) {
		image_make(judge, cut, database);
		judge_database(judge, &trial, reopen);
		image_restore(judge, cut);
	} else if (judge->ledger->accepted_count > 0 || judge->ledger->told_count > 0) {
		find(judge, "J1: there is no database");
	}
	judge_maildirs(&trial);
	arena_free(trial.arena);
}
