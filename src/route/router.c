/* What a router answers. The tables are made in router_new.c, aliases are opened in expand.c.
 *
 * An address of ours is looked up in this order, first as it is, then without its detail
 * (what stands behind the separator):
 *
 *     the alias of the address, the alias of the bare name, the pipe, the user
 *
 * then: the route of its domain, if it has one (we are its gateway or backup MX); the catch-all
 * alias; the catch-all pipe; if users are not known, the mailbox of that name; and postmaster, always. Before all of it: an address
 * that looks like those of SRS leads back to a sender, or nowhere (return_path.c). */
#include <stdlib.h>

#include "base/must.h"
#include "route/expand.h"
#include "route/router_private.h"

static const struct text postmaster = { "postmaster", 10 };

/* Enough for one domain in two forms. */
enum { DOMAIN_BYTES_MAX = 4096 };

/* -- Look-ups ---------------------------------------------------------------------- */

bool router_owns(const struct router *router, struct text domain)
{
	return router->domain_count > 0 &&
	    bsearch(&domain, router->domains, router->domain_count, sizeof domain, router_compare_texts) != NULL;
}

static const struct router_user *find_user(const struct router *router, struct text local, struct text domain)
{
	char room[ADDRESS_LOCAL_MAX];

	if (router->user_count == 0 || local.length > sizeof room)
		return NULL;
	for (size_t i = 0; i < local.length; i++)
		room[i] = byte_lower(local.bytes[i]);
	const struct router_user key = { .key = { room, local.length }, .domain = domain };

	return bsearch(&key, router->users, router->user_count, sizeof key, router_compare_users);
}

/* `local` empty: the catch-all. */
static const struct router_command *find_command(const struct router *router, struct text local, struct text domain)
{
	char room[ADDRESS_LOCAL_MAX];

	if (router->command_count == 0 || local.length > sizeof room)
		return NULL;
	for (size_t i = 0; i < local.length; i++)
		room[i] = byte_lower(local.bytes[i]);
	const struct router_command key = { .key = { room, local.length }, .domain = domain };

	return bsearch(&key, router->commands, router->command_count, sizeof key, router_compare_commands);
}

static size_t find_separator(const struct router *router, struct text local)
{
	for (size_t i = 1; i < local.length; i++) /* A name of detail only is a name. */
		if (text_find_byte(router->separator, local.bytes[i]) < router->separator.length)
			return i;
	return local.length;
}

struct text router_without_detail(const struct router *router, struct text local)
{
	return text_part(local, 0, find_separator(router, local));
}

/* Users are not known: may this be one? A quoted local part can hold anything, a name of a
 * mailbox cannot. */
static bool could_be_user(struct text local)
{
	if (local.length == 0 || local.bytes[0] == '.' || local.bytes[0] == '-')
		return false;
	for (size_t i = 0; i < local.length; i++)
		if ((unsigned char)local.bytes[i] <= ' ' || local.bytes[i] == 0x7f || local.bytes[i] == '/')
			return false;
	return true;
}

/* One form of a local part. MATCH_NONE: try the next. */
static struct match match_form(
    const struct router *router, struct text local, struct text domain, bool with_aliases, bool routed)
{
	const struct alias *alias = NULL;
	const struct router_command *command;
	const struct router_user *user;

	if (with_aliases && (alias = aliases_find(&router->aliases, local, domain)) == NULL)
		alias = aliases_find(&router->aliases, local, TEXT_EMPTY);
	if (alias != NULL)
		return (struct match){ .kind = MATCH_ALIAS, .alias = alias };
	command = find_command(router, local, domain);
	if (command != NULL)
		return (struct match){ .kind = MATCH_PIPE, .command = command };
	user = find_user(router, local, domain);
	if (user == NULL && !routed) /* In a routed domain only whoever is named with it has a mailbox here. */
		user = find_user(router, local, TEXT_EMPTY);
	if (user != NULL)
		return (struct match){ .kind = MATCH_USER, .user = user->name, .account = user };
	return (struct match){ .kind = MATCH_NONE };
}

