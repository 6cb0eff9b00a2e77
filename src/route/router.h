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
 * never apply to our domains. */
#ifndef ROUTE_ROUTER_H
#define ROUTE_ROUTER_H

#include "base/arena.h"
#include "base/error.h"
#include "mail/envelope.h"
#include "route/tls_demand.h"

enum { ROUTER_TARGET_MAX = 1000, ROUTER_ALIAS_DEPTH_MAX = 20 };

struct router_rule {               /* One `route` of the configuration. */
	struct text pattern;       /* "partner.test", ".partner.test" (subdomains), "*" */
	const struct text *via;    /* "host", "host:port", "192.0.2.1:25", "[::1]:25", "unix:/path" */
	size_t via_count;
	bool lmtp;                 /* Speak LMTP there. */
	struct tls_demand tls;
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
	const struct router_permission *permissions;
	size_t permission_count;
	struct text mailbox_lmtp;  /* "unix:/run/dovecot/lmtp": our mailboxes by LMTP; empty: Maildir. */
	struct tls_demand tls;     /* Of all that has no rule of its own. */
};

struct router;
/* ERR_SYNTAX: *out_complaint is "file:line: what is wrong; what would be right" for the aliases file, and
 * `route "x": what is wrong` for settings (caller's arena). */
[[nodiscard]] enum error router_new(const struct router_settings *settings, struct arena *arena,
    struct router **out_router, struct text *out_complaint);
struct router *router_ref(struct router *router); /* Atomic count. */
void router_unref(struct router *router);

/* May a client hand in mail for this recipient? code 250, 550 5.1.1 (unknown here), or 550 5.7.1
 * (relaying denied). `may_relay`: the client is trusted. Text is static. */
struct verdict router_judge(const struct router *router, const struct address *recipient, bool may_relay);

/* May this user, by the name he logs in with, send as `address`: is it his own (his name in our domains, with any detail,
 * an alias that leads to him, if by way of others, or a catch-all), or was it granted? The null path is nobody's; whether it
 * may be used is not asked here. ERR_NO_MEMORY. */
[[nodiscard]] enum error router_may_send_as(
    const struct router *router, struct text user, const struct address *address, bool *out_may);

bool router_is_local(const struct router *router, struct text domain);

enum route_kind {
	ROUTE_EXPAND,   /* Replace the recipient by `targets`. */
	ROUTE_MAILBOX,  /* Into the Maildir of `user`@`domain`. */
	ROUTE_HOSTS,    /* To `next_hop`; ask route_hosts for its addresses. */
	ROUTE_REFUSE    /* For good; `verdict` says why. */
};

struct next_hop {
	struct text destination; /* Key for connections and limits: domain, or "via ", the list and its demand. */
	struct text domain;      /* Recipient domain, A-labels. Looked up for MX when via_count is 0. */
	const struct text *via;
	size_t via_count;
	bool lmtp;
	struct tls_demand tls;
};

struct route_decision {
	enum route_kind kind;
	const struct address *targets;
	size_t target_count;
	struct text user, domain, detail; /* ROUTE_MAILBOX; detail: what stood behind the separator. */
	struct next_hop next_hop;
	struct verdict verdict;
	struct text explanation; /* One line for `explain`: which rule decided. */
};

/* Through `via` (as in a route) instead, whatever the routes say; opportunistic TLS as everywhere. */
[[nodiscard]] enum error router_decide_via(const struct router *router, const struct address *recipient, struct text via,
    struct arena *arena, struct route_decision *out_decision);

/* Results live in the arena. `expanded`: the recipient came out of an alias, none is looked up. */
[[nodiscard]] enum error router_decide(const struct router *router, const struct address *recipient,
    bool expanded, struct arena *arena, struct route_decision *out_decision);

#endif
