/* Destinations: limits that are fixed for where mail goes. */
#include "conf/build_private.h"
#include "conf/part.h"
#include "mail/address.h"

/* "example.net" or ".example.net"; *out_ascii: in A-labels. */
static bool read_pattern(struct text pattern, struct arena *arena, struct text *out_ascii)
{
	const bool is_suffix = text_starts(pattern, TEXT("."));
	const struct text domain = text_from(pattern, is_suffix);
	struct text ascii;

	if (!address_domain_valid(domain, true) || domain.bytes[0] == '[' ||
	    address_domain_to_ascii(domain, arena, &ascii) != OK)
		return false;
	return arena_print(arena, out_ascii, "%s%.*s", is_suffix ? "." : "", TEXT_FORMAT(ascii));
}

static void build_mx(const struct part *part, struct conf_destination *destination)
{
	const struct text *written = part_texts(part, "mx", &destination->mx_count);
	struct text *mx = arena_array(part->reading->arena, destination->mx_count + 1, sizeof *mx);

	if (mx == NULL)
		destination->mx_count = 0;
	for (size_t i = 0; i < destination->mx_count; i++)
		if (!read_pattern(written[i], part->reading->arena, &mx[i])) {
			mx[i] = TEXT("");
			reading_complain(part->reading, part_line(part, "mx"),
			    "destination mx = \"%.*s\" is not a host (hint: mx.example.net or .example.net)", TEXT_FORMAT(written[i]));
		}
	destination->mx = mx;
}

static void build_pattern(const struct part *part, struct conf_destination *destination)
{
	const bool is_name = destination->mx_count > 0 || part_line(part, "mx") > 0 || text_equal(part->title, TEXT("*"));

	destination->pattern = TEXT("");
	if (is_name ? !arena_copy(part->reading->arena, part->title, &destination->pattern)
	            : !read_pattern(part->title, part->reading->arena, &destination->pattern))
		reading_complain(part->reading, part->line,
		    "destination \"%.*s\" is not a domain (hint: example.net, .example.net or *; or say its hosts: mx = {\".example.net\"})",
		    TEXT_FORMAT(part->title));
}

static void build_limits(const struct part *part, struct conf_destination *destination)
{
	destination->concurrency = (unsigned)part_quantity(part, "concurrency");
	destination->connections = (unsigned)part_quantity(part, "connections");
	destination->connection_messages = (unsigned)part_quantity(part, "messages-per-connection");
	destination->rate = part_rate(part, "rate");
	if (destination->concurrency == 0 && destination->connections == 0 && destination->connection_messages == 0 &&
	    destination->rate.count == 0)
		reading_complain(part->reading, part->line, "destination \"%.*s\" fixes nothing (hint: concurrency = 5)",
		    TEXT_FORMAT(part->title));
	if (destination->connections > 0 && destination->concurrency > destination->connections)
		reading_complain(part->reading, part_line(part, "concurrency"),
		    "destination \"%.*s\" has more deliveries than connections at one time (hint: concurrency = %u)",
		    TEXT_FORMAT(part->title), destination->connections);
}

void conf_build_destinations(struct reading *reading, struct conf *conf)
{
	const unsigned count = part_count(reading, "destination");
	struct conf_destination *destinations = arena_array(reading->arena, count + 1, sizeof *destinations);

	if (destinations == NULL)
		reading_complain(reading, 1, "larger than any sensible configuration (hint: make it shorter)");
	for (unsigned i = 0; destinations != NULL && i < count; i++) {
		const struct part part = part_nth(reading, "destination", i);

		destinations[i].line = part.line;
		build_mx(&part, &destinations[i]);
		build_pattern(&part, &destinations[i]);
		build_limits(&part, &destinations[i]);
		for (unsigned k = 0; k < i; k++)
			if (text_equal_nocase(destinations[k].pattern, destinations[i].pattern) && destinations[i].pattern.length > 0)
				reading_complain(reading, part.line,
				    "destination \"%.*s\" is the same as that of line %d (hint: keep one of them)",
				    TEXT_FORMAT(part.title), destinations[k].line);
	}
	conf->destinations = destinations;
	conf->destination_count = destinations ? count : 0;
}
