/* Making a router: copies, checks and sorts what the configuration says. */
#include <stdlib.h>

#include "base/must.h"
#include "route/router_private.h"
#include "route/via.h"

/* Of one router; a users file of a million lines fits. */
enum { ROUTER_BYTES_MAX = 512 * 1024 * 1024, SEPARATOR_MAX = 8 };

struct maker {
	struct router *router;
	struct arena *arena; /* The router's. */
	struct text complaint;
};

/* `what` "subject": why. */
static enum error complain(struct maker *maker, const char *what, struct text subject, const char *why)
{
	if (!arena_print(maker->arena, &maker->complaint, "%s \"%.*s\": %s", what,
		TEXT_FORMAT(text_part(subject, 0, 200)), why))
		return ERR_NO_MEMORY;
	return ERR_SYNTAX;
}

int router_compare_texts(const void *a, const void *b)
{
	return text_compare(*(const struct text *)a, *(const struct text *)b);
}

int router_compare_users(const void *a, const void *b)
{
	const struct router_user *left = a, *right = b;
	const int order = text_compare(left->key, right->key);

	return order != 0 ? order : text_compare(left->domain, right->domain);
}

int router_compare_routes(const void *a, const void *b)
{
	const struct router_route *left = a, *right = b;

	return text_compare(left->pattern, right->pattern);
}

static enum error copy_domain(struct maker *maker, const char *what, struct text domain, struct text *out)
{
	if (!address_domain_valid(domain, true) || domain.bytes[0] == '[')
		return complain(maker, what, domain, "not a domain name; write it like example.org");
	const enum error error = address_domain_to_ascii(domain, maker->arena, out);

	return error == ERR_SYNTAX ? complain(maker, what, domain, "has no ASCII form (IDNA)") : error;
}

static enum error make_domains(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;
	size_t kept = 0;

	router->domains = arena_array(maker->arena, settings->domain_count, sizeof *router->domains);
	if (router->domains == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < settings->domain_count; i++) {
		const enum error error = copy_domain(maker, "domain", settings->domains[i], &router->domains[i]);

		if (error != OK)
			return error;
	}
	router->first_domain = settings->domain_count > 0 ? router->domains[0] : router->hostname;
	if (settings->domain_count > 1)
		qsort(router->domains, settings->domain_count, sizeof *router->domains, router_compare_texts);
	for (size_t i = 0; i < settings->domain_count; i++)
		if (i == 0 || !text_equal(router->domains[i], router->domains[kept - 1]))
			router->domains[kept++] = router->domains[i];
	router->domain_count = kept;
	return OK;
}

static enum error copy_lower(struct maker *maker, struct text text, struct text *out_lower)
{
	char *bytes = arena_alloc(maker->arena, text.length);

	if (bytes == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < text.length; i++)
		bytes[i] = byte_lower(text.bytes[i]);
	*out_lower = (struct text){ bytes, text.length };
	return OK;
}

static enum error make_user(struct maker *maker, struct text given, struct router_user *user)
{
	const size_t at = text_find_byte_last(given, '@');
	const struct text local = text_part(given, 0, at);
	enum error error = OK;

	if (local.length == 0 || local.length > ADDRESS_LOCAL_MAX)
		return complain(maker, "user", given, "write a user as name or name@example.org");
	if (at < given.length)
		error = copy_domain(maker, "user", text_from(given, at + 1), &user->domain);
	if (error == OK)
		error = copy_lower(maker, local, &user->key);
	if (error == OK && !arena_copy(maker->arena, local, &user->name))
		error = ERR_NO_MEMORY;
	return error;
}

/* A user of a domain that is not ours can log in, but has no mailbox here: never found, no harm. */
static enum error make_users(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;

	router->users_known = settings->users_known;
	router->user_count = settings->users_known ? settings->user_count : 0;
	router->users = arena_array(maker->arena, router->user_count, sizeof *router->users);
	if (router->users == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < router->user_count; i++) {
		const enum error error = make_user(maker, settings->users[i], &router->users[i]);

		if (error != OK)
			return error;
	}
	if (router->user_count > 1)
		qsort(router->users, router->user_count, sizeof *router->users, router_compare_users);
	return OK;
}

