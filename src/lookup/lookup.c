#include "lookup/lookup.h"

#include <stdlib.h>

#include "base/must.h"

struct lookup {
	struct dns *dns;
	const struct lookup_kind *kind;
	void *evaluator;
	struct lookup_listener listener;
	struct dns_query *query;
	struct question question; /* Open. */
};

static enum dns_type type_of(enum question_type type)
{
	static const enum dns_type types[] = { [QUESTION_A] = DNS_A,
		[QUESTION_AAAA] = DNS_AAAA,
		[QUESTION_MX] = DNS_MX,
		[QUESTION_TXT] = DNS_TXT,
		[QUESTION_PTR] = DNS_PTR };
	return types[type];
}

static enum answer_status status_of(enum dns_status status)
{
	switch (status) {
	case DNS_FOUND:
		return ANSWER_FOUND;
	case DNS_NODATA:
		return ANSWER_EMPTY;
	case DNS_NXDOMAIN:
		return ANSWER_ABSENT;
	default: /* SERVFAIL, a timeout, a bogus answer. */
		return ANSWER_FAILED;
	}
}

/* Hand over an answer in the evaluator's terms. */
static void hear(struct lookup *lookup, const struct dns_answer *dns_answer)
{
	struct answer_record records[DNS_RECORD_MAX];
	struct answer answer = {
		.status = status_of(dns_answer->status), .records = records, .count = dns_answer->record_count
	};

	for (size_t i = 0; i < answer.count; i++) {
		const struct dns_record *record = &dns_answer->records[i];

		records[i] = (struct answer_record){ .address = record->address,
			.text = lookup->question.type == QUESTION_TXT ? record->data : record->name,
			.preference = record->preference };
	}
	if (answer.status == ANSWER_FOUND && answer.count == 0)
		answer.status = ANSWER_EMPTY;
	if (lookup->listener.heard != NULL)
		lookup->listener.heard(lookup->listener.context, &lookup->question, answer.status);
	lookup->kind->answer(lookup->evaluator, &answer);
}

static void answered(void *context, const struct dns_answer *answer);

static bool ask(struct lookup *lookup)
{
	lookup->query =
	    dns_ask(lookup->dns, lookup->question.name, type_of(lookup->question.type), answered, lookup);
	return lookup->query != NULL;
}

static void answered(void *context, const struct dns_answer *answer)
{
	static const struct dns_answer none = { .status = DNS_SERVFAIL };
	struct lookup *lookup = context;
	const struct lookup_listener listener = lookup->listener;

	lookup->query = NULL;
	hear(lookup, answer);
	/* A question for which there is no memory has failed like any other. */
	while (lookup->kind->question(lookup->evaluator, &lookup->question)) {
		if (ask(lookup))
			return;
		hear(lookup, &none);
	}
	free(lookup);
	listener.done(listener.context);
}

struct lookup *lookup_start(
    struct dns *dns, const struct lookup_kind *kind, void *evaluator, const struct lookup_listener *listener)
{
	struct lookup *lookup = malloc(sizeof *lookup);

	if (lookup == NULL)
		return NULL;
	*lookup = (struct lookup){ .dns = dns, .kind = kind, .evaluator = evaluator, .listener = *listener };
	must(kind->question(evaluator, &lookup->question));
	if (!ask(lookup)) {
		free(lookup);
		return NULL;
	}
	return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
	if (lookup != NULL)
		dns_cancel(lookup->query);
	free(lookup);
}
