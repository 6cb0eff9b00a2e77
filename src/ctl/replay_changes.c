#include "ctl/replay_changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"

enum { RATE_ENTRIES = 1 << 14, LIMIT_WORDS_SIZE = 200 };

static const char *const words[CHANGE_COUNT] = { [CHANGE_REFUSED] = "refused", [CHANGE_RETURNED] = "returned", [CHANGE_LIMITED] = "limited",
	[CHANGE_ROUTED] = "routed", [CHANGE_SIGNED] = "signed", [CHANGE_ACCEPTED] = "accepted", [CHANGE_FREED] = "not limited" };

bool changes_begin(struct changes *changes)
{
	*changes = (struct changes){ .before = rate_table_new(RATE_ENTRIES, 0), .after = rate_table_new(RATE_ENTRIES, 0) };
	return changes->before != NULL && changes->after != NULL;
}

void changes_done(struct changes *changes)
{
	for (size_t i = 0; i < changes->group_count; i++) {
		json_decref(changes->groups[i].from_text);
		json_decref(changes->groups[i].to_text);
		json_decref(changes->groups[i].examples);
	}
	rate_table_free(changes->before);
	rate_table_free(changes->after);
}

/* -- grouping ----------------------------------------------------------------------- */

/* NULL: there are too many. */
static struct change_group *group_of(struct changes *changes, enum change change, const char *from, const char *to)
{
	for (size_t i = 0; i < changes->group_count; i++) {
		struct change_group *group = &changes->groups[i];

		if (group->change == change && strcmp(group->from, from) == 0 && strcmp(group->to, to) == 0)
			return group;
	}
	if (changes->group_count == CHANGE_GROUPS_MAX) /* G1 */
		return NULL;
	struct change_group *fresh = &changes->groups[changes->group_count];

	*fresh = (struct change_group){ .change = change, .from_text = json_string(from), .to_text = json_string(to), .examples = json_array() };
	if (fresh->from_text == NULL || fresh->to_text == NULL)
		return NULL;
	fresh->from = json_string_value(fresh->from_text);
	fresh->to = json_string_value(fresh->to_text);
	changes->group_count++;
	return fresh;
}

/* `recipient`: of whom it is; NULL: the message as a whole, with `count` of them. */
static void note(struct changes *changes, enum change change, const char *from, const char *to, const json_t *facts, const char *recipient, uint64_t count)
{
	struct change_group *group = group_of(changes, change, from, to);

	if (group == NULL) {
		changes->others++;
		return;
	}
	group->recipients += count;
	group->messages += group->last != changes->messages;
	group->last = changes->messages;
	if (json_array_size(group->examples) == CHANGE_EXAMPLES_MAX)
		return;
	json_t *example = json_pack("{s:s, s:s}", "id", ctl_string(facts, "id", "?"), "sender", ctl_string(facts, "sender", "?"));

	if (recipient != NULL)
		json_object_set_new(example, "recipient", json_string(recipient));
	json_array_append_new(group->examples, example);
}

/* -- comparing ---------------------------------------------------------------------- */

