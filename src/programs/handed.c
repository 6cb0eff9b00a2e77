#include "programs/handed.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/write_all.h"
#include "programs/snapshot.h"

enum { FILE_BYTES_MAX = 64 << 20, PIECE_BYTES = 64 << 10, CONF_BYTES_MAX = 32 << 20 };

/* -- the supervisor ---------------------------------------------------------------- */

static bool seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
}

int handed_text(const char *name, struct text bytes)
{
	const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || (write_all(fd, bytes) && seal(fd)))
		return fd;
	close(fd);
	return -1;
}

/* What is longer than any such file, or no file at all, is not taken. */
static bool copy(int from, int to)
{
	char piece[PIECE_BYTES];
	size_t total = 0;
	ssize_t length;

	while ((length = read(from, piece, sizeof piece)) > 0) {
		total += (size_t)length;
		if (total > FILE_BYTES_MAX || !write_all(to, (struct text){ piece, (size_t)length }))
			return false;
	}
	explicit_bzero(piece, sizeof piece); /* It may have been a key. */
	return length == 0;
}

static int copy_of(const char *path)
{
	const int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int to = from >= 0 ? memfd_create("file", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;

	if (to >= 0 && !(copy(from, to) && seal(to))) {
		close(to);
		to = -1;
	}
	if (from >= 0)
		close(from);
	return to;
}

struct gathering {
	int *fds;
	size_t count;
};

static const char *gather(void *context, const struct conf *conf, const char *path)
{
	struct gathering *gathering = context;

	(void)conf;
	must(gathering->count < CONF_FILES_MAX);
	gathering->fds[gathering->count++] = copy_of(path);
	return path;
}

/* A snapshot of our own, since the walk may write. NULL: no memory. */
static struct conf *another(const struct conf *conf)
{
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	struct conf *same = conf_load_text(conf->path, conf->source.bytes, &complaints);

	buffer_done(&complaints);
	return same;
}

size_t handed_open(const struct conf *conf, int out_fds[CONF_FILES_MAX])
{
	struct gathering gathering = { .fds = out_fds };
	struct conf *walked = another(conf);

	if (walked != NULL)
		conf_move_paths(walked, gather, &gathering);
	conf_free(walked);
	return gathering.count;
}

void handed_web_files(const struct conf *conf, int out_fds[3])
{
	const bool tls = conf->web.tls && conf->tls.certificate_count > 0;

	out_fds[0] = tls ? copy_of(conf->tls.certificates[0].bytes) : -1;
	out_fds[1] = tls ? copy_of(conf->tls.keys[0].bytes) : -1;
	out_fds[2] = conf->web.tokens[0] != '\0' ? copy_of(conf->web.tokens) : -1;
}

/* Over what changes when a file does. */
static uint64_t add_file(uint64_t sum, const char *path)
{
	struct stat about = { 0 };

	if (path[0] == '\0')
		return sum;
	(void)!stat(path, &about); /* A file that is away for a moment looks like nothing, which is a change as well. */
	const uint64_t facts[] = { (uint64_t)about.st_ino, (uint64_t)about.st_size, (uint64_t)about.st_mtim.tv_sec,
		(uint64_t)about.st_mtim.tv_nsec };

	return text_hash((struct text){ (const char *)facts, sizeof facts }, sum);
}

uint64_t handed_look(const struct conf *conf)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < conf->tls.certificate_count; i++) {
		sum = add_file(sum, conf->tls.certificates[i].bytes);
		sum = add_file(sum, conf->tls.keys[i].bytes);
	}
	sum = add_file(sum, conf->tls.authorities);
	return add_file(sum, conf->tls.client_authorities);
}

/* -- the mail role -------------------------------------------------------------------- */

struct handed {
	atomic_uint reference_count;
	size_t count;
	int fds[CONF_FILES_MAX];
};

struct handed *handed_new(const int *fds, size_t count)
{
	struct handed *handed = calloc(1, sizeof *handed);

	must(count <= CONF_FILES_MAX);
	if (handed == NULL) {
		for (size_t i = 0; i < count; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		return NULL;
	}
	handed->reference_count = 1;
	handed->count = count;
	if (count > 0)
		memcpy(handed->fds, fds, count * sizeof *fds);
	return handed;
}

struct handed *handed_ref(struct handed *handed)
{
	atomic_fetch_add_explicit(&handed->reference_count, 1, memory_order_relaxed);
	return handed;
}

void handed_unref(struct handed *handed)
{
	if (handed == NULL || atomic_fetch_sub_explicit(&handed->reference_count, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < handed->count; i++)
		if (handed->fds[i] >= 0)
			close(handed->fds[i]);
	free(handed);
}

struct walk {
	const struct handed *handed;
	size_t place;
};

static const char *lead(void *context, const struct conf *conf, const char *path)
{
	struct walk *walk = context;
	const int fd = walk->place < walk->handed->count ? walk->handed->fds[walk->place] : -1;
	struct text moved;

	walk->place++;
	return fd >= 0 && arena_print(conf->arena, &moved, "/proc/self/fd/%d", fd) ? moved.bytes : path;
}

static bool read_conf(int fd, struct buffer *out)
{
	struct stat about;

	if (fd < 0 || fstat(fd, &about) != 0 || about.st_size < 0 || about.st_size > CONF_BYTES_MAX)
		return false;
	const size_t size = (size_t)about.st_size;
	char *room = buffer_reserve(out, size + 1);

	if (room == NULL || pread(fd, room, size, 0) != (ssize_t)size)
		return false;
	room[size] = '\0';
	buffer_added(out, size + 1);
	return true;
}

struct conf *handed_conf(int fd, const char *path, const struct handed *handed)
{
	struct walk walk = { .handed = handed };
	struct buffer text, complaints;
	struct conf *conf = NULL;

	buffer_init(&text, CONF_BYTES_MAX + 1);
	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (read_conf(fd, &text))
		conf = conf_load_text(path, text.bytes + text.start, &complaints);
	if (conf == NULL)
		fprintf(stderr, "postroad: the configuration cannot be used: %.*s\n", TEXT_FORMAT(buffer_text(&complaints)));
	else if (handed != NULL)
		conf_move_paths(conf, lead, &walk);
	buffer_done(&text);
	buffer_done(&complaints);
	return conf;
}
