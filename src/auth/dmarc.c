/*     POLICY ──► EXISTENCE ──► IDENTIFIERS ──► AUTHOR_ORGANIZATION ──► IDENTIFIER ──► DONE
 *        walk from the      does the author  wait for      the rest of the     a walk for each that
 *        author to a record exist? for np    dmarc_identify  author's walk     could share it
 *
 * Every stage may be left out; the later ones only run for relaxed alignment of domains that differ. */
#include "auth/dmarc.h"

#include "auth/dmarc_walk.h"
#include "auth/domain.h"
#include "base/must.h"

enum stage { POLICY, EXISTENCE, IDENTIFIERS, AUTHOR_ORGANIZATION, IDENTIFIER, DONE };

struct dmarc {
	struct arena *arena;
	enum stage stage;
	struct dmarc_walk author_walk, walk;
	struct dmarc_record record;
	bool is_absent; /* The author domain does not exist. */
	bool identified;
	struct dmarc_identifiers identifiers;
	size_t next; /* 0: the SPF domain; then the DKIM domains. */
	bool unsure; /* Alignment of one was not to be found out. */
	struct dmarc_verdict verdict;
};

static void go_on(struct dmarc *dmarc);

/* -- the policy -------------------------------------------------------------- */

static void end(struct dmarc *dmarc, enum auth_result result, const char *reason)
{
	dmarc->stage = DONE;
	dmarc->verdict.result = result;
	dmarc->verdict.reason = reason;
	dmarc->verdict.disposition = result == AUTH_FAIL ? dmarc->verdict.policy : DMARC_NONE;
}

/* The record that applies: the author's, else its organization's, else that of the public suffix above (§4.10.1). */
static const struct dmarc_found *applicable(const struct dmarc_walk *walk)
{
	const struct dmarc_found *psd = NULL;

	if (walk->count > 0 && text_equal(walk->found[0].domain, walk->start))
		return &walk->found[0];
	const struct text organization = dmarc_walk_organization(walk);

	for (size_t i = 0; i < walk->count; i++) {
		if (text_equal(walk->found[i].domain, organization))
			return &walk->found[i];
		if (walk->found[i].record.psd == DMARC_PSD_YES)
			psd = &walk->found[i];
	}
	return psd;
}

static enum dmarc_policy milder(enum dmarc_policy policy)
{
	return policy == DMARC_REJECT ? DMARC_QUARANTINE : DMARC_NONE;
}

static enum dmarc_policy policy_of(const struct dmarc *dmarc)
{
	const struct dmarc_record *record = &dmarc->record;
	enum dmarc_policy policy = record->policy;

	if (!text_equal(dmarc->verdict.domain, dmarc->verdict.author)) {
		if (record->subdomain_policy != DMARC_UNSET)
			policy = record->subdomain_policy;
		if (dmarc->is_absent && record->absent_policy != DMARC_UNSET)
			policy = record->absent_policy;
	}
	return policy;
}

/* The walk has come to a record of the author, or to its end. */
static void find_policy(struct dmarc *dmarc)
{
	const struct dmarc_found *found;

	if (dmarc->author_walk.failed) {
		end(dmarc, AUTH_TEMPERROR, "DNS has no answer for the policy now");
		return;
	}
	found = applicable(&dmarc->author_walk);
	if (found == NULL || found->record.unusable) {
		end(dmarc, AUTH_NONE, found ? "the record has no policy" : "there is no policy");
		return;
	}
	dmarc->record = found->record;
	dmarc->verdict.record = &dmarc->record;
	dmarc->verdict.domain = found->domain;
	/* Existence only matters where a policy of its own depends on it. */
	dmarc->stage =
	    !text_equal(found->domain, dmarc->verdict.author) && found->record.absent_policy != DMARC_UNSET
	    ? EXISTENCE
	    : IDENTIFIERS;
}

static void hear_policy(struct dmarc *dmarc, const struct answer *answer)
{
	struct question question;
	const bool at_author = dmarc->author_walk.asked == 0;

	dmarc_walk_answer(&dmarc->author_walk, answer);
	/* An author who publishes two has none, and does not get his parent's instead. */
	if (dmarc->author_walk.ambiguous)
		end(dmarc, AUTH_NONE, "there is more than one policy");
	else if ((at_author && dmarc->author_walk.count > 0) ||
	    !dmarc_walk_question(&dmarc->author_walk, &question))
		find_policy(dmarc);
}

static void hear_existence(struct dmarc *dmarc, const struct answer *answer)
{
	if (answer->status == ANSWER_FAILED) {
		end(dmarc, AUTH_TEMPERROR, "DNS does not say now whether the author's domain exists");
		return;
	}
	dmarc->is_absent = answer->status == ANSWER_ABSENT;
	dmarc->stage = IDENTIFIERS;
}

/* -- alignment --------------------------------------------------------------- */

static struct text identifier(const struct dmarc *dmarc)
{
	return dmarc->next == 0 ? dmarc->identifiers.spf
				: domain_without_dot(dmarc->identifiers.dkim[dmarc->next - 1]);
}

static void set_aligned(struct dmarc *dmarc)
{
	if (dmarc->next == 0)
		dmarc->verdict.spf_aligned = true;
	else
		dmarc->verdict.dkim_aligned = true;
}

