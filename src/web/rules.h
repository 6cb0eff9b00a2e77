/* Who is let in: decided before a byte of a body is read.
 *
 *   R1  With tokens, whoever shows one may do what its scopes say. Nothing that a browser adds by itself (a cookie, a
 *       password it keeps) counts, so no page of a stranger can act in the name of who looks at it.
 *   R2  Without tokens everybody may do everything who reaches the socket, which is on this machine; but not by a name that a
 *       stranger made to lead here.
 *   R3  A browser that says it comes from another page is sent away, with tokens or without.
 *
 * The rules of one moment, shared by the threads that answer; references are counted atomically. */
#ifndef WEB_RULES_H
#define WEB_RULES_H

#include "base/rate_table.h"
#include "web/target.h"

struct web_rules;

struct web_rules_settings {
	const char *name;    /* Of the file of tokens, for complaints. */
	struct text tokens;
	bool has_tokens;
	struct rate messages, recipients; /* See web_rates. */
	struct text policy;  /* Of MTA-STS, as it is served for each domain; empty: none. */
	const struct text *domains;
	size_t domain_count;
};

/* Copies all. NULL: complaints, or no memory. */
[[nodiscard]] struct web_rules *web_rules_new(const struct web_rules_settings *settings, struct buffer *complaints);
struct web_rules *web_rules_ref(struct web_rules *rules);
void web_rules_unref(struct web_rules *rules); /* NULL is fine. */

/* The fields of a request's header that count; empty where there is none. */
struct web_visitor {
	struct text host, origin, authorization;
};

/* 0: he may; or a status, and in *out_why a sentence, which is static. `scope`: one enum web_scope, or 0. */
unsigned web_rules_judge(
    const struct web_rules *rules, const struct web_visitor *visitor, unsigned scope, const char **out_why);

/* Of the token that is shown; empty: none is, or none is asked for. Borrows from the rules. */
struct text web_rules_name(const struct web_rules *rules, const struct web_visitor *visitor);

/* How much mail each token may hand in; everybody together where none is asked for. */
struct web_rates {
	struct rate messages, recipients;
};
struct web_rates web_rules_rates(const struct web_rules *rules);

/* The MTA-STS policy of the domain whose host for it is asked (RFC 8461 §3.3); empty: there is none. Borrows from the rules. */
struct text web_rules_policy(const struct web_rules *rules, struct text host);

#endif
