#include "inbound/arrival.h"

#include <stdlib.h>

#include "auth/received_spf.h"
#include "base/cleanup.h"
#include "base/must.h"
#include "inbound/claim_filter.h"
#include "inbound/dmarc_failure.h"
#include "inbound/dmarc_tally.h"
#include "inbound/evaluation.h"
#include "inbound/policy.h"
#include "inbound/sealing.h"

enum {
	FIELD_MAX = 16 << 10,
	TRACE_MAX = 4 << 10, /* For what else stands on top. */
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
	struct sealing sealing;
	bool junk, sealed;
	struct dmarc_tally *tally;     /* To be counted with the message, or NULL. */
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
	const struct evaluation_request request = { .seal = arrival->sealing.keys != NULL ? &arrival->sealing.manner : NULL,
		.loop = inbound->wiring.loop,
		.dns = &inbound->dns,
		.ring = inbound->ring,
		.client = arrival->client,
		.iprev = connection_iprev(arrival->connection),
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
	if (is_evaluated && snapshot->policy.seals)
		sealing_choose(&arrival->sealing, inbound->signing, inbound->router, session_message(session),
		    loop_unix_ms(inbound->wiring.loop) / 1000);
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
	sealing_done(&arrival->sealing);
	free(arrival->tally);
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

/* What is counted is counted: a report may lack a message for which there was no memory, or no room on the disk. */
static void tallied(void *context, enum error result)
{
	(void)context;
	(void)result;
}

/* For the aggregate report: with the message, if it is taken; else on its own. */
static void tally(struct arrival *arrival, const struct evaluation_findings *findings, const struct policy_decision *decision)
{
	const struct dmarc_tally_facts facts = { .findings = findings,
		.decision = decision,
		.client = arrival->client,
		.now_ms = loop_unix_ms(arrival->inbound->wiring.loop) };
	struct spool_change *change;

	arrival->tally = malloc(sizeof *arrival->tally);
	if (arrival->tally == NULL || !dmarc_tally_make(&facts, arrival->tally)) {
		free(take(arrival->tally));
		return;
	}
	if (decision->course != POLICY_REFUSE)
		return;
	change = spool_change_new();
	if (change != NULL) {
		spool_change_tally(change, &arrival->tally->set, arrival->tally->row, 1);
		spool_submit(arrival->inbound->wiring.port, change, tallied, NULL);
	}
	free(take(arrival->tally));
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

static bool compose_results(struct arrival *arrival, const struct evaluation_findings *findings, struct buffer *out)
{
	struct dkim_finding printable[DKIM_SIGNATURES_MAX];
	const struct auth_results results = { .authserv_id = arrival->filter.ours,
		.iprev = findings->iprev,
		.spf = arrival->policy->spf != POLICY_SPF_OFF ? findings->spf : NULL,
		.spf_helo = findings->spf_helo,
		.dkim = printable,
		.dkim_count = printable_findings(findings, printable),
		.dkim_used = findings->dkim_used && arrival->policy->dkim != POLICY_DKIM_OFF,
		.arc = findings->arc,
		.dmarc = findings->dmarc };

	return auth_results_compose(&results, out);
}

/* To its author's domain, if that asks for it (RFC 9991). */
static void report_failure(
    struct arrival *arrival, const struct evaluation_findings *findings, const struct policy_decision *decision)
{
	const struct failure_listener *listener = &arrival->inbound->wiring.failures;
	char client[ENDPOINT_TEXT_MAX];
	cleanup(buffer_done) struct buffer field;
	struct dmarc_failure_facts facts = { .findings = findings,
		.decision = decision,
		.header = evaluation_header(arrival->evaluation),
		.client = endpoint_print_ip(&arrival->client, client),
		.now_ms = loop_unix_ms(arrival->inbound->wiring.loop) };
	struct auth_failure failure;

	buffer_init(&field, FIELD_MAX);
	if (listener->failed == NULL || !dmarc_failure_make(&facts, &failure) || !compose_results(arrival, findings, &field))
		return;
	failure.results = text_from(buffer_text(&field), text_find_byte(buffer_text(&field), ':') + 1);
	listener->failed(listener->context, &failure);
}

/* Every message that was looked at comes by here once, with all that was found and what was decided: what counts them, or
 * gathers them for reports (RFC 9990), stands here. */
static void message_evaluated(
    struct arrival *arrival, const struct evaluation_findings *findings, const struct policy_decision *decision)
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
	if (arrival->policy->tallies_dmarc && findings->dmarc != NULL)
		tally(arrival, findings, decision);
	if (arrival->policy->reports_failures && findings->dmarc != NULL)
		report_failure(arrival, findings, decision);
}

/* `field` is the one with our results. A message that is not sealed goes its way without. */
static void seal(struct arrival *arrival, struct text field)
{
	cleanup(buffer_done) struct buffer set;

	buffer_init(&set, INTAKE_TOP_MAX - TRACE_MAX - field.length);
	arrival->sealed = evaluation_seal(arrival->evaluation, &arrival->sealing.signing,
	    text_from(field, text_find_byte(field, ':') + 1), &set) == OK;
	if (arrival->sealed)
		intake_put_on_top(arrival->intake, buffer_text(&set));
}

static void put_received_spf(struct arrival *arrival, const struct evaluation_findings *findings)
{
	cleanup(buffer_done) struct buffer field;

	buffer_init(&field, TRACE_MAX / 2);
	if (received_spf_compose(findings->spf_request, findings->spf, &field))
		intake_put_on_top(arrival->intake, buffer_text(&field));
}

static void put_results_on_top(struct arrival *arrival, const struct evaluation_findings *findings)
{
	cleanup(buffer_done) struct buffer field;

	if (arrival->policy->puts_received_spf && findings->spf != NULL)
		put_received_spf(arrival, findings);
	buffer_init(&field, FIELD_MAX);
	if (!compose_results(arrival, findings, &field))
		return;
	intake_put_on_top(arrival->intake, buffer_text(&field));
	if (arrival->sealing.keys != NULL)
		seal(arrival, buffer_text(&field));
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

struct text arrival_sealed(const struct arrival *arrival)
{
	return arrival != NULL && arrival->sealed ? arrival->sealing.signing.domain : TEXT_EMPTY;
}

const struct dmarc_tally *arrival_tally(const struct arrival *arrival)
{
	return arrival != NULL ? arrival->tally : NULL;
}

struct text arrival_results(const struct arrival *arrival)
{
	return arrival != NULL ? buffer_text(&arrival->results) : TEXT_EMPTY;
}
