#include "conf/part.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "conf/value.h"
#include "mail/address.h"

enum { SMTP_PORT = 25 };

/* -- where ------------------------------------------------------------------- */

struct part part_top(struct reading *reading)
{
	return (struct part){ .reading = reading, .tree = reading->tree, .section = "", .line = 1 };
}

struct part part_section(struct reading *reading, const char *section)
{
	const struct place *place = reading_place(reading, section, 0, NULL);

	return (struct part){ .reading = reading,
		.tree = cfg_getsec(reading->tree, section),
		.section = section,
		.line = place ? place->line : 1 };
}

unsigned part_count(const struct reading *reading, const char *section)
{
	return cfg_size(reading->tree, section);
}

struct part part_nth(struct reading *reading, const char *section, unsigned ordinal)
{
	const struct place *place = reading_place(reading, section, ordinal, NULL);
	cfg_t *tree = cfg_getnsec(reading->tree, section, ordinal);
	struct text title = text_of(cfg_title(tree));

	if (place != NULL && place->repeats_at > 0)
		title = text_part(title, 0, text_find_byte_last(title, TITLE_END));
	return (struct part){ .reading = reading,
		.tree = tree,
		.section = section,
		.ordinal = ordinal,
		.line = place ? place->line : 1,
		.title = title };
}

int part_line(const struct part *part, const char *name)
{
	const struct option *option = conf_option_find(part->section, text_of(name));
	const struct place *place = reading_place(part->reading, part->section, part->ordinal, option);

	must(option != NULL);
	return place ? place->line : 0;
}

/* An option of a part, ready to be read. */
struct slot {
	const struct part *part;
	const struct option *option;
	int line; /* For complaints. */
};

static struct slot slot_of(const struct part *part, const char *name)
{
	const struct option *option = conf_option_find(part->section, text_of(name));
	const int line = part_line(part, name);

	return (struct slot){ part, option, line > 0 ? line : part->line };
}

/* section option = "value": problem (hint: hint) */
static void complain_value(const struct slot *slot, struct text value, const char *problem, const char *hint)
{
	const struct option *option = slot->option;

	reading_complain(slot->part->reading, slot->line, "%s%s%s = \"%.*s\" %s (hint: %s)", option->section,
	    option->section[0] ? " " : "", option->name, TEXT_FORMAT(text_part(value, 0, 200)), problem, hint);
}

static void complain_memory(const struct part *part)
{
	reading_complain(part->reading, part->line, "larger than any sensible configuration (hint: make it shorter)");
}

/* A copy in the arena; "" after a complaint. */
static struct text kept(const struct part *part, struct text text)
{
	struct text copy = TEXT("");

	if (!arena_copy(part->reading->arena, text, &copy))
		complain_memory(part);
	return copy;
}

/* The first of the words. */
static struct text first_word(const struct option *option)
{
	struct text rest = text_of(option->words), word = TEXT_EMPTY;

	(void)text_cut(&rest, ' ', &word);
	return word;
}

static void check_availability(const struct slot *slot, struct text value)
{
	const char *why = availability_why(slot->option->availability);

	if (why == NULL || part_line(slot->part, slot->option->name) == 0)
		return;
	if (slot->option->kind == KIND_ENUM && text_equal(value, first_word(slot->option)))
		return;
	complain_value(slot, value, "cannot be had", why);
}

/* The value of an option with one; bytes NULL when there is none. */
static struct text slot_text(const struct slot *slot)
{
	must(!option_is_list(slot->option));
	const struct text text = text_of(cfg_getstr(slot->part->tree, slot->option->name));

	check_availability(slot, text);
	return text;
}

/* -- single values ----------------------------------------------------------- */

struct text part_text(const struct part *part, const char *name)
{
	const struct slot slot = slot_of(part, name);

	return kept(part, slot_text(&slot));
}

struct text part_hostname(const struct part *part, const char *name)
{
	const struct slot slot = slot_of(part, name);
	const struct text text = kept(part, slot_text(&slot));

	if (part_line(part, name) > 0 && (!address_domain_valid(text, false) || text.bytes[0] == '['))
		complain_value(&slot, text, "is not a host name", "like mail.example.org");
	return text;
}

/* A relative path is one from the file's folder. */
static struct text path_of(const struct slot *slot, struct text text)
{
	const struct reading *reading = slot->part->reading;
	struct text path = TEXT("");

	if (text.length == 0 || text.bytes[0] == '/')
		return kept(slot->part, text);
	if (!arena_print(reading->arena, &path, "%s/%.*s", reading->folder, TEXT_FORMAT(text)))
		complain_value(slot, text, "is too long", "a shorter path");
	return path;
}

const char *part_path(const struct part *part, const char *name)
{
	const struct slot slot = slot_of(part, name);

	return path_of(&slot, slot_text(&slot)).bytes;
}

