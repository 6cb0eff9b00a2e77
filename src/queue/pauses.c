#include "queue/pauses.h"

#include <stdlib.h>

#include "base/must.h"

#define NOTE_PREFIX TEXT("pause ")

enum { PAUSES_ARENA_BYTES = 2 << 20 };

static const char *const words[PAUSE_KIND_COUNT] = { "domain", "sender", "user" };

struct pauses {
	struct spool *spool;
	uint64_t version;      /* Of the notes that were read last. */
	bool read;
	struct arena *arena;
	struct pause *items;
	size_t count;
};

const char *pause_word(enum pause_kind kind)
{
	return words[kind];
}

enum error pause_key(enum pause_kind kind, struct text subject, struct arena *arena, struct text *out_key)
{
	struct text key;

	if (!arena_print(arena, &key, "%.*s%s %.*s", TEXT_FORMAT(NOTE_PREFIX), words[kind], TEXT_FORMAT(subject)))
		return ERR_NO_MEMORY;
	if (key.length > SPOOL_NOTE_MAX)
		return ERR_TOO_LARGE;
	for (size_t i = 0; i < key.length; i++)
		((char *)key.bytes)[i] = byte_lower(key.bytes[i]);
	*out_key = key;
	return OK;
}

/* False: a note of a later version's, which this one leaves alone. */
static bool read_note(const struct spool_note *note, struct pause *out_pause)
{
	struct text subject = text_from(note->key, NOTE_PREFIX.length), word;

	text_cut(&subject, ' ', &word);
	for (unsigned kind = 0; kind < PAUSE_KIND_COUNT; kind++)
		if (text_equal(word, text_of(words[kind]))) {
			*out_pause = (struct pause){ (enum pause_kind)kind, subject, note->value };
			return true;
		}
	return false;
}

enum error pauses_read(struct spool *spool, struct arena *arena, struct pause **out_pauses, size_t *out_count)
{
	struct spool_note *notes;
	size_t note_count, count = 0;
	const enum error error = spool_read_notes(spool, NOTE_PREFIX, arena, &notes, &note_count);
	struct pause *pauses = error == OK ? arena_array(arena, note_count, sizeof *pauses) : NULL;

	if (pauses == NULL)
		return error != OK ? error : ERR_NO_MEMORY;
	for (size_t i = 0; i < note_count; i++)
		count += read_note(&notes[i], &pauses[count]);
	*out_pauses = pauses;
	*out_count = count;
	return OK;
}

bool pause_sender_is(struct text subject, const struct address *address)
{
	const size_t at = text_find_byte_last(subject, '@');

	if (at >= subject.length)
		return false;
	return text_equal_nocase(text_from(subject, at + 1), address->domain) &&
	    (at == 0 || text_equal_nocase(text_part(subject, 0, at), address->local));
}

struct pauses *pauses_new(struct spool *spool)
{
	struct pauses *pauses = calloc(1, sizeof *pauses);

	if (pauses == NULL)
		return NULL;
	*pauses = (struct pauses){ .spool = spool, .arena = arena_new(PAUSES_ARENA_BYTES) };
	if (pauses->arena == NULL) {
		free(pauses);
		return NULL;
	}
	return pauses;
}

void pauses_free(struct pauses *pauses)
{
	if (pauses == NULL)
		return;
	arena_free(pauses->arena);
	free(pauses);
}

/* The version is asked for first: what changes in between is read again. */
static void read_again(struct pauses *pauses)
{
	const uint64_t version = spool_notes_version(pauses->spool);
	struct arena *arena = arena_new(PAUSES_ARENA_BYTES);
	struct pause *items;
	size_t count;

	if (arena == NULL || pauses_read(pauses->spool, arena, &items, &count) != OK) {
		arena_free(arena);
		return;
	}
	arena_free(pauses->arena);
	*pauses = (struct pauses){ pauses->spool, version, true, arena, items, count };
}

static bool is_for(const struct pause *pause, const struct envelope *envelope, const struct recipient *recipient)
{
	switch (pause->kind) {
	case PAUSE_DOMAIN:
		return text_equal_nocase(pause->subject, recipient->address.domain);
	case PAUSE_SENDER:
		return pause_sender_is(pause->subject, &envelope->reverse_path);
	case PAUSE_USER:
		return text_equal_nocase(pause->subject, envelope->user);
	case PAUSE_KIND_COUNT:
		break;
	}
	must(false);
	return false;
}

const struct pause *pauses_find(struct pauses *pauses, const struct envelope *envelope, const struct recipient *recipient)
{
	if (!pauses->read || pauses->version != spool_notes_version(pauses->spool))
		read_again(pauses);
	for (size_t i = 0; i < pauses->count; i++)
		if (is_for(&pauses->items[i], envelope, recipient))
			return &pauses->items[i];
	return NULL;
}
