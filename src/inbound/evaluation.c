#include "inbound/evaluation.h"

#include <stdlib.h>

#include "auth/author.h"
#include "base/buffer.h"
#include "base/must.h"
#include "lookup/lookup.h"

/* What asks the DNS, each on its own. */
enum branch_name { BRANCH_IPREV, BRANCH_SPF, BRANCH_SPF_HELO, BRANCH_DKIM, BRANCH_ARC, BRANCH_DMARC, BRANCH_COUNT };

struct branch {
	struct evaluation *evaluation;
	const struct lookup_kind *kind;
	void *evaluator;       /* NULL: not there, or not yet. */
	struct lookup *lookup; /* Under way, or NULL. */
};

/*     TEXT ──end──► WAITING ──all answered──► ALIGNING ──all answered──► FOUND
 *
 * DMARC's policy is looked for from the moment that the author is known; what SPF and DKIM say is aligned with it
 * when both are known, and may raise questions more. */
enum evaluation_state { EVALUATION_TEXT, EVALUATION_WAITING, EVALUATION_ALIGNING, EVALUATION_FOUND };

struct evaluation {
	enum evaluation_state state;
	struct arena *arena;
	struct dns *const *dns;
	struct key_ring *ring;
	struct loop_timer *timer;
	void (*done)(void *context);
	void *context;
	bool late;             /* The time is over. */
	bool wants_dkim, wants_dmarc, wants_seal;
	struct dkim_manner manner; /* Of the seal. */
	struct arc_sealer *sealer; /* NULL: none is possible. */
	int64_t now_s;
	struct branch branches[BRANCH_COUNT];
	struct buffer header;  /* While it comes. */
	bool header_over;
	struct header_index index;
	struct body_hashes *hashes;
	struct iprev iprev;
	struct spf_request spf_request;
	struct dmarc_verdict nobody; /* What DMARC says of a message without an author. */
	struct dmarc_identifiers identifiers;
	struct text passed[DMARC_IDENTIFIERS_MAX];
	struct evaluation_findings findings;
};

/* -- Questions --------------------------------------------------------------------------- */

/* Whatever it still asks is not answered. */
static void give_up(struct branch *branch)
{
	static const struct answer failed = { .status = ANSWER_FAILED };
	struct question question;

	lookup_cancel(branch->lookup);
	branch->lookup = NULL;
	while (branch->evaluator != NULL && branch->kind->question(branch->evaluator, &question))
		branch->kind->answer(branch->evaluator, &failed);
}

static void go_on(struct evaluation *evaluation);

static void branch_ended(void *context)
{
	struct branch *branch = context;

	branch->lookup = NULL;
	go_on(branch->evaluation);
}

static void begin(struct branch *branch)
{
	const struct lookup_listener listener = { .done = branch_ended, .context = branch };
	struct question question;

	must(branch->lookup == NULL);
	if (branch->evaluator == NULL || !branch->kind->question(branch->evaluator, &question))
		return;
	if (!branch->evaluation->late)
		branch->lookup = lookup_start(*branch->evaluation->dns, branch->kind, branch->evaluator, &listener);
	if (branch->lookup == NULL)
		give_up(branch);
}

static void equip(struct evaluation *evaluation, enum branch_name name, void *evaluator)
{
	evaluation->branches[name].evaluator = evaluator;
	evaluation->findings.no_memory |= evaluator == NULL;
	begin(&evaluation->branches[name]);
}

static bool is_asking(const struct evaluation *evaluation)
{
	for (size_t i = 0; i < BRANCH_COUNT; i++)
		if (evaluation->branches[i].lookup != NULL)
			return true;
	return false;
}

/* -- Findings ------------------------------------------------------------------------------ */

