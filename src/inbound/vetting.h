/* What is to be known of a stranger before his mail is taken: what lists in the DNS say of his address and of his sender's
 * domain, whether his address has a name, how he greets, and whether his mail was here before.
 *
 *   V1  Look-ups begin when the client comes (again, by XCLIENT) and at MAIL, all at once; a recipient's verdict waits for them,
 *       VETTING_PATIENCE_MS at most. What has not answered then is passed over.
 *   V2  Only mx sessions of clients that are not trusted are vetted; who logs in is vetted no more.
 *   V3  Without memory, or without a resolver, a stranger is let in: this is a guard against junk, not the door.
 *   V4  A list that fails is told of in the log at most once in VETTING_TOLD_MS by each lane.
 *   V5  Only who is let in by all else, and by no allow list, is put off (spool/greylist.h).
 *
 * A vetting belongs to its connection and dies with it. */
#ifndef INBOUND_VETTING_H
#define INBOUND_VETTING_H

#include "auth/dns_list.h"
#include "auth/iprev.h"
#include "mail/verdict.h"
#include "spool/greylist.h"

enum {
	VETTING_PATIENCE_MS = 10000,
	VETTING_TOLD_MS = 10 * 60 * 1000
};

enum vetting_reverse {
	VETTING_REVERSE_NO,
	VETTING_REVERSE_NOTE,     /* Looked up, and nothing follows. */
	VETTING_REVERSE_NAME,     /* There must be one. */
	VETTING_REVERSE_CONFIRMED /* It must lead back. */
};

struct vetting_settings {                 /* Borrows. */
	const struct dns_list_settings *lists;
	size_t list_count;
	unsigned block_at;                /* Sum of weights. */
	enum vetting_reverse reverse;
	bool require_helo_name, spare_postmaster;
	struct greylist_rules greylist;
	const struct text *own_names;     /* By which no stranger may greet; none: any name will do. */
	size_t own_name_count;
};

/* Into the arena. False: no memory. */
[[nodiscard]] bool vetting_settings_copy(
    const struct vetting_settings *from, struct arena *arena, struct vetting_settings *out_settings);

struct connection;
struct inbound;
struct inbound_snapshot;
struct session;
struct session_action;
struct vetting;

/* Of this connection's client; borrows all, for its own life. NULL: nothing is wanted of anybody, or no memory. */
[[nodiscard]] struct vetting *vetting_new(
    struct inbound *inbound, struct connection *connection, const struct inbound_snapshot *snapshot);
void vetting_free(struct vetting *vetting); /* NULL is fine. */

/* A question that everybody else has answered with yes. Code 0: the answer comes by connection_judged. */
struct verdict vetting_judge(
    struct vetting *vetting, const struct session *session, const struct session_action *question);

/* The client's name in the DNS, if it leads back to him and is known by now; else empty. NULL: no vetting. */
struct text vetting_client_name(const struct vetting *vetting);

/* The same in detail, when it was asked for and has ended; else NULL. Borrows. */
const struct iprev *vetting_iprev(const struct vetting *vetting);

#endif
