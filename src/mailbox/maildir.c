#include "mailbox/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "mailbox/copy.h"

struct maildir_writer {
	uint64_t counter;
	char host[MAILDIR_HOST_MAX];
	size_t host_length;
	struct copy copy;
};

/* -- names -------------------------------------------------------------------- */

struct text maildir_name_print(
    const struct maildir_moment *moment, struct text host, char room[MAILDIR_NAME_SIZE])
{
	int length = snprintf(room, MAILDIR_NAME_SIZE, "%" PRId64 ".M%06" PRId64 "P%" PRIu32 "Q%" PRIu64 ".",
	    moment->unix_us / 1000000, moment->unix_us % 1000000, moment->pid, moment->counter);

	for (size_t i = 0; i < host.length && length + 5 < MAILDIR_NAME_SIZE; i++) {
		const char byte = host.bytes[i];
		const char *escaped = byte == '/' ? "\\057" : byte == ':' ? "\\072" : NULL;

		if (escaped != NULL)
			length += snprintf(room + length, (size_t)(MAILDIR_NAME_SIZE - length), "%s", escaped);
		else
			room[length++] = byte;
	}
	room[length] = '\0';
	return (struct text){ room, (size_t)length };
}

static void name_next(struct maildir_writer *writer, char room[MAILDIR_NAME_SIZE])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	const struct maildir_moment moment = { .unix_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
		.pid = (uint32_t)getpid(),
		.counter = ++writer->counter };

	maildir_name_print(&moment, (struct text){ writer->host, writer->host_length }, room);
}

struct maildir_writer *maildir_writer_new(struct text host)
{
	struct maildir_writer *writer = calloc(1, sizeof *writer);

	if (writer == NULL)
		return NULL;
	writer->host_length = host.length < MAILDIR_HOST_MAX ? host.length : MAILDIR_HOST_MAX;
	if (writer->host_length > 0)
		memcpy(writer->host, host.bytes, writer->host_length);
	return writer;
}

void maildir_writer_free(struct maildir_writer *writer)
{
	free(writer);
}

/* -- folders ------------------------------------------------------------------ */

static bool make_folder(int at, const char *name)
{
	return mkdirat(at, name, 0700) == 0 || errno == EEXIST;
}

/* The Maildir and its missing parents behind `from`. */
static bool make_path(const char *path, size_t from)
{
	char part[MAILBOX_PATH_MAX + 1];
	const size_t length = strlen(path);

	must(length <= MAILBOX_PATH_MAX && from <= length);
	for (size_t i = from + 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		/* A parent may be one that we cannot write to or that only exists for readers: what
		 * counts is whether its child can be made. */
		if (!make_folder(AT_FDCWD, part) && i == length)
			return false;
	}
	return true;
}

