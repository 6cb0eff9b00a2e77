/* postroad user add|remove|password NAME, list: the users file, changed while a server may be reading it.
 *
 * The file is replaced as a whole by rename, so that a reader sees the old one or the new one; a lock on it makes
 * two operators wait for each other. A running server is told to reload. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/write_all.h"
#include "conf/users.h"
#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/usage.h"
#include "sasl/password.h"

enum { FILE_BYTES_MAX = 64 << 20, ARENA_BYTES_MAX = 256 << 20 };

struct editing {
	const struct ctl_place *place;
	const char *path;
	struct arena *arena;
	int fd;             /* The file, locked. */
	struct stat stat;
	struct text before;
};

/* -- The file ------------------------------------------------------------------------------- */

/* Who waited for the lock may hold a file that was replaced meanwhile. */
static bool is_still_there(const struct editing *editing)
{
	struct stat now;

	return stat(editing->path, &now) == 0 && now.st_ino == editing->stat.st_ino && now.st_dev == editing->stat.st_dev;
}

static int open_locked(struct editing *editing, bool create)
{
	do {
		if (editing->fd >= 0)
			close(editing->fd);
		editing->fd = open(editing->path, O_RDONLY | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
		if (editing->fd < 0 || flock(editing->fd, LOCK_EX) != 0 || fstat(editing->fd, &editing->stat) != 0)
			return ctl_complain(EX_NOINPUT, "%s: %s", editing->path, strerror(errno));
	} while (!is_still_there(editing));
	return EX_OK;
}

static int read_file(struct editing *editing)
{
	const off_t size = editing->stat.st_size;
	char *bytes = size <= FILE_BYTES_MAX ? arena_alloc(editing->arena, (size_t)size + 1) : NULL;

	if (bytes == NULL || pread(editing->fd, bytes, (size_t)size, 0) != size)
		return ctl_complain(EX_IOERR, "%s: cannot be read", editing->path);
	editing->before = (struct text){ bytes, (size_t)size };
	return EX_OK;
}

/* The new bytes under another name, with the rights of the old file, durable. */
static bool write_beside(const struct editing *editing, const char *path, struct text text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const bool written = fd >= 0 && fchown(fd, editing->stat.st_uid, editing->stat.st_gid) == 0 &&
	    fchmod(fd, editing->stat.st_mode & 07777) == 0 && write_all(fd, text) && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return written;
}

static void flush_folder(const char *path)
{
	char room[PATH_MAX];

	snprintf(room, sizeof room, "%s", path);
	const int fd = open(dirname(room), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!fsync(fd);
		close(fd);
	}
}

static int replace_file(const struct editing *editing, struct text text)
{
	char beside[PATH_MAX];

	if (snprintf(beside, sizeof beside, "%s.new", editing->path) >= (int)sizeof beside)
		return ctl_complain(EX_CANTCREAT, "%s: too long a path", editing->path);
	if (!write_beside(editing, beside, text) || rename(beside, editing->path) != 0) {
		const int reason = errno;

		unlink(beside);
		return ctl_complain(EX_CANTCREAT, "%s: %s", editing->path, strerror(reason));
	}
	flush_folder(editing->path);
	return EX_OK;
}

/* -- Passwords -------------------------------------------------------------------------------- */

/* A line from standard input, without echo when that is a terminal. False: none. */
static bool read_secret(const char *prompt, char room[PASSWORD_LENGTH_MAX + 2])
{
	const bool terminal = isatty(STDIN_FILENO);
	struct termios shown, hidden;

	if (terminal) {
		fputs(prompt, stderr);
		if (tcgetattr(STDIN_FILENO, &shown) != 0)
			return false;
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	const bool read = fgets(room, PASSWORD_LENGTH_MAX + 2, stdin) != NULL;

	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	room[read ? strcspn(room, "\r\n") : 0] = '\0';
	return read && room[0] != '\0';
}

static int ask_password(struct arena *arena, struct text *out_stored)
{
	char first[PASSWORD_LENGTH_MAX + 2], second[PASSWORD_LENGTH_MAX + 2];
	int code = EX_OK;

	if (!read_secret("Password: ", first))
		code = ctl_complain(EX_NOINPUT, "no password was given");
	else if (isatty(STDIN_FILENO) && (!read_secret("Again: ", second) || strcmp(first, second) != 0))
		code = ctl_complain(EX_DATAERR, "the two differ");
	else if (password_store(text_of(first), arena, out_stored) != OK)
		code = ctl_complain(EX_DATAERR, "this cannot be a password: it holds bytes that are no text, or is too long");
	explicit_bzero(first, sizeof first);
	explicit_bzero(second, sizeof second);
	return code;
}

/* -- Commands ------------------------------------------------------------------------------------ */

static int edit(struct editing *editing, enum users_edit kind, const char *name)
{
	struct text stored = TEXT_EMPTY;
	struct buffer after;
	int code = kind == USERS_REMOVE ? EX_OK : ask_password(editing->arena, &stored);

	if (code == EX_OK)
		code = open_locked(editing, kind == USERS_ADD);
	if (code == EX_OK)
		code = read_file(editing);
	if (code != EX_OK)
		return code;
	buffer_init(&after, FILE_BYTES_MAX);
	switch (users_edit(editing->before, kind, text_of(name), stored, &after)) {
	case OK:
		code = replace_file(editing, buffer_text(&after));
		break;
	case ERR_EXISTS:
		code = ctl_complain(EX_DATAERR, "%s is a user already (hint: postroad user password %s)", name, name);
		break;
	case ERR_NOT_FOUND:
		code = ctl_complain(EX_NOUSER, "%s is no user here (hint: postroad user list)", name);
		break;
	default:
		code = ctl_complain(EX_OSERR, "out of memory");
		break;
	}
	buffer_done(&after);
	if (code == EX_OK)
		ctl_tell_reload(editing->place);
	return code;
}

static int list(struct editing *editing, bool as_json)
{
	struct buffer complaints;
	const struct text *names;
	json_t *array = json_array();
	size_t count;
	int code = open_locked(editing, false);

	buffer_init(&complaints, FILE_BYTES_MAX);
	if (code == EX_OK)
		code = read_file(editing);
	if (code == EX_OK && !users_read(editing->before, editing->path, editing->arena, &names, &count, &complaints)) {
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
		code = EX_DATAERR;
	}
	for (size_t i = 0; code == EX_OK && i < count; i++) {
		if (as_json)
			json_array_append_new(array, json_stringn(names[i].bytes, names[i].length));
		else
			printf("%.*s\n", TEXT_FORMAT(names[i]));
	}
	if (code == EX_OK && as_json)
		ctl_print_json(array);
	json_decref(array);
	buffer_done(&complaints);
	return code;
}

static int perform(struct editing *editing, int count, char **words)
{
	static const struct {
		const char *word;
		enum users_edit kind;
	} edits[] = { { "add", USERS_ADD }, { "remove", USERS_REMOVE }, { "password", USERS_SET_PASSWORD } };

	if (count >= 1 && strcmp(words[0], "list") == 0 && (count == 1 || (count == 2 && strcmp(words[1], "--json") == 0)))
		return list(editing, count == 2);
	for (size_t i = 0; count == 2 && i < sizeof edits / sizeof edits[0]; i++) {
		if (strcmp(words[0], edits[i].word) != 0)
			continue;
		if (!users_name_is_valid(text_of(words[1]), editing->arena))
			return ctl_complain(EX_USAGE, "%s cannot be a user (hint: alice, or alice@example.org)", words[1]);
		return edit(editing, edits[i].kind, words[1]);
	}
	return ctl_usage("user");
}

int ctl_user(const struct ctl_place *place, const char *path, int count, char **words)
{
	struct editing editing = { .place = place, .path = path, .arena = arena_new(ARENA_BYTES_MAX), .fd = -1 };
	int code;

	if (path[0] == '\0')
		code = ctl_complain(EX_CONFIG, "the accounts of the system are the users here (hint: users = \"/etc/postroad/users\")");
	else
		code = editing.arena ? perform(&editing, count, words) : ctl_complain(EX_OSERR, "out of memory");
	if (editing.fd >= 0)
		close(editing.fd);
	arena_free(editing.arena);
	return code;
}
