#include "programs/surveyor.h"

#include <stdlib.h>
#include <utlist.h>

#include "outbound/courier.h"
#include "outbound/host_memory.h"
#include "spool/spool.h"

struct surveyor {
	struct lane *const *lanes;
	unsigned lane_count;
	struct trip *trips; /* Not yet home. */
};

struct trip {
	struct trip *prev, *next; /* utlist; lane 0's. */
	struct surveyor *surveyor;
	struct lane_message message;
	unsigned lane, lane_end; /* Where it is, and behind its last. */
	struct queue_survey survey;
	admin_surveyed *surveyed;
	void *context;
};

struct surveyor *surveyor_new(struct lane *const *lanes, unsigned lane_count)
{
	struct surveyor *surveyor = calloc(1, sizeof *surveyor);

	if (surveyor != NULL)
		*surveyor = (struct surveyor){ .lanes = lanes, .lane_count = lane_count };
	return surveyor;
}

static void trip_free(struct trip *trip)
{
	DL_DELETE(trip->surveyor->trips, trip);
	queue_survey_done(&trip->survey);
	free(trip);
}

void surveyor_free(struct surveyor *surveyor)
{
	if (surveyor == NULL)
		return;
	while (surveyor->trips != NULL)
		trip_free(surveyor->trips);
	free(surveyor);
}

static void come_home(struct lane *lane, void *context)
{
	struct trip *trip = context;

	(void)lane;
	trip->surveyed(trip->context, &trip->survey);
	trip_free(trip);
}

/* The courier's clock knows no date. */
static int64_t unix_ms(struct lane *lane, int64_t ms, int64_t now_ms)
{
	return ms > 0 ? loop_unix_ms(lane_loop(lane)) + ms - now_ms : 0;
}

static void add_host(struct lane *lane, struct queue_survey *survey, const struct endpoint *endpoint, struct text pool)
{
	struct queue_surveyed_host *host = &survey->hosts[survey->host_count];
	const struct host_known *known;
	int64_t now_ms;

	if (survey->host_count == QUEUE_SURVEY_HOSTS_MAX || !outbound_known(lane_outbound(lane), endpoint, pool, &known, &now_ms))
		return;
	*host = (struct queue_surveyed_host){ .endpoint = *endpoint,
		.capabilities = known->capabilities,
		.heard_ms = unix_ms(lane, known->heard_ms, now_ms),
		.rests_until_ms = host_known_rests(known, now_ms) ? unix_ms(lane, known->rests_until_ms, now_ms) : 0,
		.tls = known->tls };
	if (arena_copy(survey->arena, known->trouble, &host->trouble))
		survey->host_count++;
}

static void add_hosts(struct lane *lane, struct queue_survey *survey)
{
	const struct host_list *hosts;
	struct text pool;

	if (survey->key.length == 0 || !queue_destination_hosts(lane_queue(lane), survey->key, &hosts, &pool))
		return;
	for (size_t i = 0; i < hosts->host_count; i++)
		add_host(lane, survey, &hosts->hosts[i].endpoint, pool);
}

static void visit(struct lane *lane, void *context)
{
	struct trip *trip = context;
	struct lane *const *lanes = trip->surveyor->lanes;
	const unsigned here = trip->lane++;

	queue_survey_visit(&trip->survey, lane_queue(lane), here);
	add_hosts(lane, &trip->survey);
	if (trip->lane < trip->lane_end)
		lane_send(lanes[trip->lane], &trip->message, visit, trip);
	else
		lane_send(lanes[0], &trip->message, come_home, trip);
}

bool surveyor_ask(
    struct surveyor *surveyor, const struct admin_question *question, admin_surveyed *surveyed, void *context)
{
	struct trip *trip = calloc(1, sizeof *trip);

	if (trip == NULL || !queue_survey_init(&trip->survey, question->destination)) {
		free(trip);
		return false;
	}
	trip->surveyor = surveyor;
	trip->surveyed = surveyed;
	trip->context = context;
	trip->lane_end = surveyor->lane_count;
	if (question->domain.length > 0) {
		trip->lane = lane_of_shard(spool_shard_of(question->domain), surveyor->lane_count);
		trip->lane_end = trip->lane + 1;
	}
	DL_APPEND(surveyor->trips, trip);
	lane_send(surveyor->lanes[trip->lane], &trip->message, visit, trip);
	return true;
}
