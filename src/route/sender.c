/* Who may send as whom. An address belongs to the user whose mailbox mail for it would reach, if aliases lead there
 * among other places, too; and to whom it was granted. */
#include "route/expand.h"
#include "route/router_private.h"

/* One domain in two forms and a full expansion. */
enum { SCRATCH_BYTES_MAX = 512 * 1024 };

struct question {
	const struct router *router;
	struct arena *scratch;
	struct text local, domain; /* Of the user; the domain in A-label form, empty for a user in all our domains. */
	struct address address;    /* Normalised, */
	bool ours;                 /* and in one of our domains. */
};

static bool is_user(const struct question *question, struct text local, struct text domain)
{
	return text_equal_nocase(local, question->local) && text_equal(domain, question->domain);
}

/* Does mail for this address of ours, no alias looked up, go into the user's mailbox? */
static bool is_mailbox(const struct question *question, const struct address *address)
{
	const struct match match = router_match(question->router, address->local, address->domain, false);

	if (match.kind != MATCH_USER)
		return false;
	if (match.account != NULL)
		return is_user(question, match.account->key, match.account->domain);
	return is_user(question, match.user, TEXT_EMPTY) || is_user(question, match.user, address->domain);
}

/* With or without a detail. */
static bool same_local(const struct question *question, struct text local)
{
	const struct text own = question->address.local, base = router_without_detail(question->router, own);

	return question->ours ? text_equal_nocase(own, local) || text_equal_nocase(base, local)
			      : text_equal(own, local) || text_equal(base, local);
}

static enum error leads_to_user(const struct question *question, bool *out_may)
{
	const struct router *router = question->router;
	const struct address *address = &question->address;
	const struct match match = router_match(router, address->local, address->domain, true);
	struct expansion expansion;

	*out_may = is_mailbox(question, address);
	/* Who logs in by Dovecot may have no mailbox here; his name is his, where it is nobody else's. */
	if (match.kind == MATCH_NONE && question->domain.length == 0)
		*out_may = same_local(question, question->local);
	if (*out_may || match.kind != MATCH_ALIAS)
		return OK;
	const enum error error = expand_alias(router, address, match.alias, question->scratch, &expansion);

	if (error != OK || expansion.end != EXPANSION_DONE)
		return error;
	for (size_t i = 0; i < expansion.target_count && !*out_may; i++)
		*out_may = router_owns(router, expansion.targets[i].domain) && is_mailbox(question, &expansion.targets[i]);
	return OK;
}

static bool is_granted(const struct question *question)
{
	const struct router *router = question->router;

	for (size_t i = 0; i < router->grant_count; i++) {
		const struct router_grant *grant = &router->grants[i];

		if (!is_user(question, grant->user, grant->user_domain))
			continue;
		if (grant->anybody)
			return true;
		if (text_equal(grant->address.domain, question->address.domain) &&
		    (grant->address.local.length == 0 || same_local(question, grant->address.local)))
			return true;
	}
	return false;
}

/* ERR_SYNTAX: there is no such user, or no such address. */
static enum error understand(struct question *question, struct text user, const struct address *address)
{
	const size_t at = text_find_byte_last(user, '@');
	enum error error = OK;

	question->local = text_part(user, 0, at);
	if (at < user.length)
		error = address_domain_to_ascii(text_from(user, at + 1), question->scratch, &question->domain);
	return error != OK
	    ? error
	    : router_normalise(question->router, address, question->scratch, &question->address, &question->ours);
}

enum error router_may_send_as(
    const struct router *router, struct text user, const struct address *address, bool *out_may)
{
	struct question question = { .router = router, .scratch = arena_new(SCRATCH_BYTES_MAX) };
	enum error error = question.scratch ? understand(&question, user, address) : ERR_NO_MEMORY;
	bool may = false;

	if (error == OK) {
		may = is_granted(&question);
		/* A user of a domain that is not ours has no mailbox here, and a name that is an address. */
		if (!may && question.domain.length > 0)
			may = text_equal(question.domain, question.address.domain) && same_local(&question, question.local);
		if (!may && question.ours)
			error = leads_to_user(&question, &may);
	}
	arena_free(question.scratch);
	if (error == OK || error == ERR_SYNTAX)
		*out_may = may;
	return error == ERR_SYNTAX ? OK : error;
}