struct match router_match(
    const struct router *router, struct text local, struct text domain, bool with_aliases)
{
	const struct router_route *route = router_route_of(router, domain);
	const size_t split = find_separator(router, local);
	const struct text base = text_part(local, 0, split), detail = text_from(local, split + 1);
	struct match match = { .kind = MATCH_NONE };

	/* An empty name would meet the catch-alls. */
	if (local.length > 0)
		match = match_form(router, local, domain, with_aliases, route != NULL);
	if (match.kind == MATCH_NONE && split < local.length) {
		match = match_form(router, base, domain, with_aliases, route != NULL);
		match.detail = detail;
	}
	if (match.kind == MATCH_NONE && route != NULL)
		return (struct match){ .kind = MATCH_ROUTED, .route = route };
	if (match.kind == MATCH_NONE && with_aliases &&
	    (match.alias = aliases_find(&router->aliases, TEXT_EMPTY, domain)) != NULL)
		match.kind = MATCH_ALIAS;
	if (match.kind == MATCH_NONE && (match.command = find_command(router, TEXT_EMPTY, domain)) != NULL) {
		match.kind = MATCH_PIPE;
		match.detail = detail;
	}
	if (match.kind == MATCH_NONE && !router->users_known && could_be_user(base)) {
		match.kind = MATCH_USER;
		match.user = base;
		match.detail = detail;
	}
	if (match.kind == MATCH_NONE && text_equal_nocase(base, postmaster)) { /* R1 */
		match.kind = MATCH_USER;
		match.user = postmaster;
	}
	return match;
}

/* -- Judging -------------------------------------------------------------------------- */

/* Reports come from postmaster at our hostname, and answers to them must arrive. */
static bool is_postmaster_of_host(const struct router *router, struct text local, struct text ascii_domain)
{
	return text_equal_nocase(local, postmaster) && text_equal(ascii_domain, router->hostname) &&
	    !router_owns(router, ascii_domain) && router_route_of(router, ascii_domain) == NULL;
}

enum error router_normalise(const struct router *router, const struct address *recipient, struct arena *arena,
    struct address *out, bool *out_ours)
{
	struct text domain = TEXT_EMPTY;

	if (recipient->domain.length > 0) {
		const enum error error = address_domain_to_ascii(recipient->domain, arena, &domain);

		if (error != OK)
			return error;
	}

	const bool of_host = domain.length == 0 || is_postmaster_of_host(router, recipient->local, domain);

	*out = (struct address){ recipient->local, of_host ? router->first_domain : domain };
	*out_ours = of_host || router_owns(router, domain);
	return OK;
}

bool router_is_local(const struct router *router, struct text domain)
{
	struct arena *arena = arena_new(DOMAIN_BYTES_MAX);
	struct text ascii;
	const bool local = arena != NULL && address_domain_to_ascii(domain, arena, &ascii) == OK &&
	    router_owns(router, ascii);

	arena_free(arena);
	return local;
}

/* [127.0.0.1] and [0.0.0.0] are whoever asks, that is ourselves: mail would come back at once. */
static bool is_own_literal(struct text domain)
{
	static const uint8_t unspecified[16] = { 0 };
	struct endpoint endpoint;

	return text_starts(domain, TEXT("[")) && endpoint_parse_ip(domain, &endpoint) &&
	    (endpoint_is_loopback(&endpoint) || memcmp(endpoint.ip, unspecified, sizeof unspecified) == 0);
}