static void judge_methods(struct evaluation *evaluation)
{
	struct evaluation_findings *findings = &evaluation->findings;
	const struct branch *branches = evaluation->branches;

	if (branches[BRANCH_SPF].evaluator != NULL)
		findings->spf = spf_verdict(branches[BRANCH_SPF].evaluator);
	if (branches[BRANCH_SPF_HELO].evaluator != NULL)
		findings->spf_helo = spf_verdict(branches[BRANCH_SPF_HELO].evaluator);
	if (branches[BRANCH_DKIM].evaluator != NULL) {
		findings->dkim_used = true;
		findings->dkim = dkim_judge(branches[BRANCH_DKIM].evaluator, evaluation->ring, &findings->dkim_count);
	}
	if (branches[BRANCH_ARC].evaluator != NULL)
		findings->arc = arc_judge(branches[BRANCH_ARC].evaluator, evaluation->ring);
}

static void identify(struct evaluation *evaluation)
{
	const struct evaluation_findings *findings = &evaluation->findings;
	size_t count = 0;

	if (findings->spf != NULL && findings->spf->result == AUTH_PASS)
		evaluation->identifiers.spf = findings->spf->domain;
	for (size_t i = 0; i < findings->dkim_count && count < DMARC_IDENTIFIERS_MAX; i++)
		if (findings->dkim[i].result == AUTH_PASS)
			evaluation->passed[count++] = findings->dkim[i].signature->domain;
	evaluation->identifiers.dkim = evaluation->passed;
	evaluation->identifiers.dkim_count = count;
	dmarc_identify(evaluation->branches[BRANCH_DMARC].evaluator, &evaluation->identifiers);
	begin(&evaluation->branches[BRANCH_DMARC]);
}

/* As far as it can without an answer. */
static void advance(struct evaluation *evaluation)
{
	struct branch *dmarc = &evaluation->branches[BRANCH_DMARC];

	if (evaluation->state == EVALUATION_WAITING && !is_asking(evaluation)) {
		judge_methods(evaluation);
		evaluation->state = EVALUATION_ALIGNING;
		if (dmarc->evaluator != NULL)
			identify(evaluation);
	}
	if (evaluation->state == EVALUATION_ALIGNING && !is_asking(evaluation)) {
		evaluation->state = EVALUATION_FOUND;
		if (dmarc->evaluator != NULL)
			evaluation->findings.dmarc = dmarc_verdict(dmarc->evaluator);
	}
}

static void go_on(struct evaluation *evaluation)
{
	advance(evaluation);
	if (evaluation->state != EVALUATION_FOUND)
		return;
	loop_timer_stop(evaluation->timer);
	evaluation->done(evaluation->context); /* It may be the end of us. */
}

static void time_is_over(void *context)
{
	struct evaluation *evaluation = context;

	evaluation->late = true;
	for (size_t i = 0; i < BRANCH_COUNT; i++)
		give_up(&evaluation->branches[i]);
	go_on(evaluation);
}

/* -- The message ------------------------------------------------------------------------------ */

static void look_for_author(struct evaluation *evaluation)
{
	const char *reason = "out of memory";
	struct text author;

	if (author_domain(&evaluation->index, evaluation->arena, &author, &reason) == OK) {
		equip(evaluation, BRANCH_DMARC, dmarc_new(author, evaluation->arena));
	} else {
		evaluation->nobody = (struct dmarc_verdict){ .result = AUTH_PERMERROR, .reason = reason };
		evaluation->findings.dmarc = &evaluation->nobody;
	}
}

/* Before the body comes, because it is hashed for the seal, too. One that cannot be made is not missed. */
static void prepare_seal(struct evaluation *evaluation)
{
	struct arc_sealer *sealer;

	if (arc_sealer_new(evaluation->branches[BRANCH_ARC].evaluator, &evaluation->index, evaluation->hashes,
		&evaluation->manner, evaluation->arena, &sealer) == OK)
		evaluation->sealer = sealer;
}

