/* The state file: a line for each key, its words between blanks, moments as seconds since 1970 or "-". */
#include "auth/domain.h"
#include "keys/plan.h"

enum { WORDS = 8, FIRST_MOMENT = 3 };

static const char head[] =
    "# Written by postroad dkim: domain, selector, algorithm; made, seen in DNS, active from, until, record kept until\n";

/* -- reading ----------------------------------------------------------------- */

struct plan_reading {
	struct key_plan plan;
	const char *file_name;
	struct buffer *complaints;
	int line;
	bool right;
};

static void complain(struct plan_reading *reading, const char *what)
{
	reading->right = false;
	(void)!buffer_print(reading->complaints, "%s:%d: %s\n", reading->file_name, reading->line, what);
}

static bool cut_words(struct text line, struct text words[WORDS])
{
	struct text word;
	size_t count = 0;

	while (text_cut(&line, ' ', &word)) {
		if (word.length == 0)
			continue;
		if (count == WORDS)
			return false;
		words[count++] = word;
	}
	return count == WORDS;
}

static bool read_moment(struct text word, int64_t *out_s)
{
	uint64_t seconds = 0;

	if (!text_equal(word, TEXT("-")) && (!text_to_u64(word, &seconds) || seconds > INT64_MAX / 1000))
		return false;
	*out_s = (int64_t)seconds;
	return true;
}

/* Each moment is not before the one before it, and none is known whose predecessor is not. */
static bool read_moments(const struct text words[WORDS], struct planned_key *key)
{
	int64_t *const moments[] = { &key->made_s, &key->seen_s, &key->active_s, &key->until_s, &key->removed_s };
	int64_t before = 1;

	for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
		if (!read_moment(words[FIRST_MOMENT + i], moments[i]))
			return false;
		if (*moments[i] != 0 && (before == 0 || *moments[i] < before))
			return false;
		before = *moments[i];
	}
	return key->made_s > 0;
}

static bool is_plain_name(struct text name)
{
	for (size_t i = 0; i < name.length; i++)
		if (name.bytes[i] == '/' || name.bytes[i] != byte_lower(name.bytes[i]) || name.bytes[i] < '!')
			return false;
	return domain_is_name(name) && text_is_ascii(name);
}

static void read_key(struct plan_reading *reading, struct text line)
{
	struct planned_key key = { .line = reading->line };
	struct text words[WORDS];
	struct key_plan *plan = &reading->plan;

	if (!cut_words(line, words)) {
		complain(reading, "not the eight words of a key (hint: put back what postroad dkim has written)");
		return;
	}
	key.kind = text_equal(words[2], TEXT("rsa")) ? KEY_RSA : KEY_ED25519;
	if (!is_plain_name(words[0]) || !is_plain_name(words[1]) ||
	    (key.kind == KEY_ED25519 && !text_equal(words[2], TEXT("ed25519"))) || !read_moments(words, &key)) {
		complain(reading, "no domain, selector, algorithm and moments (hint: put back what postroad dkim has written)");
	} else if (key_plan_find(plan, words[0], words[1]) != NULL) {
		complain(reading, "this key stands there twice (hint: keep one of them)");
	} else if (plan->count == plan->room || !arena_copy(plan->arena, words[0], &key.domain) ||
	    !arena_copy(plan->arena, words[1], &key.selector)) {
		complain(reading, "more keys than there is memory for");
	} else {
		plan->keys[plan->count++] = key;
	}
}

bool key_plan_parse(struct text text, const char *file_name, struct arena *arena, struct key_plan *out_plan,
    struct buffer *complaints)
{
	struct plan_reading reading = {
		.plan = { .arena = arena }, .file_name = file_name, .complaints = complaints, .right = true
	};
	struct text line;

	reading.plan.room = 16;
	for (size_t i = 0; i < text.length && reading.plan.room < PLAN_KEYS_MAX; i++)
		reading.plan.room += text.bytes[i] == '\n';
	reading.plan.keys = arena_array(arena, reading.plan.room, sizeof *reading.plan.keys);
	if (reading.plan.keys == NULL)
		reading.plan.room = 0;
	while (text_cut(&text, '\n', &line)) {
		reading.line++;
		line = text_trim(line);
		if (line.length > 0 && !text_starts(line, TEXT("#")))
			read_key(&reading, line);
	}
	if (reading.right)
		*out_plan = reading.plan;
	return reading.right;
}

/* -- writing ----------------------------------------------------------------- */

static bool print_moment(int64_t moment_s, struct buffer *out)
{
	return moment_s == 0 ? buffer_print(out, " -") : buffer_print(out, " %lld", (long long)moment_s);
}

bool key_plan_print(const struct key_plan *plan, struct buffer *out)
{
	bool printed = buffer_append(out, text_of(head));

	for (size_t i = 0; i < plan->count && printed; i++) {
		const struct planned_key *key = &plan->keys[i];

		printed = buffer_print(out, "%.*s %.*s %s", TEXT_FORMAT(key->domain), TEXT_FORMAT(key->selector),
			      key->kind == KEY_RSA ? "rsa" : "ed25519") &&
		    print_moment(key->made_s, out) && print_moment(key->seen_s, out) && print_moment(key->active_s, out) &&
		    print_moment(key->until_s, out) && print_moment(key->removed_s, out) && buffer_append(out, TEXT("\n"));
	}
	return printed;
}
