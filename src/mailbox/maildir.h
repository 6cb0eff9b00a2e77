/* Delivery into a Maildir (https://cr.yp.to/proto/maildir.html), in steps that a batch may share.
 *
 *     maildir_open       the Maildir; folders that were missing are made (0700). It may serve many files
 *     maildir_write      tmp/NAME is written
 *     maildir_flush      its bytes are on the disk; or maildir_flush_all for all of one file system
 *     maildir_publish    tmp/NAME becomes new/NAME: readers see it, whole
 *     maildir_flush_new  its name is on the disk, too: only now may anyone say 250
 *     maildir_close      or maildir_drop, which takes the file away again
 *
 *   B1  A reader never sees a part of a message: names in new/ point to flushed bytes.
 *   B2  A crash before the last step leaves at most a file in tmp/, or a message that is delivered
 *       again: never half of one.
 *   B3  With an owner, what is made is the owner's, and made with the owner's rights. Only folders above the user's own
 *       are made with ours, for all (0755); and the user's own, where the owner may not make it, is handed over.
 *   B4  Line ends are LF on disk, as readers of Maildirs expect: CR LF becomes LF, every other byte
 *       (a CR alone, too) is kept. */
#ifndef MAILBOX_MAILDIR_H
#define MAILBOX_MAILDIR_H

#include "base/error.h"
#include "mailbox/owner.h"
#include "mailbox/path.h"

enum { MAILDIR_HOST_MAX = 64, MAILDIR_NAME_SIZE = 160 };

/* What makes a name unique: seconds.M<usec>P<pid>Q<counter>.<host>. */
struct maildir_moment {
	int64_t unix_us;
	uint32_t pid;
	uint64_t counter; /* Never the same twice in one process. */
};

/* Pure. NUL-terminated; '/' and ':' of the host become \057 and \072, as the specification asks. */
struct text maildir_name_print(
    const struct maildir_moment *moment, struct text host, char room[MAILDIR_NAME_SIZE]);

struct maildir_mail {           /* Borrows. */
	struct text body;       /* Of body_size; or */
	int body_fd;            /* read with pread from 0, unless this is -1. */
	uint64_t body_size;
	struct text return_path;  /* Without brackets. */
	struct text delivered_to; /* Empty: no such field. */
};

/* Writes files one after another: the copying buffers and the counter. */
struct maildir_writer;
[[nodiscard]] struct maildir_writer *maildir_writer_new(struct text host); /* NULL: no memory. */
void maildir_writer_free(struct maildir_writer *writer);

/* An open Maildir. */
struct maildir {
	int fd;
	uint64_t device, number;        /* Which file system, and which folder there. */
	bool made_folders;              /* Their names are not flushed by maildir_flush: use maildir_flush_all. */
	struct owner owner;
};

struct maildir_place {
	const char *path;
	size_t shared_length;           /* Of the path: see mailbox_path_shared. Of use with an owner. */
	struct owner owner;             /* Zeros: ourselves. */
};

[[nodiscard]] enum error maildir_open(const struct maildir_place *place, struct maildir *out_maildir);
void maildir_done(struct maildir *maildir); /* Behind all its files. */

/* One message on its way. Open: an owner may move it, but must close or drop it once. */
struct maildir_file {
	struct maildir *maildir;        /* Borrowed. */
	int fd;                         /* Of the message. */
	bool published;
	char name[MAILDIR_NAME_SIZE];
};

/* On failure nothing stays behind but folders. ERR_CORRUPT: the body is shorter than its size. */
[[nodiscard]] enum error maildir_write(struct maildir_writer *writer, struct maildir *maildir,
    const struct maildir_mail *mail, struct maildir_file *out_file);

[[nodiscard]] enum error maildir_flush(const struct maildir_file *file);
/* Everything written on the file's file system since the file was opened (syncfs). */
[[nodiscard]] enum error maildir_flush_all(const struct maildir_file *file);
[[nodiscard]] enum error maildir_publish(struct maildir_file *file);
[[nodiscard]] enum error maildir_flush_new(const struct maildir_file *file);

void maildir_close(struct maildir_file *file);
void maildir_drop(struct maildir_file *file);

#endif
