#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "auth/author.h"
#include "base/must.h"
#include "ctl/message_file.h"
#include "ctl/verify.h"
#include "io/loop.h"
#include "lookup/lookup.h"
#include "lookup/resolver.h"

enum { ZONE_FILE_MAX = 64 << 20 };

struct run {
	const struct verify_request *request;
	struct verify_findings *findings;
	struct arena *arena;
	struct loop *loop;
	struct dns *dns;
	unsigned open; /* Look-ups that go on. */
	struct header_index index;
	struct body_hashes *hashes;
	struct iprev iprev;
	struct spf *spf;
	struct dkim *dkim;
	struct arc *arc;
	struct dmarc *dmarc;
	struct dmarc_verdict nobody; /* What DMARC says of a message without an author. */
	struct dmarc_identifiers identifiers;
	struct text passed[DMARC_IDENTIFIERS_MAX];
};

/* -- questions --------------------------------------------------------------- */

static void heard(void *context, const struct question *question, enum answer_status status)
{
	static const char *const types[] = { [QUESTION_A] = "A",
		[QUESTION_AAAA] = "AAAA",
		[QUESTION_MX] = "MX",
		[QUESTION_TXT] = "TXT",
		[QUESTION_PTR] = "PTR" };
	struct run *run = context;
	struct text text;

	(void)status;
	if (arena_print(run->arena, &text, "%s %.*s", types[question->type], TEXT_FORMAT(question->name)))
		json_array_append_new(run->findings->queries, json_stringn(text.bytes, text.length));
}

static void ended(void *context)
{
	struct run *run = context;

	if (--run->open == 0)
		loop_stop(run->loop);
}

/* Begin to answer an evaluator's questions, if it has any. */
static bool begin(struct run *run, const struct lookup_kind *kind, void *evaluator)
{
	const struct lookup_listener listener = { .done = ended, .heard = heard, .context = run };
	struct question question;

	if (evaluator == NULL || !kind->question(evaluator, &question))
		return true;
	run->open++;
	return lookup_start(run->dns, kind, evaluator, &listener) != NULL;
}

static void wait_for_answers(struct run *run)
{
	if (run->open > 0)
		loop_run(run->loop);
}

/* -- the message ------------------------------------------------------------- */

static bool wants_dkim(const struct verify_request *request)
{
	return request->has_message && (request->dkim || request->dmarc);
}

/* Evaluators of the header, before the body comes. */
static bool begin_message(struct run *run)
{
	const struct verify_request *request = run->request;

	if (wants_dkim(request))
		run->dkim = dkim_new(&run->index, run->hashes, request->now_s, run->arena);
	if (request->arc)
		run->arc = arc_new(&run->index, run->hashes, request->now_s, run->arena);
	return (run->dkim != NULL || !wants_dkim(request)) && (run->arc != NULL || !request->arc);
}

static bool find_author(struct run *run, struct text *out_author)
{
	const char *reason = "out of memory";

	if (run->request->from_domain.length > 0)
		*out_author = run->request->from_domain;
	else if (author_domain(&run->index, run->arena, out_author, &reason) != OK)
		run->nobody = (struct dmarc_verdict){ .result = AUTH_PERMERROR, .reason = reason };
	return run->nobody.reason == NULL;
}

static int read_message(struct run *run)
{
	struct message_file *message = malloc(sizeof *message);
	struct text header, piece;
	int code = message ? message_file_open(message, run->request->file) : EX_OSERR;

	if (code == EX_OK && !arena_copy(run->arena, buffer_text(&message->header), &header))
		code = EX_OSERR;
	if (code == EX_OK && header_index_make(header, run->arena, &run->index) != OK) {
		fprintf(stderr, "postroad: %s: the header has more than %d fields\n", message->name,
		    HEADER_FIELDS_MAX);
		code = EX_DATAERR;
	}
	if (code == EX_OK && !begin_message(run))
		code = EX_OSERR;
	while (code == EX_OK) {
		if (!message_file_body(message, &piece))
			code = EX_NOINPUT;
		else if (piece.length == 0)
			break;
		else
			body_hashes_add(run->hashes, piece);
	}
	body_hashes_end(run->hashes);
	if (message != NULL)
		message_file_close(message);
	free(message);
	return code;
}

/* -- the methods ------------------------------------------------------------- */

static bool begin_methods(struct run *run)
{
	const struct verify_request *request = run->request;
	const bool has_client = request->client.family != ENDPOINT_NONE;
	struct spf_request about = { .client = request->client,
		.helo = request->helo,
		.sender = request->mail_from,
		.receiver = request->hostname,
		.now_s = request->now_s };
	struct text author;

	if (has_client && (request->spf || request->dmarc)) {
		run->spf = spf_new(&about, run->arena);
		if (run->spf == NULL)
			return false;
	}
	if (has_client && request->everything) {
		iprev_start(&run->iprev, &request->client, run->arena);
		run->findings->iprev = &run->iprev;
	}
	if (request->dmarc && find_author(run, &author)) {
		run->dmarc = dmarc_new(author, run->arena);
		if (run->dmarc == NULL)
			return false;
	}
	return begin(run, &lookup_spf, run->spf) && begin(run, &lookup_dkim, run->dkim) &&
	    begin(run, &lookup_arc, run->arc) &&
	    (run->findings->iprev == NULL || begin(run, &lookup_iprev, &run->iprev)) &&
	    begin(run, &lookup_dmarc, run->dmarc);
}

