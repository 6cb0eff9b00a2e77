/* Which descriptors and paths are below the root. */
#include "disk.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES_MAX = 65536 };

/* A descriptor of ours is written by one open and read by later calls; the program orders those itself. */
static _Atomic uint64_t inodes[FILES_MAX]; /* 0: not ours. */
static _Atomic bool synchronous[FILES_MAX];

/* Take out `.`, `..` and empty parts of an absolute path, in place. */
static void tidy(char *path)
{
	char *out = path;

	for (const char *part = path; *part != '\0';) {
		const char *start = part + strspn(part, "/");
		const size_t length = strcspn(start, "/");

		part = start + length;
		if (length == 0 || (length == 1 && start[0] == '.'))
			continue;
		if (length == 2 && start[0] == '.' && start[1] == '.') {
			while (out > path && *--out != '/')
				;
			continue;
		}
		*out++ = '/';
		memmove(out, start, length);
		out += length;
	}
	*out = '\0';
}

static bool below_root(const char *path, char out_below[DISK_PATH_MAX])
{
	const char *root = getenv("POSTROAD_DISK_ROOT");
	const size_t length = strlen(root);

	if (strncmp(path, root, length) != 0 || (path[length] != '/' && path[length] != '\0'))
		return false;
	snprintf(out_below, DISK_PATH_MAX, "%s", path[length] ? path + length + 1 : "");
	return true;
}

static bool path_of_descriptor(int file, char room[DISK_PATH_MAX])
{
	char name[40];

	snprintf(name, sizeof name, "/proc/self/fd/%d", file);

	const ssize_t length = readlink(name, room, DISK_PATH_MAX - 1);

	room[length > 0 ? length : 0] = '\0';
	return length > 0 && room[0] == '/';
}

bool disk_path(int folder, const char *path, char out_below[DISK_PATH_MAX])
{
	char whole[2 * DISK_PATH_MAX], base[DISK_PATH_MAX] = "";

	if (!disk_is_watching() || strlen(path) >= DISK_PATH_MAX)
		return false;
	if (path[0] != '/') {
		if (folder == AT_FDCWD ? getcwd(base, sizeof base) == NULL : !path_of_descriptor(folder, base))
			return false;
	}
	snprintf(whole, sizeof whole, "%s/%s", base, path);
	tidy(whole);
	return below_root(whole, out_below);
}

void disk_file_opened(int file, int flags)
{
	struct stat status;

	if (file < 0 || file >= FILES_MAX || fstat(file, &status) != 0)
		return;
	inodes[file] = status.st_ino;
	synchronous[file] = (flags & O_DSYNC) != 0; /* O_SYNC has this bit, too. */
}

void disk_file_closed(int file)
{
	if (file >= 0 && file < FILES_MAX)
		inodes[file] = 0;
}

void disk_file_copied(int from, int to)
{
	if (from < 0 || from >= FILES_MAX || to < 0 || to >= FILES_MAX)
		return;
	inodes[to] = inodes[from];
	synchronous[to] = synchronous[from];
}

bool disk_file(int file, uint64_t *out_inode, bool *out_synchronous)
{
	if (!disk_is_watching() || file < 0 || file >= FILES_MAX || inodes[file] == 0)
		return false;
	*out_inode = inodes[file];
	*out_synchronous = synchronous[file];
	return true;
}

void disk_file_path(int file, char out_below[DISK_PATH_MAX])
{
	char path[DISK_PATH_MAX];

	if (!path_of_descriptor(file, path) || !below_root(path, out_below))
		out_below[0] = '\0';
}
