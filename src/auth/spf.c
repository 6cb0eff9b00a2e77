/* check_host() turned inside out: where the RFC calls itself, a frame is pushed; where it asks the DNS, the
 * machine stops with an expectation, which says what to do with the answer.
 *
 *     WANT_RECORD ──► terms, one after the other ──► a match, or the end of the record
 *                       │      ▲                        │ include: back to the frame below
 *                       ▼      │                        │ redirect: the frame's record is replaced
 *                   WANT_A, WANT_MX, WANT_MX_HOST,      ▼
 *                   WANT_EXISTS, WANT_NAME          at the bottom: WANT_EXPLANATION after a fail, then the end
 *
 * WANT_NAME may come at any place where something is expanded; the place is then done again. */
#include "auth/spf.h"

#include "auth/domain.h"
#include "auth/iprev.h"
#include "auth/spf_macro.h"
#include "auth/spf_term.h"
#include "base/must.h"

enum want {
	WANT_NOTHING,
	WANT_RECORD,
	WANT_A,
	WANT_MX,
	WANT_MX_HOST,
	WANT_EXISTS,
	WANT_NAME,
	WANT_EXPLANATION,
	WANT_TERM, /* No answer, but the next term: a record may have thousands, the stack may not. */
	WANT_COUNT
};

/* What is done again when the client's name is known. */
enum place { AT_TERM, AT_REDIRECT, AT_EXPLANATION_NAME, AT_EXPLANATION_TEXT };

struct frame { /* One record: the sender's, or one that is included. */
	struct text domain;
	struct text terms; /* Not looked at yet. */
	struct text redirect, exp;
};

struct spf {
	struct arena *arena;
	struct spf_request request;
	struct endpoint client; /* IPv4-mapped addresses as IPv4. */
	struct text sender, local, sender_domain;
	struct frame frames[SPF_TERMS_MAX + 1];
	size_t depth;         /* Index of the frame in hand. */
	struct spf_term term; /* In hand. */
	struct spf_term pending[SPF_TERMS_MAX + 1]; /* The `include` that each frame serves. */
	enum want want;
	enum place place;
	struct text name; /* Of the question. */
	struct text hosts[SPF_MX_MAX];
	size_t host_count, host_next;
	struct iprev iprev;
	bool iprev_started;
	struct text explanation; /* As the DNS gave it. */
	unsigned void_lookups;
	struct spf_verdict verdict;
};

static void do_term(struct spf *spf);
static void end_of_record(struct spf *spf);
static void ask_explanation(struct spf *spf);
static void expand_explanation(struct spf *spf);

/* -- ends -------------------------------------------------------------------- */

static void end(struct spf *spf, enum auth_result result, struct text reason)
{
	spf->want = WANT_NOTHING;
	spf->verdict.result = result;
	spf->verdict.reason = reason;
	if (result == AUTH_TEMPERROR || result == AUTH_PERMERROR || result == AUTH_NONE)
		spf->verdict.mechanism = TEXT_EMPTY;
}

static void no_memory(struct spf *spf)
{
	end(spf, AUTH_TEMPERROR, TEXT("out of memory"));
}

static void mistake(struct spf *spf, const char *what, struct text about)
{
	struct text reason;

	if (!arena_print(spf->arena, &reason, "%s: %.*s", what, TEXT_FORMAT(about)))
		reason = text_of(what);
	end(spf, AUTH_PERMERROR, reason);
}

static void dns_failure(struct spf *spf)
{
	struct text reason;

	if (!arena_print(spf->arena, &reason, "DNS has no answer for %.*s now", TEXT_FORMAT(spf->name)))
		reason = TEXT("DNS has no answer now");
	end(spf, AUTH_TEMPERROR, reason);
}

/* -- questions --------------------------------------------------------------- */

static void ask(struct spf *spf, enum want want, struct text name)
{
	spf->want = want;
	spf->name = name;
}

/* True when the name of the client is known or not needed; else it is being asked for, and `place` will be
 * done again. */
