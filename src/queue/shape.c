#include "queue/shape.h"

#include <stdlib.h>

#include "base/must.h"

/* -- Which holds ------------------------------------------------------------------------------------ */

/* How much of the name the pattern says: 0 nothing, the whole name most. */
static size_t match_length(struct text pattern, struct text name)
{
	if (text_equal_nocase(pattern, name))
		return name.length + 1;
	if (!text_starts(pattern, TEXT(".")) || name.length <= pattern.length)
		return 0;
	return text_equal_nocase(text_from(name, name.length - pattern.length), pattern) ? pattern.length : 0;
}

static bool names_a_host(const struct shape *shape, const struct host_list *hosts)
{
	for (size_t i = 0; i < shape->mx_count; i++)
		for (size_t k = 0; k < hosts->host_count; k++)
			if (match_length(shape->mx[i], hosts->hosts[k].name) > 0)
				return true;
	return false;
}

const struct shape *shape_find(
    const struct shape *shapes, size_t count, struct text domain, const struct host_list *hosts)
{
	const struct shape *of_domain = NULL, *of_hosts = NULL, *of_all = NULL;
	size_t length = 0;

	for (const struct shape *shape = shapes; shape < shapes + count; shape++) {
		const size_t here = shape->mx_count == 0 ? match_length(shape->pattern, domain) : 0;

		if (here > length) {
			of_domain = shape;
			length = here;
		} else if (shape->mx_count == 0 && text_equal(shape->pattern, TEXT("*"))) {
			of_all = shape;
		} else if (shape->mx_count > 0 && of_hosts == NULL && hosts != NULL && names_a_host(shape, hosts)) {
			of_hosts = shape;
		}
	}
	return of_domain ? of_domain : of_hosts ? of_hosts : of_all;
}

bool shapes_copy(
    const struct shape *shapes, size_t count, struct arena *arena, const struct shape **out_shapes)
{
	struct shape *copies = arena_array(arena, count + 1, sizeof *copies);

	if (copies == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct text *mx = arena_array(arena, shapes[i].mx_count + 1, sizeof *mx);

		copies[i] = shapes[i];
		if (mx == NULL || !arena_copy(arena, shapes[i].pattern, &copies[i].pattern))
			return false;
		for (size_t k = 0; k < shapes[i].mx_count; k++)
			if (!arena_copy(arena, shapes[i].mx[k], &mx[k]))
				return false;
		copies[i].mx = mx;
	}
	*out_shapes = copies;
	return true;
}

struct rate shape_spread(struct rate rate)
{
	must(rate.count > 0 && rate.period_ms > 0);

	if ((uint64_t)rate.count * 1000 / (uint64_t)rate.period_ms >= RATE_COUNT_MAX)
		return rate;
	/* More than a second's worth by less than one: the period is never too short for a table of rates. */
	const uint64_t period_ms = (uint64_t)rate.period_ms, count = (uint64_t)rate.count * 1000 / period_ms + 1;

	/* Rounded up: never more than was allowed. */
	return (struct rate){ (uint32_t)count, (int64_t)((count * period_ms + rate.count - 1) / rate.count) };
}

/* -- Who the hosts are --------------------------------------------------------------------------------- */

struct place {
	struct text name; /* In lower case. */
	uint16_t port;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	const int order = text_compare(x->name, y->name);

	return order != 0 ? order : (int)x->port - (int)y->port;
}

static bool lower_copy(struct arena *arena, struct text text, struct text *out_copy)
{
	char *bytes = arena_array(arena, text.length + 1, 1);

	if (bytes == NULL)
		return false;
	for (size_t i = 0; i < text.length; i++)
		bytes[i] = byte_lower(text.bytes[i]);
	*out_copy = (struct text){ bytes, text.length };
	return true;
}

/* Sorted, each once. */
static bool list_places(
    const struct host_list *hosts, struct arena *arena, struct place **out_places, size_t *out_count)
{
	struct place *places = arena_array(arena, hosts->host_count + 1, sizeof *places);
	size_t count = 0;

	if (places == NULL)
		return false;
	for (size_t i = 0; i < hosts->host_count; i++) {
		places[i].port = hosts->hosts[i].endpoint.port;
		if (!lower_copy(arena, hosts->hosts[i].name, &places[i].name))
			return false;
	}
	qsort(places, hosts->host_count, sizeof *places, compare_places);
	for (size_t i = 0; i < hosts->host_count; i++)
		if (count == 0 || compare_places(&places[count - 1], &places[i]) != 0)
			places[count++] = places[i];
	*out_places = places;
	*out_count = count;
	return true;
}

bool shape_site_key(
    const struct shape *shape, const struct host_list *hosts, struct arena *arena, struct text *out_key)
{
	struct place *places;
	struct text key = TEXT_EMPTY;
	size_t count;

	if (shape != NULL && shape->mx_count > 0)
		return arena_print(arena, out_key, "provider %.*s", TEXT_FORMAT(shape->pattern));
	if (!list_places(hosts, arena, &places, &count))
		return false;
	/* What is fixed for a domain is not for the others at its hosts. */
	if (shape != NULL && !text_equal(shape->pattern, TEXT("*")) && !arena_print(arena, &key, "%.*s at ", TEXT_FORMAT(shape->pattern)))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!arena_print(arena, &key, "%.*s%s%.*s:%u", TEXT_FORMAT(key), i > 0 ? "," : "", TEXT_FORMAT(places[i].name),
			places[i].port))
			return false;
	*out_key = key;
	return true;
}
