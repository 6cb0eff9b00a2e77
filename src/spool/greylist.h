/* Who has knocked before: mail of a sender to a recipient from a network that never brought any is put off once. What is sent
 * by a queue comes again (RFC 5321 §4.5.4.1), what is sent by a hijacked machine often does not.
 *
 * A mapped file beside the database, not flushed, like suspects.h. It survives the process; a power cut may lose
 * what is newest in it, or all, and costs some senders another wait.
 *
 *   G1  A network is 24 bits of an IPv4 address or 64 of an IPv6 address: a sender's queues are often neighbours. It,
 *       the sender and the recipient, in any case of letters, are a triple.
 *   G2  A triple that is new is put off; `delay_ms` after its first coming it passes, if it comes within GREYLIST_RETURN_MS.
 *       One that passed passes at once until it was not seen for `lifetime_ms`.
 *   G3  A network that passed `pass_count` times passes with everything, until it was not seen for `lifetime_ms`. What
 *       passes within `delay_ms` counts once: the recipients of one message prove no more than one does.
 *   G4  The file has a fixed size. Where there is no room, who was not seen for longest is forgotten. Networks that
 *       passed have room of their own, which those who never come again cannot take.
 *   G5  The rules are brought along, not kept: a new configuration applies to what is there.
 *   G6  What the file holds is not believed: an entry from the future is as good as none. Different keys meet by chance
 *       only, since the hash has a seed that nobody else knows.
 *
 * One for all lanes, made by the wiring and guarded by a lock of its own, which is held for a look at a few
 * neighbouring entries. Life: open, ask, close. */
#ifndef SPOOL_GREYLIST_H
#define SPOOL_GREYLIST_H

#include "base/endpoint.h"
#include "base/error.h"
#include "mail/address.h"

enum {
	GREYLIST_TRIPLES = 1 << 17, /* 3 MiB */
	GREYLIST_NETWORKS = 1 << 14,
	GREYLIST_RETURN_MS = 5 * 24 * 3600 * 1000 /* So long queues try (RFC 5321 §4.5.4.1). */
};

struct greylist_rules {      /* A value; all 0: nobody is put off. */
	int64_t delay_ms;    /* <= GREYLIST_RETURN_MS */
	uint32_t pass_count; /* 0: no network passes with everything. */
	int64_t lifetime_ms;
};

struct greylist_triple {               /* Borrows all. */
	const struct endpoint *client; /* IPv4 or IPv6. */
	const struct address *sender;  /* Empty: the null path. */
	const struct address *recipient;
};

struct greylist;

/* path NULL: kept in memory only. The seed is for a file that is new; an older one has its own. */
[[nodiscard]] enum error greylist_open(const char *path, uint64_t seed, struct greylist **out_greylist);
void greylist_close(struct greylist *greylist); /* NULL is fine. */

/* It comes now. 0: it passes; else how many milliseconds from now it would. Any thread; `now_ms` since 1970. */
[[nodiscard]] int64_t greylist_ask(struct greylist *greylist, const struct greylist_rules *rules,
    const struct greylist_triple *triple, int64_t now_ms);

#endif
