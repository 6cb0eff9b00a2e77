/* The calls that stand before the C library's. Each passes on what is not about a file below the root.
 *
 * By their symbols: the headers rename some of them for large offsets. The kernel is called directly,
 * so that nothing has to be looked up before the first call. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static struct disk_text text_of(const char *string)
{
	return (struct disk_text){ string, strlen(string) };
}

static const struct disk_text none = { "", 0 };

enum { PIECES_MAX = 1024 }; /* IOV_MAX of Linux. */

/* Record a call and end it: 0 and more are results, negative is -errno. Unlocks. */
static ssize_t finish(struct disk_record *record, struct disk_text path, ssize_t result, struct disk_hit hit)
{
	record->result = result < 0 ? errno : 0;
	disk_record(record, path, NULL, 0);
	if (hit.action == DISK_DIE_AFTER)
		disk_die();
	disk_unlock();
	return result;
}

static int failed(struct disk_hit hit)
{
	errno = hit.failure;
	return -1;
}

/* -- Opening and closing --------------------------------------------------------------------------- */

static int open_watched(int folder, const char *path, int flags, mode_t mode, const char *below)
{
	struct disk_record record = { .kind = DISK_CREATE };
	struct disk_hit hit = { 0 };
	struct stat status;

	if (flags & O_CREAT)
		hit = disk_meet(DISK_CREATE, below);
	if (hit.action == DISK_FAIL)
		return failed(hit);
	disk_lock();

	const bool is_new = (flags & O_CREAT) && fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) != 0;
	const int file = (int)syscall(SYS_openat, folder, path, flags, mode);

	if (file >= 0) {
		bool synchronous;

		disk_file_opened(file, flags);
		disk_file(file, &record.file, &synchronous);
	}
	if (file >= 0 && is_new)
		return (int)finish(&record, text_of(below), file, hit);
	if (file >= 0 && (flags & O_TRUNC)) {
		record.kind = DISK_TRUNCATE;
		return (int)finish(&record, none, file, hit);
	}
	disk_unlock();
	return file;
}

