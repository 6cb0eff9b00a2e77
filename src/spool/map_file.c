#include "spool/map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum error map(int file, size_t size, void **out_map)
{
	const int flags = file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);

	if (mapped == MAP_FAILED)
		return error_from_errno(errno);
	*out_map = mapped;
	return OK;
}

enum error map_file(const char *path, size_t size, void **out_map)
{
	if (path == NULL)
		return map(-1, size, out_map);

	const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat status;

	if (file < 0)
		return error_from_errno(errno);

	int number = fstat(file, &status) != 0 ? errno : 0;

	if (number == 0 && status.st_size != (off_t)size && ftruncate(file, 0) != 0)
		number = errno;
	/* Blocks are taken now: a full disk must not turn a write into a SIGBUS. */
	if (number == 0)
		number = posix_fallocate(file, 0, (off_t)size);

	const enum error error = number == 0 ? map(file, size, out_map) : error_from_errno(number);

	close(file);
	return error;
}

enum error map_hashed_file(const char *path, size_t size, const struct map_header *fresh, struct map_header **out_map)
{
	void *map = NULL;
	const enum error error = map_file(path, size, &map);

	if (error != OK)
		return error;
	*out_map = map;
	if ((*out_map)->magic != fresh->magic) {
		memset(map, 0, size);
		(*out_map)->seed = fresh->seed;
		(*out_map)->magic = fresh->magic; /* Last: it says that the rest is there. */
	}
	return OK;
}