static enum error make_aliases(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;
	const struct text name = settings->aliases_name.length > 0 ? settings->aliases_name : TEXT("aliases");
	enum error error = arena_copy(maker->arena, name, &router->aliases_name) ? OK : ERR_NO_MEMORY;

	if (error == OK)
		error = aliases_parse(
		    settings->aliases, name, maker->arena, &router->aliases, &maker->complaint);
	for (size_t i = 0; error == OK && i < router->aliases.count; i++) {
		const struct alias *alias = &router->aliases.entries[i];

		if (alias->domain.length == 0 || router_owns(router, alias->domain))
			continue;
		error = ERR_SYNTAX;
		if (!arena_print(maker->arena, &maker->complaint,
			"%.*s:%u: \"%.*s@%.*s\": its domain is not ours; add it to domains", TEXT_FORMAT(name),
			(unsigned)alias->line, TEXT_FORMAT(alias->local), TEXT_FORMAT(alias->domain)))
			error = ERR_NO_MEMORY;
	}
	return error;
}

static enum error copy_pattern(struct maker *maker, struct text pattern, struct text *out_pattern)
{
	const bool suffix = text_starts(pattern, TEXT("."));
	struct endpoint literal;
	struct text domain;

	if (text_equal(pattern, TEXT("*"))) {
		*out_pattern = TEXT("*");
		return OK;
	}
	if (text_starts(pattern, TEXT("[")) && endpoint_parse_ip(pattern, &literal))
		return copy_lower(maker, pattern, out_pattern);
	const enum error error = copy_domain(maker, "route", text_from(pattern, suffix), &domain);

	if (error != OK)
		return error;
	return arena_print(maker->arena, out_pattern, "%s%.*s", suffix ? "." : "", TEXT_FORMAT(domain))
	    ? OK
	    : ERR_NO_MEMORY;
}

static enum error copy_via(struct maker *maker, const struct router_rule *rule, struct router_route *route)
{
	struct text *items = arena_array(maker->arena, rule->via_count, sizeof *items);
	struct via via;

	if (items == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < rule->via_count; i++) {
		if (!via_parse(rule->via[i], 25, &via))
			return complain(maker, "route via", rule->via[i],
			    "write host, host:port, 192.0.2.1:25, [2001:db8::1]:25 or unix:/path");
		if (!arena_copy(maker->arena, rule->via[i], &items[i]) ||
		    !arena_print(maker->arena, &route->via_joined, "%.*s%s%.*s", TEXT_FORMAT(route->via_joined),
			i > 0 ? ", " : "", TEXT_FORMAT(items[i])))
			return ERR_NO_MEMORY;
	}
	route->via = items;
	route->via_count = rule->via_count;
	return OK;
}

static enum error make_route(struct maker *maker, const struct router_rule *rule, struct router_route *route)
{
	enum error error = copy_pattern(maker, rule->pattern, &route->pattern);

	route->lmtp = rule->lmtp;
	route->tls = rule->tls;
	if (error == OK)
		error = copy_via(maker, rule, route);
	if (error == OK && rule->lmtp && rule->via_count == 0)
		error = complain(maker, "route", rule->pattern, "LMTP needs a via: MX records name SMTP servers");
	return error;
}

static enum error make_routes(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;

	router->route_count = settings->rule_count;
	router->routes = arena_array(maker->arena, settings->rule_count, sizeof *router->routes);
	if (router->routes == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < settings->rule_count; i++) {
		const enum error error = make_route(maker, &settings->rules[i], &router->routes[i]);

		if (error != OK)
			return error;
	}
	if (router->route_count > 1)
		qsort(router->routes, router->route_count, sizeof *router->routes, router_compare_routes);
	for (size_t i = 1; i < router->route_count; i++)
		if (router_compare_routes(&router->routes[i - 1], &router->routes[i]) == 0)
			return complain(maker, "route", router->routes[i].pattern,
			    "given twice; put all hosts into one via");
	return OK;
}

static enum error make_grant(struct maker *maker, struct text user, struct text given, struct router_grant *grant)
{
	const size_t at = text_find_byte_last(given, '@');
	struct router_user named = { 0 };
	enum error error = make_user(maker, user, &named);

