/* May this client use this sender's domain? (SPF, RFC 7208.)
 *
 * Pure and resumable: check_host() as a machine that stops at every question to the DNS.
 *
 *   F1  Ten terms that need DNS, two of them without an answer, ten hosts of one `mx`, ten names of a client: what
 *       a record can make us ask is bounded (RFC 7208 §4.6.4), and so is what it can make us keep.
 *   F2  A record with a mistake anywhere is a permerror before any of its terms is looked at (§4.6).
 *   F3  There is always an end: every answer ends the check or moves it on.
 *
 * Life: spf_new; questions and answers until spf_question says no; then spf_verdict. All of it lives in the arena. */
#ifndef AUTH_SPF_H
#define AUTH_SPF_H

#include "auth/question.h"
#include "auth/result.h"
#include "base/arena.h"

enum { SPF_TERMS_MAX = 10, SPF_VOID_MAX = 2, SPF_MX_MAX = 10 };

struct spf_request {            /* Borrows, for the life of the check. */
	struct endpoint client; /* An IPv6 address that holds an IPv4 one counts as that. */
	struct text helo;
	struct text
	    sender; /* The reverse-path without brackets; empty: postmaster at the HELO name (§2.4). */
	struct text receiver; /* Our own name, for the `r` macro. */
	int64_t now_s;        /* For the `t` macro. */
};

struct spf_verdict {             /* Borrows from the check. */
	enum auth_result result; /* Of none, neutral, pass, fail, softfail, temperror, permerror. */
	bool is_helo;            /* The domain is the HELO name's. */
	struct text domain;      /* Whose record was asked for. */
	struct text
	    mechanism; /* The term that decided, as written but for its qualifier; "default" when none did;
	                            * empty without a record and after an error. */
	struct text
	    explanation;    /* Of the domain, for a fail; may be empty. It is a stranger's text, in ASCII. */
	struct text reason; /* Why it is an error, or none; may be empty. */
	unsigned lookups;   /* Terms that needed DNS. */
};

struct spf;

/* Gives a check; NULL: no memory. */
[[nodiscard]] struct spf *spf_new(const struct spf_request *request, struct arena *arena);

/* What it waits for; false when it has ended. */
[[nodiscard]] bool spf_question(const struct spf *spf, struct question *out_question);

/* The answer to that question. */
void spf_answer(struct spf *spf, const struct answer *answer);

/* Only after its end. */
const struct spf_verdict *spf_verdict(const struct spf *spf);

#endif
