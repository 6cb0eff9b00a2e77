/* The reverse name of a client, confirmed forward (RFC 8601 §3): PTR of the address, then the addresses of
 * each name. What SPF's `ptr` mechanism and `p` macro call validated names (RFC 7208 §5.5) are the same.
 *
 * Pure; a value whose answers are copied into the arena.
 *
 *   I1  At most IPREV_NAMES_MAX names are looked at; later ones do not exist.
 *   I2  A failing look-up of one name only loses that name; its failure is remembered for the result.
 *
 * Life: iprev_start, then questions and answers until iprev_question says no. */
#ifndef AUTH_IPREV_H
#define AUTH_IPREV_H

#include "auth/question.h"
#include "auth/result.h"
#include "base/arena.h"

enum { IPREV_NAMES_MAX = 10 /* RFC 7208 §4.6.4 */ };

struct iprev {
	struct arena *arena; /* Borrows. */
	struct endpoint client;
	struct text reverse;                /* Under in-addr.arpa or ip6.arpa. */
	struct text names[IPREV_NAMES_MAX]; /* What PTR said. */
	bool validated[IPREV_NAMES_MAX];
	size_t count, next; /* Names, and the one that is asked about. */
	bool asked_reverse, failed, no_memory;
};

/* `client` is an IPv4 or IPv6 address. */
void iprev_start(struct iprev *iprev, const struct endpoint *client, struct arena *arena);

/* What it waits for; false when it has ended. */
[[nodiscard]] bool iprev_question(const struct iprev *iprev, struct question *out_question);
/* The answer to that question. */
void iprev_answer(struct iprev *iprev, const struct answer *answer);

/* pass: a name leads back to the client; fail: none does; permerror: there is no name; temperror: DNS did not say. */
enum auth_result iprev_result(const struct iprev *iprev);

/* The first validated name; empty when there is none. */
struct text iprev_name(const struct iprev *iprev);

#endif
