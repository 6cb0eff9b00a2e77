#include "programs/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool folders_parent(const char *path, char room[PATH_MAX])
{
	const size_t fixed = strcspn(path, "%");
	const char *slash = memrchr(path, '/', fixed);
	const size_t length = slash ? (size_t)(slash - path) : 0;

	if (length >= PATH_MAX)
		return false;
	memcpy(room, path, length);
	room[length] = '\0';
	return true;
}

static bool make_folder(const char *path, mode_t mode, const struct privilege *privilege)
{
	if (path[0] == '\0' || privilege_make_folder(path, mode, privilege))
		return true;
	fprintf(stderr, "postroad: cannot make the folder ");
	perror(path);
	return false;
}

static bool make_folders(const struct conf *conf, const struct privilege *privilege)
{
	/* Among the mailboxes of users of the system none of ours has a place, or its owner could do with theirs as it likes. */
	const struct privilege ourselves = { .drop = false };
	char control[PATH_MAX], mail[PATH_MAX];

	return folders_parent(conf->control, control) && folders_parent(conf->mailbox.path, mail) &&
	    make_folder(conf->spool.path, 0700, privilege) && make_folder(control, 0755, privilege) &&
	    make_folder(mail, 0755, conf->users[0] == '\0' ? &ourselves : privilege);
}

/* The mail role writes the log, and may not be able to make it: after a rotation either. A link is left to it. */
static bool make_log(const struct conf *conf, const struct privilege *privilege)
{
	if (conf->log.to[0] != '/' || !privilege->drop)
		return true;
	const int fd = open(conf->log.to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0640);
	const bool made = fd >= 0 ? fchown(fd, privilege->uid, privilege->gid) == 0 : errno == ELOOP;

	if (!made) {
		fprintf(stderr, "postroad: cannot make the log ");
		perror(conf->log.to);
	}
	if (fd >= 0)
		close(fd);
	return made;
}

bool folders_make(const struct conf *conf, const struct privilege *privilege)
{
	return make_folders(conf, privilege) && make_log(conf, privilege);
}
