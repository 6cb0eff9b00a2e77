#include "keys/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write_all.h"

static const char state_name[] = "state", new_state_name[] = "state.new";

static enum error error_of(int number)
{
	return number == EEXIST                       ? ERR_EXISTS
	    : number == ENOENT                        ? ERR_NOT_FOUND
	    : number == EACCES || number == EPERM || number == EROFS ? ERR_DENIED
	    : number == ENOSPC || number == EDQUOT    ? ERR_NO_SPACE
	    : number == ENAMETOOLONG                  ? ERR_TOO_LARGE
						      : ERR_IO;
}

/* -- files ------------------------------------------------------------------- */

/* The whole file in the arena. ERR_NOT_FOUND, ERR_DENIED, ERR_TOO_LARGE, ERR_NO_MEMORY, ERR_IO. */
static enum error read_file(int folder_fd, const char *name, size_t size_max, struct arena *arena, struct text *out_text)
{
	const int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat stat = { 0 };
	enum error error = fd < 0 || fstat(fd, &stat) != 0 ? error_of(errno) : OK;

	if (error == OK && (!S_ISREG(stat.st_mode) || (size_t)stat.st_size > size_max))
		error = S_ISREG(stat.st_mode) ? ERR_TOO_LARGE : ERR_IO;
	char *bytes = error == OK ? arena_alloc(arena, (size_t)stat.st_size + 1) : NULL;

	if (error == OK && bytes == NULL)
		error = ERR_NO_MEMORY;
	if (error == OK && pread(fd, bytes, (size_t)stat.st_size, 0) != stat.st_size)
		error = ERR_IO;
	if (error == OK)
		*out_text = (struct text){ bytes, (size_t)stat.st_size };
	if (fd >= 0)
		close(fd);
	return error;
}

/* Durable but for its name. `how`: O_EXCL or O_TRUNC. */
static enum error write_file(int folder_fd, const char *name, int how, struct text text)
{
	const int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0600);

	if (fd < 0)
		return error_of(errno);
	const enum error error = write_all(fd, text) && fsync(fd) == 0 ? OK : error_of(errno);

	close(fd);
	if (error != OK)
		(void)!unlinkat(folder_fd, name, 0);
	return error;
}

/* The name of a key's file: that of its record in DNS. False: no file can be called so. */
static bool print_name(struct text domain, struct text selector, char room[NAME_MAX + 1])
{
	return snprintf(room, NAME_MAX + 1, "%.*s._domainkey.%.*s.pem", TEXT_FORMAT(selector), TEXT_FORMAT(domain)) <= NAME_MAX;
}

/* -- the folder -------------------------------------------------------------- */

bool keys_folder_open(
    const char *path, bool change, struct arena *arena, struct keys_folder *out_folder, struct buffer *complaints)
{
	struct keys_folder folder = { .path = path, .arena = arena, .plan = { .arena = arena } };
	struct text text = TEXT_EMPTY, name;

	if (change)
		(void)!mkdir(path, 0700);
	folder.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder.fd < 0 || (change && flock(folder.fd, LOCK_EX) != 0) ||
	    !arena_print(arena, &name, "%s/%s", path, state_name)) {
		(void)!buffer_print(complaints, "%s: the folder of DKIM keys: %s (hint: postroad dkim generate DOMAIN makes it)\n",
		    path, strerror(errno));
		keys_folder_close(&folder);
		return false;
	}
	const enum error error = read_file(folder.fd, state_name, PLAN_FILE_MAX, arena, &text);

	if (error != OK && error != ERR_NOT_FOUND) {
		(void)!buffer_print(complaints, "%s:1: cannot be read: %s (hint: only its owner and root may)\n", name.bytes,
		    error_text(error));
		keys_folder_close(&folder);
		return false;
	}
	if (!key_plan_parse(text, name.bytes, arena, &folder.plan, complaints)) {
		keys_folder_close(&folder);
		return false;
	}
	*out_folder = folder;
	return true;
}

void keys_folder_close(struct keys_folder *folder)
{
	if (folder->fd >= 0)
		close(folder->fd);
	folder->fd = -1;
}

