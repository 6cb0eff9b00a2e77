/* Is a disk after a cut one that keeps every promise?
 *
 *   J1  The database opens without repair, and is whole: every message has recipients, every chunk its checksum, every
 *       recipient that is not held stands in the due index, and nobody else does.
 *   J2  Whoever is owed by a 250 waits in the spool, or is in a Maildir, or a remote server took it, or the sender's
 *       report is safe in the same way, or an operator deleted it.
 *   J3  What the log has told is durable: who is done is not tried again, and the history has the step.
 *   J4  A name in new/ shows the whole message.
 *   J5  Opened as a server opens it, the spool is swept and can be written, and nothing of the above is lost. */
#ifndef TESTS_CRASH_JUDGE_H
#define TESTS_CRASH_JUDGE_H

#include "crash/ledger.h"

/* Where a recipient may be after a cut: the states of docs/SPOOL.md. */
#define STATES(X) \
	X(LOST, lost) X(WAITING, waiting) X(HELD, held) X(IN_DOUBT, in_doubt) X(DELIVERED, delivered) X(TAKEN, taken) \
	X(REPORTED, reported) X(EXPANDED, expanded) X(DELETED, deleted)

enum state {
#define STATE(name, word) STATE_##name,
	STATES(STATE)
#undef STATE
	STATE_COUNT
};

struct final {              /* What a file is in the end. */
	uint64_t hash, size;
	queue_id id;        /* 0: no message. */
	char address[320];
};

struct judge {
	struct model *model;
	struct ledger *ledger;
	const struct final *finals;   /* By the number of the object. */
	const char *folder;           /* For a database, with room. */
	int image;                    /* folder/one/data.mdb: a copy of ... */
	struct object *database;      /* ... this file's durable bytes. */
	uint64_t cut_number;
	uint64_t states[STATE_COUNT]; /* Of recipients that are owed, over all cuts. */
	uint64_t reopened;
	char finding[400];
};

/* Empty judge->finding: all is well. `reopen`: J5, too. */
void judge_cut(struct judge *judge, const struct cut *cut, bool reopen);

/* Keeps the image in step; for model.durable_changed. */
void judge_durable(void *judge, struct object *object, uint64_t offset, uint64_t length);

#endif
