#include "inbound/submitter.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "mail/address_list.h"

#define YES VERDICT(250, 2, 0, 0, "Ok")
#define NO_MEMORY VERDICT(452, 4, 3, 1, "Insufficient system resources")

enum { NAME_SHOWN_MAX = 100, AUTHORS_MAX = 20, AUTHORS_BYTES_MAX = 32 << 10 };

bool submitter_rules_copy(const struct submitter_rules *rules, struct arena *arena, struct submitter_rules *out_rules)
{
	struct submitter_user *users = arena_array(arena, rules->user_count + 1, sizeof *users);

	if (users == NULL)
		return false;
	for (size_t i = 0; i < rules->user_count; i++) {
		users[i].rates = rules->users[i].rates;
		if (!arena_copy(arena, rules->users[i].name, &users[i].name))
			return false;
	}
	*out_rules = *rules;
	out_rules->users = users;
	return true;
}

/* -- How often ------------------------------------------------------------------------ */

/* Names of the configuration are few. */
static const struct submitter_rates *rates_of(const struct submitter *submitter)
{
	const struct submitter_rules *rules = submitter->rules;

	for (size_t i = 0; i < rules->user_count; i++)
		if (text_equal_nocase(rules->users[i].name, submitter->name))
			return &rules->users[i].rates;
	return &rules->rates;
}

/* In the largest unit that does not hide much; never too early. */
static struct text duration_text(int64_t ms, char room[32])
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = { { 3600 * 1000, "hour" }, { 60 * 1000, "minute" }, { 1000, "second" } };
	size_t i = 0;

	while (i + 1 < sizeof units / sizeof *units && (ms < units[i].ms || (ms < 2 * units[i].ms && ms % units[i].ms != 0)))
		i++;
	const int64_t count = (ms + units[i].ms - 1) / units[i].ms;

	snprintf(room, 32, "%" PRId64 " %s%s", count, units[i].name, count == 1 ? "" : "s");
	return text_of(room);
}

static struct verdict limit(struct submitter *submitter, enum submitter_rate_kind kind, const struct rate *rate,
    struct verdict refusal, const char *what)
{
	const int64_t wait_ms = submitter->rates == NULL
	    ? 0
	    : rate_table_take(submitter->rates, kind, submitter->name, rate, 1, submitter->now_ms);
	char within[32], when[32];

	if (wait_ms == 0)
		return YES;
	submitter->is_too_fast = true;
	snprintf(submitter->reply, SUBMITTER_REPLY_MAX, "More than %u %s within %s, try again in %s", (unsigned)rate->count,
	    what, duration_text(rate->period_ms, within).bytes, duration_text(wait_ms, when).bytes);
	refusal.text = text_of(submitter->reply);
	return refusal;
}

/* -- In whose name ---------------------------------------------------------------------- */

static struct verdict disown(struct submitter *submitter, struct verdict refusal, const char *what)
{
	submitter->is_foreign = true;
	snprintf(submitter->reply, SUBMITTER_REPLY_MAX, "%s does not belong to %.*s", what,
	    TEXT_FORMAT(text_part(submitter->name, 0, NAME_SHOWN_MAX)));
	refusal.text = text_of(submitter->reply);
	return refusal;
}

struct verdict submitter_sender(struct submitter *submitter, const struct address *sender)
{
	bool may = address_is_null(sender) || submitter->rules->check == SUBMITTER_FREE;

	if (!may && router_may_send_as(submitter->router, submitter->name, sender, &may) != OK)
		return NO_MEMORY;
	if (!may)
		return disown(submitter, VERDICT(553, 5, 7, 1, ""), "This sender address");
	return limit(submitter, RATE_OF_USER_MESSAGES, &rates_of(submitter)->messages, VERDICT(452, 4, 7, 1, ""), "messages");
}

/* Not 452: that asks for the rest in another transaction at once (RFC 5321 §4.5.3.1.10). */
struct verdict submitter_recipient(struct submitter *submitter)
{
	return limit(
	    submitter, RATE_OF_USER_RECIPIENTS, &rates_of(submitter)->recipients, VERDICT(450, 4, 7, 1, ""), "recipients");
}

static struct verdict judge_authors(struct submitter *submitter, struct text authors, struct arena *arena)
{
	struct address *list = arena_array(arena, AUTHORS_MAX, sizeof *list);
	size_t count = 0;
	bool may = true;
	const enum error error =
	    list ? address_list_parse(authors, TEXT("invalid"), arena, list, AUTHORS_MAX, &count) : ERR_NO_MEMORY;

	if (error == ERR_NO_MEMORY)
		return NO_MEMORY;
	if (error != OK || count == 0)
		return disown(submitter, VERDICT(550, 5, 7, 1, ""), "What cannot be understood in the From field");
	for (size_t i = 0; i < count && may; i++)
		if (router_may_send_as(submitter->router, submitter->name, &list[i], &may) != OK)
			return NO_MEMORY;
	return may ? YES : disown(submitter, VERDICT(550, 5, 7, 1, ""), "The address in the From field");
}

struct verdict submitter_authors(struct submitter *submitter, struct text authors)
{
	if (submitter->rules->check != SUBMITTER_BOTH)
		return YES;
	if (authors.bytes == NULL)
		return VERDICT(550, 5, 7, 1, "A message must have one From field, of sensible length");
	if (authors.length == 0)
		return YES; /* It gets one with the sender's address, which was judged. */

	struct arena *arena = arena_new(AUTHORS_BYTES_MAX);
	const struct verdict verdict = arena ? judge_authors(submitter, authors, arena) : NO_MEMORY;

	arena_free(arena);
	return verdict;
}

bool submitter_owns(struct submitter *submitter, struct text addresses)
{
	struct arena *arena = arena_new(AUTHORS_BYTES_MAX);
	struct submitter asked = *submitter; /* Nobody is told, and nothing counted. */
	char reply[SUBMITTER_REPLY_MAX];

	asked.reply = reply;
	const struct verdict verdict = arena ? judge_authors(&asked, addresses, arena) : NO_MEMORY;

	arena_free(arena);
	return verdict_is_success(&verdict);
}