static bool name_is_known(struct spf *spf, bool needed, enum place place)
{
	struct question question;

	if (needed && !spf->iprev_started) {
		iprev_start(&spf->iprev, &spf->client, spf->arena);
		spf->iprev_started = true;
	}
	if (!needed || !iprev_question(&spf->iprev, &question))
		return true;
	spf->place = place;
	ask(spf, WANT_NAME, question.name);
	return false;
}

/* The validated name to show for `p`: the domain itself, else one below it, else any (§7.3). */
static struct text best_name(const struct spf *spf, struct text domain)
{
	struct text best = TEXT("unknown");
	int best_rank = 0;

	for (size_t i = 0; spf->iprev_started && i < spf->iprev.count; i++) {
		const struct text name = spf->iprev.names[i];
		const int rank = !spf->iprev.validated[i] ? 0
		    : text_equal_nocase(name, domain)     ? 3
		    : domain_is_within(name, domain)      ? 2
							  : 1;

		if (rank > best_rank) {
			best_rank = rank;
			best = name;
		}
	}
	return best;
}

static bool expand(struct spf *spf, struct text text, struct text *out_expansion)
{
	const struct text domain = spf->frames[spf->depth].domain;
	const struct spf_values values = { .sender = spf->sender,
		.local = spf->local,
		.sender_domain = spf->sender_domain,
		.domain = domain,
		.helo = spf->request.helo,
		.receiver = spf->request.receiver,
		.validated = best_name(spf, domain),
		.client = &spf->client,
		.now_s = spf->request.now_s };

	return spf_macro_expand(text, &values, spf->arena, out_expansion);
}

/* A domain-spec expanded and cut from the left until it can be a name (§7.3); without one, the current domain. */
static bool target_name(struct spf *spf, struct text spec, struct text *out_name)
{
	struct text name = spf->frames[spf->depth].domain;

	if (spec.length > 0 && !expand(spf, spec, &name))
		return false;
	name = domain_without_dot(name);
	while (name.length > DOMAIN_BYTES_MAX && text_find_byte(name, '.') < name.length)
		name = domain_parent(name);
	*out_name = name;
	return true;
}

/* -- records ----------------------------------------------------------------- */

/* A record for the frame in hand; the domain must be able to have one (§4.3). */
static void ask_record(struct spf *spf, struct text domain)
{
	struct frame *frame = &spf->frames[spf->depth];

	*frame = (struct frame){ .domain = domain };
	ask(spf, WANT_RECORD, domain);
}

/* Ends the frame with a result of its terms. */
static void finish_frame(struct spf *spf, enum auth_result result, struct text mechanism)
{
	if (spf->depth == 0) {
		end(spf, result, TEXT_EMPTY);
		spf->verdict.mechanism = mechanism;
		if (result == AUTH_FAIL && spf->frames[0].exp.length > 0)
			ask_explanation(spf);
		return;
	}
	spf->term = spf->pending[spf->depth--];
	if (result == AUTH_PASS)
		finish_frame(spf, spf->term.qualifier, spf->term.whole);
	else
		spf->want = WANT_TERM;
}

static void no_record(struct spf *spf, struct text domain, bool is_redirected)
{
	if (spf->depth > 0 || is_redirected)
		mistake(spf, "no SPF record where one is named", domain);
	else
		end(spf, AUTH_NONE, TEXT("the domain has no SPF record"));
}

static void hear_record(struct spf *spf, const struct answer *answer)
{
	struct frame *frame = &spf->frames[spf->depth];
	struct text terms = TEXT_EMPTY, found;
	size_t count = 0;

	if (answer->status == ANSWER_FAILED) {
		dns_failure(spf);
		return;
	}
	for (size_t i = 0; i < answer->count; i++) {
		if (spf_record_is(answer->records[i].text, &found)) {
			terms = found;
			count++;
		}
	}
	if (count == 0)
		no_record(spf, frame->domain, !text_equal(frame->domain, spf->verdict.domain));
	else if (count > 1)
		mistake(spf, "more than one SPF record", frame->domain);
	else if (!arena_copy(spf->arena, terms, &frame->terms))
		no_memory(spf);
	else if (!spf_terms_check(frame->terms, &frame->redirect, &frame->exp))
		mistake(spf, "a mistake in the SPF record", frame->domain);
	else
		spf->want = WANT_TERM;
}