static struct verdict judge_normalised(
    const struct router *router, const struct address *address, bool ours, bool may_relay, int64_t now_ms)
{
	if (ours && router_reverses(router, address))
		return router_judge_reverse(router, address, now_ms);
	if (ours) {
		if (router_match(router, address->local, address->domain, true).kind == MATCH_NONE)
			return VERDICT(550, 5, 1, 1, "no such user here");
		return VERDICT(250, 2, 1, 5, "recipient ok");
	}
	if (!may_relay)
		return VERDICT(550, 5, 7, 1, "relaying denied");
	if (is_own_literal(address->domain) && router_route_for(router, address->domain, NULL) == NULL)
		return VERDICT(550, 5, 1, 2, "a loopback address is no place for mail");
	return VERDICT(250, 2, 1, 5, "recipient ok");
}

struct verdict router_judge(
    const struct router *router, const struct address *recipient, bool may_relay, int64_t now_ms)
{
	struct verdict verdict = VERDICT(452, 4, 3, 1, "out of memory");
	struct arena *arena = arena_new(DOMAIN_BYTES_MAX);
	struct address address;
	bool ours;

	if (arena == NULL)
		return verdict;
	const enum error error = router_normalise(router, recipient, arena, &address, &ours);

	if (error == OK)
		verdict = judge_normalised(router, &address, ours, may_relay, now_ms);
	else if (error == ERR_SYNTAX)
		verdict = VERDICT(550, 5, 1, 2, "the domain has no ASCII form (IDNA)");
	arena_free(arena);
	return verdict;
}

/* -- Deciding --------------------------------------------------------------------------- */

struct decider {
	const struct router *router;
	struct arena *arena;
	struct address address; /* Normalised. */
	struct router_sender sender;
	struct route_decision decision;
};

static enum error refuse(struct decider *decider, struct verdict verdict)
{
	decider->decision.kind = ROUTE_REFUSE;
	decider->decision.verdict = verdict;
	decider->decision.explanation = verdict.text;
	return OK;
}

static enum error decide_hosts(struct decider *decider, const struct router_route *route)
{
	return router_hop(decider->router, decider->address.domain, route, decider->arena, &decider->decision);
}

static enum error decide_mailbox(struct decider *decider, const struct match *match)
{
	const struct router *router = decider->router;
	struct route_decision *decision = &decider->decision;
	struct arena *arena = decider->arena;

	decision->kind = ROUTE_MAILBOX;
	if (!arena_copy(arena, match->user, &decision->user) ||
	    !arena_copy(arena, match->detail, &decision->detail) ||
	    !arena_copy(arena, decider->address.domain, &decision->domain) ||
	    !arena_print(arena, &decision->explanation, "mailbox of %.*s in our domain %.*s%s%.*s",
		TEXT_FORMAT(decision->user), TEXT_FORMAT(decision->domain),
		router->mailbox_lmtp.length > 0 ? ", by LMTP to " : "", TEXT_FORMAT(router->mailbox_lmtp)))
		return ERR_NO_MEMORY;
	if (router->mailbox_lmtp.length == 0)
		return OK;
	decision->kind = ROUTE_HOSTS;
	decision->next_hop.lmtp = true;
	decision->next_hop.tls = router->tls;
	decision->next_hop.domain = decision->domain;
	if (!arena_print(
		arena, &decision->next_hop.destination, "lmtp %.*s", TEXT_FORMAT(router->mailbox_lmtp)))
		return ERR_NO_MEMORY;
	decision->next_hop.via_count = 1;
	return router_copy_hosts(arena, &router->mailbox_lmtp, 1, &decision->next_hop.via) ? OK : ERR_NO_MEMORY;
}

static enum error decide_pipe(struct decider *decider, const struct match *match)
{
	struct route_decision *decision = &decider->decision;
	struct arena *arena = decider->arena;

	decision->kind = ROUTE_PIPE;
	return arena_copy(arena, match->command->name, &decision->user) && arena_copy(arena, match->detail, &decision->detail) &&
		arena_copy(arena, decider->address.domain, &decision->domain) &&
		arena_print(arena, &decision->next_hop.destination, "pipe %.*s", TEXT_FORMAT(decision->user)) &&
		arena_print(arena, &decision->explanation, "pipe \"%.*s\"%s%.*s", TEXT_FORMAT(decision->user),
		    match->command->key.length == 0 ? ", for all others of " : "",
		    TEXT_FORMAT(match->command->key.length == 0 ? match->command->domain : TEXT_EMPTY))
	    ? OK
	    : ERR_NO_MEMORY;
}

