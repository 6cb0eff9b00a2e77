/* A record in the ring: length of the stored form (4 bytes), queue ID (8 bytes), both as the machine has them, and the stored form.
 * Places count on from 0 for ever; in memory they are taken modulo FEED_BYTES, and a record may lie across the end. */
#include "events/feed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { HEAD_BYTES = 12 };

struct feed {
	pthread_mutex_t lock;
	uint64_t first, end;               /* Numbers of the oldest event, and of the next. */
	uint64_t place;                    /* Of the next record. */
	uint64_t places[FEED_EVENTS_MAX];  /* Of event n at n modulo that. */
	char ring[FEED_BYTES];
};

struct feed *feed_new(void)
{
	struct feed *feed = malloc(sizeof *feed); /* Not zeroed: pages that are never written cost nothing. */

	if (feed == NULL)
		return NULL;
	pthread_mutex_init(&feed->lock, NULL);
	feed->first = feed->end = feed->place = 0;
	return feed;
}

void feed_free(struct feed *feed)
{
	if (feed == NULL)
		return;
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

/* Where event `number` begins; of the next one: where it will. */
static uint64_t place_of(const struct feed *feed, uint64_t number)
{
	return number == feed->end ? feed->place : feed->places[number % FEED_EVENTS_MAX];
}

static void put(struct feed *feed, const void *bytes, size_t length)
{
	const size_t at = feed->place % FEED_BYTES, until_end = FEED_BYTES - at, part = length < until_end ? length : until_end;

	memcpy(feed->ring + at, bytes, part);
	if (part < length)
		memcpy(feed->ring, (const char *)bytes + part, length - part);
	feed->place += length;
}

static void get(const struct feed *feed, uint64_t place, char *room, size_t length)
{
	const size_t at = place % FEED_BYTES, until_end = FEED_BYTES - at, part = length < until_end ? length : until_end;

	memcpy(room, feed->ring + at, part);
	if (part < length)
		memcpy(room + part, feed->ring, length - part);
}

void feed_add(struct feed *feed, queue_id id, struct text stored)
{
	const uint32_t length = (uint32_t)stored.length;
	const uint64_t key = id, bytes = HEAD_BYTES + stored.length;

	if (bytes > FEED_PAGE_BYTES)
		return;
	pthread_mutex_lock(&feed->lock);
	while (feed->end - feed->first == FEED_EVENTS_MAX || feed->place + bytes - place_of(feed, feed->first) > FEED_BYTES)
		feed->first++; /* F1 */
	feed->places[feed->end % FEED_EVENTS_MAX] = feed->place;
	put(feed, &length, sizeof length);
	put(feed, &key, sizeof key);
	put(feed, stored.bytes, stored.length);
	feed->end++;
	must(feed->place - place_of(feed, feed->first) <= FEED_BYTES); /* F3 */
	pthread_mutex_unlock(&feed->lock);
}

uint64_t feed_end(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	const uint64_t end = feed->end;

	pthread_mutex_unlock(&feed->lock);
	return end;
}

enum error feed_read(struct feed *feed, uint64_t from, struct arena *arena, struct feed_page *out_page)
{
	char *room = arena_alloc(arena, FEED_PAGE_BYTES);

	if (room == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_lock(&feed->lock);
	const uint64_t first = from < feed->first ? feed->first : from < feed->end ? from : feed->end;
	const uint64_t place = place_of(feed, first);
	uint64_t end = first;

	while (end < feed->end && place_of(feed, end + 1) - place <= FEED_PAGE_BYTES)
		end++;
	const size_t length = place_of(feed, end) - place;

	get(feed, place, room, length);
	pthread_mutex_unlock(&feed->lock);
	*out_page = (struct feed_page){ .first = first, .count = end - first, .records = { room, length } };
	return OK;
}

bool feed_next(struct text *records, struct event *out_event)
{
	uint32_t length;
	uint64_t id;

	if (records->length == 0)
		return false;
	must(records->length >= HEAD_BYTES);
	memcpy(&length, records->bytes, sizeof length);
	memcpy(&id, records->bytes + sizeof length, sizeof id);
	must(HEAD_BYTES + (size_t)length <= records->length);
	must(event_decode(id, text_part(*records, HEAD_BYTES, length), out_event) == OK); /* We encoded it. */
	*records = text_from(*records, HEAD_BYTES + (size_t)length);
	return true;
}
