/* What a delivery learns of a domain's TLS, for the report of the day (RFC 8460): one note for each session with one of its
 * hosts, none for those that go on over a connection that is there.
 *
 *   T1  Only what the domain itself says where its mail goes is of interest to it: nothing is noted of routes of ours,
 *       nor of mail that goes whatever its policies are.
 *   T2  At most TLS_NOTES_MAX of one delivery; a note for which there is no memory is forgotten. */
#ifndef ROUTE_TLS_NOTES_H
#define ROUTE_TLS_NOTES_H

#include "base/arena.h"
#include "dsn/tls_result.h"
#include "route/hosts.h"

enum { TLS_NOTES_MAX = 20 };

struct tls_notes {                  /* All 0: nobody wants any. */
	bool wanted;
	struct tls_result *results; /* In the arena that was given. */
	size_t count;
};

/* T1 */
bool tls_notes_apply(const struct next_hop *hop);

/* Which policy a session with a host is under, in `arena`; to be filled with what became of it. Records that can be used come
 * before a policy of MTA-STS. */
struct tls_result tls_notes_policy(const struct host_policy *policy, const struct host_tlsa *tlsa, struct arena *arena);

/* One more. Copies into the arena, which must be the same each time. */
void tls_notes_add(struct tls_notes *notes, const struct tls_result *result, struct arena *arena);

/* That there is a policy which could not be had; the session that is tried all the same is another note. */
void tls_notes_add_missing_policy(struct tls_notes *notes, const struct host_policy *policy, struct arena *arena);

/* That the host has TLSA records, and none that can be used. */
void tls_notes_add_unusable(struct tls_notes *notes, struct text mx, struct arena *arena);

/* Which policy leaves no host to be tried. */
void tls_notes_add_barred(struct tls_notes *notes, const struct host_list *list, struct arena *arena);

#endif