	if (error != OK)
		return error;
	grant->user = named.key;
	grant->user_domain = named.domain;
	grant->anybody = text_equal(given, TEXT("*"));
	if (grant->anybody)
		return OK;
	if (at == given.length || at > ADDRESS_LOCAL_MAX)
		return complain(maker, "send-as", given, "write sales@example.org, @example.org or *");
	error = copy_domain(maker, "send-as", text_from(given, at + 1), &grant->address.domain);
	if (error == OK && !arena_copy(maker->arena, text_part(given, 0, at), &grant->address.local))
		error = ERR_NO_MEMORY;
	return error;
}

static enum error make_grants(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;
	size_t room = 0;

	for (size_t i = 0; i < settings->permission_count; i++)
		room += settings->permissions[i].send_as_count;
	router->grants = arena_array(maker->arena, room, sizeof *router->grants);
	if (router->grants == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < settings->permission_count; i++) {
		const struct router_permission *permission = &settings->permissions[i];

		for (size_t k = 0; k < permission->send_as_count; k++) {
			const enum error error = make_grant(
			    maker, permission->user, permission->send_as[k], &router->grants[router->grant_count]);

			if (error != OK)
				return error;
			router->grant_count++;
		}
	}
	return OK;
}

static enum error make_rest(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;
	struct via via;

	for (size_t i = 0; i < settings->separator.length; i++) {
		const char c = settings->separator.bytes[i];

		if (settings->separator.length > SEPARATOR_MAX || c <= ' ' || c == 0x7f || c == '@' || byte_is_alnum(c))
			return complain(maker, "separator", settings->separator,
			    "at most 8 punctuation characters, such as + or +-");
	}
	if (settings->mailbox_lmtp.length > 0 && !via_parse(settings->mailbox_lmtp, 24, &via))
		return complain(maker, "mailbox lmtp", settings->mailbox_lmtp, "write unix:/path or host:port");
	router->tls = settings->tls;
	if (!arena_copy(maker->arena, settings->separator, &router->separator) ||
	    !arena_copy(maker->arena, settings->mailbox_lmtp, &router->mailbox_lmtp))
		return ERR_NO_MEMORY;
	return OK;
}

static enum error make(struct maker *maker, const struct router_settings *settings)
{
	enum error error = copy_domain(maker, "hostname", settings->hostname, &maker->router->hostname);

	if (error == OK)
		error = make_domains(maker, settings);
	if (error == OK)
		error = make_users(maker, settings);
	if (error == OK)
		error = make_aliases(maker, settings);
	if (error == OK)
		error = make_routes(maker, settings);
	if (error == OK)
		error = make_grants(maker, settings);
	if (error == OK)
		error = make_rest(maker, settings);
	return error;
}

enum error router_new(const struct router_settings *settings, struct arena *arena,
    struct router **out_router, struct text *out_complaint)
{
	struct arena *own = arena_new(ROUTER_BYTES_MAX);
	struct maker maker = { .arena = own };

	if (own == NULL)
		return ERR_NO_MEMORY;
	maker.router = arena_alloc(own, sizeof *maker.router);
	if (maker.router == NULL) {
		arena_free(own);
		return ERR_NO_MEMORY;
	}
	maker.router->arena = own;
	atomic_init(&maker.router->reference_count, 1);
	enum error error = make(&maker, settings);

	if (error == OK) {
		*out_router = maker.router;
		return OK;
	}
	if (error == ERR_SYNTAX && !arena_copy(arena, maker.complaint, out_complaint))
		error = ERR_NO_MEMORY;
	arena_free(own);
	return error;
}

struct router *router_ref(struct router *router)
{
	must(atomic_fetch_add_explicit(&router->reference_count, 1, memory_order_relaxed) > 0);
	return router;
}

void router_unref(struct router *router)
{
	/* The last user must see all that the others did with it before it goes. */
	if (router != NULL &&
	    atomic_fetch_sub_explicit(&router->reference_count, 1, memory_order_acq_rel) == 1)
		arena_free(router->arena);
}
