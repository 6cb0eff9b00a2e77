/* Many deliveries, one flush: the steps of mailbox/maildir.h for a batch.
 *
 * Lifecycle: batch_add for each, batch_commit, read the items, batch_clear. */
#ifndef MAILBOX_BATCH_H
#define MAILBOX_BATCH_H

#include "mail/verdict.h"
#include "mailbox/maildir.h"
#include "mailbox/role.h"

struct batch_item {
	uint64_t number;        /* Of the request; the caller's. */
	size_t channel;         /* Where the answer goes; the caller's. */
	enum error error;       /* OK after batch_commit: delivered, durable. */
	bool owns;              /* The Maildir at its place is open. */
	bool open;              /* `file` is there. */
	struct maildir_file file;
	char path[MAILBOX_PATH_MAX + 1]; /* Empty: it could not be expanded. */
};

enum { BATCH_DEVICES_MAX = 8 };

/* Begins as zeros. */
struct batch {
	struct batch_item items[MAILBOX_BATCH_MAX];
	size_t count;
	struct maildir maildirs[MAILBOX_BATCH_MAX]; /* Each opened once, at the place of its first item. */

	/* File systems that were flushed whole since this process began, and no flush failed since: names of folders there are durable,
	 * also of those that a process before us made and did not live to flush. */
	uint64_t devices[BATCH_DEVICES_MAX];
	size_t device_count;
};

/* Writes the file of one delivery into the next item; a failure is kept there. Not for a full batch. */
struct batch_item *batch_add(struct batch *batch, struct maildir_writer *writer, struct text path_template,
    const struct mailbox_parts *parts, const struct owner *owner, const struct maildir_mail *mail);

/* Flush all, show all, flush their names. */
void batch_commit(struct batch *batch);
void batch_clear(struct batch *batch);

/* The answer to an item. Static text; its host borrows from the item. */
struct verdict batch_verdict(const struct batch_item *item);

#endif
