/* The logins with which we come to other servers: a snapshot, shared by lanes and replaced as a whole on reload.
 *
 *   L1  A login is found by its user and the hosts it is for, so a next hop carries no password.
 *   L2  A password is wiped with the snapshot.
 *   L3  That a host does not take a login is told once, whatever number of lanes meets it, until it does; a snapshot knows
 *       what the one before it had told. */
#ifndef OUTBOUND_LOGINS_H
#define OUTBOUND_LOGINS_H

#include "base/error.h"
#include "outbound/session.h"

struct login_rule {               /* Borrows. */
	struct client_login login;
	const struct text *via;   /* As a route has it. */
	size_t via_count;
};

struct logins;

/* Copies; of two rules with the same user and hosts the first counts. `before` may be NULL. NULL: no memory. */
[[nodiscard]] struct logins *logins_new(const struct login_rule *rules, size_t count, const struct logins *before);
struct logins *logins_ref(struct logins *logins); /* Atomic count; NULL stays NULL. */
void logins_unref(struct logins *logins);         /* NULL is fine. */

/* Borrows from the snapshot; NULL: there is none, also when `logins` is NULL. */
const struct client_login *logins_find(const struct logins *logins, const struct next_hop *hop);

/* What became of a login that logins_find gave. True: it is news, and to be told (L3). Any thread. */
[[nodiscard]] bool logins_note(struct logins *logins, const struct client_login *login, bool taken);

#endif
