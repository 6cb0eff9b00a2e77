/* What a router is made of, for router.c, router_new.c and expand.c only.
 *
 *   T1  Every text lives in the router's arena. Domains are in A-label form, lower case.
 *   T2  Tables are sorted and hold nothing twice. */
#ifndef ROUTE_ROUTER_PRIVATE_H
#define ROUTE_ROUTER_PRIVATE_H

#include <stdatomic.h>

#include "route/aliases.h"
#include "route/router.h"

struct router_user {
	struct text key;    /* Local part in lower case, */
	struct text domain; /* "" for every domain of ours. */
	struct text name;   /* Local part as it was spelled. */
};

struct router_route {
	struct text pattern; /* Exact domain, ".suffix", or "*". */
	const struct text *via;
	size_t via_count;
	struct text via_joined; /* "a, b" */
	bool lmtp;
	struct tls_demand tls;
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
	struct aliases aliases;
	struct text aliases_name;
	struct text separator;
	struct router_route *routes;
	size_t route_count;
	struct router_grant *grants;
	size_t grant_count;
	struct text mailbox_lmtp;
	struct tls_demand tls;
};

/* What an address of ours is. */
enum match_kind {
	MATCH_NONE,
	MATCH_ALIAS,
	MATCH_USER,
	MATCH_ROUTED /* Its domain is ours, but a route of its own hands it on. */
};

struct match {
	enum match_kind kind;
	const struct alias *alias;         /* MATCH_ALIAS */
	struct text user, detail;          /* MATCH_USER; borrow from the router or the local part. */
	const struct router_user *account; /* MATCH_USER; NULL: a name that nobody knows, but that has a mailbox. */
	const struct router_route *route;  /* MATCH_ROUTED */
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

/* The route with exactly this pattern, or NULL. */
const struct router_route *router_route_of(const struct router *router, struct text pattern);

/* Order of the tables. */
int router_compare_users(const void *a, const void *b);
int router_compare_routes(const void *a, const void *b);
int router_compare_texts(const void *a, const void *b);

#endif
