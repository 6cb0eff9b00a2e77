#include "inbound/arrival.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "inbound/claim_filter.h"
#include "inbound/evaluation.h"
#include "inbound/policy.h"

enum {
	FIELD_MAX = 16 << 10,
	RESULTS_MAX = 200,
	NAME_MAX = 253,   /* Of a domain or selector that we repeat: a line of a header has its end somewhere. */
	HURRY_MS = 5000   /* Of the 20 s that a lane has to stop. */
};

struct arrival {
	struct inbound *inbound;
	const struct policy *policy;
	struct connection *connection;
	struct intake *intake;
	struct claim_filter filter;
	struct evaluation *evaluation; /* NULL: nothing is looked for, or all was found. */
	struct endpoint client;
	bool junk;
	struct buffer results;
};

/* -- Life ---------------------------------------------------------------------------------- */

/* Strangers' mail is judged by where it comes from; our own users' is not, and that of LMTP was by whoever hands it in. */
static bool is_looked_at(const struct inbound *inbound, const struct policy *policy, const struct session *session)
{
	return session_peer(session)->role == SESSION_MX && !session_is_trusted(session) && policy_looks(policy) &&
	    inbound->dns != NULL;
}

/* A client of relay-from may be our own filter, which hands back what we marked. */
static bool is_filtered(const struct session *session)
{
	const struct session_peer *peer = session_peer(session);

	return (peer->role == SESSION_MX || peer->role == SESSION_SUBMISSION) && !peer->trusted;
}

static bool begin_evaluation(struct arrival *arrival, const struct session *session)
{
	struct inbound *inbound = arrival->inbound;
	const struct text sender = session_sender(session, inbound->output.arena);
	const struct evaluation_request request = { .loop = inbound->wiring.loop,
		.dns = &inbound->dns,
		.client = arrival->client,
		.helo = session_helo(session),
		.sender = text_part(sender, 1, sender.length - 2), /* Without brackets. */
		.hostname = arrival->filter.ours,
		.now_s = loop_unix_ms(inbound->wiring.loop) / 1000,
		.spf = arrival->policy->spf != POLICY_SPF_OFF,
		.dkim = arrival->policy->dkim != POLICY_DKIM_OFF,
		.dmarc = arrival->policy->dmarc != POLICY_DMARC_OFF };

	if (sender.length < 2)
		return false;
	arrival->evaluation = evaluation_new(&request);
	return arrival->evaluation != NULL;
}

bool arrival_new(struct inbound *inbound, const struct inbound_snapshot *snapshot, struct connection *connection,
    const struct session *session, struct intake *intake, struct arrival **out_arrival)
{
	const bool is_evaluated = is_looked_at(inbound, &snapshot->policy, session);
	struct arrival *arrival = NULL;

	if (is_filtered(session) || is_evaluated) {
		arrival = calloc(1, sizeof *arrival);
		if (arrival == NULL)
			return false;
		arrival->inbound = inbound;
		arrival->policy = &snapshot->policy;
		arrival->connection = connection;
		arrival->intake = intake;
		arrival->client = session_peer(session)->client;
		arrival->filter.ours = snapshot->session.hostname;
		buffer_init(&arrival->results, RESULTS_MAX);
	}
	if (is_evaluated && !begin_evaluation(arrival, session)) {
		arrival_free(arrival);
		return false;
	}
	*out_arrival = arrival;
	return true;
}

void arrival_free(struct arrival *arrival)
{
	if (arrival == NULL)
		return;
	evaluation_free(arrival->evaluation);
	buffer_done(&arrival->results);
	free(arrival);
}

/* -- Text ----------------------------------------------------------------------------------- */

/* Signatures may cover what is taken away. */
void arrival_text(struct arrival *arrival, struct text bytes)
{
	if (arrival->evaluation != NULL)
		evaluation_text(arrival->evaluation, bytes);
	while (bytes.length > 0)
		intake_body(arrival->intake, claim_filter_next(&arrival->filter, &bytes));
}

/* -- Judgement --------------------------------------------------------------------------------- */

static enum auth_result dkim_result(const struct evaluation_findings *findings)
{
	for (size_t i = 0; i < findings->dkim_count; i++)
		if (findings->dkim[i].result == AUTH_PASS)
			return AUTH_PASS;
	return findings->dkim_count > 0 ? findings->dkim[0].result : AUTH_NONE;
}

static bool note(struct arrival *arrival, const char *method, enum auth_result result)
{
	const char *gap = arrival->results.length > 0 ? " " : "";

	return buffer_print(&arrival->results, "%s%s=%s", gap, method, auth_result_word(result));
}

/* "spf=pass dkim=fail ...": for the log and the history. */
static void note_results(
    struct arrival *arrival, const struct evaluation_findings *findings, const struct policy_decision *decision)
{
	bool noted = (findings->iprev == NULL || note(arrival, "iprev", iprev_result(findings->iprev))) &&
	    (findings->spf == NULL || note(arrival, "spf", findings->spf->result)) &&
	    (!findings->dkim_used || note(arrival, "dkim", dkim_result(findings))) &&
	    (findings->arc == NULL || note(arrival, "arc", findings->arc->result)) &&
	    (findings->dmarc == NULL || note(arrival, "dmarc", findings->dmarc->result));