unsigned part_word(const struct part *part, const char *name)
{
	const struct slot slot = slot_of(part, name);
	const struct text text = slot_text(&slot);
	struct text rest = text_of(slot.option->words), word;
	char hint[160];

	for (unsigned i = 0; text_cut(&rest, ' ', &word); i++)
		if (text_equal(text, word))
			return i;
	snprintf(hint, sizeof hint, "one of: %s", slot.option->words);
	complain_value(&slot, text, "is not a word for this", hint);
	return 0;
}

bool part_bool(const struct part *part, const char *name)
{
	const struct slot slot = slot_of(part, name);
	const struct text text = slot_text(&slot);
	bool value = false;

	if (!value_bool(text, &value))
		complain_value(&slot, text, "is neither yes nor no", "yes or no");
	return value;
}

/* -- quantities -------------------------------------------------------------- */

struct measure {
	bool (*read)(struct text text, uint64_t *out_value);
	const char *problem, *hint;
};

static struct measure measure_of(const struct option *option)
{
	switch (option->kind) {
	case KIND_NUMBER:
		return (struct measure){ text_to_u64, "is not a number", "digits only" };
	case KIND_SIZE:
		return (struct measure){ value_size, "is not a size", "a number with the unit K, M or G, like 50M" };
	case KIND_DURATION:
	case KIND_DURATIONS:
		return (struct measure){ value_duration, "is not a duration",
			"a number with the unit ms, s, m, h or d, like 30s" };
	default:
		must(false); /* Asked of a quantity only. */
		return (struct measure){ NULL, NULL, NULL };
	}
}

static uint64_t quantity_of(const struct slot *slot, struct text text)
{
	const struct measure measure = measure_of(slot->option);
	const struct text range = text_of(slot->option->words);
	const size_t dots = text_find(range, TEXT(".."));
	uint64_t least = 0, most = 0, value = 0;
	char hint[96];

	must(measure.read(text_part(range, 0, dots), &least) && measure.read(text_from(range, dots + 2), &most));
	snprintf(hint, sizeof hint, "from %.*s to %s", (int)dots, range.bytes, range.bytes + dots + 2);
	if (!measure.read(text, &value))
		complain_value(slot, text, measure.problem, measure.hint);
	else if (value < least || value > most)
		complain_value(slot, text, "is out of range", hint);
	else
		return value;
	return least;
}

uint64_t part_quantity(const struct part *part, const char *name)
{
	const struct slot slot = slot_of(part, name);

	return quantity_of(&slot, slot_text(&slot));
}

struct rate part_rate(const struct part *part, const char *name)
{
	const struct slot slot = slot_of(part, name);
	const struct text text = slot_text(&slot);
	struct rate rate = { 0 };

	if (!value_rate(text, &rate))
		complain_value(&slot, text, "is not a rate", "a number and a duration from 1s to 30d, like 100/1h, or none");
	return rate;
}

/* -- hosts ------------------------------------------------------------------- */

struct text part_unix_absolute(const struct part *part, struct text endpoint)
{
	struct text absolute = endpoint;

	if (!text_starts(endpoint, TEXT("unix:")) || endpoint.length == 5 || endpoint.bytes[5] == '/')
		return endpoint;
	if (!arena_print(part->reading->arena, &absolute, "unix:%s/%.*s", part->reading->folder,
	        TEXT_FORMAT(text_from(endpoint, 5))))
		reading_complain(part->reading, part->line, "path too long (hint: a shorter one)");
	return absolute;
}

/* "host" or "host:port"; a colon more, and it can only be an address. */
static bool is_host(struct text text)
{
	const size_t colon = text_find_byte(text, ':');
	uint64_t port = SMTP_PORT;

	return address_domain_valid(text_part(text, 0, colon), true) && text.bytes[0] != '[' &&
	    (colon == text.length || text_to_u64(text_from(text, colon + 1), &port)) && port > 0 && port <= UINT16_MAX;
}

/* A host, a host with a port, an address with or without one, or a socket. */
static struct text host_of(const struct slot *slot, struct text text)
{
	const struct text host = part_unix_absolute(slot->part, text);
	struct endpoint endpoint;

	if (!endpoint_parse(host, SMTP_PORT, &endpoint) && (text_starts(host, TEXT("unix:")) || !is_host(host)))
		complain_value(slot, text, "is not a host", "NAME, NAME:PORT, ADDRESS:PORT or unix:PATH");
	return host;
}

struct text part_endpoint(const struct part *part, const char *name)
{
	const struct slot slot = slot_of(part, name);
	const struct text text = kept(part, slot_text(&slot));

	return text.length > 0 ? host_of(&slot, text) : text;
}

/* -- lists ------------------------------------------------------------------- */