static int open_any(int folder, const char *path, int flags, mode_t mode)
{
	char below[DISK_PATH_MAX];

	if (disk_path(folder, path, below))
		return open_watched(folder, path, flags, mode, below);
	return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE_OF(flags) \
	mode_t mode = 0; \
	if ((flags) & (O_CREAT | O_TMPFILE)) { \
		va_list list; \
		va_start(list, flags); \
		mode = va_arg(list, mode_t); \
		va_end(list); \
	}

EXPORT int disk_open(const char *path, int flags, ...) __asm__("open");
EXPORT int disk_open(const char *path, int flags, ...)
{
	MODE_OF(flags)
	return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int disk_open64(const char *path, int flags, ...) __asm__("open64");
EXPORT int disk_open64(const char *path, int flags, ...)
{
	MODE_OF(flags)
	return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int disk_openat(int folder, const char *path, int flags, ...) __asm__("openat");
EXPORT int disk_openat(int folder, const char *path, int flags, ...)
{
	MODE_OF(flags)
	return open_any(folder, path, flags, mode);
}

EXPORT int disk_openat64(int folder, const char *path, int flags, ...) __asm__("openat64");
EXPORT int disk_openat64(int folder, const char *path, int flags, ...)
{
	MODE_OF(flags)
	return open_any(folder, path, flags, mode);
}

/* What _FORTIFY_SOURCE makes of calls without a mode. */
EXPORT int disk_open_2(const char *path, int flags) __asm__("__open_2");
EXPORT int disk_open_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

EXPORT int disk_open64_2(const char *path, int flags) __asm__("__open64_2");
EXPORT int disk_open64_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

EXPORT int disk_openat_2(int folder, const char *path, int flags) __asm__("__openat_2");
EXPORT int disk_openat_2(int folder, const char *path, int flags)
{
	return open_any(folder, path, flags, 0);
}

EXPORT int disk_openat64_2(int folder, const char *path, int flags) __asm__("__openat64_2");
EXPORT int disk_openat64_2(int folder, const char *path, int flags)
{
	return open_any(folder, path, flags, 0);
}

EXPORT int disk_creat(const char *path, mode_t mode) __asm__("creat");
EXPORT int disk_creat(const char *path, mode_t mode)
{
	return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int disk_close(int file) __asm__("close");
EXPORT int disk_close(int file)
{
	disk_file_closed(file);
	return (int)syscall(SYS_close, file);
}

EXPORT int disk_dup(int file) __asm__("dup");
EXPORT int disk_dup(int file)
{
	const int copy = (int)syscall(SYS_dup, file);

	if (copy >= 0)
		disk_file_copied(file, copy);
	return copy;
}

EXPORT int disk_dup3(int file, int to, int flags) __asm__("dup3");
EXPORT int disk_dup3(int file, int to, int flags)
{
	const int copy = (int)syscall(SYS_dup3, file, to, flags);

	if (copy >= 0)
		disk_file_copied(file, copy);
	return copy;
}

EXPORT int disk_dup2(int file, int to) __asm__("dup2");
EXPORT int disk_dup2(int file, int to)
{
	return file == to ? to : disk_dup3(file, to, 0);
}

EXPORT void *disk_mmap(void *at, size_t length, int protection, int flags, int file, off_t offset) __asm__("mmap");
EXPORT void *disk_mmap64(void *at, size_t length, int protection, int flags, int file, off_t offset) __asm__("mmap64");

EXPORT void *disk_mmap(void *at, size_t length, int protection, int flags, int file, off_t offset)
{
	struct disk_record record = { .kind = DISK_MAP };
	char below[DISK_PATH_MAX];
	bool synchronous;

	if ((flags & MAP_SHARED) && (protection & PROT_WRITE) && disk_file(file, &record.file, &synchronous)) {
		disk_file_path(file, below);
		disk_lock();
		disk_record(&record, text_of(below), NULL, 0);
		disk_unlock();
	}
	return (void *)syscall(SYS_mmap, at, length, protection, flags, file, offset);
}

EXPORT void *disk_mmap64(void *at, size_t length, int protection, int flags, int file, off_t offset)
{
	return disk_mmap(at, length, protection, flags, file, offset);
}

/* -- Writing --------------------------------------------------------------------------------------- */

/* Where a write without an offset goes. */
static off_t place_of(int file)
{
	struct stat status;

	if ((fcntl(file, F_GETFL) & O_APPEND) && fstat(file, &status) == 0)
		return status.st_size;
	return lseek(file, 0, SEEK_CUR);
}

/* So much as was written of the vector. */
static size_t cut(struct disk_text *pieces, const struct iovec *vector, int count, size_t written)
{
	size_t used = 0;

	for (; used < (size_t)count && written > 0; used++) {
		const size_t length = vector[used].iov_len < written ? vector[used].iov_len : written;

		pieces[used] = (struct disk_text){ vector[used].iov_base, length };
		written -= length;
	}
	return used;
}

/* offset < 0: where the descriptor stands. */
static ssize_t write_watched(int file, const struct iovec *vector, int count, off_t offset, struct disk_record *record,
    bool synchronous)
{
	struct disk_text pieces[PIECES_MAX];
	char below[DISK_PATH_MAX];

	disk_file_path(file, below);
	record->kind = synchronous ? DISK_WRITE_SYNC : DISK_WRITE;

	const struct disk_hit hit = disk_meet((enum disk_kind)record->kind, below);

	if (hit.action == DISK_FAIL)
		return failed(hit);
	if (hit.action == DISK_SWALLOW)
		record->kind = DISK_WRITE;
	disk_lock();
	record->offset = (uint64_t)(offset < 0 ? place_of(file) : offset);

	const ssize_t written = offset < 0 ? syscall(SYS_writev, file, vector, count)
	                                   : syscall(SYS_pwritev, file, vector, count, offset, 0);

	if (written > 0)
		disk_record(record, none, pieces, cut(pieces, vector, count, (size_t)written));
	if (hit.action == DISK_DIE_AFTER)
		disk_die();
	disk_unlock();
	return written;
}

EXPORT ssize_t disk_write(int file, const void *bytes, size_t length) __asm__("write");
EXPORT ssize_t disk_write(int file, const void *bytes, size_t length)
{
	const struct iovec piece = { (void *)bytes, length };
	struct disk_record record = { 0 };
	bool synchronous;

	if (!disk_file(file, &record.file, &synchronous))
		return syscall(SYS_write, file, bytes, length);
	return write_watched(file, &piece, 1, -1, &record, synchronous);
}

EXPORT ssize_t disk_writev(int file, const struct iovec *vector, int count) __asm__("writev");
EXPORT ssize_t disk_writev(int file, const struct iovec *vector, int count)
{
	struct disk_record record = { 0 };
	bool synchronous;

	if (!disk_file(file, &record.file, &synchronous))
		return syscall(SYS_writev, file, vector, count);
	return write_watched(file, vector, count, -1, &record, synchronous);
}

EXPORT ssize_t disk_pwritev(int file, const struct iovec *vector, int count, off_t offset) __asm__("pwritev");
EXPORT ssize_t disk_pwritev(int file, const struct iovec *vector, int count, off_t offset)
{
	struct disk_record record = { 0 };
	bool synchronous;

	if (!disk_file(file, &record.file, &synchronous))
		return syscall(SYS_pwritev, file, vector, count, offset, 0);
	return write_watched(file, vector, count, offset, &record, synchronous);
}

EXPORT ssize_t disk_pwritev64(int file, const struct iovec *vector, int count, off_t offset) __asm__("pwritev64");
EXPORT ssize_t disk_pwritev64(int file, const struct iovec *vector, int count, off_t offset)
{
	return disk_pwritev(file, vector, count, offset);
}

EXPORT ssize_t disk_pwrite(int file, const void *bytes, size_t length, off_t offset) __asm__("pwrite");
EXPORT ssize_t disk_pwrite(int file, const void *bytes, size_t length, off_t offset)
{
	const struct iovec piece = { (void *)bytes, length };

	return disk_pwritev(file, &piece, 1, offset);
}

EXPORT ssize_t disk_pwrite64(int file, const void *bytes, size_t length, off_t offset) __asm__("pwrite64");
EXPORT ssize_t disk_pwrite64(int file, const void *bytes, size_t length, off_t offset)
{
	return disk_pwrite(file, bytes, length, offset);
}

EXPORT int disk_ftruncate(int file, off_t size) __asm__("ftruncate");
EXPORT int disk_ftruncate(int file, off_t size)
{
	struct disk_record record = { .kind = DISK_TRUNCATE, .offset = (uint64_t)size };
	char below[DISK_PATH_MAX];
	bool synchronous;

	if (!disk_file(file, &record.file, &synchronous))
		return (int)syscall(SYS_ftruncate, file, size);
	disk_file_path(file, below);

	const struct disk_hit hit = disk_meet(DISK_TRUNCATE, below);

	if (hit.action == DISK_FAIL)
		return failed(hit);
	disk_lock();
	return (int)finish(&record, none, syscall(SYS_ftruncate, file, size), hit);
}

EXPORT int disk_ftruncate64(int file, off_t size) __asm__("ftruncate64");
EXPORT int disk_ftruncate64(int file, off_t size)
{
	return disk_ftruncate(file, size);
}

/* -- Names ----------------------------------------------------------------------------------------- */

struct place {
	int folder;
	const char *path;
};

/* A call about one or two names; `number` is the system call. */
static int name_call(enum disk_kind kind, long number, struct place from, struct place to, long last)
{
	struct disk_record record = { .kind = (uint16_t)kind };
	char below[2 * DISK_PATH_MAX], second[DISK_PATH_MAX] = "";
	struct disk_text path;
	struct stat status;
	const bool two = to.path != NULL;

	const bool watched = disk_path(from.folder, from.path, below) && (!two || disk_path(to.folder, to.path, second));
	struct disk_hit hit = { 0 };

	if (watched)
		hit = disk_meet(kind, two ? second : below);
	if (hit.action == DISK_FAIL)
		return failed(hit);
	if (watched)
		disk_lock();
	if (watched && kind != DISK_MAKE_FOLDER && fstatat(from.folder, from.path, &status, AT_SYMLINK_NOFOLLOW) == 0)
		record.file = status.st_ino;

	const long result = two ? syscall(number, from.folder, from.path, to.folder, to.path, last)
	                        : syscall(number, from.folder, from.path, last);

	if (!watched)
		return (int)result;
	if (result != 0) {
		disk_unlock();
		return (int)result;
	}
	if (kind == DISK_MAKE_FOLDER && fstatat(from.folder, from.path, &status, AT_SYMLINK_NOFOLLOW) == 0)
		record.file = status.st_ino;
	path = text_of(below);
	if (two) {
		memcpy(below + path.length + 1, second, strlen(second));
		path.length += 1 + strlen(second);
	}
	return (int)finish(&record, path, result, hit);
}

static const struct place nowhere = { AT_FDCWD, NULL };

EXPORT int disk_renameat2(int from, const char *old, int to, const char *new, unsigned flags) __asm__("renameat2");
EXPORT int disk_renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	return name_call(DISK_RENAME, SYS_renameat2, (struct place){ from, old }, (struct place){ to, new }, flags);
}

EXPORT int disk_renameat(int from, const char *old, int to, const char *new) __asm__("renameat");
EXPORT int disk_renameat(int from, const char *old, int to, const char *new)
{
	return disk_renameat2(from, old, to, new, 0);
}

EXPORT int disk_rename(const char *old, const char *new) __asm__("rename");
EXPORT int disk_rename(const char *old, const char *new)
{
	return disk_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

EXPORT int disk_linkat(int from, const char *old, int to, const char *new, int flags) __asm__("linkat");
EXPORT int disk_linkat(int from, const char *old, int to, const char *new, int flags)
{
	return name_call(DISK_LINK, SYS_linkat, (struct place){ from, old }, (struct place){ to, new }, flags);
}

EXPORT int disk_link(const char *old, const char *new) __asm__("link");
EXPORT int disk_link(const char *old, const char *new)
{
	return disk_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

EXPORT int disk_unlinkat(int folder, const char *path, int flags) __asm__("unlinkat");
EXPORT int disk_unlinkat(int folder, const char *path, int flags)
{
	return name_call(flags & AT_REMOVEDIR ? DISK_REMOVE_FOLDER : DISK_UNLINK, SYS_unlinkat,
	    (struct place){ folder, path }, nowhere, flags);
}

EXPORT int disk_unlink(const char *path) __asm__("unlink");
EXPORT int disk_unlink(const char *path)
{
	return disk_unlinkat(AT_FDCWD, path, 0);
}

EXPORT int disk_rmdir(const char *path) __asm__("rmdir");
EXPORT int disk_rmdir(const char *path)
{
	return disk_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int disk_mkdirat(int folder, const char *path, mode_t mode) __asm__("mkdirat");
EXPORT int disk_mkdirat(int folder, const char *path, mode_t mode)
{
	return name_call(DISK_MAKE_FOLDER, SYS_mkdirat, (struct place){ folder, path }, nowhere, mode);
}

EXPORT int disk_mkdir(const char *path, mode_t mode) __asm__("mkdir");
EXPORT int disk_mkdir(const char *path, mode_t mode)
{
	return disk_mkdirat(AT_FDCWD, path, mode);
}

/* -- Flushing -------------------------------------------------------------------------------------- */

/* A flush of one file or of all: begin, the call without the lock, end (D2). */
static int flush(enum disk_kind kind, long number, int file, uint64_t inode)
{
	struct disk_record begin = { .kind = (uint16_t)kind, .file = inode };
	struct disk_record end = { .kind = DISK_FLUSH_END };
	char below[DISK_PATH_MAX] = "";

	if (file >= 0)
		disk_file_path(file, below);

	const struct disk_hit hit = disk_meet(kind, below);

	if (hit.action == DISK_SWALLOW)
		return 0;
	disk_lock();
	begin.number = end.number = disk_flush_number();
	disk_record(&begin, none, NULL, 0);
	disk_unlock();

	int result = hit.action == DISK_FAIL ? failed(hit) : file >= 0 ? (int)syscall(number, file) : (int)syscall(number);

	disk_lock();
	end.file = inode;
	return (int)finish(&end, none, result, hit);
}

static int flush_file(long number, int file)
{
	uint64_t inode;
	bool synchronous;

	if (!disk_file(file, &inode, &synchronous))
		return (int)syscall(number, file);
	return flush(DISK_FLUSH, number, file, inode);
}

EXPORT int disk_fsync(int file) __asm__("fsync");
EXPORT int disk_fsync(int file)
{
	return flush_file(SYS_fsync, file);
}

EXPORT int disk_fdatasync(int file) __asm__("fdatasync");
EXPORT int disk_fdatasync(int file)
{
	return flush_file(SYS_fdatasync, file);
}

EXPORT int disk_syncfs(int file) __asm__("syncfs");
EXPORT int disk_syncfs(int file)
{
	uint64_t inode;
	bool synchronous;

	if (!disk_file(file, &inode, &synchronous))
		return (int)syscall(SYS_syncfs, file);
	return flush(DISK_FLUSH_ALL, SYS_syncfs, file, inode);
}

EXPORT void disk_sync(void) __asm__("sync");
EXPORT void disk_sync(void)
{
	if (disk_is_watching())
		(void)flush(DISK_FLUSH_ALL, SYS_sync, -1, 0);
	else
		syscall(SYS_sync);
}