static int folder_open(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* With our own rights: folders for all, which no user's name is part of. */
static void make_shared(const char *path, size_t shared_length)
{
	char part[MAILBOX_PATH_MAX + 1];

	for (size_t i = 1; i <= shared_length; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		(void)!mkdir(part, 0755);
	}
}

/* The user's own folder, in one of ours. Nobody else can put something in its place: the folders above are not a user's. It
 * gets its name when it is the user's, so that a crash leaves none that nobody can use; names of users have no dot in front. */
static bool hand_over(const char *path, size_t shared_length, const struct owner *owner)
{
	const int shared = (int)shared_length, name = (int)strcspn(path + shared_length + 1, "/");
	char made[MAILBOX_PATH_MAX + 8], own[MAILBOX_PATH_MAX + 1];

	snprintf(made, sizeof made, "%.*s/.new-%.*s", shared, path, name, path + shared_length + 1);
	snprintf(own, sizeof own, "%.*s", shared + 1 + name, path);
	return (mkdir(made, 0700) == 0 || errno == EEXIST) &&
	    fchownat(AT_FDCWD, made, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) == 0 && rename(made, own) == 0;
}

/* As the owner, who has found the Maildir missing. */
static bool make_owned_path(const struct maildir_place *place)
{
	if (!place->owner.differs)
		return make_path(place->path, 0);
	owner_leave(&place->owner);
	make_shared(place->path, place->shared_length);
	if (!owner_enter(&place->owner))
		return false;
	if (make_path(place->path, place->shared_length))
		return true;
	if (errno != EACCES && errno != ENOENT)
		return false;
	owner_leave(&place->owner);
	const bool given = hand_over(place->path, place->shared_length, &place->owner);

	return owner_enter(&place->owner) && given && make_path(place->path, place->shared_length);
}

static enum error open_or_make(const struct maildir_place *place, struct maildir *out_maildir)
{
	struct maildir maildir = { .fd = folder_open(AT_FDCWD, place->path), .owner = place->owner };
	struct stat status;

	if (maildir.fd < 0 && errno == ENOENT) {
		if (!make_owned_path(place))
			return error_from_errno(errno);
		maildir.made_folders = true;
		maildir.fd = folder_open(AT_FDCWD, place->path);
	}
	if (maildir.fd < 0)
		return error_from_errno(errno);
	if (fstat(maildir.fd, &status) != 0) {
		const enum error error = error_from_errno(errno);

		close(maildir.fd);
		return error;
	}
	maildir.device = status.st_dev;
	maildir.number = status.st_ino;
	*out_maildir = maildir;
	return OK;
}

enum error maildir_open(const struct maildir_place *place, struct maildir *out_maildir)
{
	if (!owner_enter(&place->owner))
		return ERR_DENIED;
	const enum error error = open_or_make(place, out_maildir);

	owner_leave(&place->owner);
	return error;
}

void maildir_done(struct maildir *maildir)
{
	close(maildir->fd);
	maildir->fd = -1;
}

static int tmp_create(const struct maildir_file *file)
{
	char path[MAILDIR_NAME_SIZE + 4];

	snprintf(path, sizeof path, "tmp/%s", file->name);
	return openat(file->maildir->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static enum error create(struct maildir_file *file)
{
	file->fd = tmp_create(file);
	if (file->fd < 0 && errno == ENOENT) {
		const int folder = file->maildir->fd;

		if (!make_folder(folder, "tmp") || !make_folder(folder, "new") || !make_folder(folder, "cur"))
			return error_from_errno(errno);
		file->maildir->made_folders = true;
		file->fd = tmp_create(file);
	}
	return file->fd >= 0 ? OK : error_from_errno(errno);
}

/* -- the steps ---------------------------------------------------------------- */

static enum error fill(struct maildir_writer *writer, const struct maildir_mail *mail, int fd)
{
	struct copy *copy = &writer->copy;
	enum error error = OK;

	copy_start(copy, fd);
	copy_put(copy, TEXT("Return-Path: <"));
	copy_put(copy, mail->return_path);
	copy_put(copy, TEXT(">\n"));
	if (mail->delivered_to.length > 0) {
		copy_put(copy, TEXT("Delivered-To: "));
		copy_put(copy, mail->delivered_to);
		copy_put(copy, TEXT("\n"));
	}
	if (mail->body_fd < 0)
		copy_put_lines(copy, mail->body);
	else
		error = copy_body(copy, mail->body_fd, mail->body_size);
	return error != OK ? error : copy_end(copy);
}

enum error maildir_write(struct maildir_writer *writer, struct maildir *maildir, const struct maildir_mail *mail,
    struct maildir_file *out_file)
{
	struct maildir_file file = { .maildir = maildir, .fd = -1 };
	enum error error;

	name_next(writer, file.name);
	if (!owner_enter(&maildir->owner))
		return ERR_DENIED;
	error = create(&file);
	owner_leave(&maildir->owner);
	if (error == OK)
		error = fill(writer, mail, file.fd);
	if (error != OK) {
		maildir_drop(&file);
		return error;
	}
	*out_file = file;
	return OK;
}

enum error maildir_flush(const struct maildir_file *file)
{
	return fsync(file->fd) == 0 ? OK : error_from_errno(errno);
}

enum error maildir_flush_all(const struct maildir_file *file)
{
	/* Through the message's descriptor: opened before its bytes were written, it hears of every write
	 * back that failed since (Linux 5.8 and later). */
	return syncfs(file->fd) == 0 ? OK : error_from_errno(errno);
}

static enum error publish(struct maildir_file *file)
{
	char from[MAILDIR_NAME_SIZE + 4], to[MAILDIR_NAME_SIZE + 4];
	const int folder = file->maildir->fd;

	snprintf(from, sizeof from, "tmp/%s", file->name);
	snprintf(to, sizeof to, "new/%s", file->name);
	if (renameat(folder, from, folder, to) != 0) {
		const enum error error = error_from_errno(errno);

		/* Somebody may have made tmp only. */
		if (error != ERR_NOT_FOUND || !make_folder(folder, "new") || !make_folder(folder, "cur") ||
		    renameat(folder, from, folder, to) != 0)
			return error;
		file->maildir->made_folders = true;
	}
	file->published = true;
	return OK;
}

enum error maildir_publish(struct maildir_file *file)
{
	const struct owner *owner = &file->maildir->owner;

	if (!owner_enter(owner))
		return ERR_DENIED;
	const enum error error = publish(file);

	owner_leave(owner);
	return error;
}

enum error maildir_flush_new(const struct maildir_file *file)
{
	if (!owner_enter(&file->maildir->owner))
		return ERR_DENIED;
	const int new_fd = folder_open(file->maildir->fd, "new");
	enum error error = OK;

	owner_leave(&file->maildir->owner);
	/* A folder made after the flush of the bytes: its own name is in the Maildir. */
	if (new_fd < 0 || fsync(new_fd) != 0 || (file->maildir->made_folders && fsync(file->maildir->fd) != 0))
		error = error_from_errno(errno);
	if (new_fd >= 0)
		close(new_fd);
	return error;
}

void maildir_close(struct maildir_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void maildir_drop(struct maildir_file *file)
{
	char path[MAILDIR_NAME_SIZE + 4];

	if (file->fd >= 0 && owner_enter(&file->maildir->owner)) {
		snprintf(path, sizeof path, "%s/%s", file->published ? "new" : "tmp", file->name);
		unlinkat(file->maildir->fd, path, 0);
		owner_leave(&file->maildir->owner);
	}
	maildir_close(file);
}
