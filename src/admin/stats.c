/* "stats": the size of the spool, the work of the queues and what is in trouble, how webhooks fare, and the counters. */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sysexits.h>
#include <unistd.h>
#include <utlist.h>

#include "admin/admin_private.h"
#include "base/clock.h"

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
		json_object_set_new(destination, "same_hosts", json_integer(found->destination.site_destinations));
		json_object_set_new(destination, "lane", json_integer(found->lane));
		json_array_append_new(trouble, destination);
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "active_domains", (json_int_t)survey->counts.active_domains,
	    "destinations", (json_int_t)survey->counts.destinations, "deliveries", (json_int_t)survey->counts.deliveries,
	    "unsettled", (json_int_t)survey->counts.unsettled, "paced", (json_int_t)survey->paced, "in_trouble", (json_int_t)survey->matching, "trouble",
	    trouble);
}

/* {"destination": ..., "delivered": ..., "deferred": ..., "failed": ...}; counts of recipients. */
static json_t *outcomes_json(json_t *name, const uint64_t *counts)
{
	return json_pack("{s:o, s:I, s:I, s:I}", "destination", name, "delivered", (json_int_t)counts[BUSIEST_DELIVERED], "deferred",
	    (json_int_t)counts[BUSIEST_DEFERRED], "failed", (json_int_t)counts[BUSIEST_FAILED]);
}

/* The busiest destinations, and behind them all others, whose name is null. */
static json_t *busiest_json(const struct queue_survey *survey)
{
	json_t *busiest = json_array();

	for (size_t i = 0; i < survey->busy_count; i++)
		json_array_append_new(busiest, outcomes_json(admin_string(busiest_name(&survey->busy[i])), survey->busy[i].counts));
	json_array_append_new(busiest, outcomes_json(json_null(), survey->others));
	return busiest;
}

static json_t *certificates_json(const struct admin_settings *settings)
{
	const struct tls_certificate_facts *facts = NULL;
	const size_t count = settings->certificates ? settings->certificates(settings->context, &facts) : 0;
	json_t *certificates = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(certificates, json_pack("{s:o, s:o, s:I}", "name", admin_string(text_of(facts[i].name)), "until",
		    admin_time(facts[i].not_after_s * 1000), "not_after_s", (json_int_t)facts[i].not_after_s));
	return certificates;
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

/* {"time-to-250": {"bounds": [ms ...], "counts": [...], "sum_ms": ...}}: one count more than bounds. */
static json_t *times_json(const struct admin_settings *settings)
{
	struct counters sum = { 0 };
	json_t *times = json_object();

	settings->sum_counters(settings->context, &sum);
	for (unsigned i = 0; i < HISTOGRAM_COUNT; i++) {
		json_t *bounds = json_array(), *counts = json_array();

		for (unsigned place = 0; place <= HISTOGRAM_BOUNDS; place++) {
			json_array_append_new(counts, json_integer((json_int_t)sum.times[i][place]));
			if (place < HISTOGRAM_BOUNDS)
				json_array_append_new(bounds, json_integer((json_int_t)histogram_bound_ms(place)));
		}
		json_object_set_new(times, histogram_word((enum histogram)i),
		    json_pack("{s:o, s:o, s:I}", "bounds", bounds, "counts", counts, "sum_ms", (json_int_t)sum.times_ms[i]));
	}
	return times;
}

/* How the work is spread over the lanes. */
static json_t *lanes_json(const struct admin_settings *settings)
{
	static const enum counter told[] = { COUNTER_CONNECTIONS, COUNTER_RECEIVED, COUNTER_ATTEMPTS, COUNTER_DELIVERED };
	const struct counters *counters;
	json_t *lanes = json_array();

	for (unsigned i = 0; (counters = settings->lane_counters(settings->context, i)) != NULL; i++) {
		json_t *lane = json_object();

		for (size_t k = 0; k < sizeof told / sizeof told[0]; k++)
			json_object_set_new(lane, counter_word(told[k]), json_integer((json_int_t)counters_get(counters, told[k])));
		json_array_append_new(lanes, lane);
	}
	return lanes;
}

/* The lowest that is free stands for how many this process has open: only those that were closed below it are not counted. */
static void put_descriptors(json_t *host)
{
	struct rlimit limit;
	const int lowest = dup(STDERR_FILENO);

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	json_object_set_new(host, "descriptors_limit", json_integer((json_int_t)limit.rlim_cur));
	json_object_set_new(host, "descriptors", json_integer(lowest >= 0 ? (json_int_t)lowest : (json_int_t)limit.rlim_cur));
	if (lowest >= 0)
		close(lowest);
}

/* What the machine has left; null what it does not tell. */
static json_t *host_json(const struct admin *admin)
{
	struct statvfs disk = { 0 };
	struct sysinfo machine = { 0 };
	json_t *host = json_object();

	json_object_set_new(host, "uptime_ms", json_integer(clock_monotonic_ms() - admin->started_ms));
	json_object_set_new(host, "processors", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	if (admin->settings.spool_folder != NULL && statvfs(admin->settings.spool_folder, &disk) == 0) {
		json_object_set_new(host, "spool_disk_bytes", json_integer((json_int_t)(disk.f_blocks * disk.f_frsize)));
		json_object_set_new(host, "spool_free_bytes", json_integer((json_int_t)(disk.f_bavail * disk.f_frsize)));
	}
	if (sysinfo(&machine) == 0) {
		json_object_set_new(host, "memory_bytes", json_integer((json_int_t)machine.totalram * machine.mem_unit));
		json_object_set_new(host, "memory_free_bytes",
		    json_integer((json_int_t)(machine.freeram + machine.bufferram) * machine.mem_unit));
		/* Of the last minute, in thousandths. */
		json_object_set_new(host, "load", json_integer((json_int_t)(machine.loads[0] * 1000 >> SI_LOAD_SHIFT)));
	}
	put_descriptors(host);
	return host;
}

static json_t *answer_of(const struct admin *admin, const struct queue_survey *survey)
{
	const struct admin_settings *settings = &admin->settings;
	struct spool_totals totals = { 0 };

	if (spool_totals(settings->spool, &totals) != OK)
		return admin_failure(EX_IOERR, "the spool cannot be read");
	return json_pack("{s:b, s:s, s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ok", 1, "version", POSTROAD_VERSION,
	    "spool", "messages", (json_int_t)totals.messages, "recipients", (json_int_t)totals.recipients, "history",
	    (json_int_t)totals.history_messages, "commits", (json_int_t)totals.commits, "changes",
	    (json_int_t)totals.changes, "queue", queue_json(survey), "counters", counters_json(settings), "lanes", lanes_json(settings), "times",
	    times_json(settings), "host", host_json(admin), "busiest", busiest_json(survey), "certificates",
	    certificates_json(settings), "dkim", admin_keys(settings, clock_unix_ms() / 1000), "webhooks", admin_webhooks(settings));
}

static void surveyed(void *context, const struct queue_survey *survey)
{
	struct statistics *statistics = context;

	DL_DELETE(statistics->admin->pending, &statistics->pending);
	statistics->answered(statistics->context, answer_of(statistics->admin, survey));
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
