#include "supervisor/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool privilege_find(const char *user, struct privilege *out_privilege)
{
	*out_privilege = (struct privilege){ .drop = false, .uid = geteuid(), .gid = getegid() };
	if (geteuid() != 0 || user == NULL || user[0] == '\0')
		return true;

	const struct passwd *entry = getpwnam(user);

	if (entry == NULL)
		return false;
	*out_privilege = (struct privilege){ .drop = entry->pw_uid != 0, .uid = entry->pw_uid, .gid = entry->pw_gid };
	return true;
}

bool privilege_find_auth(const char *user, const struct privilege *others, struct privilege *out_privilege)
{
	/* With run-as empty all stay what they are. */
	if (!others->drop || user[0] == '\0' || (strcmp(user, PRIVILEGE_AUTH_USER) == 0 && getpwnam(user) == NULL)) {
		*out_privilege = *others;
		return true;
	}
	return privilege_find(user, out_privilege);
}

static bool keep(uint32_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct sets[2] = { { .effective = kept, .permitted = kept } };

	if (setgroups(0, NULL) != 0)
		return false;
	/* What the bounding set lacks no later program can get back. It ends at the kernel's last capability. */
	for (int number = 0; number <= 63 && prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
		if ((number > 31 || !(kept >> number & 1)) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 && errno != EPERM)
			return false;
	return syscall(SYS_capset, &header, sets) == 0;
}

bool privilege_keep_owners(void)
{
	return keep(1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE);
}

bool privilege_keep_commands(void)
{
	return keep(1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL);
}

bool privilege_drop(const struct privilege *privilege)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return false;
	if (!privilege->drop)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(privilege->gid, privilege->gid, privilege->gid) == 0 &&
	    setresuid(privilege->uid, privilege->uid, privilege->uid) == 0;
}

/* The name of `path` survives a power cut when its parent was flushed. Also when it is there already: who made it may have been
 * killed before its flush. A parent that may not be read was made by somebody else. */
static bool flush_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX] = ".";

	if (slash != NULL) /* Above "/a" is "/". */
		snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path), path);

	const int folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return errno == EACCES;

	const bool flushed = fsync(folder) == 0 || errno == EINVAL; /* There are file systems that know no such thing. */

	close(folder);
	return flushed;
}

bool privilege_make_folder(const char *path, mode_t mode, const struct privilege *privilege)
{
	char part[PATH_MAX];
	size_t length = strlen(path);

	/* With a slash behind it the folder itself would pass for one of its parents. */
	while (length > 1 && path[length - 1] == '/')
		length--;
	if (length >= sizeof part) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(part, path, length);
	part[length] = '\0';
	for (size_t i = 1; i < length; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		if ((mkdir(part, 0755) != 0 && errno != EEXIST) || !flush_parent(part))
			return false;
		part[i] = '/';
	}
	if (mkdir(part, mode) != 0)
		return errno == EEXIST && flush_parent(part);
	return (!privilege->drop || chown(part, privilege->uid, privilege->gid) == 0) && flush_parent(part);
}
