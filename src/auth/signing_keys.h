/* The keys that a server signs with, and how: an immutable snapshot that lanes share.
 *
 *   K1  Each key has the span of time in which it signs, so a change of keys that was planned happens without a new
 *       snapshot. */
#ifndef AUTH_SIGNING_KEYS_H
#define AUTH_SIGNING_KEYS_H

#include "auth/dkim_sign.h"

struct signing_key {
	struct private_key *key;
	struct text domain, selector; /* A-labels, lower case. */
	int64_t from_s, until_s;      /* It signs in [from_s, until_s). */
};

struct signing_keys;

/* Copies the names and the manner, but for its time, and takes the private keys, also on failure. Gives the first reference;
 * NULL: no memory. */
[[nodiscard]] struct signing_keys *signing_keys_new(
    const struct signing_key *keys, size_t count, const struct dkim_manner *manner);
struct signing_keys *signing_keys_ref(struct signing_keys *keys); /* NULL stays NULL. */
void signing_keys_unref(struct signing_keys *keys);

/* How to sign at this moment; borrows from the snapshot. */
struct dkim_manner signing_keys_manner(const struct signing_keys *keys, int64_t now_s);

/* Who signs for `domain` (A-labels) at this moment: the keys of the domain itself, or else of its nearest parent that
 * has some (DMARC's relaxed alignment takes that for the same). How many, at most DKIM_KEYS_MAX; they borrow from the
 * snapshot. */
size_t signing_keys_find(const struct signing_keys *keys, struct text domain, int64_t now_s,
    struct dkim_signing out_signings[DKIM_KEYS_MAX]);

#endif