static enum error decide_local(struct decider *decider, bool with_aliases);
static enum error decide_ours(struct decider *decider, bool with_aliases);

static enum error refuse_expansion(struct decider *decider, enum expansion_end end)
{
	must(end != EXPANSION_DONE);
	if (end == EXPANSION_LOOP)
		return refuse(decider, VERDICT(550, 5, 4, 6, "its aliases lead round in a circle"));
	if (end == EXPANSION_DEEP)
		return refuse(decider, VERDICT(550, 5, 4, 6, "its aliases lead on more than 20 times"));
	return refuse(decider, VERDICT(550, 5, 2, 4, "its alias stands for more than 1000 addresses"));
}

static enum error decide_alias(struct decider *decider, const struct alias *alias)
{
	struct route_decision *decision = &decider->decision;
	struct expansion expansion;
	const enum error error =
	    expand_alias(decider->router, &decider->address, alias, decider->arena, &expansion);

	if (error != OK)
		return error;
	if (expansion.end != EXPANSION_DONE)
		return refuse_expansion(decider, expansion.end);

	/* `joe: joe` replaces nothing. */
	const struct address *only = &expansion.targets[0];

	if (expansion.target_count == 1 && text_equal(only->domain, decider->address.domain) &&
	    text_equal_nocase(only->local, decider->address.local))
		return decide_local(decider, false);
	decision->kind = ROUTE_EXPAND;
	decision->targets = expansion.targets;
	decision->target_count = expansion.target_count;
	return arena_print(decider->arena, &decision->explanation, "alias %.*s%s%.*s (%.*s:%u), %zu target%s",
		   TEXT_FORMAT(alias->local), alias->domain.length > 0 ? "@" : "", TEXT_FORMAT(alias->domain),
		   TEXT_FORMAT(decider->router->aliases_name), (unsigned)alias->line, expansion.target_count,
		   expansion.target_count == 1 ? "" : "s")
	    ? OK
	    : ERR_NO_MEMORY;
}

static enum error decide_local(struct decider *decider, bool with_aliases)
{
	const struct match match =
	    router_match(decider->router, decider->address.local, decider->address.domain, with_aliases);

	switch (match.kind) {
	case MATCH_ALIAS:
		return decide_alias(decider, match.alias);
	case MATCH_USER:
		return decide_mailbox(decider, &match);
	case MATCH_PIPE:
		return decide_pipe(decider, &match);
	case MATCH_ROUTED:
		return decide_hosts(decider, match.route);
	case MATCH_NONE:
		break;
	}
	return refuse(decider, VERDICT(550, 5, 1, 1, "no such user here"));
}

/* Back to the sender of what was sent on. His domain may be ours by now: then aliases are looked up as for everybody. Each
 * turn takes a tag off, so they end. */
static enum error decide_reverse(struct decider *decider)
{
	struct route_decision *decision = &decider->decision;
	struct address *sender = arena_alloc(decider->arena, sizeof *sender), normal;
	bool ours = false;
	enum error error = sender != NULL
	    ? srs_reverse(&decider->router->srs, decider->address.local, -1, decider->arena, sender)
	    : ERR_NO_MEMORY;

	if (error == ERR_SYNTAX || error == ERR_DENIED)
		return refuse(decider, router_reverse_verdict(error));
	if (error == OK)
		error = router_normalise(decider->router, sender, decider->arena, &normal, &ours);
	if (error == ERR_SYNTAX)
		return refuse(decider, router_reverse_verdict(error));
	if (error == OK && ours) {
		decider->address = normal;
		return decide_ours(decider, true);
	}
	decision->kind = ROUTE_EXPAND;
	decision->targets = sender;
	decision->target_count = 1;
	decision->explanation = TEXT("a sender that was rewritten here (SRS), and back");
	return error;
}