/* -- terms ------------------------------------------------------------------- */

static bool needs_dns(enum spf_kind kind)
{
	return kind == SPF_INCLUDE || kind == SPF_A || kind == SPF_MX || kind == SPF_PTR ||
	    kind == SPF_EXISTS || kind == SPF_REDIRECT;
}

/* One more term that needs DNS. False: one too many. */
static bool count_lookup(struct spf *spf, struct text term)
{
	if (spf->verdict.lookups == SPF_TERMS_MAX) {
		mistake(spf, "more than 10 terms that need DNS, at", term);
		return false;
	}
	spf->verdict.lookups++;
	return true;
}

static void match(struct spf *spf, bool matches)
{
	if (matches)
		finish_frame(spf, spf->term.qualifier, spf->term.whole);
	else
		spf->want = WANT_TERM;
}

static void take_term(struct spf *spf)
{
	struct frame *frame = &spf->frames[spf->depth];
	bool wrong;

	do {
		if (!spf_term_next(&frame->terms, &spf->term, &wrong)) {
			must(!wrong); /* F2 */
			end_of_record(spf);
			return;
		}
	} while (spf->term.kind >= SPF_REDIRECT);
	if (!needs_dns(spf->term.kind) || count_lookup(spf, spf->term.whole))
		do_term(spf);
}

static void do_include(struct spf *spf, struct text domain)
{
	must(spf->depth < SPF_TERMS_MAX); /* Each frame costs one of the terms that F1 counts. */
	spf->pending[++spf->depth] = spf->term;
	ask_record(spf, domain);
	if (!domain_is_name(domain))
		no_record(spf, domain, true);
}

/* `ptr`: one of the client's names lies within the target (§5.5). */
static void do_ptr(struct spf *spf, struct text target)
{
	bool matches = false;

	for (size_t i = 0; i < spf->iprev.count && !matches; i++)
		matches = spf->iprev.validated[i] && domain_is_within(spf->iprev.names[i], target);
	match(spf, matches);
}

static void do_term(struct spf *spf)
{
	const struct spf_term *term = &spf->term;
	struct text target = TEXT_EMPTY;

	if (term->kind == SPF_ALL) {
		match(spf, true);
		return;
	}
	if (term->kind == SPF_IP4 || term->kind == SPF_IP6) {
		match(spf, network_holds(&term->network, &spf->client));
		return;
	}
	if (!name_is_known(spf, term->kind == SPF_PTR || spf_macro_needs_name(term->domain_spec), AT_TERM))
		return;
	if (!target_name(spf, term->domain_spec, &target)) {
		no_memory(spf);
		return;
	}
	switch (term->kind) {
	case SPF_INCLUDE:
		do_include(spf, target);
		break;
	case SPF_A:
		ask(spf, WANT_A, target);
		break;
	case SPF_MX:
		ask(spf, WANT_MX, target);
		break;
	case SPF_EXISTS:
		ask(spf, WANT_EXISTS, target);
		break;
	default:
		must(term->kind == SPF_PTR);
		do_ptr(spf, target);
	}
}

/* No term matched (§4.7, §6.1). */
static void end_of_record(struct spf *spf)
{
	struct frame *frame = &spf->frames[spf->depth];
	struct text target;

	if (frame->redirect.length == 0) {
		finish_frame(spf, AUTH_NEUTRAL, TEXT("default"));
		return;
	}
	if (!name_is_known(spf, spf_macro_needs_name(frame->redirect), AT_REDIRECT))
		return;
	if (!count_lookup(spf, frame->redirect))
		return;
	if (!target_name(spf, frame->redirect, &target)) {
		no_memory(spf);
		return;
	}
	ask_record(spf, target);
	if (!domain_is_name(target))
		no_record(spf, target, true);
}

/* -- answers ----------------------------------------------------------------- */

/* The answer to the query of a term itself. False: it has ended the check. */
static bool is_usable(struct spf *spf, const struct answer *answer)
{
	if (answer->status == ANSWER_FAILED) {
		dns_failure(spf);
		return false;
	}
	if (answer->count == 0 && ++spf->void_lookups > SPF_VOID_MAX) {
		mistake(spf, "more than 2 terms whose DNS queries found nothing, at", spf->term.whole);
		return false;
	}
	return true;
}