/* -- keys -------------------------------------------------------------------- */

static const char *wrong_with(enum error error)
{
	switch (error) {
	case ERR_NOT_FOUND:
		return "its key is missing (hint: put the file back, or postroad dkim remove)";
	case ERR_SYNTAX:
		return "its file holds no private key (hint: put the file back, or postroad dkim remove)";
	case ERR_UNSUPPORTED:
		return "its key is neither RSA nor Ed25519, or has a passphrase (hint: openssl pkey -in OLD -out NEW)";
	case ERR_DENIED:
		return "its key may not be read (hint: only its owner and root may)";
	default:
		return error_text(error);
	}
}

/* NULL: as it should be; *out_refused: it may not sign. */
static const char *weakness(const struct planned_key *planned, const struct private_key *key, bool *out_refused)
{
	const bool is_rsa = private_key_kind(key) == KEY_RSA;

	*out_refused = true;
	if (private_key_kind(key) != planned->kind)
		return "its key is of another kind than the plan says (hint: put the file back)";
	if (is_rsa && private_key_bits(key) < KEYS_RSA_BITS_MIN)
		return "an RSA key of under 1024 bits, which nobody accepts (hint: postroad dkim rotate)";
	*out_refused = false;
	return is_rsa && private_key_bits(key) < KEYS_RSA_BITS_GOOD
	    ? "warning: an RSA key of under 2048 bits is weak (hint: postroad dkim rotate)"
	    : NULL;
}

bool keys_folder_read_key(const struct keys_folder *folder, const struct planned_key *planned,
    struct private_key **out_key, struct buffer *complaints)
{
	char name[NAME_MAX + 1];
	struct text file = TEXT_EMPTY;
	struct private_key *key = NULL;
	bool refused = true;
	enum error error = print_name(planned->domain, planned->selector, name)
	    ? read_file(folder->fd, name, KEY_FILE_BYTES_MAX, folder->arena, &file)
	    : ERR_TOO_LARGE;

	if (error == OK)
		error = private_key_read(file, &key);
	if (file.bytes != NULL)
		explicit_bzero((char *)file.bytes, file.length);
	const char *wrong = error == OK ? weakness(planned, key, &refused) : wrong_with(error);

	if (wrong != NULL)
		(void)!buffer_print(complaints, "%s/%s:%d: %.*s of %.*s: %s\n", folder->path, state_name, planned->line,
		    TEXT_FORMAT(planned->selector), TEXT_FORMAT(planned->domain), wrong);
	if (refused)
		private_key_free(key);
	else
		*out_key = key;
	return !refused;
}

enum error keys_folder_write_key(
    const struct keys_folder *folder, struct text domain, struct text selector, const struct private_key *key)
{
	char name[NAME_MAX + 1];
	struct text pem;

	if (!print_name(domain, selector, name))
		return ERR_TOO_LARGE;
	if (!private_key_print(key, folder->arena, &pem))
		return ERR_NO_MEMORY;
	const enum error error = write_file(folder->fd, name, O_EXCL, pem);

	explicit_bzero((char *)pem.bytes, pem.length);
	return error != OK ? error : fsync(folder->fd) == 0 ? OK : error_of(errno); /* F1 */
}

enum error keys_folder_write_plan(const struct keys_folder *folder)
{
	struct buffer text;
	enum error error = ERR_TOO_LARGE;

	buffer_init(&text, PLAN_FILE_MAX);
	if (key_plan_print(&folder->plan, &text))
		error = write_file(folder->fd, new_state_name, O_TRUNC, buffer_text(&text));
	if (error == OK &&
	    (renameat(folder->fd, new_state_name, folder->fd, state_name) != 0 || fsync(folder->fd) != 0)) /* F2 */
		error = error_of(errno);
	buffer_done(&text);
	return error;
}

void keys_folder_remove_key(const struct keys_folder *folder, struct text domain, struct text selector)
{
	char name[NAME_MAX + 1];

	if (print_name(domain, selector, name))
		(void)!unlinkat(folder->fd, name, 0);
}
