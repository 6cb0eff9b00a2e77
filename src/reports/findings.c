/* The sums are JSON from the beginning: objects are the maps, and what is given are the same objects as sorted lists. */
#include "reports/findings.h"

#include <stdlib.h>

#include "mail/date.h"
#include "reports/unpack.h"

enum { KEY_MAX = 4 * READING_TEXT_MAX + 16, UNREADABLE_MAX = 1000, NAMES_MAX = 20 };

struct findings {
	json_t *dmarc, *tls;       /* By domain. */
	json_t *seen;              /* G1: keys of reports. */
	json_t *unreadable;
	size_t rows;
	json_int_t reports, repeated, left_out, overflow;
	struct text domain; /* Empty: all of them. */
	int64_t since_s;
	bool no_memory;
};

struct findings *findings_new(void)
{
	struct findings *findings = calloc(1, sizeof *findings);

	if (findings == NULL)
		return NULL;
	*findings = (struct findings){ .dmarc = json_object(), .tls = json_object(), .seen = json_object(), .unreadable = json_array() };
	if (findings->dmarc != NULL && findings->tls != NULL && findings->seen != NULL && findings->unreadable != NULL)
		return findings;
	findings_free(findings);
	return NULL;
}

void findings_free(struct findings *findings)
{
	if (findings == NULL)
		return;
	json_decref(findings->dmarc);
	json_decref(findings->tls);
	json_decref(findings->seen);
	json_decref(findings->unreadable);
	free(findings);
}

void findings_limit(struct findings *findings, struct text domain, int64_t since_s)
{
	findings->domain = domain;
	findings->since_s = since_s;
}

static bool is_wanted(const struct findings *findings, struct text domain, int64_t end_s)
{
	return end_s >= findings->since_s && (findings->domain.length == 0 || text_equal_nocase(domain, findings->domain));
}

/* -- Maps and counts ---------------------------------------------------------------------------------------- */

/* Texts as a key, with a separator that none of them holds. NUL would end it. */
static const char *key_of(char room[KEY_MAX], const struct text *texts, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < texts[i].length && length < KEY_MAX - 2; k++)
			room[length++] = texts[i].bytes[k] != '\0' ? texts[i].bytes[k] : '?';
		if (i + 1 < count && length < KEY_MAX - 2)
			room[length++] = '\x1f';
	}
	room[length] = '\0';
	return room;
}

/* The object under this key; made if it is missing. NULL: no memory. */
static json_t *object_at(struct findings *findings, json_t *map, const char *key)
{
	json_t *object = json_object_get(map, key);

	if (object == NULL && json_object_set_new(map, key, json_object()) == 0)
		object = json_object_get(map, key);
	if (object == NULL)
		findings->no_memory = true;
	return object;
}

/* The same of a row, unless there is no room for another one (G2). */
static json_t *row_at(struct findings *findings, json_t *map, const char *key)
{
	if (json_object_get(map, key) == NULL) {
		if (findings->rows == FINDINGS_ROWS_MAX) {
			findings->overflow++;
			return NULL;
		}
		findings->rows++;
	}
	return object_at(findings, map, key);
}

static void count(struct findings *findings, json_t *object, const char *key, uint64_t times)
{
	const json_int_t sum = json_integer_value(json_object_get(object, key));
	const json_int_t added = sum > INT64_MAX / 2 ? sum : sum + (json_int_t)times; /* Nobody has sent so much. */

	if (json_object_set_new(object, key, json_integer(added)) != 0)
		findings->no_memory = true;
}

static void name(struct findings *findings, json_t *object, const char *key, struct text value)
{
	if (json_object_set_new(object, key, json_stringn(value.length > 0 ? value.bytes : "", value.length)) != 0)
		findings->no_memory = true;
}

