#include "route/sts_policy.h"

#include "base/must.h"

static const char *const mode_words[] = { [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce" };
enum { MODES = sizeof mode_words / sizeof *mode_words, NAME_MAX_BYTES = 32, DOMAIN_MAX = 253, LABEL_MAX = 63 };

const char *sts_mode_word(enum sts_mode mode)
{
	must((unsigned)mode < MODES);
	return mode_words[mode];
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct text skip_blanks(struct text text)
{
	while (text.length > 0 && is_blank(text.bytes[0]))
		text = text_from(text, 1);
	return text;
}

/* sts-ext-name and sts-policy-ext-name; the known names are among them. */
static bool is_name(struct text name)
{
	if (name.length == 0 || name.length > NAME_MAX_BYTES || !byte_is_alnum(name.bytes[0]))
		return false;
	for (size_t i = 1; i < name.length; i++)
		if (!byte_is_alnum(name.bytes[i]) && strchr("_-.", name.bytes[i]) == NULL)
			return false;
	return true;
}

/* -- The record (RFC 8461 §3.1) ------------------------------------------------------------ */

static bool is_id(struct text id)
{
	for (size_t i = 0; i < id.length; i++)
		if (!byte_is_alnum(id.bytes[i]))
			return false;
	return id.length > 0 && id.length <= STS_ID_MAX;
}

static bool is_extension_value(struct text value)
{
	for (size_t i = 0; i < value.length; i++)
		if (value.bytes[i] <= ' ' || value.bytes[i] > '~' || value.bytes[i] == '=')
			return false;
	return value.length > 0;
}

/* The first id counts; a second one is no more than an extension. */
static bool read_field(struct text field, struct text *id)
{
	const size_t equals = text_find_byte(field, '=');
	const struct text name = text_part(field, 0, equals), value = text_from(field, equals + 1);

	if (equals == field.length || !is_name(name))
		return false;
	if (!text_equal(name, TEXT("id")) || id->length > 0)
		return is_extension_value(value);
	*id = value;
	return is_id(value);
}

static struct text trim_blanks(struct text text)
{
	text = skip_blanks(text);
	while (text.length > 0 && is_blank(text.bytes[text.length - 1]))
		text.length--;
	return text;
}

/* Blanks stand around semicolons only, and the last of those may be missing. */
bool sts_record_parse(struct text record, struct text *out_id)
{
	struct text rest = record, field, id = TEXT_EMPTY;

	if (!text_starts(record, TEXT("v=STSv1")) || !text_cut(&rest, ';', &field) ||
	    !text_equal(trim_blanks(field), TEXT("v=STSv1")))
		return false;
	while (text_cut(&rest, ';', &field)) {
		const bool is_last = rest.bytes == NULL;

		field = is_last ? skip_blanks(field) : trim_blanks(field);
		if (is_last && field.length == 0)
			break;
		if (!read_field(field, &id))
			return false;
	}
	if (id.length == 0)
		return false;
	*out_id = id;
	return true;
}

enum error sts_record_choose(const struct text *records, size_t count, struct text *out_id)
{
	const struct text *chosen = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!text_starts(records[i], TEXT("v=STSv1;")))
			continue;
		if (chosen != NULL)
			return ERR_SYNTAX;
		chosen = &records[i];
	}
	if (chosen == NULL)
		return ERR_NOT_FOUND;
	return sts_record_parse(*chosen, out_id) ? OK : ERR_SYNTAX;
}

/* -- The policy (RFC 8461 §3.2) ------------------------------------------------------------ */

struct reading {
	bool has_version, has_mode, has_age;
	struct sts_policy policy;
	char patterns[STS_PATTERNS_MAX];
	size_t pattern_length;
	const char *why;
};

static bool fail(struct reading *reading, const char *why)
{
	reading->why = why;
	return false;
}

static bool is_label(struct text label)
{
	for (size_t i = 0; i < label.length; i++)
		if (!byte_is_alnum(label.bytes[i]) && label.bytes[i] != '-')
			return false;
	return label.length > 0 && label.length <= LABEL_MAX && label.bytes[0] != '-' && label.bytes[label.length - 1] != '-';
}

/* Domain of RFC 5321 §4.1.2, of A-labels. */
static bool is_domain(struct text domain)
{
	struct text rest = domain, label;

	if (domain.length == 0 || domain.length > DOMAIN_MAX)
		return false;
	while (text_cut(&rest, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

static bool read_pattern(struct reading *reading, struct text value)
{
	const struct text domain = text_starts(value, TEXT("*.")) ? text_from(value, 2) : value;
	const size_t gap = reading->pattern_length > 0;

	if (!is_domain(domain))
		return fail(reading, "an mx is neither a host nor *. and a domain");
	if (reading->pattern_length + gap + value.length > STS_PATTERNS_MAX)
		return fail(reading, "more mx than are kept");
	if (gap)
		reading->patterns[reading->pattern_length++] = ' ';
	for (size_t i = 0; i < value.length; i++)
		reading->patterns[reading->pattern_length++] = byte_lower(value.bytes[i]);
	return true;
}

static bool read_mode(struct reading *reading, struct text value)
{
	reading->has_mode = true;
	for (unsigned mode = 0; mode < MODES; mode++) {
		if (!text_equal(value, text_of(mode_words[mode])))
			continue;
		reading->policy.mode = (enum sts_mode)mode;
		return true;
	}
	return fail(reading, "no such mode");
}

static bool read_age(struct reading *reading, struct text value)
{
	uint64_t age_s;

	reading->has_age = true;
	if (value.length > 10 || !text_to_u64(value, &age_s))
		return fail(reading, "max_age is no number of seconds");
	reading->policy.max_age_s = age_s < STS_AGE_S_MAX ? (uint32_t)age_s : STS_AGE_S_MAX;
	return true;
}

/* sts-policy-ext-value: visible, spaces between, also beyond ASCII. */
static bool is_value(struct text value)
{
	for (size_t i = 0; i < value.length; i++)
		if ((unsigned char)value.bytes[i] < ' ' || value.bytes[i] == 0x7f)
			return false;
	return value.length > 0 && text_is_utf8(value);
}

/* Of what may stand once the first counts (RFC 8461 §3.2). */
static bool read_policy_field(struct reading *reading, struct text line)
{
	const size_t colon = text_find_byte(line, ':');
	const struct text name = text_part(line, 0, colon), value = trim_blanks(text_from(line, colon + 1));

	if (colon == line.length || !is_name(name) || !is_value(value))
		return fail(reading, "a line is not a name, a colon and a value");
	if (text_equal(name, TEXT("mx")))
		return read_pattern(reading, value);
	if (text_equal(name, TEXT("mode")) && !reading->has_mode)
		return read_mode(reading, value);
	if (text_equal(name, TEXT("max_age")) && !reading->has_age)
		return read_age(reading, value);
	if (text_equal(name, TEXT("version")) && !reading->has_version) {
		reading->has_version = true;
		return text_equal(value, TEXT("STSv1")) || fail(reading, "not version STSv1");
	}
	return true;
}

static bool is_complete(struct reading *reading)
{
	if (!reading->has_version)
		return fail(reading, "no version");
	if (!reading->has_mode)
		return fail(reading, "no mode");
	if (!reading->has_age)
		return fail(reading, "no max_age");
	return reading->pattern_length > 0 || reading->policy.mode == STS_NONE || fail(reading, "no mx");
}

static bool read_policy(struct reading *reading, struct text text)
{
	struct text rest = text, line;

	while (text_cut(&rest, '\n', &line)) {
		if (line.length == 0 && rest.bytes == NULL)
			break; /* Behind the last terminator. */
		if (rest.bytes != NULL && text_ends(line, TEXT("\r")))
			line.length--;
		if (!read_policy_field(reading, line))
			return false;
	}
	return is_complete(reading);
}

enum error sts_policy_parse(
    struct text text, struct arena *arena, struct sts_policy *out_policy, const char **out_why)
{
	struct reading reading = { 0 };

	if (!read_policy(&reading, text)) {
		*out_why = reading.why;
		return ERR_SYNTAX;
	}
	if (!arena_copy(arena, (struct text){ reading.patterns, reading.pattern_length }, &reading.policy.patterns))
		return ERR_NO_MEMORY;
	*out_policy = reading.policy;
	return OK;
}

/* -- Hosts (RFC 8461 §4.1) ------------------------------------------------------------------- */

bool sts_pattern_cut(struct text *rest, struct text *out_pattern)
{
	return rest->length > 0 && text_cut(rest, ' ', out_pattern);
}

/* An asterisk stands for one label, the first. */
static bool matches(struct text pattern, struct text host)
{
	if (!text_starts(pattern, TEXT("*.")))
		return text_equal_nocase(pattern, host);
	const size_t dot = text_find_byte(host, '.');

	return dot > 0 && text_equal_nocase(text_from(pattern, 1), text_from(host, dot));
}

bool sts_policy_allows(const struct sts_policy *policy, struct text host)
{
	struct text rest = policy->patterns, pattern;

	while (sts_pattern_cut(&rest, &pattern))
		if (matches(pattern, host))
			return true;
	return false;
}

bool sts_policy_equal(const struct sts_policy *a, const struct sts_policy *b)
{
	return a->mode == b->mode && a->max_age_s == b->max_age_s && text_equal(a->patterns, b->patterns);
}
