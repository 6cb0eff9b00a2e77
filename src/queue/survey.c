#include "queue/survey.h"

#include "base/must.h"

bool queue_survey_init(struct queue_survey *survey, struct text key)
{
	struct arena *arena = arena_new(QUEUE_SURVEY_BYTES_MAX);
	struct text copy;
	struct busiest_place *busy = arena ? arena_array(arena, QUEUE_SURVEY_BUSY_MAX, sizeof *busy) : NULL;

	struct queue_surveyed *held_back = busy ? arena_array(arena, QUEUE_SURVEY_HELD_BACK_MAX, sizeof *held_back) : NULL;

	if (held_back == NULL || !arena_copy(arena, key, &copy)) {
		arena_free(arena);
		return false;
	}
	*survey = (struct queue_survey){ .arena = arena, .key = copy, .held_back = held_back, .busy = busy };
	return true;
}

void queue_survey_done(struct queue_survey *survey)
{
	arena_free(survey->arena);
	survey->arena = NULL;
}

bool queue_destination_in_trouble(const struct queue_destination *destination)
{
	return destination->paused_until_ms > 0;
}

bool queue_destination_held_back(const struct queue_destination *destination)
{
	return !destination->idle && destination->waiting_domains > 0 && destination->gate != QUEUE_GATE_OPEN;
}

const char *queue_gate_word(enum queue_gate gate)
{
	static const char *const words[] = { [QUEUE_GATE_OPEN] = "open", [QUEUE_GATE_FULL] = "full",
		[QUEUE_GATE_PACED] = "paced", [QUEUE_GATE_PAUSED] = "paused", [QUEUE_GATE_DOWN] = "down" };

	must((size_t)gate < sizeof words / sizeof *words);
	return words[gate];
}

static bool copy_part(struct arena *arena, struct text text, struct text *out_copy)
{
	return arena_copy(arena, text_part(text, 0, QUEUE_SURVEY_TEXT_MAX), out_copy);
}

static bool copy_destination(
    struct arena *arena, const struct queue_destination *from, struct queue_destination *out_copy)
{
	*out_copy = *from;
	return copy_part(arena, from->key, &out_copy->key) && copy_part(arena, from->hosts, &out_copy->hosts) &&
	    copy_part(arena, from->site, &out_copy->site) && copy_part(arena, from->shape, &out_copy->shape) &&
	    copy_part(arena, from->last.text, &out_copy->last.text) &&
	    copy_part(arena, from->last.host, &out_copy->last.host);
}

struct visit {
	struct queue_survey *survey;
	unsigned lane;
};

static void keep_held_back(struct queue_survey *survey, const struct queue_destination *destination, unsigned lane)
{
	struct queue_surveyed *kept = &survey->held_back[survey->held_back_count];

	if (survey->held_back_count == QUEUE_SURVEY_HELD_BACK_MAX || !queue_destination_held_back(destination))
		return;
	kept->lane = lane;
	if (copy_destination(survey->arena, destination, &kept->destination))
		survey->held_back_count++;
}

static void see(void *context, const struct queue_destination *destination)
{
	const struct visit *visit = context;
	struct queue_survey *survey = visit->survey;
	const bool wanted = survey->key.length > 0 ? text_equal(destination->key, survey->key)
						   : queue_destination_in_trouble(destination);

	if (survey->key.length == 0)
		keep_held_back(survey, destination, visit->lane);
	if (!wanted)
		return;
	survey->matching++;
	if (survey->found_count == QUEUE_SURVEY_MAX || (survey->key.length == 0 && !destination->site_first))
		return;

	struct queue_surveyed *found = &survey->found[survey->found_count];

	found->lane = visit->lane;
	if (copy_destination(survey->arena, destination, &found->destination))
		survey->found_count++;
}

static void add_counts(const uint64_t *counts, uint64_t *sum)
{
	for (unsigned i = 0; i < BUSIEST_OUTCOME_COUNT; i++)
		sum[i] += counts[i];
}

/* What several queues know of it is one sum. */
static void add_busy(struct queue_survey *survey, const struct busiest_place *place)
{
	for (size_t i = 0; i < survey->busy_count; i++)
		if (text_equal(busiest_name(&survey->busy[i]), busiest_name(place))) {
			add_counts(place->counts, survey->busy[i].counts);
			return;
		}
	if (survey->busy_count < QUEUE_SURVEY_BUSY_MAX)
		survey->busy[survey->busy_count++] = *place;
	else
		add_counts(place->counts, survey->others);
}

static void add_busiest(struct queue_survey *survey, const struct busiest *busiest)
{
	for (unsigned i = 0; i < busiest->place_count; i++)
		add_busy(survey, &busiest->places[i]);
	add_counts(busiest->others, survey->others);
}

void queue_survey_visit(struct queue_survey *survey, const struct queue *queue, unsigned lane)
{
	const struct queue_counts counts = queue_counts(queue);
	struct visit visit = { survey, lane };

	survey->counts.active_domains += counts.active_domains;
	survey->counts.destinations += counts.destinations;
	survey->counts.deliveries += counts.deliveries;
	survey->counts.unsettled += counts.unsettled;
	survey->paced += queue_paced(queue);
	queue_each_destination(queue, see, &visit);
	add_busiest(survey, queue_busiest(queue));
}