static enum error decide_ours(struct decider *decider, bool with_aliases)
{
	if (!router_reverses(decider->router, &decider->address))
		return decide_local(decider, with_aliases);
	if (!with_aliases)
		return refuse(decider, VERDICT(550, 5, 4, 6, "an alias leads to a rewritten address (SRS)"));
	return decide_reverse(decider);
}

static enum error decide_remote(struct decider *decider)
{
	const struct router_route *route = router_route_for(decider->router, decider->address.domain, &decider->sender);

	if (route == NULL && is_own_literal(decider->address.domain))
		return refuse(decider, VERDICT(550, 5, 1, 2, "a loopback address is no place for mail"));
	return decide_hosts(decider, route);
}

enum error router_decide(const struct router *router, const struct address *recipient, const struct address *sender,
    bool expanded, struct arena *arena, struct route_decision *out_decision)
{
	struct decider decider = { .router = router, .arena = arena };
	bool ours;
	enum error error = router_normalise(router, recipient, arena, &decider.address, &ours);

	if (error == OK && !router_sender_init(router, sender, arena, &decider.sender))
		error = ERR_NO_MEMORY;
	if (error == ERR_SYNTAX)
		error = refuse(&decider, VERDICT(550, 5, 1, 2, "the domain has no ASCII form (IDNA)"));
	else if (error == OK && ours)
		error = decide_ours(&decider, !expanded);
	else if (error == OK)
		error = decide_remote(&decider);
	if (error == OK)
		*out_decision = decider.decision;
	return error;
}

/* A host that wants a login, is safe with TLS only, or knows us by an address, wants it whoever sends mail there. */
static void do_as_routes_do(const struct router *router, struct router_route *route)
{
	for (size_t i = 0; i < router->route_count; i++) {
		const struct router_route *known = &router->routes[i];

		if (!text_equal(known->via_joined, route->via_joined))
			continue;
		route->lmtp = known->lmtp;
		route->tls = known->tls;
		route->user = known->user;
		route->pool = known->pool;
		return;
	}
}

enum error router_decide_via(const struct router *router, const struct address *recipient, struct text via,
    struct arena *arena, struct route_decision *out_decision)
{
	struct router_route route = {
		.pattern = TEXT("by an operator"), .via = &via, .via_count = 1, .via_joined = via, .tls = router->tls,
		.pool = router->pool
	};
	struct decider decider = { .router = router, .arena = arena };
	bool ours;

	do_as_routes_do(router, &route);
	enum error error = router_normalise(router, recipient, arena, &decider.address, &ours);

	if (error == ERR_SYNTAX)
		error = refuse(&decider, VERDICT(550, 5, 1, 2, "the domain has no ASCII form (IDNA)"));
	else if (error == OK)
		error = decide_hosts(&decider, &route);
	if (error == OK)
		*out_decision = decider.decision;
	return error;
}

bool router_require_tls(struct route_decision *decision, struct arena *arena)
{
	struct next_hop *hop = &decision->next_hop;

	if (decision->kind != ROUTE_HOSTS || hop->lmtp)
		return true;
	hop->tls.whole_way = true;
	hop->tls.level = TLS_VERIFIED;
	hop->fallback_tls.whole_way = true;
	hop->fallback_tls.level = TLS_VERIFIED;
	return arena_print(arena, &hop->destination, "%.*s, REQUIRETLS", TEXT_FORMAT(hop->destination));
}

bool router_waive_policies(struct route_decision *decision, struct arena *arena)
{
	struct next_hop *hop = &decision->next_hop;

	if (decision->kind != ROUTE_HOSTS || hop->via_count > 0)
		return true;
	hop->tls.waived = true;
	return arena_print(arena, &hop->destination, "%.*s, whatever its policies", TEXT_FORMAT(hop->destination));
}
