/* What a router is made of, for router*.c, routes.c, hop.c and expand.c only.
 *
 *   T1  Every text lives in the router's arena. Domains are in A-label form, lower case.
 *   T2  Tables are sorted and hold nothing twice. */
#ifndef ROUTE_ROUTER_PRIVATE_H
#define ROUTE_ROUTER_PRIVATE_H

#include <stdatomic.h>

#include "auth/srs.h"
#include "route/aliases.h"
#include "route/router.h"

struct router_user {
	struct text key;    /* Local part in lower case, */
	struct text domain; /* "" for every domain of ours. */
	struct text name;   /* Local part as it was spelled. */
};

/* Hosts for mail whose own cannot be reached. */
struct router_relays {
	const struct text *hosts;
	size_t count;
	struct text joined; /* "a, b" */
	struct tls_demand tls;
};

struct router_route {
	struct text pattern; /* Exact domain, ".suffix", or "*". */
	struct text from;    /* "local@domain" in lower case, "@domain", ".suffix", "<>"; "": everybody. */
	const struct text *via;
	size_t via_count;
	struct text via_joined; /* "a, b" */
	bool lmtp;
	struct tls_demand tls;
	struct text user; /* Empty: no login. */
	struct text pool; /* Empty: none. */
	struct router_relays relays;
};

struct router_command {     /* A recipient of a pipe. */
	struct text key;    /* Local part in lower case; "": every other one of */
	struct text domain; /* this domain. */
	struct text name;   /* Of the pipe. */
};

struct router_grant {
	struct text user, user_domain; /* As a router_user's. */
	bool anybody;           /* May send as everybody, else as */
	struct address address; /* this one; local "": as everybody of the domain. */
};

struct router {
	atomic_uint reference_count;
	struct arena *arena;
	struct text hostname;
	struct text first_domain;     /* Of a postmaster without domain; the hostname if we have none. */
	struct text *domains;
	size_t domain_count;
	bool users_known;
	struct router_user *users;
	size_t user_count;
	struct router_command *commands;
	size_t command_count;
	struct aliases aliases;
	struct text aliases_name;
	struct text separator;
	struct router_route *routes;
	size_t route_count;
	bool has_senders;             /* Some route has a `from`. */
	struct router_grant *grants;
	size_t grant_count;
	struct text mailbox_lmtp;
	struct tls_demand tls;
	struct router_relays relays;  /* Of all that has no route; */
	struct text pool;             /* whence it is sent. */
	struct text srs_domain;
	struct srs_secrets srs;       /* Of count 0: nothing is rewritten. */
};

/* What an address of ours is. */
enum match_kind {
	MATCH_NONE,
	MATCH_ALIAS,
	MATCH_USER,
	MATCH_PIPE,
	MATCH_ROUTED /* Its domain is ours, but a route of its own hands it on. */
};

struct match {
	enum match_kind kind;
	const struct alias *alias;         /* MATCH_ALIAS */
	struct text user, detail;          /* MATCH_USER; borrow from the router or the local part. */
	const struct router_user *account; /* MATCH_USER; NULL: a name that nobody knows, but that has a mailbox. */
	const struct router_route *route;  /* MATCH_ROUTED */
	const struct router_command *command; /* MATCH_PIPE; with the detail. */
};

/* `domain` is ours. */
struct match router_match(
    const struct router *router, struct text local, struct text domain, bool with_aliases);

/* In A-label form; the domain of a postmaster without domain, or of this host, is our first.
 * ERR_SYNTAX when there is no such form. */
[[nodiscard]] enum error router_normalise(const struct router *router, const struct address *address, struct arena *arena,
    struct address *out_address, bool *out_ours);

/* A local part up to its separator. */
struct text router_without_detail(const struct router *router, struct text local);

/* Domain in A-label form. */
bool router_owns(const struct router *router, struct text domain);

/* -- routes.c -- */

/* The route with exactly this pattern that is for everybody, or NULL. */
const struct router_route *router_route_of(const struct router *router, struct text pattern);

/* A reverse-path as routes know it: what may stand as their `from`, most special first. */
struct router_sender {
	struct text exact, base; /* "local@domain" or "<>"; the same without its detail. */
	struct text at_domain;   /* "@domain" */
};

/* `address` NULL: nobody is known. Lives in the arena; false: it is full. */
[[nodiscard]] bool router_sender_init(const struct router *router, const struct address *address, struct arena *arena,
    struct router_sender *out_sender);

/* Of a domain in A-label form that is not ours. `sender` NULL: only what is for everybody. NULL: it goes to its MX hosts. */
const struct router_route *router_route_for(
    const struct router *router, struct text domain, const struct router_sender *sender);

/* "local@domain" in lower case. False: the arena is full. */
[[nodiscard]] bool router_join_lower(struct text local, struct text at_domain, struct arena *arena, struct text *out);

/* -- return_path.c -- */

/* Is it an address of SRS, as we make them, good or not? In A-label form. */
bool router_reverses(const struct router *router, const struct address *address);

/* What a client hears of one, and of what srs_reverse said of it. */
struct verdict router_judge_reverse(const struct router *router, const struct address *address, int64_t now_ms);
struct verdict router_reverse_verdict(enum error error);

/* -- hop.c -- */

/* ROUTE_HOSTS for a domain in A-label form, as the route says; NULL: to its MX hosts. Fills next_hop and explanation. */
[[nodiscard]] enum error router_hop(const struct router *router, struct text domain, const struct router_route *route,
    struct arena *arena, struct route_decision *decision);

/* False: the arena is full. */
[[nodiscard]] bool router_copy_hosts(struct arena *arena, const struct text *hosts, size_t count, const struct text **out_hosts);

/* Order of the tables. */
int router_compare_users(const void *a, const void *b);
int router_compare_commands(const void *a, const void *b);
int router_compare_routes(const void *a, const void *b);
int router_compare_texts(const void *a, const void *b);

#endif
