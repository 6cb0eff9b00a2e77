/* A command that takes one message: started as its own user, heard, ended.
 *
 *   P1  It runs as its user, never as root, in a session of its own, with three descriptors, a clean environment, no new
 *       rights (no_new_privs) and no core file; no shell looks at anything.
 *   P2  It reads the message from a file that it may seek in: it cannot be blocked by us, nor we by it.
 *   P3  Of what it says only the start of the first line is kept; the rest is read and dropped.
 *   P4  When it has ended, or its time is over, all that is left of its process group ends with it.
 *
 * What it is told of strangers is in its environment: SENDER (empty: the null path), RECIPIENT, ORIGINAL_RECIPIENT (as the sender
 * wrote it, where that is known), LOCAL, EXTENSION (behind the separator) and DOMAIN. */
#ifndef MAILBOX_PROGRAM_H
#define MAILBOX_PROGRAM_H

#include <sys/types.h>

#include "base/error.h"
#include "mail/verdict.h"

enum { PROGRAM_LINE_MAX = 200, PROGRAM_GROUPS_MAX = 64, PROGRAM_WORDS_MAX = PROGRAM_LINE_MAX + 100 };

struct program {                 /* Borrows. */
	struct text name;        /* Of its section. */
	char *const *words;      /* With NULL behind; the first is a path. */
	const char *user, *home;
	bool changes_user;       /* We are root: it is to be */
	uid_t uid;
	gid_t gid;
	gid_t groups[PROGRAM_GROUPS_MAX];
	size_t group_count;
	int64_t limit_ms;
};

struct program_call {            /* Borrows. No text holds a NUL. */
	struct text sender, recipient, original, local, extension, domain;
	int message_fd;
};

struct program_run {
	pid_t pid;
	int pid_fd, output_fd;   /* To be waited for; output_fd -1: it is closed. */
	int64_t end_ms;          /* Of the monotonic clock. */
	bool timed_out;
	bool line_over;
	size_t line_length;
	char line[PROGRAM_LINE_MAX];
};

/* Its output does not block. ERR_DESCRIPTORS, ERR_NO_MEMORY (also: too many processes). */
[[nodiscard]] enum error program_start(
    const struct program *program, const struct program_call *call, int64_t now_ms, struct program_run *out_run);

/* Read what it says. */
void program_hear(struct program_run *run);

/* P4: its time is over. */
void program_expire(struct program_run *run);

/* Has it ended? Then all of the run is released, and *out_status is as waitpid(2) has it. */
[[nodiscard]] bool program_ended(struct program_run *run, int *out_status);

/* End it at once, and release the run. */
void program_abandon(struct program_run *run);

/* What its end means for the message (sysexits(3)). `line` is what it said; the text lives in `room`. Pure. */
struct verdict program_verdict(int status, bool timed_out, struct text line, char room[PROGRAM_WORDS_MAX]);

#endif