/* The header is here: what it says is asked about while the body comes. */
static void header_ended(struct evaluation *evaluation)
{
	struct arena *arena = evaluation->arena;
	struct text header;
	enum error error = ERR_TOO_LARGE;

	evaluation->header_over = true;
	if (evaluation->header.length < EVALUATION_HEADER_MAX)
		error = arena_copy(arena, buffer_text(&evaluation->header), &header)
		    ? header_index_make(header, arena, &evaluation->index)
		    : ERR_NO_MEMORY;
	buffer_release(&evaluation->header);
	evaluation->findings.header_too_large = error == ERR_TOO_LARGE;
	evaluation->findings.no_memory |= error == ERR_NO_MEMORY;
	if (error != OK)
		return;
	if (evaluation->wants_dkim) {
		equip(evaluation, BRANCH_DKIM, dkim_new(&evaluation->index, evaluation->hashes, evaluation->now_s, arena));
		equip(evaluation, BRANCH_ARC, arc_new(&evaluation->index, evaluation->hashes, evaluation->now_s, arena));
	}
	if (evaluation->wants_seal && evaluation->branches[BRANCH_ARC].evaluator != NULL)
		prepare_seal(evaluation);
	if (evaluation->wants_dmarc)
		look_for_author(evaluation);
}

/* Takes what belongs to the header off *bytes. */
static void take_header(struct evaluation *evaluation, struct text *bytes)
{
	struct buffer *header = &evaluation->header;
	const size_t before = header->length;
	const struct text part = text_part(*bytes, 0, EVALUATION_HEADER_MAX - before);

	if (!buffer_append(header, part)) {
		evaluation->findings.no_memory = evaluation->header_over = true;
		return;
	}
	/* The empty line may have begun in what came before; or there is no field at all. */
	const size_t from = before > 3 ? before - 3 : 0;
	const struct text whole = buffer_text(header);
	size_t end = from + text_find(text_from(whole, from), TEXT("\r\n\r\n"));

	if (end < whole.length)
		end += 4;
	if (text_starts(whole, TEXT("\r\n")))
		end = 2;
	*bytes = text_from(*bytes, end - before);
	if (end < whole.length || text_ends(whole, TEXT("\r\n\r\n")) || end == 2 || whole.length == EVALUATION_HEADER_MAX) {
		header->length = end;
		header_ended(evaluation);
	}
}

void evaluation_text(struct evaluation *evaluation, struct text bytes)
{
	must(evaluation->state == EVALUATION_TEXT);
	while (!evaluation->header_over && bytes.length > 0)
		take_header(evaluation, &bytes);
	if (bytes.length > 0)
		body_hashes_add(evaluation->hashes, bytes);
}

bool evaluation_end(struct evaluation *evaluation, int64_t patience_ms, void (*done)(void *context), void *context)
{
	must(evaluation->state == EVALUATION_TEXT);
	if (!evaluation->header_over)
		header_ended(evaluation);
	body_hashes_end(evaluation->hashes);
	evaluation->done = done;
	evaluation->context = context;
	evaluation->state = EVALUATION_WAITING;
	advance(evaluation);
	if (evaluation->state != EVALUATION_FOUND)
		loop_timer_set(evaluation->timer, patience_ms);
	return evaluation->state == EVALUATION_FOUND;
}

void evaluation_hurry(struct evaluation *evaluation, int64_t patience_ms)
{
	if (evaluation->state == EVALUATION_WAITING || evaluation->state == EVALUATION_ALIGNING)
		loop_timer_set(evaluation->timer, patience_ms);
}

const struct evaluation_findings *evaluation_findings(const struct evaluation *evaluation)
{
	must(evaluation->state == EVALUATION_FOUND);
	return &evaluation->findings;
}

const struct header_index *evaluation_header(const struct evaluation *evaluation)
{
	must(evaluation->state == EVALUATION_FOUND);
	return &evaluation->index;
}