	if (noted && decision->override != NULL)
		noted = buffer_print(&arrival->results, " override=%s", decision->override);
	if (noted && decision->course == POLICY_JUNK)
		noted = buffer_print(&arrival->results, " junk");
	must(noted || arrival->results.length < RESULTS_MAX);
}

static void count(const struct arrival *arrival, enum counter counter)
{
	if (arrival->inbound->wiring.counters != NULL)
		counters_add(arrival->inbound->wiring.counters, counter, 1);
}

static void count_result(const struct arrival *arrival, enum auth_result result, enum counter pass, enum counter fail)
{
	if (result == AUTH_PASS)
		count(arrival, pass);
	else if (result == AUTH_FAIL)
		count(arrival, fail);
	else if (result == AUTH_TEMPERROR)
		count(arrival, COUNTER_AUTHENTICATION_TROUBLES);
}

/* Every message that was looked at comes by here once, with all that was found and what was decided: what counts them, or
 * gathers them for reports (RFC 9990), stands here. */
static void message_evaluated(
    const struct arrival *arrival, const struct evaluation_findings *findings, const struct policy_decision *decision)
{
	if (findings->spf != NULL)
		count_result(arrival, findings->spf->result, COUNTER_SPF_PASS, COUNTER_SPF_FAIL);
	if (findings->dkim_used)
		count_result(arrival, dkim_result(findings), COUNTER_DKIM_PASS, COUNTER_DKIM_FAIL);
	if (findings->dmarc != NULL)
		count_result(arrival, findings->dmarc->result, COUNTER_DMARC_PASS, COUNTER_DMARC_FAIL);
	if (decision->course == POLICY_REFUSE)
		count(arrival, COUNTER_UNAUTHENTIC_REFUSED);
	else if (decision->course == POLICY_JUNK)
		count(arrival, COUNTER_UNAUTHENTIC_JUNK);
}

/* Signatures whose names are no names are not repeated. Returns how many are left. */
static size_t printable_findings(const struct evaluation_findings *findings, struct dkim_finding out[DKIM_SIGNATURES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < findings->dkim_count; i++) {
		const struct signature *signature = findings->dkim[i].signature;

		if (signature->domain.length <= NAME_MAX && signature->selector.length <= NAME_MAX &&
		    signature->algorithm.length <= NAME_MAX)
			out[count++] = findings->dkim[i];
	}
	return count;
}

static void put_results_on_top(struct arrival *arrival, const struct evaluation_findings *findings)
{
	struct dkim_finding printable[DKIM_SIGNATURES_MAX];
	const struct auth_results results = { .authserv_id = arrival->filter.ours,
		.iprev = findings->iprev,
		.spf = arrival->policy->spf != POLICY_SPF_OFF ? findings->spf : NULL,
		.dkim = printable,
		.dkim_count = printable_findings(findings, printable),
		.dkim_used = findings->dkim_used && arrival->policy->dkim != POLICY_DKIM_OFF,
		.arc = findings->arc,
		.dmarc = findings->dmarc };
	cleanup(buffer_done) struct buffer field;

	buffer_init(&field, FIELD_MAX);
	if (auth_results_compose(&results, &field))
		intake_put_on_top(arrival->intake, buffer_text(&field));
}

static struct verdict decide(struct arrival *arrival)
{
	const struct evaluation_findings *findings = evaluation_findings(arrival->evaluation);
	const struct policy_decision decision = policy_decide(arrival->policy, &arrival->client, findings);

	note_results(arrival, findings, &decision);
	message_evaluated(arrival, findings, &decision);
	arrival->junk = decision.course == POLICY_JUNK;
	const bool taken = decision.course == POLICY_TAKE || arrival->junk;

	if (taken)
		put_results_on_top(arrival, findings);
	evaluation_free(take(arrival->evaluation));
	return taken ? VERDICT(250, 2, 0, 0, "Ok") : decision.verdict;
}

static void found(void *context)
{
	struct arrival *arrival = context;
	const struct verdict verdict = decide(arrival);

	connection_judged(arrival->connection, verdict); /* It may be the end of us. */
}

struct verdict arrival_judge(struct arrival *arrival)
{
	intake_body(arrival->intake, claim_filter_end(&arrival->filter));
	if (arrival->evaluation == NULL)
		return VERDICT(250, 2, 0, 0, "Ok");
	if (evaluation_end(arrival->evaluation, arrival->policy->patience_ms, found, arrival))
		return decide(arrival);
	return (struct verdict){ 0 };
}

void arrival_hurry(struct arrival *arrival)
{
	if (arrival->evaluation != NULL)
		evaluation_hurry(arrival->evaluation, HURRY_MS);
}

uint16_t arrival_flags(const struct arrival *arrival)
{
	return arrival != NULL && arrival->junk ? ENVELOPE_JUNK : 0;
}

struct text arrival_results(const struct arrival *arrival)
{
	return arrival != NULL ? buffer_text(&arrival->results) : TEXT_EMPTY;
}
