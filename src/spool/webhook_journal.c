/* The file: a header, and the ring. Places count bytes since the first record ever; the ring has them modulo its size. */
#include "spool/webhook_journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xxhash.h>

#include "base/must.h"
#include "spool/map_file.h"

static const uint64_t MAGIC = 0x31736b6f6f686577ull; /* "wehooks1" */

struct reader {
	uint64_t name; /* Its hash; 0: free. */
	uint64_t used; /* Number of the change that used it last. */
	struct journal_place place;
};

struct file {
	struct map_header header;
	struct journal_place head, tail; /* Behind the newest, and at the oldest. */
	uint64_t changes;
	struct reader readers[JOURNAL_READERS];
	char ring[JOURNAL_BYTES];
};

struct record {
	uint64_t checksum; /* Of all behind it. */
	uint64_t number;
	uint64_t id;
	uint64_t length;
};

struct webhook_journal {
	struct file *file;
	pthread_mutex_t lock; /* Guards the file. */
};

static void copy_in(struct file *file, uint64_t at, const void *bytes, size_t length)
{
	const size_t start = (size_t)(at % JOURNAL_BYTES), room = JOURNAL_BYTES - start;
	const size_t first = length < room ? length : room;

	memcpy(file->ring + start, bytes, first);
	memcpy(file->ring, (const char *)bytes + first, length - first);
}

static void copy_out(const struct file *file, uint64_t at, void *bytes, size_t length)
{
	const size_t start = (size_t)(at % JOURNAL_BYTES), room = JOURNAL_BYTES - start;
	const size_t first = length < room ? length : room;

	memcpy(bytes, file->ring + start, first);
	memcpy((char *)bytes + first, file->ring, length - first);
}

static uint64_t checksum_of(const struct record *record, const char *bytes)
{
	return XXH3_64bits_withSeed(bytes, record->length, record->number ^ record->id << 1 ^ record->length << 32);
}

/* J4. The readers are at the end then, too. */
static void empty(struct file *file)
{
	file->tail = file->head;
	for (size_t i = 0; i < JOURNAL_READERS; i++)
		file->readers[i].place = file->head;
}

/* The record at a place between tail and head. False: it is torn. */
static bool look(const struct file *file, struct journal_place place, struct record *out_record)
{
	copy_out(file, place.at, out_record, sizeof *out_record);
	return out_record->number == place.number && out_record->length <= JOURNAL_RECORD_MAX &&
	    place.at + sizeof *out_record + out_record->length <= file->head.at;
}

static void pass(struct journal_place *place, const struct record *record)
{
	place->at += sizeof *record + record->length;
	place->number++;
}

enum error journal_open(const char *path, struct webhook_journal **out_journal)
{
	struct webhook_journal *journal = calloc(1, sizeof *journal);
	const struct map_header fresh = { MAGIC, 1 };
	struct map_header *map;

	if (journal == NULL)
		return ERR_NO_MEMORY;
	const enum error error = map_hashed_file(path, sizeof *journal->file, &fresh, &map);

	if (error != OK) {
		free(journal);
		return error;
	}
	journal->file = (struct file *)map; /* It begins with the header. */
	if (journal->file->head.at < journal->file->tail.at || journal->file->head.at - journal->file->tail.at > JOURNAL_BYTES)
		empty(journal->file);
	must(pthread_mutex_init(&journal->lock, NULL) == 0);
	*out_journal = journal;
	return OK;
}