static bool holds_client(const struct spf *spf, const struct answer *answer)
{
	const bool is_ip6 = spf->client.family == ENDPOINT_IP6;

	for (size_t i = 0; i < answer->count; i++) {
		const struct network network = { .base = answer->records[i].address,
			.prefix_bits = is_ip6 ? spf->term.prefix6 : spf->term.prefix4 };

		if (network.base.family == spf->client.family && network_holds(&network, &spf->client))
			return true;
	}
	return false;
}

static void hear_addresses(struct spf *spf, const struct answer *answer)
{
	if (is_usable(spf, answer))
		match(spf, holds_client(spf, answer));
}

static void hear_exists(struct spf *spf, const struct answer *answer)
{
	if (is_usable(spf, answer))
		match(spf, answer->count > 0);
}

static void next_host(struct spf *spf)
{
	if (spf->host_next == spf->host_count)
		spf->want = WANT_TERM;
	else
		ask(spf, WANT_MX_HOST, spf->hosts[spf->host_next++]);
}

static void hear_mx(struct spf *spf, const struct answer *answer)
{
	if (!is_usable(spf, answer))
		return;
	if (answer->count > SPF_MX_MAX) {
		mistake(spf, "more than 10 hosts of", spf->term.whole);
		return;
	}
	spf->host_count = spf->host_next = 0;
	for (size_t i = 0; i < answer->count; i++) {
		if (!arena_copy(spf->arena, domain_without_dot(answer->records[i].text),
			&spf->hosts[spf->host_count++])) {
			no_memory(spf);
			return;
		}
	}
	next_host(spf);
}

static void hear_mx_host(struct spf *spf, const struct answer *answer)
{
	if (answer->status == ANSWER_FAILED)
		dns_failure(spf);
	else if (holds_client(spf, answer))
		match(spf, true);
	else
		next_host(spf);
}

static void hear_name(struct spf *spf, const struct answer *answer)
{
	iprev_answer(&spf->iprev, answer);
	if (!name_is_known(spf, true, spf->place))
		return;
	/* A client without a name is a query that found nothing, too. */
	if (spf->place == AT_TERM && spf->term.kind == SPF_PTR && spf->iprev.count == 0 &&
	    !spf->iprev.failed && !is_usable(spf, &(struct answer){ .status = ANSWER_ABSENT }))
		return;
	switch (spf->place) {
	case AT_TERM:
		do_term(spf);
		break;
	case AT_REDIRECT:
		end_of_record(spf);
		break;
	case AT_EXPLANATION_NAME:
		ask_explanation(spf);
		break;
	case AT_EXPLANATION_TEXT:
		expand_explanation(spf);
		break;
	}
}

/* -- the explanation: whatever goes wrong with it, there just is none (§6.2) -- */

static void ask_explanation(struct spf *spf)
{
	const struct text exp = spf->frames[0].exp;
	struct text name;

	if (!name_is_known(spf, spf_macro_needs_name(exp), AT_EXPLANATION_NAME))
		return;
	spf->want = WANT_NOTHING;
	if (target_name(spf, exp, &name) && domain_is_name(name))
		ask(spf, WANT_EXPLANATION, name);
}

static void expand_explanation(struct spf *spf)
{
	if (!name_is_known(spf, spf_macro_needs_name(spf->explanation), AT_EXPLANATION_TEXT))
		return;
	spf->want = WANT_NOTHING;
	struct text expansion;

	/* What a macro brought in may be anything; a reply and a log line may not. */
	if (!expand(spf, spf->explanation, &expansion))
		return;
	for (size_t i = 0; i < expansion.length; i++)
		if (expansion.bytes[i] < ' ' || expansion.bytes[i] > '~')
			return;
	spf->verdict.explanation = expansion;
}

static void hear_explanation(struct spf *spf, const struct answer *answer)
{
	spf->want = WANT_NOTHING;
	if (answer->count == 1 && answer->records[0].text.length <= SPF_EXPANSION_MAX &&
	    spf_macro_check(answer->records[0].text, SPF_IN_EXPLANATION) &&
	    arena_copy(spf->arena, answer->records[0].text, &spf->explanation))
		expand_explanation(spf);
}