static void judge(struct run *run)
{
	struct verify_findings *findings = run->findings;

	if (run->spf != NULL)
		findings->spf = spf_verdict(run->spf);
	if (run->dkim != NULL) {
		findings->dkim_used = true;
		findings->dkim = dkim_judge(run->dkim, NULL, &findings->dkim_count);
		findings->dkim_ignored = dkim_ignored(run->dkim);
	}
	if (run->arc != NULL)
		findings->arc = arc_judge(run->arc, NULL);
}

/* What DMARC goes by: what was found, or what we were told to take for found. */
static void identify(struct run *run)
{
	const struct verify_request *request = run->request;
	const struct verify_findings *findings = run->findings;
	size_t count = 0;

	run->identifiers.spf = request->spf_pass_domain;
	if (findings->spf != NULL && findings->spf->result == AUTH_PASS)
		run->identifiers.spf = findings->spf->domain;
	for (size_t i = 0; i < request->dkim_pass_count; i++)
		run->passed[count++] = request->dkim_pass_domains[i];
	for (size_t i = 0; i < findings->dkim_count && count < DMARC_IDENTIFIERS_MAX; i++)
		if (findings->dkim[i].result == AUTH_PASS)
			run->passed[count++] = findings->dkim[i].signature->domain;
	run->identifiers.dkim = run->passed;
	run->identifiers.dkim_count = count;
	dmarc_identify(run->dmarc, &run->identifiers);
}

static int look(struct run *run)
{
	const int code = run->request->has_message ? read_message(run) : EX_OK;

	if (code != EX_OK)
		return code;
	if (!begin_methods(run))
		return EX_OSERR;
	wait_for_answers(run);
	judge(run);
	if (run->dmarc != NULL) {
		identify(run);
		if (!begin(run, &lookup_dmarc, run->dmarc))
			return EX_OSERR;
		wait_for_answers(run);
		run->findings->dmarc = dmarc_verdict(run->dmarc);
	} else if (run->request->dmarc) {
		run->findings->dmarc = arena_alloc(run->arena, sizeof run->nobody);
		if (run->findings->dmarc == NULL)
			return EX_OSERR;
		*(struct dmarc_verdict *)run->findings->dmarc = run->nobody;
	}
	return EX_OK;
}

struct dns *verify_resolver(
    const struct conf *conf, const char *zone, struct loop *loop, const char **out_reason)
{
	struct dns_settings settings = { 0 };

	if (conf != NULL) {
		settings = (struct dns_settings){ .servers = conf->dns.servers,
			.server_count = conf->dns.server_count,
			.trust_anchor = text_of(conf->dns.trust_anchor),
			.config = text_of(conf->dns.config) };
		zone = zone[0] != '\0' ? zone : conf->dns.zone;
	}
	return resolver_new(loop, zone, &settings, out_reason);
}

/* What is wrong with the zone file, and where. */
static int complain_of_zone(const char *path, const char *reason, struct arena *arena)
{
	struct buffer json;
	struct text complaint = text_of(reason);
	FILE *file = fopen(path, "re");
	size_t length = 1;

	buffer_init(&json, ZONE_FILE_MAX);
	while (file != NULL && length > 0) {
		char *room = buffer_reserve(&json, MESSAGE_PIECE);

		length = room ? fread(room, 1, MESSAGE_PIECE, file) : 0;
		buffer_added(&json, length);
	}
	if (file != NULL && dns_zone_check(buffer_text(&json), arena, &complaint) == OK)
		complaint = text_of(reason);
	fprintf(stderr, "postroad: %s: %.*s\n", path, TEXT_FORMAT(complaint));
	buffer_done(&json);
	if (file != NULL)
		fclose(file);
	return file != NULL ? EX_DATAERR : EX_NOINPUT;
}

int verify_run(
    const struct verify_request *request, struct arena *arena, struct verify_findings *out_findings)
{
	struct run *run = arena_alloc(arena, sizeof *run);
	const char *reason = "out of memory";
	int code = EX_OSERR;

	*out_findings = (struct verify_findings){ .queries = json_array() };
	if (run == NULL)
		return EX_OSERR;
	*run =
	    (struct run){ .request = request, .findings = out_findings, .arena = arena, .loop = loop_new() };
	run->hashes = body_hashes_new();
	if (run->loop != NULL)
		run->dns = verify_resolver(request->conf, request->zone, run->loop, &reason);
	if (run->dns == NULL) {
		if (request->zone[0] != '\0')
			code = complain_of_zone(request->zone, reason, arena);
		else
			fprintf(stderr, "postroad: DNS cannot be asked: %s\n", reason);
	} else if (run->hashes != NULL && out_findings->queries != NULL) {
		code = look(run);
	}
	if (run->dns != NULL)
		dns_free(run->dns);
	body_hashes_free(run->hashes);
	if (run->loop != NULL)
		loop_free(run->loop);
	return code;
}