void journal_close(struct webhook_journal *journal)
{
	if (journal == NULL)
		return;
	munmap(journal->file, sizeof *journal->file);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

/* J1 */
static void make_room(struct file *file, size_t length)
{
	struct record oldest;

	while (file->head.at + length - file->tail.at > JOURNAL_BYTES) {
		if (!look(file, file->tail, &oldest)) {
			empty(file);
			return;
		}
		pass(&file->tail, &oldest);
	}
}

void journal_add(struct webhook_journal *journal, queue_id id, struct text stored)
{
	struct file *file = journal->file;

	if (stored.length > JOURNAL_RECORD_MAX)
		return;
	pthread_mutex_lock(&journal->lock);
	struct record record = { .number = file->head.number, .id = id, .length = stored.length };

	record.checksum = checksum_of(&record, stored.bytes);
	make_room(file, sizeof record + stored.length);
	copy_in(file, file->head.at, &record, sizeof record);
	copy_in(file, file->head.at + sizeof record, stored.bytes, stored.length);
	pass(&file->head, &record); /* Last: a process that dies before leaves no half of it. */
	pthread_mutex_unlock(&journal->lock);
}

struct journal_place journal_end(struct webhook_journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	const struct journal_place end = journal->file->head;

	pthread_mutex_unlock(&journal->lock);
	return end;
}

struct journal_place journal_start(struct webhook_journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	const struct journal_place start = journal->file->tail;

	pthread_mutex_unlock(&journal->lock);
	return start;
}

static uint64_t hash_of(struct text name)
{
	return XXH3_64bits(name.bytes, name.length) | 1;
}

static struct reader *reader_of(struct file *file, struct text name)
{
	const uint64_t hash = hash_of(name);
	struct reader *oldest = &file->readers[0];

	for (size_t i = 0; i < JOURNAL_READERS; i++) {
		struct reader *reader = &file->readers[i];

		if (reader->name == hash) {
			reader->used = ++file->changes;
			return reader;
		}
		if (reader->used < oldest->used)
			oldest = reader;
	}
	*oldest = (struct reader){ hash, ++file->changes, file->head };
	return oldest;
}

static bool is_gone(const struct file *file, struct journal_place place)
{
	return place.at < file->tail.at || place.at > file->head.at;
}

struct journal_place journal_place_get(struct webhook_journal *journal, struct text reader, uint64_t *out_missed)
{
	struct file *file = journal->file;

	*out_missed = 0;
	pthread_mutex_lock(&journal->lock);
	struct journal_place *place = &reader_of(file, reader)->place;

	if (is_gone(file, *place)) {
		*out_missed = file->tail.number > place->number ? file->tail.number - place->number : 0;
		*place = file->tail;
	}
	const struct journal_place found = *place;

	pthread_mutex_unlock(&journal->lock);
	return found;
}

void journal_place_put(struct webhook_journal *journal, struct text reader, struct journal_place place)
{
	pthread_mutex_lock(&journal->lock);
	reader_of(journal->file, reader)->place = place;
	pthread_mutex_unlock(&journal->lock);
}

bool journal_place_look(struct webhook_journal *journal, struct text reader, struct journal_place *out_place)
{
	const struct file *file = journal->file;
	const uint64_t hash = hash_of(reader);
	bool found = false;

	pthread_mutex_lock(&journal->lock);
	for (size_t i = 0; !found && i < JOURNAL_READERS; i++) {
		found = file->readers[i].name == hash;
		if (found)
			*out_place = file->readers[i].place;
	}
	pthread_mutex_unlock(&journal->lock);
	return found;
}

static bool read_record(struct file *file, struct journal_place *place, char *room, struct record *out_record)
{
	if (is_gone(file, *place) || place->at == file->head.at)
		return false;
	if (look(file, *place, out_record)) {
		copy_out(file, place->at + sizeof *out_record, room, out_record->length);
		if (checksum_of(out_record, room) == out_record->checksum) {
			pass(place, out_record);
			return true;
		}
	}
	empty(file);
	return false;
}

bool journal_read(struct webhook_journal *journal, struct journal_place *place, char room[JOURNAL_RECORD_MAX], queue_id *out_id,
    struct text *out_stored)
{
	struct record record;

	pthread_mutex_lock(&journal->lock);
	const bool found = read_record(journal->file, place, room, &record);

	pthread_mutex_unlock(&journal->lock);
	if (found) {
		*out_id = record.id;
		*out_stored = (struct text){ room, record.length };
	}
	return found;
}
