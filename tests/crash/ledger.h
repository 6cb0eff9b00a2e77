/* What was promised up to a point of the log: by a reply, by a remote server, by a line of the server's log.
 *
 * Notes of the tests (disk.py), one line each:
 *
 *     accepted ID ADDRESS...   a client got the 250 to its final dot
 *     taken ID ADDRESS...      a remote server is about to send its 250
 *     deleting ID              an operator is about to ask for it
 *
 * and the server's log in JSON: an event there is a fact that the server holds to be durable. */
#ifndef TESTS_CRASH_LEDGER_H
#define TESTS_CRASH_LEDGER_H

#include "crash/model.h"
#include "mail/queue_id.h"

enum { COPIES_MAX = 4 };

struct debt {                         /* One recipient of a message. */
	char *address;
	bool owed;                    /* The 250 covers it. */
	bool taken;                   /* A remote server has it. */
	bool told;                    /* The log says that it is done: not to be tried again. */
	struct object *copies[COPIES_MAX]; /* Files of its Maildir. */
	unsigned copy_count;
	uint64_t waits_at;            /* Number of the cut in which it was last seen in the spool, ... */
	bool held;                    /* ... and how it was there. */
	struct debt *next;
};

struct promise {
	queue_id id;
	bool accepted, deleting;
	unsigned told_steps;          /* Events of its history that the log has shown. */
	struct debt *debts;
	UT_hash_handle hh;
};

struct ledger {
	struct promise *promises;
	uint64_t accepted_count, told_count;
	char *line;                   /* Of the server's log, until it is whole. */
	size_t line_length, line_room;
	struct object *log;           /* The file of the server's log. */
};

struct promise *ledger_promise(struct ledger *ledger, queue_id id);
struct debt *ledger_debt(struct ledger *ledger, queue_id id, const char *address);

/* Read a record: true when it was an announcement. */
bool ledger_read(struct ledger *ledger, const struct model *model, const struct record *record);

/* The ID and recipient that a file of a Maildir shows; false: neither. */
bool ledger_identify(const char *content, size_t size, queue_id *out_id, char out_address[320]);

#endif
