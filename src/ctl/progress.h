/* How far a long command is, on one line of the terminal that is written over; nothing where standard error is no terminal, nor
 * before the first second: what is over sooner needs none. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {         /* A value; progress_end ends it. */
	const char *what; /* "messages"; static. */
	uint64_t total;   /* 0: not known. */
	int64_t began_ms, shown_ms;
	bool visible, on_terminal;
};

struct progress progress_begin(const char *what, uint64_t total);

/* So many are done. Cheap: it writes ten times a second at most. */
void progress_show(struct progress *progress, uint64_t done);

/* Takes the line away: before anything else is written, and at the end. */
void progress_end(struct progress *progress);

/* "  40 %  [========            ]  4000 of 10000 messages, 6 s left"; what is behind `done` is left out where it is not known. */
enum { PROGRESS_LINE_SIZE = 160 };
void progress_line(const struct progress *progress, uint64_t done, int64_t now_ms, char room[PROGRESS_LINE_SIZE]);

#endif
