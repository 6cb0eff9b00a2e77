#include "dns/zone_table.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/must.h"
#include "dns/name.h"

enum { TYPE_COUNT = DNS_TLSA + 1 };

struct zone_set {
	enum dns_status status; /* DNS_FOUND, also for an empty set; or a failure. */
	uint32_t count;
	const struct dns_record *records;
};

struct zone_name {
	struct text name;
	enum dns_status status; /* As in a set, for all its types. */
	bool secure;            /* As if DNSSEC had validated what it has and what it has not. */
	struct text alias;      /* CNAME; empty: none. */
	struct zone_set sets[TYPE_COUNT];
};

struct zone_table {
	struct zone_name *names; /* Sorted by name. */
	size_t count;
};

/* Where the parser is, for complaints. */
struct zone_reader {
	struct arena *arena;
	const char *name, *type;
	size_t record; /* 1 is the first; 0: none of them. */
	struct text *out_complaint;
};

/* -- Complaints ------------------------------------------------------------- */

static enum error complain(const struct zone_reader *reader, const char *what)
{
	char record[32] = "";

	if (reader->record > 0)
		snprintf(record, sizeof record, " record %zu", reader->record);
	if (!arena_print(reader->arena, reader->out_complaint, "\"%.300s\"%s%s%s: %s", reader->name,
		reader->type ? " " : "", reader->type ? reader->type : "", record, what))
		return ERR_NO_MEMORY;
	return ERR_SYNTAX;
}

/* -- Pieces ----------------------------------------------------------------- */

static struct text text_of_json(const json_t *string)
{
	return (struct text){ json_string_value(string), json_string_length(string) };
}

/* The words that stand for a failure; DNS_FOUND when it is none. */
static enum dns_status failure_of(const json_t *value)
{
	if (!json_is_string(value))
		return DNS_FOUND;
	if (text_equal(text_of_json(value), TEXT("TIMEOUT")))
		return DNS_TIMEOUT;
	if (text_equal(text_of_json(value), TEXT("SERVFAIL")))
		return DNS_SERVFAIL;
	if (text_equal(text_of_json(value), TEXT("BOGUS")))
		return DNS_BOGUS;
	return DNS_FOUND;
}

/* A host name; "" and "." are the root. */
static enum error read_host(const struct zone_reader *reader, const json_t *value, struct text *out_name)
{
	char room[DNS_NAME_SIZE];
	struct text name = TEXT_EMPTY;
	const struct text given = text_of_json(value);

	if (!json_is_string(value))
		return complain(reader, "a host name in quotes is wanted");
	if (given.length > 0 && !text_equal(given, TEXT(".")) && !dns_name_normalise(given, room, &name))
		return complain(reader, "not a domain name (non-ASCII ones go in their xn-- form)");
	return arena_copy(reader->arena, name, out_name) ? OK : ERR_NO_MEMORY;
}

static enum error read_address(const struct zone_reader *reader, const json_t *value,
    enum endpoint_family family, struct dns_record *record)
{
	struct endpoint address;

	if (!json_is_string(value) || !endpoint_parse_ip(text_of_json(value), &address) ||
	    address.family != family)
		return complain(reader, family == ENDPOINT_IP4 ? "an IPv4 address in quotes is wanted"
							       : "an IPv6 address in quotes is wanted");
	record->address = address;
	return OK;
}

static enum error read_mx(const struct zone_reader *reader, const json_t *value, struct dns_record *record)
{
	const json_t *preference = json_array_get(value, 0);

	if (json_array_size(value) != 2 || !json_is_integer(preference) ||
	    json_integer_value(preference) < 0 || json_integer_value(preference) > UINT16_MAX)
		return complain(reader, "[preference, \"host\"] is wanted, preference from 0 to 65535");
	record->preference = (uint16_t)json_integer_value(preference);
	return read_host(reader, json_array_get(value, 1), &record->name);
}

static enum error read_txt(const struct zone_reader *reader, const json_t *value, struct dns_record *record)
{
	size_t length = 0, at;
	const json_t *chunk;

	if (json_is_string(value))
		return arena_copy(reader->arena, text_of_json(value), &record->data) ? OK : ERR_NO_MEMORY;
	if (!json_is_array(value))
		return complain(reader, "[\"chunk\", \"chunk\"] is wanted");
	json_array_foreach(value, at, chunk) {
		if (!json_is_string(chunk))
			return complain(reader, "every chunk must be in quotes");
		length += json_string_length(chunk);
	}
	char *joined = arena_alloc(reader->arena, length);
	size_t used = 0;

	if (joined == NULL)
		return ERR_NO_MEMORY;
	json_array_foreach(value, at, chunk) {
		memcpy(joined + used, json_string_value(chunk), json_string_length(chunk));
		used += json_string_length(chunk);
	}
	must(used == length);
	record->data = (struct text){ joined, length };
	return OK;
}

