/* Where a recipient goes: the decision that needs no DNS.
 *
 * A router is an immutable snapshot of domains, users, aliases and routes; it may be shared by
 * threads and is replaced as a whole on reload.
 *
 *   R1  Every address of our domains is either known (user, alias, catch-all, postmaster) or
 *       refused with 550 5.1.1; postmaster is always known (RFC 5321 §4.5.1). Where nobody has that
 *       name, its mail goes into a mailbox called postmaster. Our reports come from postmaster@hostname: that
 *       is the postmaster of our first domain, unless the hostname is a domain or a route of its own.
 *   R2  An expansion never holds an address twice, nor grows beyond ROUTER_TARGET_MAX.
 *   R3  Domains compare in A-label form, local parts of ours without the case of ASCII letters.
 *
 * The order in which an address of ours is looked up is told in router.c. A route with exactly one of
 * our domains as its pattern makes us its gateway or backup MX: aliases and users named with that
 * domain are served here, everything else in it is accepted and handed on. ".suffix" and "*"
 * never apply to our domains, and a route for some senders must not: whom we know does not depend on who asks.
 * The order in which routes are looked up is told in routes.c. */
#ifndef ROUTE_ROUTER_H
#define ROUTE_ROUTER_H

#include "base/arena.h"
#include "base/error.h"
#include "mail/envelope.h"
#include "route/tls_demand.h"

enum { ROUTER_TARGET_MAX = 1000, ROUTER_ALIAS_DEPTH_MAX = 20, ROUTER_FALLBACK_MAX = 4 };

struct router_rule {               /* One `route` of the configuration. */
	struct text pattern;       /* "partner.test", ".partner.test" (subdomains), "*" */
	const struct text *from;   /* Only for these senders: "bob@example.org", "@example.org", ".example.org", "<>"; */
	size_t from_count;         /* 0: for all. */
	const struct text *via;    /* "host", "host:port", "192.0.2.1:25", "[::1]:25", "unix:/path" */
	size_t via_count;
	bool lmtp;                 /* Speak LMTP there. */
	struct tls_demand tls;
	struct text user;          /* Log in there as; empty: do not. */
	struct text pool;          /* Send from its addresses; empty: from any. */
	const struct text *fallback; /* As via: for mail whose hosts cannot be reached. */
	size_t fallback_count;
	struct tls_demand fallback_tls; /* Of these; no less than `tls` holds for them, too. */
};

struct router_pipe {               /* One `pipe` of the configuration. */
	struct text name;
	const struct text *recipients; /* "name@example.org", "@example.org" (whoever else has no place here) */
	size_t recipient_count;
};

struct router_permission {         /* A `user` of the configuration: whom he may send as, besides himself. */
	struct text user;
	const struct text *send_as; /* "somebody@example.net", "@example.net", "*" */
	size_t send_as_count;
};

struct router_settings {           /* Borrows during router_new; it copies. */
	struct text hostname;
	const struct text *domains;
	size_t domain_count;
	bool users_known;          /* False: every local part of our domains is a user. */
	const struct text *users;  /* "alice" (in all our domains) or "alice@example.org" */
	size_t user_count;
	struct text aliases;       /* Content of the aliases file; its name for messages: */
	struct text aliases_name;
	struct text separator;     /* Plus-addressing: "+"; empty: none. */
	const struct router_rule *rules;
	size_t rule_count;
	const struct router_pipe *pipes;
	size_t pipe_count;
	const struct router_permission *permissions;
	size_t permission_count;
	struct text srs_domain;    /* Of ours: senders of what is sent on are rewritten into it; empty: our first. */
	struct text srs_secrets;   /* Content of the file; empty: no sender is rewritten. Its name for messages: */
	struct text srs_secrets_name;
	struct text mailbox_lmtp;  /* "unix:/run/dovecot/lmtp": our mailboxes by LMTP; empty: Maildir. */
	struct tls_demand tls;     /* Of all that has no rule of its own, */
	struct text pool;          /* whence it is sent, */
	const struct text *fallback; /* and its fallback relays. */
	size_t fallback_count;
	struct tls_demand fallback_tls;
};

struct router;
/* ERR_SYNTAX: *out_complaint is "file:line: what is wrong; what would be right" for the aliases file, and
 * `route "x": what is wrong` for settings (caller's arena). */
[[nodiscard]] enum error router_new(const struct router_settings *settings, struct arena *arena,
    struct router **out_router, struct text *out_complaint);
struct router *router_ref(struct router *router); /* Atomic count. */
void router_unref(struct router *router);

