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
 *       to STS_RETRY_MS_MAX; nor for another id before STS_RETRY_OTHER_MS. */
#ifndef ROUTE_STS_CHECK_H
#define ROUTE_STS_CHECK_H

#include "https/https.h"
#include "route/sts_memory.h"

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
