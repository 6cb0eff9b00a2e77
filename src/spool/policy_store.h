/* What is known of other domains' policies (MTA-STS, RFC 8461 §3.3), so that a restart does not forget what a domain has
 * demanded: who can keep us from its web server would else only have to wait for one.
 *
 * A mapped file beside the database, not flushed, like greylist.h. It survives the process; a power cut may lose what is
 * newest in it, which is then asked for again. The database itself is for mail: this is looked at for every delivery, by
 * any lane, without a transaction.
 *
 *   Y1  Values are opaque here. A domain has one; its case does not count.
 *   Y2  The file has a fixed size: POLICY_STORE_ENTRIES of POLICY_STORE_ENTRY_SIZE. Where there is no room, what has no policy
 *       gives way first (`holds`), then what was not used for longest.
 *   Y3  What the file holds is not believed: each entry has a checksum with a seed, and one that was torn is none.
 *
 * One for all lanes, made by the wiring and guarded by a lock of its own. Life: open, get and put, close. */
#ifndef SPOOL_POLICY_STORE_H
#define SPOOL_POLICY_STORE_H

#include "base/error.h"
#include "base/text.h"

enum {
	POLICY_STORE_ENTRIES = 1 << 12,
	POLICY_STORE_ENTRY_SIZE = 2048, /* 8 MiB */
	POLICY_STORE_DOMAIN_MAX = 253,
	POLICY_STORE_VALUE_MAX = POLICY_STORE_ENTRY_SIZE - POLICY_STORE_DOMAIN_MAX - 3 - 24
};

struct policy_store;

/* path NULL: kept in memory only. The seed is for a file that is new; an older one has its own. */
[[nodiscard]] enum error policy_store_open(const char *path, uint64_t seed, struct policy_store **out_store);
void policy_store_close(struct policy_store *store); /* NULL is fine. */

struct policy_entry {         /* Borrows. */
	struct text value;    /* At most POLICY_STORE_VALUE_MAX bytes. */
	int64_t used_ms;      /* Unix time. */
	bool holds;           /* There is a policy in it. */
};

/* The value of a domain, copied into `room`. False: there is none. Any thread. */
[[nodiscard]] bool policy_store_get(struct policy_store *store, struct text domain, char room[POLICY_STORE_VALUE_MAX],
    struct text *out_value);

/* In place of what it had. A domain that is too long is not kept. Any thread. */
void policy_store_put(struct policy_store *store, struct text domain, const struct policy_entry *entry);
void policy_store_erase(struct policy_store *store, struct text domain);

/* One after the other: the first at or behind *position, which goes on behind it. False: no more. Any thread. */
[[nodiscard]] bool policy_store_next(struct policy_store *store, uint32_t *position,
    char domain_room[POLICY_STORE_DOMAIN_MAX], struct text *out_domain, char room[POLICY_STORE_VALUE_MAX],
    struct text *out_value);

#endif