/* May a client hand in mail for this recipient? code 250, 550 5.1.1 (unknown here), or 550 5.7.1
 * (relaying denied). `may_relay`: the client is trusted. `now_ms`: an address that SRS made is good for so long. Text is
 * static. */
struct verdict router_judge(
    const struct router *router, const struct address *recipient, bool may_relay, int64_t now_ms);

/* May this user, by the name he logs in with, send as `address`: is it his own (his name in our domains, with any detail,
 * an alias that leads to him, if by way of others, or a catch-all), or was it granted? The null path is nobody's; whether it
 * may be used is not asked here. ERR_NO_MEMORY. */
[[nodiscard]] enum error router_may_send_as(
    const struct router *router, struct text user, const struct address *address, bool *out_may);

/* Does an alias send mail of this sender for this recipient, or a copy of it, on to other servers? What LMTP takes is at home.
 * `sender`: as for router_decide. ERR_NO_MEMORY; other errors of router_decide. */
[[nodiscard]] enum error router_forwards(const struct router *router, const struct address *recipient,
    const struct address *sender, bool *out_forwards);

struct router_return_path {
	struct address address; /* In the caller's arena if it is another, else the sender as it was given. */
	bool rewritten;
	bool too_long;          /* It would have been, but no such address may be as long. */
};

/* As whom mail of `sender` goes out that an alias sends on to other servers: what SRS makes of it, or itself if it is null, of one of
 * our domains, or nothing is rewritten here. ERR_NO_MEMORY. */
[[nodiscard]] enum error router_return_path(const struct router *router, const struct address *sender, int64_t now_ms,
    struct arena *arena, struct router_return_path *out_path);

/* The domain that senders are rewritten into; empty: none is. */
struct text router_rewrites_into(const struct router *router);

bool router_is_local(const struct router *router, struct text domain);

enum route_kind {
	ROUTE_EXPAND,   /* Replace the recipient by `targets`. */
	ROUTE_MAILBOX,  /* Into the Maildir of `user`@`domain`. */
	ROUTE_PIPE,     /* To the command that `user` names; `next_hop` has its destination. */
	ROUTE_HOSTS,    /* To `next_hop`; ask route_hosts for its addresses. */
	ROUTE_REFUSE    /* For good; `verdict` says why. */
};

struct next_hop {
	struct text destination; /* Key for connections and limits: domain, or "via ", the list; then demand, pool and user. */
	struct text domain;      /* Recipient domain, A-labels. Looked up for MX when via_count is 0. */
	const struct text *via;
	size_t via_count;
	bool lmtp;
	struct tls_demand tls;
	struct text user;        /* Log in there as; empty: do not. */
	struct text pool;        /* Whose addresses we send from, and as whom (outbound/source.c); empty: any. */
	const struct text *fallback; /* As via: relays to be tried when none of the hosts can be reached; no login there. */
	size_t fallback_count;
	struct tls_demand fallback_tls;
};

struct route_decision {
	enum route_kind kind;
	const struct address *targets;
	size_t target_count;
	struct text user, domain, detail; /* ROUTE_MAILBOX and ROUTE_PIPE; detail: what stood behind the separator. */
	struct next_hop next_hop;
	struct verdict verdict;
	struct text explanation; /* One line for `explain`: which rule decided. */
};

/* Through `via` (as in a route) instead, whatever the routes say: as a route to just there goes, with its TLS and login, if there
 * is one; else with opportunistic TLS as everywhere. */
[[nodiscard]] enum error router_decide_via(const struct router *router, const struct address *recipient, struct text via,
    struct arena *arena, struct route_decision *out_decision);

/* What the recipient's domain promises of its TLS is to hold up this one not (RFC 8689 §5): where it goes to hosts that the domain
 * names, which is then another destination. False: no memory. */
[[nodiscard]] bool router_waive_policies(struct route_decision *decision, struct arena *arena);

/* Only over verified TLS, and to hosts that promise the same of those behind them (REQUIRETLS, RFC 8689), which is another
 * destination; what LMTP takes is at home. False: no memory. */
[[nodiscard]] bool router_require_tls(struct route_decision *decision, struct arena *arena);

/* Is there no server behind it that could tell more of the message? */
static inline bool route_ends_here(const struct route_decision *decision)
{
	return decision->kind != ROUTE_HOSTS || decision->next_hop.lmtp;
}

/* Results live in the arena. `sender`: the reverse-path; NULL: nobody's, then only routes for all senders hold. `expanded`:
 * the recipient came out of an alias, none is looked up. */
[[nodiscard]] enum error router_decide(const struct router *router, const struct address *recipient,
    const struct address *sender, bool expanded, struct arena *arena, struct route_decision *out_decision);

#endif
