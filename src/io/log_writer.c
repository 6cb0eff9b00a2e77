#include "io/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/must.h"

/* A busy server's lines gather this long, so that they cost one write in hundreds, not one each. */
enum { GATHER_MS = 5 };

struct log_writer {
	/* Fixed. */
	enum log_target target;
	char *path;
	bool json;
	pthread_t thread;

	/* Shared, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct buffer gathering;
	uint64_t lost;       /* Not told of yet. */
	uint64_t lost_in_all;
	bool reopen, closing;

	/* The thread's. */
	int fd;
};

static int path_open(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

/* -- the thread ---------------------------------------------------------------- */

static uint64_t count_lines(struct text lines)
{
	uint64_t count = 0;

	for (size_t i = 0; i < lines.length; i++)
		count += lines.bytes[i] == '\n';
	return count;
}

static void write_syslog(struct text lines)
{
	struct text line;

	while (lines.length > 0 && text_cut(&lines, '\n', &line))
		syslog(LOG_INFO, "%.*s", TEXT_FORMAT(line));
}

/* Gives how many lines did not get there. */
static uint64_t write_fd(int fd, struct text lines)
{
	while (lines.length > 0) {
		const ssize_t written = write(fd, lines.bytes, lines.length);

		if (written >= 0) {
			lines = text_from(lines, (size_t)written);
		} else if (errno == EAGAIN) { /* Somebody made our stderr non-blocking. */
			struct pollfd waiting = { .fd = fd, .events = POLLOUT };

			poll(&waiting, 1, -1);
		} else if (errno != EINTR) {
			return count_lines(lines);
		}
	}
	return 0;
}

static void append_loss(const struct log_writer *writer, uint64_t lost, struct buffer *lines)
{
	if (lost > 0)
		(void)!buffer_print(lines,
		    writer->json ? "{\"event\":\"log-lost\",\"lines\":%" PRIu64 "}\n"
				 : "%" PRIu64 " lines of the log were lost here\n",
		    lost);
}

/* Lines that were lost just now, and those whose loss could not be told. */
static void put_back_loss(struct log_writer *writer, uint64_t fresh, uint64_t untold)
{
	if (fresh + untold == 0)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->lost += writer->closing ? 0 : fresh + untold;
	writer->lost_in_all += fresh;
	pthread_mutex_unlock(&writer->lock);
}

static void reopen_path(struct log_writer *writer)
{
	const int fd = writer->target == LOG_TO_PATH ? path_open(writer->path) : -1;

	if (fd < 0)
		return;
	close(writer->fd);
	writer->fd = fd;
}

/* Waits for lines, lets more of them gather, and takes them. False: closing, and none are left. */
static bool take_lines(struct log_writer *writer, struct buffer *out_lines, uint64_t *out_lost)
{
	struct timespec until;

	pthread_mutex_lock(&writer->lock);
	while (writer->gathering.length == 0 && !writer->closing)
		pthread_cond_wait(&writer->news, &writer->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += GATHER_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	while (!writer->closing && writer->gathering.length < LOG_WRITER_ROOM / 2)
		if (pthread_cond_timedwait(&writer->news, &writer->lock, &until) != 0)
			break;
	if (writer->reopen)
		reopen_path(writer);
	writer->reopen = false;

	const struct buffer empty = *out_lines;

	*out_lines = writer->gathering;
	writer->gathering = empty;
	*out_lost = writer->lost;
	writer->lost = 0;
	pthread_mutex_unlock(&writer->lock);
	return out_lines->length > 0 || *out_lost > 0;
}

static void *write_lines(void *context)
{
	struct log_writer *writer = context;
	struct buffer lines, loss;
	uint64_t lost;

	buffer_init(&lines, LOG_WRITER_ROOM);
	buffer_init(&loss, 256);
	while (take_lines(writer, &lines, &lost)) {
		append_loss(writer, lost, &loss);
		if (writer->target == LOG_TO_SYSLOG) {
			write_syslog(buffer_text(&lines));
			write_syslog(buffer_text(&loss));
		} else {
			const uint64_t unwritten = write_fd(writer->fd, buffer_text(&lines));

			/* The count itself may fail to be written: then it is told again later. */
			put_back_loss(writer, unwritten, write_fd(writer->fd, buffer_text(&loss)) > 0 ? lost : 0);
		}
		buffer_clear(&lines);
		buffer_clear(&loss);
	}
	buffer_done(&lines);
	buffer_done(&loss);
	return NULL;
}

/* -- every thread -------------------------------------------------------------- */

void log_writer_write(struct log_writer *writer, struct text line)
{
	pthread_mutex_lock(&writer->lock);

	struct buffer *lines = &writer->gathering;
	const bool was_idle = lines->length == 0;
	char *room = buffer_reserve(lines, line.length + 1);

	if (room != NULL) {
		for (size_t i = 0; i < line.length; i++)
			room[i] = line.bytes[i] == '\n' || line.bytes[i] == '\r' ? ' ' : line.bytes[i];
		room[line.length] = '\n';
		buffer_added(lines, line.length + 1);
	} else {
		writer->lost++; /* W3 */
		writer->lost_in_all++;
	}
	const bool signal = was_idle || lines->length >= LOG_WRITER_ROOM / 2;

	pthread_mutex_unlock(&writer->lock);
	if (signal)
		pthread_cond_signal(&writer->news);
}

uint64_t log_writer_lost(struct log_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	const uint64_t lost = writer->lost_in_all;

	pthread_mutex_unlock(&writer->lock);
	return lost;
}

void log_writer_reopen(struct log_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->reopen = true;
	pthread_mutex_unlock(&writer->lock);
}

static void writer_free(struct log_writer *writer)
{
	if (writer->target == LOG_TO_PATH && writer->fd >= 0)
		close(writer->fd);
	pthread_cond_destroy(&writer->news);
	pthread_mutex_destroy(&writer->lock);
	buffer_done(&writer->gathering);
	free(writer->path);
	free(writer);
}

static bool target_open(struct log_writer *writer, const struct log_writer_settings *settings)
{
	switch (settings->target) {
	case LOG_TO_STDERR:
		writer->fd = STDERR_FILENO;
		return true;
	case LOG_TO_SYSLOG:
		openlog(settings->name, LOG_PID | LOG_NDELAY, LOG_MAIL);
		return true;
	case LOG_TO_PATH:
		writer->path = strdup(settings->path);
		writer->fd = writer->path != NULL ? path_open(writer->path) : -1;
		return writer->fd >= 0;
	}
	return false;
}

enum error log_writer_open(const struct log_writer_settings *settings, struct log_writer **out_writer)
{
	struct log_writer *writer = calloc(1, sizeof *writer);
	pthread_condattr_t attributes;

	if (writer == NULL)
		return ERR_NO_MEMORY;
	writer->target = settings->target;
	writer->json = settings->json;
	writer->fd = -1;
	buffer_init(&writer->gathering, LOG_WRITER_ROOM);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->news, &attributes);
	pthread_condattr_destroy(&attributes);

	enum error error = target_open(writer, settings) ? OK : error_from_errno(errno);
	const int number = error == OK ? pthread_create(&writer->thread, NULL, write_lines, writer) : 0;

	if (number != 0)
		error = error_from_errno(number);
	if (error != OK) {
		writer_free(writer);
		return error;
	}
	*out_writer = writer;
	return OK;
}

void log_writer_close(struct log_writer *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->closing = true;
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_signal(&writer->news);
	pthread_join(writer->thread, NULL);
	writer_free(writer);
}
