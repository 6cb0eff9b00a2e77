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

int router_compare_commands(const void *a, const void *b)
{
	const struct router_command *left = a, *right = b;
	const int order = text_compare(left->key, right->key);

	return order != 0 ? order : text_compare(left->domain, right->domain);
}

int router_compare_routes(const void *a, const void *b)
{
	const struct router_route *left = a, *right = b;
	const int order = text_compare(left->pattern, right->pattern);

	return order != 0 ? order : text_compare(left->from, right->from);
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

static enum error make_command(
    struct maker *maker, const struct router_pipe *pipe, struct text recipient, struct router_command *command)
{
	const size_t at = text_find_byte_last(recipient, '@');
	const struct text local = text_part(recipient, 0, at);

	if (at == recipient.length || local.length > ADDRESS_LOCAL_MAX)
		return complain(maker, "pipe for", recipient, "write a recipient as name@example.org or @example.org");
	enum error error = copy_domain(maker, "pipe for", text_from(recipient, at + 1), &command->domain);

	if (error == OK && !router_owns(maker->router, command->domain))
		error = complain(maker, "pipe for", recipient, "its domain is not ours; add it to domains");
	if (error == OK)
		error = copy_lower(maker, local, &command->key);
	if (error == OK && !arena_copy(maker->arena, pipe->name, &command->name))
		error = ERR_NO_MEMORY;
	return error;
}

static enum error make_commands(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;
	size_t count = 0;

	for (size_t i = 0; i < settings->pipe_count; i++)
		count += settings->pipes[i].recipient_count;
	router->commands = arena_array(maker->arena, count, sizeof *router->commands);
	if (router->commands == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < settings->pipe_count; i++)
		for (size_t k = 0; k < settings->pipes[i].recipient_count; k++) {
			const enum error error = make_command(maker, &settings->pipes[i], settings->pipes[i].recipients[k],
			    &router->commands[router->command_count]);

			if (error != OK)
				return error;
			router->command_count++;
		}
	if (count > 1)
		qsort(router->commands, count, sizeof *router->commands, router_compare_commands);
	for (size_t i = 1; i < count; i++)
		if (router_compare_commands(&router->commands[i - 1], &router->commands[i]) == 0)
			return complain(maker, "pipe", router->commands[i].name, "another pipe is for the same recipient; keep one of them");
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

/* `what`: the option, for complaints. */
static enum error copy_hosts(struct maker *maker, const char *what, const struct text *given, size_t count,
    const struct text **out_hosts, struct text *out_joined)
{
	struct text *items = arena_array(maker->arena, count, sizeof *items);
	struct text joined = TEXT_EMPTY;
	struct via via;

	if (items == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if (!via_parse(given[i], 25, &via))
			return complain(maker, what, given[i], "write host, host:port, 192.0.2.1:25, [2001:db8::1]:25 or unix:/path");
		if (!arena_copy(maker->arena, given[i], &items[i]) ||
		    !arena_print(maker->arena, &joined, "%.*s%s%.*s", TEXT_FORMAT(joined), i > 0 ? ", " : "", TEXT_FORMAT(items[i])))
			return ERR_NO_MEMORY;
	}
	*out_hosts = items;
	*out_joined = joined;
	return OK;
}

static enum error copy_relays(struct maker *maker, const char *what, const struct text *given, size_t count,
    struct tls_demand tls, struct router_relays *relays)
{
	relays->count = count;
	relays->tls = tls;
	if (count > ROUTER_FALLBACK_MAX)
		return complain(maker, what, given[ROUTER_FALLBACK_MAX], "at most 4");
	return copy_hosts(maker, what, given, count, &relays->hosts, &relays->joined);
}

/* "bob@example.org", "@example.org", ".example.org", "<>". */
static enum error copy_from(struct maker *maker, struct text given, struct text *out_from)
{
	const bool suffix = text_starts(given, TEXT("."));
	const size_t at = text_find_byte_last(given, '@');
	struct text domain, at_domain;
	struct address address = { 0 };

	if (text_equal(given, TEXT("<>"))) {
		*out_from = TEXT("<>");
		return OK;
	}
	if (!suffix && (at == given.length || (at > 0 && address_parse(given, true, maker->arena, &address) != OK)))
		return complain(maker, "route from", given, "write bob@example.org, @example.org, .example.org or <>");
	const enum error error = copy_domain(maker, "route from", text_from(given, suffix ? 1 : at + 1), &domain);

	if (error != OK)
		return error;
	return arena_print(maker->arena, &at_domain, "%s%.*s", suffix ? "." : "@", TEXT_FORMAT(domain)) &&
		router_join_lower(address.local, at_domain, maker->arena, out_from)
	    ? OK
	    : ERR_NO_MEMORY;
}

static enum error make_route(struct maker *maker, const struct router_rule *rule, struct router_route *route)
{
	enum error error = copy_pattern(maker, rule->pattern, &route->pattern);

	route->lmtp = rule->lmtp;
	route->tls = rule->tls;
	route->via_count = rule->via_count;
	if (error == OK)
		error = copy_hosts(maker, "route via", rule->via, rule->via_count, &route->via, &route->via_joined);
	if (error == OK)
		error = copy_relays(maker, "route fallback", rule->fallback, rule->fallback_count, rule->fallback_tls, &route->relays);
	if (error == OK && (!arena_copy(maker->arena, rule->user, &route->user) || !arena_copy(maker->arena, rule->pool, &route->pool)))
		error = ERR_NO_MEMORY;
	if (error == OK && rule->lmtp && rule->via_count == 0)
		error = complain(maker, "route", rule->pattern, "LMTP needs a via: MX records name SMTP servers");
	if (error == OK && rule->lmtp && rule->fallback_count > 0)
		error = complain(maker, "route", rule->pattern, "LMTP has no fallback: a relay does not know the mailboxes");
	if (error == OK && rule->from_count > 0 && router_owns(maker->router, route->pattern))
		error = complain(maker, "route", rule->pattern, "cannot be for some senders only: the domain is ours");
	return error;
}

/* One for each of its senders. */
static enum error add_rule(struct maker *maker, const struct router_rule *rule)
{
	struct router *router = maker->router;
	struct router_route route = { 0 };
	enum error error = make_route(maker, rule, &route);

	for (size_t i = 0; error == OK && (i == 0 || i < rule->from_count); i++) {
		if (rule->from_count > 0)
			error = copy_from(maker, rule->from[i], &route.from);
		router->has_senders |= rule->from_count > 0;
		router->routes[router->route_count++] = route;
	}
	return error;
}

static enum error make_routes(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;
	size_t room = 0;

	for (size_t i = 0; i < settings->rule_count; i++)
		room += settings->rules[i].from_count > 0 ? settings->rules[i].from_count : 1;
	router->routes = arena_array(maker->arena, room, sizeof *router->routes);
	if (router->routes == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < settings->rule_count; i++) {
		const enum error error = add_rule(maker, &settings->rules[i]);

		if (error != OK)
			return error;
	}
	if (router->route_count > 1)
		qsort(router->routes, router->route_count, sizeof *router->routes, router_compare_routes);
	for (size_t i = 1; i < router->route_count; i++)
		if (router_compare_routes(&router->routes[i - 1], &router->routes[i]) == 0)
			return complain(maker, "route", router->routes[i].pattern,
			    router->routes[i].from.length > 0 ? "given twice for one sender; put all hosts into one via"
							      : "given twice; put all hosts into one via");
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
	    !arena_copy(maker->arena, settings->pool, &router->pool) ||
	    !arena_copy(maker->arena, settings->mailbox_lmtp, &router->mailbox_lmtp))
		return ERR_NO_MEMORY;
	return copy_relays(maker, "outbound fallback", settings->fallback, settings->fallback_count, settings->fallback_tls,
	    &router->relays);
}

static enum error make_secrets(struct maker *maker, const struct router_settings *settings)
{
	struct text content;
	const char *why;
	size_t line;

	if (!arena_copy(maker->arena, settings->srs_secrets, &content))
		return ERR_NO_MEMORY;
	if (srs_secrets_parse(content, &maker->router->srs, &line, &why) == OK)
		return OK;
	return arena_print(maker->arena, &maker->complaint, "%.*s:%zu: %s; write a secret of 16 to 256 characters in each line",
		   TEXT_FORMAT(settings->srs_secrets_name), line, why)
	    ? ERR_SYNTAX
	    : ERR_NO_MEMORY;
}

/* Reports must come back to us, so its domain is one of ours. */
static enum error make_srs(struct maker *maker, const struct router_settings *settings)
{
	struct router *router = maker->router;
	enum error error = OK;

	router->srs_domain = router->first_domain;
	if (settings->srs_secrets.length == 0)
		return OK;
	if (settings->srs_domain.length > 0)
		error = copy_domain(maker, "srs domain", settings->srs_domain, &router->srs_domain);
	if (error == OK && !router_owns(router, router->srs_domain))
		error = complain(maker, "srs domain", router->srs_domain, "it is not ours; add it to domains");
	return error == OK ? make_secrets(maker, settings) : error;
}

static enum error make(struct maker *maker, const struct router_settings *settings)
{
	enum error error = copy_domain(maker, "hostname", settings->hostname, &maker->router->hostname);

	if (error == OK)
		error = make_domains(maker, settings);
	if (error == OK)
		error = make_users(maker, settings);
	if (error == OK)
		error = make_commands(maker, settings);
	if (error == OK)
		error = make_aliases(maker, settings);
	if (error == OK)
		error = make_routes(maker, settings);
	if (error == OK)
		error = make_grants(maker, settings);
	if (error == OK)
		error = make_rest(maker, settings);
	if (error == OK)
		error = make_srs(maker, settings);
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
