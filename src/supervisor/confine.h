/* What a role can still do once it has what it works with: next to nothing but its work.
 *
 *   F1  It gets no new rights, by whatever it executes (no_new_privs), and leaves no core file.
 *   F2  It reaches no file but those beneath its paths (Landlock), and those that it was given as descriptors.
 *   F3  It calls nothing of the kernel but what its groups name (seccomp). A call that is not named has no effect: it fails
 *       with EPERM, and stderr names the call, once for each kind.
 *   F4  Threads that are made later are bound as well; a confinement is never loosened.
 *
 * F3 refuses and does not kill: a library that tries something new after an update has its fallback for EPERM, while a
 * mail role that dies of it would die again and again, and the mail in its hands would be suspected for it.
 *
 * A kernel before 5.19 has no Landlock that lets files move between folders: there F2 is left to the rights of the user.
 * Programs built with a sanitizer may do what it needs besides. */
#ifndef SUPERVISOR_CONFINE_H
#define SUPERVISOR_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

enum confine_access {
	CONFINE_READ,   /* Files, and lists of folders. */
	CONFINE_APPEND, /* Write to files and make new ones, without reading. */
	CONFINE_CHANGE  /* All that can be done with files and folders, but for executing. */
};

/* Beneath a folder that there is; others are passed over. */
struct confine_path {
	const char *path;
	enum confine_access access;
};

/* Beyond memory, threads, clocks, and the descriptors that it has. */
enum confine_group {
	CONFINE_FILES = 1 << 0,   /* Open files and change folders, where F2 lets it. */
	CONFINE_NETWORK = 1 << 1, /* Sockets of IP and UNIX, listening ones too. */
	CONFINE_CLIENT = 1 << 2,  /* Connect to UNIX sockets, no others. */
	CONFINE_OWNERS = 1 << 3,  /* Write as somebody else. */
	CONFINE_ACCEPT = 1 << 4   /* Take connections from listening sockets that it has. */
};

struct confine_rules {
	const char *role;     /* Also the name of its threads: "postroad-" and this. */
	unsigned groups;      /* Some of enum confine_group. */
	const struct confine_path *paths;
	size_t path_count;
	unsigned descriptors; /* The most that it may have open; 0: as many as it was started with. */
};

/* While there is one thread. False, and stderr says why: it cannot be done, so the role is not to go on. */
[[nodiscard]] bool confine(const struct confine_rules *rules);

/* Whether F2 holds on this kernel. */
[[nodiscard]] bool confine_has_landlock(void);

#endif