/* One of a few names, each once. */
static void add_name(struct findings *findings, json_t *object, const char *key, struct text value)
{
	json_t *list = json_object_get(object, key), *item;
	size_t i;

	if (list == NULL && json_object_set_new(object, key, json_array()) == 0)
		list = json_object_get(object, key);
	json_array_foreach (list, i, item)
		if (text_equal(value, (struct text){ json_string_value(item), json_string_length(item) }))
			return;
	if (list == NULL || (value.length > 0 && json_array_size(list) < NAMES_MAX &&
			    json_array_append_new(list, json_stringn(value.bytes, value.length)) != 0))
		findings->no_memory = true;
}

static json_int_t span_edge(const json_t *object, const char *key, int64_t fresh, bool first)
{
	const json_t *edge = json_object_get(object, key);
	const json_int_t old = json_integer_value(edge);

	return edge == NULL || (first ? fresh < old : fresh > old) ? fresh : old;
}

/* Who reports about the domain, and about which time. */
static void describe(struct findings *findings, json_t *domain, struct text organization, int64_t begin_s, int64_t end_s)
{
	count(findings, domain, "reports", 1);
	add_name(findings, domain, "organizations", organization);
	if (json_object_set_new(domain, "begin", json_integer(span_edge(domain, "begin", begin_s, true))) != 0 ||
	    json_object_set_new(domain, "end", json_integer(span_edge(domain, "end", end_s, false))) != 0)
		findings->no_memory = true;
}

/* G1. False: it was counted already. */
static bool is_new(struct findings *findings, const char *kind, struct text organization, struct text id, struct text domain)
{
	const struct text texts[] = { text_of(kind), organization, id, domain };
	char room[KEY_MAX];
	const char *key = key_of(room, texts, sizeof texts / sizeof *texts);

	if (id.length > 0 && json_object_get(findings->seen, key) != NULL) {
		findings->repeated++;
		return false;
	}
	findings->reports++;
	if (json_object_size(findings->seen) < FINDINGS_ROWS_MAX && json_object_set_new(findings->seen, key, json_true()) != 0)
		findings->no_memory = true;
	return true;
}

/* -- DMARC ------------------------------------------------------------------------------------------------------ */

static bool is_pass(struct text word)
{
	return text_equal_nocase(word, TEXT("pass"));
}

static void count_record(struct findings *findings, json_t *object, const struct dmarc_record *record)
{
	static const char *const dispositions[] = { "quarantine", "reject" };
	const bool spf = is_pass(record->spf), dkim = is_pass(record->dkim);

	count(findings, object, "messages", record->count);
	count(findings, object, "passed", spf || dkim ? record->count : 0);
	count(findings, object, "spf_aligned", spf ? record->count : 0);
	count(findings, object, "dkim_aligned", dkim ? record->count : 0);
	for (size_t i = 0; i < sizeof dispositions / sizeof *dispositions; i++)
		count(findings, object, dispositions[i],
		    text_equal_nocase(record->disposition, text_of(dispositions[i])) ? record->count : 0);
}

bool findings_dmarc(struct findings *findings, const struct dmarc_reading *reading)
{
	char room[KEY_MAX];
	json_t *domain, *sources;

	if (!is_wanted(findings, reading->domain, reading->end_s)) {
		findings->left_out++;
		return true;
	}
	if (!is_new(findings, "dmarc", reading->organization, reading->id, reading->domain))
		return true;
	domain = row_at(findings, findings->dmarc, key_of(room, &reading->domain, 1));
	sources = domain != NULL ? object_at(findings, domain, "sources") : NULL;
	if (sources == NULL)
		return !findings->no_memory;
	describe(findings, domain, reading->organization, reading->begin_s, reading->end_s);
	if (reading->end_s >= json_integer_value(json_object_get(domain, "end"))) { /* The newest policy. */
		name(findings, domain, "p", reading->p);
		name(findings, domain, "sp", reading->sp);
	}
	for (const struct dmarc_record *record = reading->records; record != NULL; record = record->next) {
		json_t *source = row_at(findings, sources, key_of(room, &record->source_ip, 1));

		count_record(findings, domain, record);
		if (source == NULL)
			continue;
		count_record(findings, source, record);
		add_name(findings, source, "header_from", record->header_from);
		add_name(findings, source, "reasons", record->reason);
	}
	return !findings->no_memory;
}