/* Hexadecimal digits, spaces between them passed over, behind what the buffer holds. */
static bool append_hex(struct text hex, char *bytes, size_t *used)
{
	int high = -1;

	for (size_t i = 0; i < hex.length; i++) {
		const int digit = hex_value(hex.bytes[i]);

		if (digit < 0 && hex.bytes[i] != ' ')
			return false;
		if (digit >= 0 && high < 0) {
			high = digit;
		} else if (digit >= 0) {
			bytes[(*used)++] = (char)(high << 4 | digit);
			high = -1;
		}
	}
	return high < 0;
}

/* As in a zone file (RFC 6698 §2.2). */
static enum error read_tlsa(const struct zone_reader *reader, const json_t *value, struct dns_record *record)
{
	struct text rest = json_is_string(value) ? text_of_json(value) : TEXT_EMPTY, word;
	char *bytes = arena_alloc(reader->arena, 3 + rest.length);
	size_t used = 0;

	if (bytes == NULL)
		return ERR_NO_MEMORY;
	for (uint64_t number; used < 3; bytes[used++] = (char)number)
		if (!text_cut(&rest, ' ', &word) || !text_to_u64(word, &number) || number > UINT8_MAX)
			break;
	if (used < 3 || !append_hex(rest, bytes, &used) || used == 3)
		return complain(reader, "\"usage selector matching-type hexadecimal-digits\" is wanted");
	record->data = (struct text){ bytes, used };
	return OK;
}

static enum error read_record(
    const struct zone_reader *reader, enum dns_type type, const json_t *value, struct dns_record *record)
{
	switch (type) {
	case DNS_A:
		return read_address(reader, value, ENDPOINT_IP4, record);
	case DNS_AAAA:
		return read_address(reader, value, ENDPOINT_IP6, record);
	case DNS_MX:
		return read_mx(reader, value, record);
	case DNS_TXT:
		return read_txt(reader, value, record);
	case DNS_PTR:
		return read_host(reader, value, &record->name);
	case DNS_TLSA:
		return read_tlsa(reader, value, record);
	}
	return complain(reader, "this type cannot be given in a zone file");
}

/* -- Sets, names, the table --------------------------------------------------- */

static enum error read_set(
    struct zone_reader *reader, enum dns_type type, const json_t *value, struct zone_set *set)
{
	const size_t count = json_array_size(value);
	size_t at;
	const json_t *item;

	set->status = failure_of(value);
	if (set->status != DNS_FOUND)
		return OK;
	if (!json_is_array(value))
		return complain(reader, "a list of records, \"TIMEOUT\", \"SERVFAIL\" or \"BOGUS\" is wanted");
	if (count > DNS_RECORD_MAX)
		return complain(reader, "more than 100 records");
	struct dns_record *records = arena_array(reader->arena, count, sizeof *records);

	if (records == NULL)
		return ERR_NO_MEMORY;
	json_array_foreach(value, at, item) {
		reader->record = at + 1;
		const enum error error = read_record(reader, type, item, &records[at]);

		if (error != OK)
			return error;
	}
	reader->record = 0;
	set->records = records;
	set->count = (uint32_t)count;
	return OK;
}

static enum error read_alias(const struct zone_reader *reader, const json_t *value, struct zone_name *name)
{
	name->status = failure_of(value);
	if (name->status != DNS_FOUND)
		return OK;
	const enum error error = read_host(reader, value, &name->alias);

	if (error == OK && name->alias.length == 0)
		return complain(reader, "the root cannot be an alias target");
	return error;
}

static enum error read_secure(const struct zone_reader *reader, const json_t *value, struct zone_name *name)
{
	if (!json_is_boolean(value))
		return complain(reader, "true or false is wanted");
	name->secure = json_is_true(value);
	return OK;
}

static enum error read_type(struct zone_reader *reader, const json_t *value, struct zone_name *name)
{
	static const struct {
		const char *word;
		enum dns_type type;
	} types[] = { { "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX }, { "TXT", DNS_TXT },
		{ "PTR", DNS_PTR }, { "TLSA", DNS_TLSA } };

	if (strcmp(reader->type, "secure") == 0)
		return read_secure(reader, value, name);
	if (strcmp(reader->type, "CNAME") == 0)
		return read_alias(reader, value, name);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(reader->type, types[i].word) == 0)
			return read_set(reader, types[i].type, value, &name->sets[types[i].type]);
	return complain(reader, "unknown type; MX, TXT, A, AAAA, PTR, TLSA and CNAME are known");
}

static enum error read_name(struct zone_reader *reader, const json_t *value, struct zone_name *name)
{
	char room[DNS_NAME_SIZE];
	struct text normal;
	const char *type;
	json_t *set;