/* Look at the identifier in hand as far as that goes without DNS. */
static void look(struct dmarc *dmarc)
{
	const bool strict = dmarc->next == 0 ? dmarc->record.spf_strict : dmarc->record.dkim_strict;
	const struct text author = dmarc->verdict.author, domain = identifier(dmarc),
			  organization = dmarc->verdict.organization;
	struct question question;

	if (domain.length == 0 || (dmarc->next > 0 && dmarc->verdict.dkim_aligned)) {
		dmarc->next++;
	} else if (text_equal_nocase(domain, author)) {
		set_aligned(dmarc);
		dmarc->next++;
	} else if (strict || !text_equal_nocase(domain_suffix(domain, 1), domain_suffix(author, 1))) {
		dmarc->next++;
	} else if (dmarc_walk_question(&dmarc->author_walk, &question)) {
		dmarc->stage = AUTHOR_ORGANIZATION;
	} else if (dmarc->author_walk.failed) {
		dmarc->unsure = true;
		dmarc->next++;
	} else if (!domain_is_within(domain, organization)) {
		dmarc->next++;
	} else if (text_equal_nocase(domain, organization)) {
		set_aligned(dmarc);
		dmarc->next++;
	} else {
		dmarc_walk_start(&dmarc->walk, domain, dmarc->arena);
		dmarc->stage = IDENTIFIER;
	}
}

static void align(struct dmarc *dmarc)
{
	struct question question;

	if (!dmarc_walk_question(&dmarc->author_walk, &question) && !dmarc->author_walk.failed)
		dmarc->verdict.organization = dmarc_walk_organization(&dmarc->author_walk);
	while (dmarc->stage == IDENTIFIERS && dmarc->next <= dmarc->identifiers.dkim_count)
		look(dmarc);
	if (dmarc->stage != IDENTIFIERS)
		return;
	dmarc->verdict.untested = policy_of(dmarc);
	dmarc->verdict.policy = dmarc->record.testing ? milder(dmarc->verdict.untested) : dmarc->verdict.untested;
	if (dmarc->verdict.spf_aligned || dmarc->verdict.dkim_aligned)
		end(dmarc, AUTH_PASS, NULL);
	else if (dmarc->unsure)
		end(dmarc, AUTH_TEMPERROR, "DNS has no answer for the alignment now");
	else
		end(dmarc, AUTH_FAIL, "nothing that passed is aligned with the author");
}

static void hear_author_organization(struct dmarc *dmarc, const struct answer *answer)
{
	struct question question;

	dmarc_walk_answer(&dmarc->author_walk, answer);
	if (!dmarc_walk_question(&dmarc->author_walk, &question))
		dmarc->stage = IDENTIFIERS;
}

static void hear_identifier(struct dmarc *dmarc, const struct answer *answer)
{
	struct question question;

	dmarc_walk_answer(&dmarc->walk, answer);
	if (dmarc_walk_question(&dmarc->walk, &question))
		return;
	if (dmarc->walk.failed)
		dmarc->unsure = true;
	else if (text_equal_nocase(dmarc_walk_organization(&dmarc->walk), dmarc->verdict.organization))
		set_aligned(dmarc);
	dmarc->next++;
	dmarc->stage = IDENTIFIERS;
}

static void go_on(struct dmarc *dmarc)
{
	if (dmarc->stage == IDENTIFIERS && dmarc->identified)
		align(dmarc);
}

/* -- the outside ------------------------------------------------------------- */

struct dmarc *dmarc_new(struct text author, struct arena *arena)
{
	struct dmarc *dmarc = arena_alloc(arena, sizeof *dmarc);

	if (dmarc == NULL || !arena_copy(arena, domain_without_dot(author), &dmarc->verdict.author))
		return NULL;
	dmarc->arena = arena;
	dmarc_walk_start(&dmarc->author_walk, dmarc->verdict.author, arena);
	if (dmarc->author_walk.target.length == 0)
		end(dmarc, dmarc->author_walk.failed ? AUTH_TEMPERROR : AUTH_PERMERROR,
		    "the author has no domain");
	return dmarc;
}

bool dmarc_question(const struct dmarc *dmarc, struct question *out_question)
{
	switch (dmarc->stage) {
	case POLICY:
	case AUTHOR_ORGANIZATION:
		return dmarc_walk_question(&dmarc->author_walk, out_question);
	case EXISTENCE:
		*out_question = (struct question){ QUESTION_A, dmarc->verdict.author };
		return true;
	case IDENTIFIER:
		return dmarc_walk_question(&dmarc->walk, out_question);
	default:
		return false;
	}
}

void dmarc_answer(struct dmarc *dmarc, const struct answer *answer)
{
	static void (*const hear[])(struct dmarc *, const struct answer *) = { [POLICY] = hear_policy,
		[EXISTENCE] = hear_existence,
		[AUTHOR_ORGANIZATION] = hear_author_organization,
		[IDENTIFIER] = hear_identifier,
		[DONE] = NULL };

	must(hear[dmarc->stage] != NULL);
	hear[dmarc->stage](dmarc, answer);
	go_on(dmarc);
}

void dmarc_identify(struct dmarc *dmarc, const struct dmarc_identifiers *identifiers)
{
	must(!dmarc->identified);
	dmarc->identified = true;
	dmarc->identifiers = *identifiers;
	dmarc->identifiers.spf = domain_without_dot(identifiers->spf);
	if (dmarc->identifiers.dkim_count > DMARC_IDENTIFIERS_MAX)
		dmarc->identifiers.dkim_count = DMARC_IDENTIFIERS_MAX;
	go_on(dmarc);
}

const struct dmarc_verdict *dmarc_verdict(const struct dmarc *dmarc)
{
	must(dmarc->stage == DONE);
	return &dmarc->verdict;
}