/* -- TLS ---------------------------------------------------------------------------------------------------------- */

static void count_failures(struct findings *findings, json_t *policy, const struct tls_policy_reading *reading)
{
	json_t *failures = object_at(findings, policy, "failures");
	char room[KEY_MAX];

	for (const struct tls_failure *failure = reading->failures; failure != NULL && failures != NULL; failure = failure->next) {
		const struct text texts[] = { failure->result, failure->mx, failure->mx_ip, failure->reason };
		json_t *row = row_at(findings, failures, key_of(room, texts, sizeof texts / sizeof *texts));

		if (row == NULL)
			continue;
		name(findings, row, "result", failure->result);
		name(findings, row, "mx", failure->mx);
		name(findings, row, "mx_ip", failure->mx_ip);
		name(findings, row, "reason", failure->reason);
		count(findings, row, "sessions", failure->count);
		add_name(findings, row, "sending_ips", failure->sending_ip);
	}
}

/* One of its policies is enough. */
static bool is_wanted_tls(const struct findings *findings, const struct tls_reading *reading)
{
	const struct tls_policy_reading *policy = reading->policies;

	while (policy != NULL && !is_wanted(findings, policy->domain, reading->end_s))
		policy = policy->next;
	return policy != NULL;
}

bool findings_tls(struct findings *findings, const struct tls_reading *reading)
{
	char room[KEY_MAX];

	if (!is_wanted_tls(findings, reading)) {
		findings->left_out++;
		return true;
	}
	if (!is_new(findings, "tls", reading->organization, reading->id, reading->policies->domain))
		return true;
	for (const struct tls_policy_reading *policy = reading->policies; policy != NULL; policy = policy->next) {
		if (!is_wanted(findings, policy->domain, reading->end_s))
			continue;
		json_t *domain = row_at(findings, findings->tls, key_of(room, &policy->domain, 1));
		json_t *policies = domain != NULL ? object_at(findings, domain, "policies") : NULL;
		json_t *sum = policies != NULL ? row_at(findings, policies, key_of(room, &policy->type, 1)) : NULL;

		if (sum == NULL)
			continue;
		describe(findings, domain, reading->organization, reading->begin_s, reading->end_s);
		count(findings, sum, "succeeded", policy->succeeded);
		count(findings, sum, "failed", policy->failed);
		count_failures(findings, sum, policy);
	}
	return !findings->no_memory;
}

/* -- Files ---------------------------------------------------------------------------------------------------------- */

struct filing {
	struct findings *findings;
	struct text name;
	size_t found;
};

static void complain(struct findings *findings, struct text file, struct text reason)
{
	json_t *complaint;

	if (json_array_size(findings->unreadable) >= UNREADABLE_MAX) {
		findings->overflow++;
		return;
	}
	complaint = json_object();
	name(findings, complaint, "file", file);
	name(findings, complaint, "reason", text_is_utf8(reason) ? reason : TEXT("it is damaged"));
	if (json_array_append_new(findings->unreadable, complaint) != 0)
		findings->no_memory = true;
}

static void found(void *context, enum unpack_form form, struct text document)
{
	struct filing *filing = context;
	struct findings *findings = filing->findings;
	struct arena *arena = arena_new(READING_ARENA_BYTES);
	struct dmarc_reading dmarc;
	struct tls_reading tls;
	struct text trouble = TEXT_EMPTY;
	enum error error = ERR_NO_MEMORY;

	filing->found++;
	if (arena != NULL)
		error = form == UNPACK_XML ? dmarc_reading_make(document, arena, &dmarc, &trouble)
					   : tls_reading_make(document, arena, &tls, &trouble);
	if (error == OK)
		(void)(form == UNPACK_XML ? findings_dmarc(findings, &dmarc) : findings_tls(findings, &tls)); /* It remembers. */
	else
		complain(findings, filing->name, error == ERR_SYNTAX ? trouble : TEXT("it is too large"));
	arena_free(arena);
}

