#include "web/rules.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"

enum { ARENA_BYTES = 16 << 20 };

struct web_rules {
	struct arena *arena;
	struct text policy;
	struct text *domains;
	size_t domain_count;
	struct web_rates rates;
	struct web_tokens *tokens; /* NULL: nobody needs one. */
	atomic_uint references;
};

static bool copy_policy(struct web_rules *rules, const struct web_rules_settings *settings)
{
	rules->arena = arena_new(ARENA_BYTES);
	rules->domains = rules->arena ? arena_array(rules->arena, settings->domain_count + 1, sizeof *rules->domains) : NULL;
	if (rules->domains == NULL || !arena_copy(rules->arena, settings->policy, &rules->policy))
		return false;
	for (; rules->domain_count < settings->domain_count; rules->domain_count++)
		if (!arena_copy(rules->arena, settings->domains[rules->domain_count], &rules->domains[rules->domain_count]))
			return false;
	return true;
}

struct web_rules *web_rules_new(const struct web_rules_settings *settings, struct buffer *complaints)
{
	struct web_rules *rules = calloc(1, sizeof *rules);

	if (rules == NULL)
		return NULL;
	atomic_init(&rules->references, 1);
	rules->rates = (struct web_rates){ settings->messages, settings->recipients };
	if (settings->has_tokens)
		rules->tokens = web_tokens_new(settings->name, settings->tokens, complaints);
	if ((!settings->has_tokens || rules->tokens != NULL) && copy_policy(rules, settings))
		return rules;
	web_rules_unref(rules);
	return NULL;
}

struct web_rules *web_rules_ref(struct web_rules *rules)
{
	atomic_fetch_add(&rules->references, 1);
	return rules;
}

void web_rules_unref(struct web_rules *rules)
{
	if (rules == NULL || atomic_fetch_sub(&rules->references, 1) > 1)
		return;
	web_tokens_free(rules->tokens);
	arena_free(rules->arena);
	free(rules);
}

struct text web_rules_policy(const struct web_rules *rules, struct text host)
{
	const struct text prefix = TEXT("mta-sts.");
	const struct text domain = text_from(text_part(host, 0, text_find_byte(host, ':')), prefix.length);

	for (size_t i = 0; text_starts_nocase(host, prefix) && i < rules->domain_count; i++)
		if (text_equal_nocase(domain, rules->domains[i]))
			return rules->policy;
	return TEXT_EMPTY;
}

/* RFC 6750 §2.1 */
static struct text bearer_of(struct text authorization)
{
	const struct text scheme = TEXT("Bearer ");

	return text_starts_nocase(authorization, scheme) ? text_trim(text_from(authorization, scheme.length)) : TEXT_EMPTY;
}

struct text web_rules_name(const struct web_rules *rules, const struct web_visitor *visitor)
{
	const struct text token = bearer_of(visitor->authorization);
	struct text name = TEXT_EMPTY;

	if (rules->tokens != NULL && token.length > 0)
		(void)web_tokens_scopes(rules->tokens, token, &name);
	return name;
}

struct web_rates web_rules_rates(const struct web_rules *rules)
{
	return rules->rates;
}

unsigned web_rules_judge(
    const struct web_rules *rules, const struct web_visitor *visitor, unsigned scope, const char **out_why)
{
	const struct text token = bearer_of(visitor->authorization);
	struct text name;
	unsigned scopes;

	if (visitor->origin.length > 0 && !web_origin_is_host(visitor->origin, visitor->host)) {
		*out_why = "a page of another site may not ask";
		return 403;
	}
	if (scope == 0)
		return 0;
	if (rules->tokens == NULL) {
		*out_why = "ask for localhost or 127.0.0.1";
		return web_host_is_local(visitor->host) ? 0 : 403;
	}
	scopes = token.length > 0 ? web_tokens_scopes(rules->tokens, token, &name) : 0;
	*out_why = scopes == 0 ? "a token is needed: Authorization: Bearer TOKEN" : "this token has not the scope for that";
	return scopes == 0 ? 401 : (scopes & scope) != 0 ? 0 : 403;
}
