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
	uint64_t repeats;             /* Recipients that would be served again: delivered, but not settled yet. */
	uint64_t reopened;
	char finding[400];
};

/* Empty judge->finding: all is well. `reopen`: J5, too. */
void judge_cut(struct judge *judge, const struct cut *cut, bool reopen);

/* Keeps the image in step; for model.durable_changed. */
void judge_durable(void *judge, struct object *object, uint64_t offset, uint64_t length);

#endif