static void broken(void *context, struct text trouble)
{
	struct filing *filing = context;

	filing->found++;
	complain(filing->findings, filing->name, trouble);
}

bool findings_file(struct findings *findings, struct text file_name, struct text file, size_t *out_found)
{
	struct filing filing = { findings, file_name, 0 };
	const struct unpack_sink sink = { found, broken, &filing };

	if (unpack(file, &sink) != OK || findings->no_memory)
		return false;
	*out_found = filing.found;
	return true;
}

/* -- The sum ------------------------------------------------------------------------------------------------------------ */

static int by_title(const void *a, const void *b)
{
	return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "title")),
	    json_string_value(json_object_get(*(json_t *const *)b, "title")));
}

static int by_count(const void *a, const void *b, const char *key)
{
	const json_int_t left = json_integer_value(json_object_get(*(json_t *const *)a, key));
	const json_int_t right = json_integer_value(json_object_get(*(json_t *const *)b, key));

	return left < right ? 1 : left > right ? -1 : by_title(a, b);
}

static int by_messages(const void *a, const void *b)
{
	return by_count(a, b, "messages");
}

static int by_sessions(const void *a, const void *b)
{
	return by_count(a, b, "sessions");
}

/* A map as a list of copies (of one level) of its objects, each with its key as "title"; then the list in order. */
static json_t *list_of(const json_t *map, const char *title, int (*compare)(const void *, const void *))
{
	const size_t size = json_object_size(map);
	json_t **objects = calloc(size + 1, sizeof(json_t *)), *list = json_array(), *object;
	const char *key;
	size_t filled = 0;

	json_object_foreach ((json_t *)map, key, object) {
		json_t *copy = json_copy(object);

		if (objects == NULL || copy == NULL)
			continue;
		json_object_set_new(copy, "title", json_string(key));
		objects[filled++] = copy;
	}
	if (objects != NULL)
		qsort(objects, filled, sizeof(json_t *), compare);
	for (size_t i = 0; i < filled; i++) {
		if (title != NULL)
			json_object_set(objects[i], title, json_object_get(objects[i], "title"));
		json_object_del(objects[i], "title");
		json_array_append_new(list, objects[i]);
	}
	free(objects);
	return list;
}

static void put_time(json_t *object, const char *key)
{
	char room[DATE_TEXT_SIZE];
	const json_int_t seconds = json_integer_value(json_object_get(object, key));
	/* Where the year would have five digits, a stranger jokes. */
	const json_int_t said = seconds > 0 && seconds < 253402300800 ? seconds : 0;

	json_object_set_new(object, key, json_string(date_print_rfc3339(said * 1000, room).bytes));
}

static json_t *sum_dmarc(const json_t *map)
{
	json_t *domains = list_of(map, "domain", by_title), *domain;
	size_t i;

	json_array_foreach (domains, i, domain) {
		put_time(domain, "begin");
		put_time(domain, "end");
		json_object_set_new(domain, "sources", list_of(json_object_get(domain, "sources"), "ip", by_messages));
	}
	return domains;
}

static json_t *sum_tls(const json_t *map)
{
	json_t *domains = list_of(map, "domain", by_title), *domain, *policy;
	size_t i, k;

	json_array_foreach (domains, i, domain) {
		json_t *policies = list_of(json_object_get(domain, "policies"), "type", by_title);

		put_time(domain, "begin");
		put_time(domain, "end");
		json_array_foreach (policies, k, policy)
			json_object_set_new(policy, "failures", list_of(json_object_get(policy, "failures"), NULL, by_sessions));
		json_object_set_new(domain, "policies", policies);
	}
	return domains;
}

json_t *findings_sum(const struct findings *findings)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:O, s:o, s:o}", "reports", findings->reports, "repeated", findings->repeated,
	    "left_out", findings->left_out, "overflow", findings->overflow, "unreadable", findings->unreadable, "dmarc", sum_dmarc(findings->dmarc), "tls", sum_tls(findings->tls));
}
