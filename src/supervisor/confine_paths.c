/* F2: Landlock, by its system calls, since the C library has none of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/confine_private.h"

/* Later than the headers of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

enum { ABI_REFER = 2, ABI_TRUNCATE = 3 };

static const uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t append_rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
static const uint64_t change_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER |
    LANDLOCK_ACCESS_FS_TRUNCATE;
/* Nobody gets these. */
static const uint64_t other_rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;

static long abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool confine_has_landlock(void)
{
	return abi() >= ABI_REFER;
}

static uint64_t rights_of(enum confine_access access)
{
	switch (access) {
	case CONFINE_READ:
		return read_rights;
	case CONFINE_APPEND:
		return append_rights;
	case CONFINE_CHANGE:
		return change_rights;
	}
	return 0;
}

static bool allow(int ruleset, const struct confine_path *path, uint64_t known)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights_of(path->access) & known };

	rule.parent_fd = open(path->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return true;
	const bool added = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0u) == 0;

	close(rule.parent_fd);
	return added;
}

static bool allow_all(int ruleset, const struct confine_path *paths, size_t count, uint64_t known)
{
	static const struct confine_path anywhere = { "/", CONFINE_READ };

	for (size_t i = 0; i < count; i++)
		if (!allow(ruleset, &paths[i], known))
			return false;
	/* Sanitizers look into /proc, and into the program for its symbols. */
	return !CONFINE_SANITIZED || allow(ruleset, &anywhere, known);
}

bool confine_paths(const struct confine_path *paths, size_t count)
{
	const long version = abi();
	struct landlock_ruleset_attr settings = { .handled_access_fs = change_rights | other_rights };

	if (version < ABI_REFER)
		return true;
	if (version < ABI_TRUNCATE)
		settings.handled_access_fs &= ~LANDLOCK_ACCESS_FS_TRUNCATE;

	const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &settings, sizeof settings, 0u);

	if (ruleset < 0)
		return false;
	const bool done = allow_all(ruleset, paths, count, settings.handled_access_fs) &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0u) == 0;

	close(ruleset);
	return done;
}
