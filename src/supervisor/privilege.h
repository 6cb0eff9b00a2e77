/* Who the roles run as. */
#ifndef SUPERVISOR_PRIVILEGE_H
#define SUPERVISOR_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

struct privilege {
	bool drop; /* Started as root, and there is such a user. */
	uid_t uid;
	gid_t gid;
};

/* Only root can drop: for anyone else, and for an empty or unknown `user`, nothing is dropped. False:
 * root, and the user does not exist. */
[[nodiscard]] bool privilege_find(const char *user, struct privilege *out_privilege);

/* The same for the auth role: an empty user, and an unknown one called PRIVILEGE_AUTH_USER, is that of `others`. */
#define PRIVILEGE_AUTH_USER "postroad-auth"
[[nodiscard]] bool privilege_find_auth(
    const char *user, const struct privilege *others, struct privilege *out_privilege);

/* Stay root, without groups and without root's powers but those to act as the owner of files, and to make a folder in one of
 * somebody else and give it away (CAP_SETUID, CAP_SETGID, CAP_DAC_OVERRIDE, CAP_CHOWN). False: the system refused. */
[[nodiscard]] bool privilege_keep_owners(void);

/* The same with what it takes to run commands as others and to end them (CAP_SETUID, CAP_SETGID, CAP_KILL). */
[[nodiscard]] bool privilege_keep_commands(void);

/* Become that user for good, without supplementary groups. False: the system refused. */
[[nodiscard]] bool privilege_drop(const struct privilege *privilege);

/* Make the folder and its missing parents; the folder itself belongs to the user. errno on false. */
[[nodiscard]] bool privilege_make_folder(const char *path, mode_t mode, const struct privilege *privilege);

#endif
