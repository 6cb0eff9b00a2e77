#include "queue/busiest.h"

#include <string.h>

#include "base/must.h"

struct text busiest_name(const struct busiest_place *place)
{
	return (struct text){ place->name, place->length };
}

/* NULL: it has none. */
static struct busiest_place *find(struct busiest *busiest, struct text name)
{
	for (unsigned i = 0; i < busiest->place_count; i++)
		if (text_equal(busiest_name(&busiest->places[i]), name))
			return &busiest->places[i];
	return NULL;
}

/* One that is free, or whose name has lost its weight. NULL: there is none. */
static struct busiest_place *find_room(struct busiest *busiest)
{
	if (busiest->place_count < BUSIEST_MAX)
		return &busiest->places[busiest->place_count++];
	for (unsigned i = 0; i < BUSIEST_MAX; i++)
		if (busiest->places[i].weight == 0)
			return &busiest->places[i];
	return NULL;
}

static struct busiest_place *take_place(struct busiest *busiest, struct text name)
{
	struct busiest_place *place = find_room(busiest);

	if (place == NULL)
		return NULL;
	for (unsigned i = 0; i < BUSIEST_OUTCOME_COUNT; i++)
		busiest->others[i] += place->counts[i]; /* B1 */
	*place = (struct busiest_place){ .length = (unsigned char)name.length };
	memcpy(place->name, name.bytes, name.length);
	return place;
}

void busiest_count(struct busiest *busiest, struct text name, enum busiest_outcome outcome)
{
	const struct text known = text_part(name, 0, BUSIEST_NAME_MAX);
	struct busiest_place *place = find(busiest, known);

	must(outcome < BUSIEST_OUTCOME_COUNT);
	if (place == NULL)
		place = take_place(busiest, known);
	if (place != NULL) {
		place->weight++;
		place->counts[outcome]++;
		return;
	}
	busiest->others[outcome]++;
	for (unsigned i = 0; i < BUSIEST_MAX; i++)
		busiest->places[i].weight--;
}