/* "more than 100 messages in 3600 s for user bob"; NULL: no limit was met. As a server does, the first limit ends it. */
static const char *limit_met(struct rate_table *table, const json_t *facts, const json_t *judged, char room[LIMIT_WORDS_SIZE])
{
	const json_t *rate_taken;
	size_t i;

	if (ctl_string(judged, "refused", NULL) != NULL)
		return NULL;
	if (ctl_string(judged, "limited", NULL) != NULL)
		return ctl_string(judged, "limited", NULL);
	json_array_foreach (json_object_get(judged, "rates"), i, rate_taken) {
		const char *what = ctl_string(rate_taken, "what", ""), *who = ctl_string(rate_taken, "who", "");
		const struct rate rate = { .count = (uint32_t)ctl_number(rate_taken, "count"),
			.period_ms = ctl_number(rate_taken, "period_ms") };

		if (rate_table_take(table, strcmp(what, "messages") == 0 ? 1 : 2, text_of(who), &rate,
			(uint32_t)ctl_number(rate_taken, "amount"),
			ctl_number(facts, "arrived_ms")) == 0)
			continue;
		snprintf(room, LIMIT_WORDS_SIZE, "more than %u %s in %lld s for %s", (unsigned)rate.count, what, (long long)(rate.period_ms + 999) / 1000,
		    who);
		return room;
	}
	return NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* True: with that all is said of recipients that do not wait. */
static bool compare_message(struct changes *changes, const json_t *facts, const json_t *before, const json_t *after)
{
	const char *was = ctl_string(before, "refused", NULL), *is = ctl_string(after, "refused", NULL);
	const char *was_signed = ctl_string(before, "signed", NULL), *is_signed = ctl_string(after, "signed", NULL);
	const uint64_t count = json_array_size(json_object_get(facts, "to"));
	char was_room[LIMIT_WORDS_SIZE], is_room[LIMIT_WORDS_SIZE];
	const char *was_limited = limit_met(changes->before, facts, before, was_room), *is_limited = limit_met(changes->after, facts, after, is_room);

	if ((was == NULL) != (is == NULL))
		note(changes, is != NULL ? CHANGE_REFUSED : CHANGE_ACCEPTED, was ? was : "taken", is ? is : "taken", facts, NULL, count);
	if (was != NULL || is != NULL)
		return true;
	if ((was_limited == NULL) != (is_limited == NULL))
		note(changes, is_limited != NULL ? CHANGE_LIMITED : CHANGE_FREED, was_limited ? was_limited : "taken", is_limited ? is_limited : "taken",
		    facts, NULL, count);
	if (!same(was_signed, is_signed))
		note(changes, CHANGE_SIGNED, was_signed ? was_signed : "not signed", is_signed ? is_signed : "not signed", facts, NULL, count);
	return false;
}

/* Where both name it from the root; what is relative is so to where each was started. */
static bool mailboxes_moved(const json_t *before, const json_t *after)
{
	const char *was = ctl_string(before, "mailboxes", ""), *is = ctl_string(after, "mailboxes", "");

	return was[0] == '/' && is[0] == '/' && strcmp(was, is) != 0;
}

static void note_move(struct changes *changes, const json_t *facts, const char *recipient, const json_t *before, const json_t *after)
{
	char was[512], is[512];

	snprintf(was, sizeof was, "mailboxes at %s", ctl_string(before, "mailboxes", ""));
	snprintf(is, sizeof is, "mailboxes at %s", ctl_string(after, "mailboxes", ""));
	note(changes, CHANGE_ROUTED, was, is, facts, recipient, 1);
}

static bool is_waiting(const json_t *facts, size_t i)
{
	return json_is_true(json_object_get(json_array_get(json_object_get(facts, "to"), i), "waiting"));
}

static void compare_recipient(struct changes *changes, const json_t *facts, const json_t *before, const json_t *after, size_t i)
{
	const json_t *was = json_array_get(json_object_get(before, "to"), i), *is = json_array_get(json_object_get(after, "to"), i);
	const bool was_refused = json_is_true(json_object_get(was, "refused")), is_refused = json_is_true(json_object_get(is, "refused"));
	const char *recipient = ctl_string(json_array_get(json_object_get(facts, "to"), i), "address", "?");
	const bool waits = is_waiting(facts, i);

	if (was_refused && is_refused)
		return;
	if (!same(ctl_string(was, "key", NULL), ctl_string(is, "key", NULL)))
		note(changes, is_refused ? (waits ? CHANGE_RETURNED : CHANGE_REFUSED) : was_refused ? CHANGE_ACCEPTED : CHANGE_ROUTED, ctl_string(was, "way", "?"),
		    ctl_string(is, "way", "?"), facts, recipient, 1);
	else if (json_is_true(json_object_get(is, "mailbox")) && mailboxes_moved(before, after))
		note_move(changes, facts, recipient, before, after);
}

void changes_add(struct changes *changes, const json_t *facts, const json_t *before, const json_t *after)
{
	const size_t count = json_array_size(json_object_get(facts, "to"));

	changes->messages++;
	changes->waiting += json_is_true(json_object_get(facts, "waiting"));
	changes->recipients += count;
	changes->omitted += (uint64_t)ctl_number(facts, "omitted");
	const bool all_said = compare_message(changes, facts, before, after);

	for (size_t i = 0; i < count; i++)
		if (!all_said || is_waiting(facts, i))
			compare_recipient(changes, facts, before, after, i);
}

/* -- telling ------------------------------------------------------------------------ */

static int compare_groups(const void *a, const void *b)
{
	const struct change_group *one = a, *other = b;

	if (one->change != other->change)
		return one->change < other->change ? -1 : 1;
	if (one->recipients != other->recipients)
		return one->recipients > other->recipients ? -1 : 1;
	return strcmp(one->to, other->to);
}

void changes_sort(struct changes *changes)
{
	qsort(changes->groups, changes->group_count, sizeof changes->groups[0], compare_groups);
}

json_t *changes_json(const struct changes *changes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < changes->group_count; i++) {
		const struct change_group *group = &changes->groups[i];

		json_array_append_new(list, json_pack("{s:s, s:O, s:O, s:I, s:I, s:O}", "change", words[group->change], "from", group->from_text, "to",
		    group->to_text, "messages", (json_int_t)group->messages, "recipients", (json_int_t)group->recipients, "examples", group->examples));
	}
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "same", changes_none(changes), "messages", (json_int_t)changes->messages, "waiting",
	    (json_int_t)changes->waiting, "recipients", (json_int_t)changes->recipients, "omitted_recipients", (json_int_t)changes->omitted,
	    "other_changes", (json_int_t)changes->others, "changes", list);
}

