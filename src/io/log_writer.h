/* Where log lines end: stderr, a file, or syslog.
 *
 * A thread of its own writes them, so that a slow disk or a full pipe never holds up a lane.
 *
 *   W1  log_writer_write never waits for the destination. It may be called from any thread.
 *   W2  Lines of one thread keep their order; a line is never torn.
 *   W3  At most LOG_WRITER_ROOM bytes wait. Lines beyond are dropped and counted, and a line with the
 *       count is written as soon as there is room again. */
#ifndef IO_LOG_WRITER_H
#define IO_LOG_WRITER_H

#include "base/error.h"
#include "base/text.h"

enum { LOG_WRITER_ROOM = 1 << 20 };

enum log_target { LOG_TO_STDERR, LOG_TO_PATH, LOG_TO_SYSLOG };

struct log_writer_settings { /* Borrows during log_writer_open. */
	enum log_target target;
	const char *path;    /* LOG_TO_PATH: appended to; made with mode 0640. */
	const char *name;    /* LOG_TO_SYSLOG: who speaks; must outlive the writer (openlog(3)). */
	bool json;           /* The line that tells of lost ones is a JSON object. */
};

struct log_writer;
[[nodiscard]] enum error log_writer_open(const struct log_writer_settings *settings, struct log_writer **out_writer);

/* Writes what waits, then ends the thread. NULL is fine. */
void log_writer_close(struct log_writer *writer);

/* One line without its newline. Newlines inside become spaces. */
void log_writer_write(struct log_writer *writer, struct text line);

/* How many lines were lost since the start: those beyond the room, and those that could not be written. By any thread. */
[[nodiscard]] uint64_t log_writer_lost(struct log_writer *writer);

/* Open the path again before the next line (after logrotate renamed the file). If that fails the old file
 * stays in use. Nothing to do for the others. */
void log_writer_reopen(struct log_writer *writer);

#endif
