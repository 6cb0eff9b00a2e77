#include "mailbox/batch.h"

#include "base/must.h"

/* Up to this many Maildirs are flushed one by one; beyond, one flush of the file system is cheaper. */
enum { FOLDER_FLUSH_MAX = 3 };

static bool same_owner(const struct owner *a, const struct owner *b)
{
	return a->differs == b->differs && a->uid == b->uid && a->gid == b->gid;
}

/* The Maildir of the item, which an item before it may have opened. */
static enum error find_maildir(
    struct batch *batch, struct batch_item *item, const struct maildir_place *where, struct maildir **out_maildir)
{
	const size_t place = (size_t)(item - batch->items);

	for (size_t i = place; i-- > 0;)
		if (batch->items[i].owns && strcmp(batch->items[i].path, item->path) == 0 &&
		    same_owner(&batch->maildirs[i].owner, &where->owner)) {
			*out_maildir = &batch->maildirs[i];
			return OK;
		}
	*out_maildir = &batch->maildirs[place];
	const enum error error = maildir_open(where, *out_maildir);

	item->owns = error == OK;
	return error;
}

struct batch_item *batch_add(struct batch *batch, struct maildir_writer *writer, struct text path_template,
    const struct mailbox_parts *parts, const struct owner *owner, const struct maildir_mail *mail)
{
	struct batch_item *item = &batch->items[batch->count];
	struct maildir *maildir;
	struct text path;

	must(batch->count < MAILBOX_BATCH_MAX);
	batch->count++;
	item->open = item->owns = false;
	item->path[0] = '\0';
	item->error = mailbox_path_expand(path_template, parts, item->path, &path);
	if (item->error != OK) {
		item->path[0] = '\0';
		return item;
	}
	const struct maildir_place where = { item->path, mailbox_path_shared(path_template, parts), *owner };

	item->error = find_maildir(batch, item, &where, &maildir);
	if (item->error == OK)
		item->error = maildir_write(writer, maildir, mail, &item->file);
	item->open = item->error == OK;
	return item;
}

static void fail(struct batch_item *item, enum error error)
{
	must(error != OK);
	item->error = error;
	item->open = false;
	maildir_drop(&item->file);
}

/* -- flushing ----------------------------------------------------------------- */

static bool same_device(const struct batch_item *a, const struct batch_item *b)
{
	return a->file.maildir->device == b->file.maildir->device;
}

static bool same_folder(const struct batch_item *a, const struct batch_item *b)
{
	return same_device(a, b) && a->file.maildir->number == b->file.maildir->number;
}

typedef bool alike(const struct batch_item *a, const struct batch_item *b);
typedef enum error flush(const struct maildir_file *file);

/* Flush once for each group of open items that are alike; its failure is that of the whole group (M3). */
static void flush_groups(struct batch *batch, alike *are_alike, flush *flush_one)
{
	bool done[MAILBOX_BATCH_MAX] = { false };

	for (size_t i = 0; i < batch->count; i++) {
		struct batch_item *first = &batch->items[i];

		if (!first->open || done[i])
			continue;
		const enum error error = flush_one(&first->file);

		for (size_t j = batch->count; j-- > i;) { /* `first` last: the others are compared with it. */
			if (!batch->items[j].open || done[j] || !are_alike(first, &batch->items[j]))
				continue;
			done[j] = true;
			if (error != OK)
				fail(&batch->items[j], error);
		}
	}
}

static size_t open_count(const struct batch *batch)
{
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++)
		count += batch->items[i].open;
	return count;
}

static size_t folder_count(const struct batch *batch)
{
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++) {
		size_t j = 0;

		if (!batch->items[i].open)
			continue;
		while (j < i && !(batch->items[j].open && same_folder(&batch->items[i], &batch->items[j])))
			j++;
		count += j == i;
	}
	return count;
}

static bool made_folders(const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i].open && batch->items[i].file.maildir->made_folders)
			return true;
	return false;
}

static size_t find_device(const struct batch *batch, uint64_t device)
{
	size_t place = 0;

	while (place < batch->device_count && batch->devices[place] != device)
		place++;
	return place;
}

static bool knows_devices(const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i].open && find_device(batch, batch->items[i].file.maildir->device) == batch->device_count)
			return false;
	return true;
}

/* After a flush of whole file systems. More than fit are flushed whole each time. */
static void learn_device(struct batch *batch, uint64_t device, bool flushed)
{
	const size_t place = find_device(batch, device);

	if (!flushed && place < batch->device_count)
		batch->devices[place] = batch->devices[--batch->device_count];
	else if (flushed && place == batch->device_count && place < BATCH_DEVICES_MAX)
		batch->devices[batch->device_count++] = device;
}

/* fsync of one file would not flush the names of new folders above it. */
static void flush_files(struct batch *batch)
{
	bool was_open[MAILBOX_BATCH_MAX] = { false };

	if (open_count(batch) == 1 && !made_folders(batch) && knows_devices(batch)) {
		flush_groups(batch, same_device, maildir_flush);
		return;
	}
	for (size_t i = 0; i < batch->count; i++)
		was_open[i] = batch->items[i].open;
	flush_groups(batch, same_device, maildir_flush_all);
	for (size_t i = 0; i < batch->count; i++)
		if (was_open[i])
			learn_device(batch, batch->items[i].file.maildir->device, batch->items[i].open);
}

void batch_commit(struct batch *batch)
{
	flush_files(batch);
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_item *item = &batch->items[i];

		if (!item->open)
			continue;
		const enum error error = maildir_publish(&item->file);

		if (error != OK)
			fail(item, error);
	}
	if (folder_count(batch) > FOLDER_FLUSH_MAX)
		flush_groups(batch, same_device, maildir_flush_all);
	else
		flush_groups(batch, same_folder, maildir_flush_new);
}

void batch_clear(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i].open)
			maildir_close(&batch->items[i].file);
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i].owns)
			maildir_done(&batch->maildirs[i]);
	batch->count = 0;
}

/* -- answers ------------------------------------------------------------------ */

static struct verdict verdict_of(enum error error, bool has_path)
{
	if (!has_path && error == ERR_SYNTAX)
		return VERDICT(451, 4, 3, 5, "the path of mailboxes is not configured rightly");
	if (!has_path)
		return VERDICT(550, 5, 1, 3, "this address cannot name a mailbox");
	switch (error) {
	case OK:
		return VERDICT(250, 2, 0, 0, "delivered to the mailbox");
	case ERR_NO_SPACE:
		return VERDICT(452, 4, 2, 2, "no room left for the mailbox");
	case ERR_DENIED:
		return VERDICT(451, 4, 3, 0, "the mailbox may not be written to");
	case ERR_CORRUPT:
		return VERDICT(451, 4, 3, 0, "the message could not be read whole");
	case ERR_DESCRIPTORS:
	case ERR_NO_MEMORY:
		return VERDICT(451, 4, 3, 2, "the mailbox writer is short of memory or descriptors");
	default:
		return VERDICT(451, 4, 3, 0, "the mailbox could not be written");
	}
}

struct verdict batch_verdict(const struct batch_item *item)
{
	struct verdict verdict = verdict_of(item->error, item->path[0] != '\0');

	verdict.host = text_of(item->path);
	return verdict;
}