const struct text *part_texts(const struct part *part, const char *name, size_t *out_count)
{
	const struct slot slot = slot_of(part, name);
	const size_t count = cfg_size(part->tree, name);
	struct text *list = arena_array(part->reading->arena, count + 1, sizeof *list);

	must(option_is_list(slot.option));
	if (list == NULL)
		complain_memory(part);
	*out_count = list ? count : 0;
	for (size_t i = 0; i < *out_count; i++) {
		list[i] = kept(part, text_of(cfg_getnstr(part->tree, name, (unsigned)i)));
		check_availability(&slot, list[i]);
	}
	return list;
}

/* The list and room for what becomes of it; the count is 0 when there is no memory. */
static const struct text *list_and_room(
    const struct part *part, const char *name, size_t element_size, void **out_room, size_t *out_count)
{
	const struct text *list = part_texts(part, name, out_count);

	*out_room = arena_array(part->reading->arena, *out_count + 1, element_size);
	if (*out_room == NULL) {
		complain_memory(part);
		*out_count = 0;
	}
	return list;
}

const struct text *part_paths(const struct part *part, const char *name, size_t *out_count)
{
	const struct slot slot = slot_of(part, name);
	void *room;
	const struct text *list = list_and_room(part, name, sizeof(struct text), &room, out_count);
	struct text *paths = room;

	for (size_t i = 0; i < *out_count; i++)
		paths[i] = path_of(&slot, list[i]);
	return paths;
}

static int compare_texts(const void *a, const void *b)
{
	return text_compare(*(const struct text *)a, *(const struct text *)b);
}

/* There may be very many domains: a sorted copy tells whether one stands there twice. */
static void complain_twice(const struct slot *slot, const struct text *list, size_t count)
{
	struct text *sorted = arena_array(slot->part->reading->arena, count + 1, sizeof *sorted);

	if (sorted == NULL) {
		complain_memory(slot->part);
		return;
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = list[i];
	qsort(sorted, count, sizeof *sorted, compare_texts);
	for (size_t i = 1; i < count; i++)
		if (text_equal(sorted[i - 1], sorted[i]))
			complain_value(slot, sorted[i], "stands there twice", "keep one of them");
}

const struct text *part_domains(const struct part *part, const char *name, size_t *out_count)
{
	const struct slot slot = slot_of(part, name);
	void *room;
	const struct text *list = list_and_room(part, name, sizeof(struct text), &room, out_count);
	struct text *domains = room;

	for (size_t i = 0; i < *out_count; i++) {
		domains[i] = list[i];
		if (!address_domain_valid(list[i], true) || list[i].bytes[0] == '[' ||
		    address_domain_to_ascii(list[i], part->reading->arena, &domains[i]) != OK)
			complain_value(&slot, list[i], "is not a domain", "like example.org");
	}
	complain_twice(&slot, domains, *out_count);
	return domains;
}

const struct text *part_hosts(const struct part *part, const char *name, size_t *out_count)
{
	const struct slot slot = slot_of(part, name);
	void *room;
	const struct text *list = list_and_room(part, name, sizeof(struct text), &room, out_count);
	struct text *hosts = room;

	for (size_t i = 0; i < *out_count; i++)
		hosts[i] = host_of(&slot, list[i]);
	return hosts;
}

const struct network *part_networks(const struct part *part, const char *name, size_t *out_count)
{
	const struct slot slot = slot_of(part, name);
	void *room;
	const struct text *list = list_and_room(part, name, sizeof(struct network), &room, out_count);
	struct network *networks = room;

	for (size_t i = 0; i < *out_count; i++)
		if (!network_parse(list[i], &networks[i]))
			complain_value(&slot, list[i], "is neither an address nor a network", "like 192.0.2.1 or 192.0.2.0/24");
	return networks;
}

const struct endpoint *part_addresses(const struct part *part, const char *name, size_t *out_count)
{
	const struct slot slot = slot_of(part, name);
	void *room;
	const struct text *list = list_and_room(part, name, sizeof(struct endpoint), &room, out_count);
	struct endpoint *addresses = room;

	for (size_t i = 0; i < *out_count; i++)
		if (!endpoint_parse_ip(list[i], &addresses[i]))
			complain_value(&slot, list[i], "is not an IP address", "like 192.0.2.1 or 2001:db8::1");
	return addresses;
}

const int64_t *part_durations(const struct part *part, const char *name, size_t *out_count)
{
	const struct slot slot = slot_of(part, name);
	void *room;
	const struct text *list = list_and_room(part, name, sizeof(int64_t), &room, out_count);
	int64_t *durations = room;

	if (*out_count == 0)
		reading_complain(part->reading, slot.line, "%s %s is empty (hint: like {\"1m\", \"5m\"})", slot.option->section, name);
	for (size_t i = 0; i < *out_count; i++)
		durations[i] = (int64_t)quantity_of(&slot, list[i]);
	return durations;
}