	if (!dns_name_normalise(text_of(reader->name), room, &normal))
		return complain(reader, "not a domain name (non-ASCII ones go in their xn-- form)");
	if (!arena_copy(reader->arena, normal, &name->name))
		return ERR_NO_MEMORY;
	name->status = failure_of(value);
	if (name->status != DNS_FOUND)
		return OK;
	if (!json_is_object(value))
		return complain(reader, "{\"TYPE\": records}, \"TIMEOUT\", \"SERVFAIL\" or \"BOGUS\" is wanted");
	json_object_foreach((json_t *)(uintptr_t)value, type, set) {
		reader->type = type;
		const enum error error = read_type(reader, set, name);

		if (error != OK)
			return error;
	}
	if (name->alias.length > 0 && json_object_size(value) - (json_object_get(value, "secure") != NULL) > 1)
		return complain(reader, "a CNAME must stand alone (RFC 1034 §3.6.2)");
	reader->type = NULL;
	return OK;
}

static int compare_names(const void *a, const void *b)
{
	const struct zone_name *left = a, *right = b;

	return text_compare(left->name, right->name);
}

static enum error sort_names(struct zone_reader *reader, struct zone_table *table)
{
	qsort(table->names, table->count, sizeof *table->names, compare_names);
	for (size_t i = 1; i < table->count; i++) {
		if (compare_names(&table->names[i - 1], &table->names[i]) != 0)
			continue;
		reader->name = table->names[i].name.bytes;
		return complain(reader, "this name is given twice (case and a trailing dot do not count)");
	}
	return OK;
}

static enum error read_table(struct zone_reader *reader, const json_t *root, struct zone_table *table)
{
	const char *name;
	json_t *value;

	table->names = arena_array(reader->arena, json_object_size(root), sizeof *table->names);
	if (table->names == NULL)
		return ERR_NO_MEMORY;
	json_object_foreach((json_t *)(uintptr_t)root, name, value) {
		reader->name = name;
		reader->type = NULL;
		const enum error error = read_name(reader, value, &table->names[table->count]);

		if (error != OK)
			return error;
		table->count++;
	}
	return sort_names(reader, table);
}

enum error zone_table_parse(struct text json, struct arena *arena, const struct zone_table **out_table,
    struct text *out_complaint)
{
	struct zone_table *table = arena_alloc(arena, sizeof *table);
	struct zone_reader reader = { .arena = arena, .out_complaint = out_complaint };
	json_error_t place;
	enum error error = ERR_SYNTAX;

	if (table == NULL)
		return ERR_NO_MEMORY;
	json_t *root = json_loadb(json.bytes ? json.bytes : "", json.length, JSON_REJECT_DUPLICATES, &place);

	if (root == NULL) {
		if (!arena_print(arena, out_complaint, "line %d, column %d: %s", place.line, place.column,
			place.text))
			error = ERR_NO_MEMORY;
	} else if (!json_is_object(root)) {
		*out_complaint = TEXT("the zone must be one JSON object: {\"name\": {\"TYPE\": records}}");
	} else {
		error = read_table(&reader, root, table);
	}
	json_decref(root);
	if (error == OK)
		*out_table = table;
	return error;
}

/* -- Looking up --------------------------------------------------------------- */

static const struct zone_name *find(const struct zone_table *table, struct text name)
{
	const struct zone_name key = { .name = name };

	return table->count == 0
	    ? NULL
	    : bsearch(&key, table->names, table->count, sizeof *table->names, compare_names);
}

void zone_table_look_up(const struct zone_table *table, struct text name, enum dns_type type,
    struct dns_answer *out_answer)
{
	struct dns_answer answer = { .status = DNS_NXDOMAIN, .ttl_s = ZONE_TTL_S, .canonical = name };
	const struct zone_name *entry = find(table, name);
	bool secure = true; /* So far: every link of the chain. */

	for (int links = 0; entry != NULL && entry->alias.length > 0; links++) {
		if (links == ZONE_CNAME_MAX) {
			*out_answer = (struct dns_answer){ .status = DNS_SERVFAIL, .canonical = name };
			return;
		}
		secure = secure && entry->secure;
		answer.canonical = entry->alias;
		entry = find(table, entry->alias);
	}
	if (entry != NULL) {
		const struct zone_set *set = &entry->sets[type];

		answer.status = entry->status != DNS_FOUND ? entry->status : set->status;
		if (answer.status == DNS_FOUND && set->count == 0)
			answer.status = DNS_NODATA;
		answer.secure = secure && entry->secure && (answer.status == DNS_FOUND || answer.status == DNS_NODATA);
		if (answer.status == DNS_FOUND) {
			answer.records = set->records;
			answer.record_count = set->count;
		}
	}
	*out_answer = answer;
}
