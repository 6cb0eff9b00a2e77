/* "stats": the size of the spool, the work of the queues and what is in trouble, and the counters. */
#include <stdlib.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"

struct statistics {
	struct admin_pending pending;
	struct admin *admin;
	admin_answered *answered;
	void *context;
};

static json_t *queue_json(const struct queue_survey *survey)
{
	json_t *trouble = json_array();

	for (size_t i = 0; i < survey->found_count; i++) {
		const struct queue_surveyed *found = &survey->found[i];
		json_t *destination = admin_destination(&found->destination);

		json_object_set_new(destination, "destination", admin_string(found->destination.key));
		json_object_set_new(destination, "lane", json_integer(found->lane));
		json_array_append_new(trouble, destination);
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "active_domains", (json_int_t)survey->counts.active_domains,
	    "destinations", (json_int_t)survey->counts.destinations, "deliveries", (json_int_t)survey->counts.deliveries,
	    "unsettled", (json_int_t)survey->counts.unsettled, "in_trouble", (json_int_t)survey->matching, "trouble",
	    trouble);
}

static json_t *counters_json(const struct admin_settings *settings)
{
	struct counters sum = { 0 };
	json_t *counts = json_object();

	settings->sum_counters(settings->context, &sum);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		json_object_set_new(counts, counter_word((enum counter)i),
		    json_integer((json_int_t)counters_get(&sum, (enum counter)i)));
	return counts;
}

static json_t *answer_of(const struct admin_settings *settings, const struct queue_survey *survey)
{
	struct spool_totals totals = { 0 };

	if (spool_totals(settings->spool, &totals) != OK)
		return admin_failure(EX_IOERR, "the spool cannot be read");
	return json_pack("{s:b, s:s, s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:o}", "ok", 1, "version", POSTROAD_VERSION,
	    "spool", "messages", (json_int_t)totals.messages, "recipients", (json_int_t)totals.recipients, "history",
	    (json_int_t)totals.history_messages, "commits", (json_int_t)totals.commits, "changes",
	    (json_int_t)totals.changes, "queue", queue_json(survey), "counters", counters_json(settings));
}

static void surveyed(void *context, const struct queue_survey *survey)
{
	struct statistics *statistics = context;

	DL_DELETE(statistics->admin->pending, &statistics->pending);
	statistics->answered(statistics->context, answer_of(&statistics->admin->settings, survey));
	free(statistics);
}

static void give_up(struct admin_pending *pending)
{
	struct statistics *statistics = (struct statistics *)pending;

	statistics->answered(statistics->context, admin_stopping());
	free(statistics);
}

void admin_stats(struct admin *admin, admin_answered *answered, void *context)
{
	const struct admin_settings *settings = &admin->settings;
	const struct admin_question all = { TEXT_EMPTY, TEXT_EMPTY };
	struct statistics *statistics = calloc(1, sizeof *statistics);

	if (statistics == NULL)
		goto no_memory;
	*statistics = (struct statistics){ { .give_up = give_up }, admin, answered, context };
	DL_APPEND(admin->pending, &statistics->pending);
	if (settings->survey(settings->context, &all, surveyed, statistics))
		return;
	DL_DELETE(admin->pending, &statistics->pending);
	free(statistics);
no_memory:
	answered(context, admin_failure(EX_OSERR, "out of memory"));
}