/* Addresses are what strangers wrote. */
static void make_printable(struct change_group *group)
{
	ctl_make_printable(group->from_text);
	ctl_make_printable(group->to_text);
	ctl_make_printable(group->examples);
	group->from = json_string_value(group->from_text);
	group->to = json_string_value(group->to_text);
}

static void print_group(const struct change_group *group)
{
	static const char *const titles[CHANGE_COUNT] = { [CHANGE_REFUSED] = "would be refused", [CHANGE_RETURNED] = "would be returned to their senders",
		[CHANGE_LIMITED] = "would be put off by a limit", [CHANGE_ROUTED] = "would go another way", [CHANGE_SIGNED] = "would be signed differently",
		[CHANGE_ACCEPTED] = "would be accepted that are refused now", [CHANGE_FREED] = "would no more be put off by a limit" };
	const json_t *example;
	size_t i;

	printf("\n%llu recipient%s of %llu message%s %s\n    now:    %s\n    then:   %s\n", (unsigned long long)group->recipients,
	    group->recipients == 1 ? "" : "s", (unsigned long long)group->messages, group->messages == 1 ? "" : "s", titles[group->change], group->from,
	    group->to);
	json_array_foreach (group->examples, i, example) {
		const char *recipient = ctl_string(example, "recipient", NULL);

		printf("    %s %s  from %s%s%s\n", i == 0 ? "such as" : "       ", ctl_string(example, "id", "?"), ctl_string(example, "sender", "?"),
		    recipient ? " to " : "", recipient ? recipient : "");
	}
}

void changes_print(struct changes *changes)
{
	printf("Looked at %llu message%s with %llu recipient%s: %llu in the queue, %llu of those that are done.\n",
	    (unsigned long long)changes->messages, changes->messages == 1 ? "" : "s", (unsigned long long)changes->recipients,
	    changes->recipients == 1 ? "" : "s", (unsigned long long)changes->waiting, (unsigned long long)(changes->messages - changes->waiting));
	if (changes->omitted > 0)
		printf("%llu more recipients of large messages were not looked at.\n", (unsigned long long)changes->omitted);
	if (changes_none(changes))
		puts("Nothing would change for them.");
	for (size_t i = 0; i < changes->group_count; i++) {
		make_printable(&changes->groups[i]);
		print_group(&changes->groups[i]);
	}
	if (changes->others > 0)
		printf("\nand %llu more changes of other kinds\n", (unsigned long long)changes->others);
}