enum error evaluation_seal(const struct evaluation *evaluation, const struct dkim_signing *signing, struct text results,
    struct buffer *out)
{
	must(evaluation->state == EVALUATION_FOUND);
	return evaluation->sealer != NULL
	    ? arc_sealer_seal(evaluation->sealer, evaluation->findings.arc, signing, results, out)
	    : ERR_UNSUPPORTED;
}

/* -- Life ---------------------------------------------------------------------------------- */

/* Could DNS know it? An address in brackets and a name without a dot are no names for SPF. */
static bool is_name(struct text helo)
{
	return text_find_byte(helo, '[') == helo.length && text_find_byte(helo, '.') < helo.length;
}

static void begin_with_envelope(struct evaluation *evaluation, const struct evaluation_request *request)
{
	struct arena *arena = evaluation->arena;
	struct spf_request spf = { .client = request->client, .now_s = request->now_s };

	if (request->client.family != ENDPOINT_IP4 && request->client.family != ENDPOINT_IP6)
		return;
	evaluation->findings.iprev = request->iprev;
	if (request->iprev == NULL) {
		iprev_start(&evaluation->iprev, &request->client, arena);
		evaluation->findings.iprev = &evaluation->iprev;
		equip(evaluation, BRANCH_IPREV, &evaluation->iprev);
	}
	if (!request->spf && !request->dmarc)
		return;
	const bool copied = arena_copy(arena, request->helo, &spf.helo) && arena_copy(arena, request->sender, &spf.sender) &&
	    arena_copy(arena, request->hostname, &spf.receiver);

	equip(evaluation, BRANCH_SPF, copied ? spf_new(&spf, arena) : NULL);
	evaluation->spf_request = spf;
	evaluation->findings.spf_request = &evaluation->spf_request;
	/* RFC 7208 §2.3; the null path's check is of that name already (§2.4). */
	if (!copied || !request->spf || spf.sender.length == 0 || !is_name(spf.helo))
		return;
	spf.sender = TEXT_EMPTY;
	equip(evaluation, BRANCH_SPF_HELO, spf_new(&spf, arena));
}

struct evaluation *evaluation_new(const struct evaluation_request *request)
{
	static const struct lookup_kind *const kinds[BRANCH_COUNT] = { &lookup_iprev, &lookup_spf, &lookup_spf, &lookup_dkim,
		&lookup_arc, &lookup_dmarc };
	struct evaluation *evaluation = calloc(1, sizeof *evaluation);

	if (evaluation == NULL)
		return NULL;
	evaluation->arena = arena_new(EVALUATION_MAX);
	evaluation->timer = loop_timer_new(request->loop, time_is_over, evaluation);
	evaluation->hashes = body_hashes_new();
	buffer_init(&evaluation->header, EVALUATION_HEADER_MAX);
	if (evaluation->arena == NULL || evaluation->timer == NULL || evaluation->hashes == NULL) {
		evaluation_free(evaluation);
		return NULL;
	}
	evaluation->dns = request->dns;
	evaluation->ring = request->ring;
	evaluation->now_s = request->now_s;
	evaluation->wants_dkim = request->dkim || request->dmarc || request->seal != NULL;
	evaluation->wants_dmarc = request->dmarc;
	evaluation->wants_seal = request->seal != NULL;
	if (request->seal != NULL)
		evaluation->manner = *request->seal;
	for (size_t i = 0; i < BRANCH_COUNT; i++)
		evaluation->branches[i] = (struct branch){ .evaluation = evaluation, .kind = kinds[i] };
	begin_with_envelope(evaluation, request);
	return evaluation;
}

void evaluation_free(struct evaluation *evaluation)
{
	if (evaluation == NULL)
		return;
	for (size_t i = 0; i < BRANCH_COUNT; i++)
		lookup_cancel(evaluation->branches[i].lookup);
	if (evaluation->timer != NULL)
		loop_timer_free(evaluation->timer);
	body_hashes_free(evaluation->hashes);
	buffer_done(&evaluation->header);
	arena_free(evaluation->arena);
	free(evaluation);
}
