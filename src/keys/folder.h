/* The folder of DKIM keys: a PEM file for each, and the state file with their plan.
 *
 *   F1  A private key is readable by its owner alone, and durable before the plan names it.
 *   F2  The plan is replaced as a whole by rename: a reader sees the old one or the new one, and so does a crash. A key
 *       file that no plan names is left over from one, and does no harm.
 *   F3  Who changes something holds the folder's lock from before reading the plan until after writing it.
 *
 * Life: keys_folder_open, read, change, write, keys_folder_close. */
#ifndef KEYS_FOLDER_H
#define KEYS_FOLDER_H

#include "keys/plan.h"

enum { KEYS_RSA_BITS_MIN = 1024, KEYS_RSA_BITS_GOOD = 2048 }; /* RFC 8301 §3.2 */

struct keys_folder {
	const char *path; /* Borrows. */
	struct arena *arena;
	int fd;
	struct key_plan plan;
};

/* Look at the folder; with `change` lock it and make it when it is missing. Without a state file its plan is empty.
 * False: complaints tell why. */
[[nodiscard]] bool keys_folder_open(
    const char *path, bool change, struct arena *arena, struct keys_folder *out_folder, struct buffer *complaints);
void keys_folder_close(struct keys_folder *folder);

/* The private key of a plan's entry (gives). False: it is missing, no key, of another kind or too weak, and complaints tell.
 * A weak one that is still taken is complained about and given. */
[[nodiscard]] bool keys_folder_read_key(const struct keys_folder *folder, const struct planned_key *planned,
    struct private_key **out_key, struct buffer *complaints);

/* Keep a private key, durably. ERR_EXISTS: there is a file for that name. */
[[nodiscard]] enum error keys_folder_write_key(
    const struct keys_folder *folder, struct text domain, struct text selector, const struct private_key *key);

/* Make the plan durable. */
[[nodiscard]] enum error keys_folder_write_plan(const struct keys_folder *folder);

/* The key file of an entry that the plan does not name any more. */
void keys_folder_remove_key(const struct keys_folder *folder, struct text domain, struct text selector);

#endif
