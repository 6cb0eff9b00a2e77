/* The lock and the log. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECES_MAX = 1024 };

struct control {
	uint64_t ready;
	uint64_t flush_count;
	pthread_mutex_t mutex;
};

_Static_assert(sizeof(struct control) <= DISK_DEATH_OFFSET, "the lock ends before the orders");
_Static_assert(DISK_ORDERS_OFFSET + DISK_ORDERS_MAX * sizeof(struct disk_order) <= DISK_CONTROL_SIZE, "orders fit");

static struct control *control; /* NULL: nothing is watched. */
static int log_file = -1;

static void complain(const char *what)
{
	dprintf(2, "disk: %s: %s\n", what, strerror(errno));
	abort();
}

static int open_in(const char *folder, const char *name, int flags)
{
	char path[DISK_PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

static void make_mutex(void)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&control->mutex, &attributes);
	control->ready = 1;
}

__attribute__((constructor)) static void start(void)
{
	const char *folder = getenv("POSTROAD_DISK");
	int file;

	if (folder == NULL || getenv("POSTROAD_DISK_ROOT") == NULL)
		return;
	file = open_in(folder, "control", O_RDWR);
	if (file < 0 || flock(file, LOCK_EX) != 0)
		complain("control");
	void *map = mmap(NULL, DISK_CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (map == MAP_FAILED)
		complain("control");
	control = map;
	if (!control->ready)
		make_mutex();
	flock(file, LOCK_UN); /* Closing would not end it: the mapping keeps the file open. */
	syscall(SYS_close, file);
	log_file = open_in(folder, "log", O_WRONLY | O_APPEND);
	if (log_file >= 0 && log_file < 900) { /* Out of the way of programs that count descriptors. */
		const int high = fcntl(log_file, F_DUPFD_CLOEXEC, 900);

		if (high >= 0) {
			syscall(SYS_close, log_file);
			log_file = high;
		}
	}
}

bool disk_is_watching(void)
{
	return control != NULL;
}

struct disk_order *disk_orders(void)
{
	return (struct disk_order *)((char *)control + DISK_ORDERS_OFFSET);
}

_Atomic int32_t *disk_death(void)
{
	return (_Atomic int32_t *)((char *)control + DISK_DEATH_OFFSET);
}

void disk_lock(void)
{
	const int code = pthread_mutex_lock(&control->mutex);

	if (code == EOWNERDEAD)
		pthread_mutex_consistent(&control->mutex);
	else if (code != 0)
		complain("lock");
}

void disk_unlock(void)
{
	pthread_mutex_unlock(&control->mutex);
}

uint64_t disk_flush_number(void)
{
	return ++control->flush_count;
}

void disk_record(struct disk_record *record, struct disk_text path, const struct disk_text *pieces, size_t piece_count)
{
	struct iovec vector[PIECES_MAX + 2];
	const int saved = errno;

	if (log_file < 0)
		return;
	if (piece_count > PIECES_MAX)
		complain("too many pieces");
	record->process = (uint32_t)getpid();
	record->path_length = (uint16_t)path.length;
	record->bytes_length = 0;
	vector[0] = (struct iovec){ record, sizeof *record };
	vector[1] = (struct iovec){ (void *)path.bytes, path.length };
	for (size_t i = 0; i < piece_count; i++) {
		vector[i + 2] = (struct iovec){ (void *)pieces[i].bytes, pieces[i].length };
		record->bytes_length += pieces[i].length;
	}
	record->size = (uint32_t)(sizeof *record + path.length + record->bytes_length);
	if (syscall(SYS_writev, log_file, vector, piece_count + 2) != (ssize_t)record->size)
		complain("log");
	errno = saved;
}
