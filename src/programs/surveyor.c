#include "programs/surveyor.h"

#include <stdlib.h>
#include <utlist.h>

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

static void visit(struct lane *lane, void *context)
{
	struct trip *trip = context;
	struct lane *const *lanes = trip->surveyor->lanes;
	const unsigned here = trip->lane++;

	queue_survey_visit(&trip->survey, lane_queue(lane), here);
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
