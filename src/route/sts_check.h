/* Which MTA-STS policy holds for a domain now (RFC 8461 §3, §5.1): a machine that stops at a question, and goes on with its
 * answer. Pure; the clock is an argument, and what is remembered of the domain comes in and goes out as a value.
 *
 *     begin ─► RECORD ─┬─ the id of the policy we have, and that is not old ──────► DONE
 *                      ├─ no record, no answer, a fetch failed just now ─► what we have, if not too old ─► DONE
 *                      └─ another id, or nothing that is good ─► POLICY ─► DONE
 *
 *   K1  A policy that was fetched holds until it is max_age old, whatever happens to record and web server since; only another
 *       one takes its place (RFC 8461 §3.3). Without one a domain that cannot be asked has none.
 *   K2  When a fetch fails, none is made for the same id before STS_RETRY_MS_MIN, twice as long after each further failure, up
 *       to STS_RETRY_MS_MAX; nor for another id before STS_RETRY_OTHER_MS.
 *   K3  What is remembered is not believed when it comes from the future. */
#ifndef ROUTE_STS_CHECK_H
#define ROUTE_STS_CHECK_H

#include "https/https.h"
#include "route/sts_policy.h"

enum {
	STS_RETRY_MS_MIN = 5 * 60 * 1000,
	STS_RETRY_MS_MAX = 6 * 60 * 60 * 1000,
	STS_RETRY_OTHER_MS = 60 * 1000,
	STS_REFRESH_MS = 24 * 60 * 60 * 1000,
	STS_AGE_MS_MIN = 5 * 60 * 1000, /* A policy is good for this long at least, so that it is not fetched for each message. */
	STS_USED_MS = 24 * 60 * 60 * 1000, /* How exactly it is remembered that a policy was used. */
	STS_TROUBLE_MAX = 160
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

/* When it is to be fetched anew, though nobody asks for it (RFC 8461 §3.3, §10.2); INT64_MAX: it has no policy. */
int64_t sts_memory_refresh_ms(const struct sts_memory *memory);

enum sts_purpose { STS_FOR_MAIL, STS_FOR_REFRESH };
enum sts_question { STS_ASK_RECORD, STS_ASK_POLICY, STS_ASK_NOTHING };
enum sts_news { STS_NO_NEWS, STS_FETCHED, STS_CHANGED, STS_FAILED };

struct sts_check {                  /* A value; texts in `arena`. */
	struct arena *arena;
	enum sts_purpose purpose;
	int64_t now_ms;
	enum sts_question question;
	struct text id;             /* Of the record; empty: none. */
	struct sts_memory memory;   /* What is to be remembered. */
	bool remember;              /* It is not what came in. */
	bool forget;                /* There is nothing to remember. */
	enum sts_news news;         /* What an operator may want to know: STS_FAILED once until it works again. */
	bool wanted;                /* The domain has a record, and no policy for it could be had: `memory` tells why. */
};

/* Borrows what memory holds, and the arena, for as long as the check is used. `memory` may be NULL. */
void sts_check_begin(struct sts_check *check, const struct sts_memory *memory, enum sts_purpose purpose, int64_t now_ms,
    struct arena *arena);

/* The TXT records of _mta-sts.DOMAIN. */
void sts_check_record(struct sts_check *check, const struct text *records, size_t count);

/* There was no answer about them. */
void sts_check_no_record(struct sts_check *check);

/* The answer of https://mta-sts.DOMAIN/.well-known/mta-sts.txt. */
void sts_check_policy(struct sts_check *check, const struct https_response *response);

/* With STS_ASK_NOTHING: the policy that holds; NULL: none. Borrows from the check. */
const struct sts_policy *sts_check_result(const struct sts_check *check);

#endif
