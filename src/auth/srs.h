/* The Sender Rewriting Scheme (SRS, M. S. Wong; www.libsrs2.net/srs/srs.pdf): a reverse-path in our own domain for mail that we
 * forward, so that SPF asks about us and not about a server that never spoke with the next one; and the way back for the
 * reports that come to it. Pure.
 *
 *     alice@example.net                      SRS0=HASH=TT=example.net=alice@ours
 *     SRS0=HASH=TT=example.net=alice@first   SRS1=HASH=first==HASH=TT=example.net=alice@ours
 *     SRS1=HASH=first==...@second            SRS1=HASH=first==...@ours    (guarded: a chain of any length stays two long)
 *
 * TT is the day, modulo 1024; HASH an HMAC over all the rest, in base 32.
 *
 *   S1  An address that does not bear our hash leads nowhere, so nobody can make one for a victim that never sent us mail.
 *   S2  Hash and day are the same in any case, and the hash is over lower case, because servers fold local parts. What is folded on
 *       the way stays folded: the local part of the sender comes back so.
 *   S3  The day counts in SRS0 only: in SRS1 it is the first forwarder's, in whatever alphabet, and his to judge.
 *   S4  An address that would grow over the limits of RFC 5321 §4.5.3.1 is not made. */
#ifndef AUTH_SRS_H
#define AUTH_SRS_H

#include "base/arena.h"
#include "base/error.h"
#include "mail/address.h"

enum {
	SRS_HASH_LENGTH = 6, /* 30 bits, to be guessed at our door only: each wrong one is a refused recipient. */
	SRS_DAYS_MAX = 21,   /* Reports come within the life of a queue, and of another one behind it. */
	SRS_SECRETS_MAX = 8,
	SRS_SECRET_LENGTH_MIN = 16,
	SRS_SECRET_LENGTH_MAX = 256
};

struct srs_secrets { /* Borrows. The first makes addresses, all of them verify. */
	struct text texts[SRS_SECRETS_MAX];
	size_t count;
};

/* A file of secrets: one a line, blank lines and those that begin with # are none. ERR_SYNTAX: *out_line is which, *out_why (static)
 * what is wrong with it. */
[[nodiscard]] enum error srs_secrets_parse(
    struct text content, struct srs_secrets *out_secrets, size_t *out_line, const char **out_why);

/* Does it look like one, good or not: SRS0= or SRS1=, in any case? */
bool srs_looks_like(struct text local);

/* The address in `domain` that leads back to `sender`, which has a domain. Lives in the arena. ERR_TOO_LARGE: it would not
 * fit (S4). ERR_NO_MEMORY. */
[[nodiscard]] enum error srs_forward(const struct srs_secrets *secrets, struct text domain,
    const struct address *sender, int64_t now_ms, struct arena *arena, struct address *out_address);

/* To whom an address with this local part leads, in the arena. ERR_SYNTAX: it is none, or
 * a broken one. ERR_DENIED: its hash is not ours. ERR_GONE: it was good more than SRS_DAYS_MAX days ago; `now_ms` < 0: never that.
 * ERR_NO_MEMORY. */
[[nodiscard]] enum error srs_reverse(const struct srs_secrets *secrets, struct text local, int64_t now_ms,
    struct arena *arena, struct address *out_address);

#endif
