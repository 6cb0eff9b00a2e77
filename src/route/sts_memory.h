/* What is remembered of a domain's MTA-STS policy: a value, and its form in the store (spool/policy_store.h). Pure.
 *
 *   M1  What comes from the future is not believed.
 *   M2  A policy is good for STS_AGE_MS_MIN at least, so that it is not fetched for each message. */
#ifndef ROUTE_STS_MEMORY_H
#define ROUTE_STS_MEMORY_H

#include "route/sts_policy.h"

enum {
	STS_RETRY_MS_MIN = 5 * 60 * 1000, /* RFC 8461 §3.3. */
	STS_RETRY_MS_MAX = 6 * 60 * 60 * 1000,
	STS_RETRY_OTHER_MS = 60 * 1000,
	STS_REFRESH_MS = 24 * 60 * 60 * 1000,
	STS_AGE_MS_MIN = 5 * 60 * 1000,
	STS_USED_MS = 24 * 60 * 60 * 1000, /* How exactly it is remembered that a policy was used. */
	STS_TROUBLE_MAX = 160,
	STS_MEMORY_BYTES_MAX = 1768
};

enum sts_failure { /* As RFC 8460 §4.3.2.2 tells them apart. */
	STS_NO_FAILURE,
	STS_FETCH_ERROR,   /* The web server, or the record on the way to it. */
	STS_POLICY_INVALID,
	STS_WEBPKI_INVALID /* The web server's certificate. */
};

struct sts_memory {                 /* Of one domain; a value, borrows. All 0: nothing. */
	int64_t fetched_ms;         /* Unix time; 0: never, and there is no policy. */
	struct sts_policy policy;
	struct text id;             /* Of the record that it was fetched for. */
	int64_t used_ms;            /* When mail asked for it last; see STS_USED_MS. */
	uint32_t failure_count;     /* Fetches that failed since the last one that did not. */
	int64_t failed_ms;          /* Of the last of them, as all that follows. */
	struct text failed_id;
	enum sts_failure failure;
	struct text trouble;        /* In words, at most STS_TROUBLE_MAX bytes. */
};

/* Whether its policy holds at this moment (K1). */
bool sts_memory_holds(const struct sts_memory *memory, int64_t now_ms);

/* When it is too old. */
int64_t sts_memory_end_ms(const struct sts_memory *memory);

/* When it is to be fetched anew, though nobody asks for it (RFC 8461 §3.3); INT64_MAX: it has no policy. */
int64_t sts_memory_refresh_ms(const struct sts_memory *memory);

/* How long to wait after the last failure before the same is tried again; failure_count > 0. */
int64_t sts_memory_retry_ms(const struct sts_memory *memory);

/* M1 */
bool sts_memory_is_believed(const struct sts_memory *memory, int64_t now_ms);

/* In `room`. */
struct text sts_memory_encode(const struct sts_memory *memory, char room[STS_MEMORY_BYTES_MAX]);

/* Borrows from `stored`. False: it is none. */
[[nodiscard]] bool sts_memory_decode(struct text stored, struct sts_memory *out_memory);

#endif
