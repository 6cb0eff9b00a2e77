/* What a domain says of the TLS of its mail hosts (MTA-STS, RFC 8461): the record in DNS that tells that there is a policy,
 * and the policy, which is fetched from the web. Pure.
 *
 *   P1  Only what follows the grammar counts. What is unknown in it, an extension, is passed over.
 *   P2  A policy keeps no more than STS_PATTERNS_MAX bytes of patterns. A longer one counts as invalid: half of
 *       its hosts would be worse than none. */
#ifndef ROUTE_STS_POLICY_H
#define ROUTE_STS_POLICY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

enum {
	STS_ID_MAX = 32,
	STS_PATTERNS_MAX = 1400,
	STS_AGE_S_MAX = 31557600,       /* A year (RFC 8461 §3.2). */
	STS_POLICY_BYTES_MAX = 64 << 10 /* That are fetched (RFC 8461 §3.3). */
};

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

/* "none", "testing", "enforce". Static. */
const char *sts_mode_word(enum sts_mode mode);

struct sts_policy {           /* A value; borrows. */
	enum sts_mode mode;
	uint32_t max_age_s;   /* <= STS_AGE_S_MAX */
	struct text patterns; /* "mx.example.net *.example.net": lower case, a space between two. Empty only with STS_NONE. */
};

/* The TXT records of _mta-sts.DOMAIN: ERR_NOT_FOUND when none is one of MTA-STS, ERR_SYNTAX when there are two or it
 * is not well-formed; both mean that there is no policy (RFC 8461 §3.1). *out_id borrows from the records. */
[[nodiscard]] enum error sts_record_choose(const struct text *records, size_t count, struct text *out_id);

/* One of them. */
[[nodiscard]] bool sts_record_parse(struct text record, struct text *out_id);

/* A policy as it was fetched; its patterns live in `arena`. ERR_SYNTAX sets *out_why (static). */
[[nodiscard]] enum error sts_policy_parse(
    struct text text, struct arena *arena, struct sts_policy *out_policy, const char **out_why);

/* May a host of this name take the domain's mail (RFC 8461 §4.1)? Whatever the mode is. */
bool sts_policy_allows(const struct sts_policy *policy, struct text host);

/* Cut the next pattern off *rest; false at the end. */
bool sts_pattern_cut(struct text *rest, struct text *out_pattern);

/* Mode, age and patterns; all that counts. */
bool sts_policy_equal(const struct sts_policy *a, const struct sts_policy *b);

#endif