/* -- the outside ------------------------------------------------------------- */

/* "::ffff:192.0.2.1" is 192.0.2.1 (§5). */
static struct endpoint plain_client(const struct endpoint *client)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct endpoint plain = { .family = client->family };

	must(client->family == ENDPOINT_IP4 || client->family == ENDPOINT_IP6);
	if (client->family == ENDPOINT_IP6 && memcmp(client->ip, mapped, sizeof mapped) == 0) {
		plain.family = ENDPOINT_IP4;
		memcpy(plain.ip, client->ip + 12, 4);
	} else {
		memcpy(plain.ip, client->ip, client->family == ENDPOINT_IP6 ? 16 : 4);
	}
	return plain;
}

/* Who is to be checked: the reverse-path, or without one the HELO name; without a local part, postmaster (§4.3). */
static bool find_sender(struct spf *spf)
{
	const struct text path = spf->request.sender;
	const size_t at = text_find_byte_last(path, '@');

	spf->verdict.is_helo = path.length == 0;
	spf->local = at > 0 && at < path.length ? text_part(path, 0, at) : TEXT("postmaster");
	spf->sender_domain = path.length == 0 ? spf->request.helo
	    : at < path.length                ? text_from(path, at + 1)
					      : path;
	spf->sender_domain = domain_without_dot(spf->sender_domain);
	return arena_print(
	    spf->arena, &spf->sender, "%.*s@%.*s", TEXT_FORMAT(spf->local), TEXT_FORMAT(spf->sender_domain));
}

struct spf *spf_new(const struct spf_request *request, struct arena *arena)
{
	struct spf *spf = arena_alloc(arena, sizeof *spf);

	if (spf == NULL)
		return NULL;
	spf->arena = arena;
	spf->request = *request;
	spf->client = plain_client(&request->client);
	if (!find_sender(spf))
		return NULL;
	spf->verdict.domain = spf->sender_domain;
	/* A name of one label is nobody's on the Internet, and an address literal has no record. */
	if (!domain_is_name(spf->sender_domain) || domain_label_count(spf->sender_domain) < 2 ||
	    spf->sender_domain.bytes[0] == '[')
		end(spf, AUTH_NONE, TEXT("no domain that could have an SPF record"));
	else
		ask_record(spf, spf->sender_domain);
	return spf;
}

bool spf_question(const struct spf *spf, struct question *out_question)
{
	static const enum question_type types[WANT_COUNT] = { [WANT_RECORD] = QUESTION_TXT,
		[WANT_MX] = QUESTION_MX,
		[WANT_EXISTS] = QUESTION_A,
		[WANT_EXPLANATION] = QUESTION_TXT };
	struct question question = { types[spf->want], spf->name };

	if (spf->want == WANT_NOTHING)
		return false;
	if (spf->want == WANT_A || spf->want == WANT_MX_HOST)
		question.type = spf->client.family == ENDPOINT_IP6 ? QUESTION_AAAA : QUESTION_A;
	if (spf->want == WANT_NAME)
		must(iprev_question(&spf->iprev, &question));
	*out_question = question;
	return true;
}

void spf_answer(struct spf *spf, const struct answer *answer)
{
	static void (*const hear[WANT_COUNT])(
	    struct spf *, const struct answer *) = { [WANT_RECORD] = hear_record,
		[WANT_A] = hear_addresses,
		[WANT_MX] = hear_mx,
		[WANT_MX_HOST] = hear_mx_host,
		[WANT_EXISTS] = hear_exists,
		[WANT_NAME] = hear_name,
		[WANT_EXPLANATION] = hear_explanation };

	must(hear[spf->want] != NULL);
	must((answer->status == ANSWER_FOUND) == (answer->count > 0));
	hear[spf->want](spf, answer);
	while (spf->want == WANT_TERM)
		take_term(spf);
}

const struct spf_verdict *spf_verdict(const struct spf *spf)
{
	must(spf->want == WANT_NOTHING);
	return &spf->verdict;
}
