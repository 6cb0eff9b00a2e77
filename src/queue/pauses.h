/* Pauses: mail that is taken and kept, but not sent on, because an operator wants it so.
 *
 * Durable as notes of the spool ("pause domain example.net"), so that they outlive the server. Each queue reads them again when
 * they have changed. Whose turn comes while a pause is for it is held in the spool (RECIPIENT_PAUSED) and has no more turns;
 * who ends a pause takes the note away and releases what it held. */
#ifndef QUEUE_PAUSES_H
#define QUEUE_PAUSES_H

#include "spool/spool.h"

enum pause_kind {
	PAUSE_DOMAIN, /* Mail to a recipient domain. */
	PAUSE_SENDER, /* Mail from a reverse-path, or from all of "@a.domain". */
	PAUSE_USER,   /* Mail of somebody who logged in. */
	PAUSE_KIND_COUNT
};

struct pause {
	enum pause_kind kind;
	struct text subject;
	struct text value;  /* What was noted with it. */
};

const char *pause_word(enum pause_kind kind); /* "domain", "sender", "user" */

/* The key of its note, in the arena; ERR_NO_MEMORY, ERR_TOO_LARGE. The subject is put into lower case. */
[[nodiscard]] enum error pause_key(enum pause_kind kind, struct text subject, struct arena *arena, struct text *out_key);

/* All pauses, in the arena. */
[[nodiscard]] enum error pauses_read(struct spool *spool, struct arena *arena, struct pause **out_pauses, size_t *out_count);

/* Does "@example.org" or a whole address mean this one? Without case. */
bool pause_sender_is(struct text subject, const struct address *address);

/* What a queue knows of them. */
struct pauses;
[[nodiscard]] struct pauses *pauses_new(struct spool *spool); /* NULL: no memory. Borrows the spool. */
void pauses_free(struct pauses *pauses);

/* The pause that is for this recipient, or NULL; valid until the next call. When they cannot be read it is as before. */
const struct pause *pauses_find(struct pauses *pauses, const struct envelope *envelope, const struct recipient *recipient);

#endif
