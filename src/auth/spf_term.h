/* The terms of an SPF record (RFC 7208 §4.6.1, §12).
 *
 * Pure. Terms borrow from the record. */
#ifndef AUTH_SPF_TERM_H
#define AUTH_SPF_TERM_H

#include "auth/result.h"
#include "base/endpoint.h"

enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,
	SPF_EXP,
	SPF_UNKNOWN /* Modifiers. */
};

struct spf_term {
	enum spf_kind kind;
	enum auth_result qualifier; /* Of a mechanism: pass, fail, softfail or neutral. */
	struct text whole;          /* As written, without the qualifier. */
	struct text domain_spec;    /* May be empty where a mechanism allows it. */
	uint8_t prefix4, prefix6;   /* 32 and 128 when not given. */
	struct network network;     /* ip4, ip6 */
};

/* Is this TXT record one of SPF, version 1? *out_terms is what follows the version (§4.5). */
[[nodiscard]] bool spf_record_is(struct text record, struct text *out_terms);

/* Take the next term off *rest. False at the end, and at a mistake: then *out_mistake is true. */
[[nodiscard]] bool spf_term_next(struct text *rest, struct spf_term *out_term, bool *out_mistake);

/* Are all terms well-formed, with at most one `redirect` and one `exp`? The two, when there, are given: empty
 * texts otherwise. */
[[nodiscard]] bool spf_terms_check(struct text terms, struct text *out_redirect, struct text *out_exp);

#endif
