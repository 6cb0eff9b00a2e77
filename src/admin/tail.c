/* "tail": events as they happen, or since a moment, as far as the feed remembers.
 *
 * A request says by "after" where the last answer ended, and with "wait" it is answered when there is something, or after WAIT_MS with
 * nothing. So a reader that is slow, or gone, costs the server nothing but the place of its question. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"
#include "base/cleanup.h"
#include "conf/value.h"
#include "io/loop.h"

enum { LOOK_MS = 100, WAIT_MS = 5000, PAGES_AT_ONCE = 4 };

struct choice {
	bool kinds[EVENT_KIND_COUNT]; /* Which are wanted, */
	bool all_kinds;               /* or all. */
	struct text about, sender, recipient, domain; /* Empty: whatever. */
	queue_id id;                  /* 0: whichever. */
	int64_t since_ms;             /* 0: from where it begins. */
};

struct tail {
	struct admin_pending pending;
	struct admin *admin;
	json_t *request;      /* Ours; `choice` borrows from it. */
	struct choice choice;
	uint64_t from;        /* The next event to look at. */
	uint64_t lost;
	int64_t oldest_ms;    /* When the first event happened that was looked at; 0: none was. */
	bool wait, restarted; /* `restarted`: "after" is of a server before this one. */
	bool falls_short;     /* The feed does not reach back to `since_ms`. */
	size_t max;
	json_t *events;
	int64_t until_ms;     /* On the loop's clock. */
	struct loop_timer *timer;
	admin_answered *answered;
	void *context;
};

/* -- what is wanted -------------------------------------------------------------- */

static bool choose_kind(struct choice *choice, struct text word)
{
	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++) {
		if (text_equal(word, text_of(event_kind_word((enum event_kind)i)))) {
			choice->kinds[i] = true;
			return true;
		}
	}
	return false;
}

static json_t *choose_kinds(struct choice *choice, struct text words)
{
	struct text word;

	choice->all_kinds = words.length == 0;
	while (words.length > 0 && text_cut(&words, ',', &word))
		if (!choose_kind(choice, text_trim(word)))
			return admin_failure(EX_USAGE, "there is no event \"%.*s\" (hint: postroad.log(5) lists them)", TEXT_FORMAT(word));
	return NULL;
}

static json_t *choose(const json_t *request, int64_t now_ms, struct choice *out_choice)
{
	static const char *const keys[] = { "event", "about", "sender", "recipient", "domain", "id", "since", "after" };
	const struct text about = admin_member(request, "about"), id = admin_member(request, "id"), since = admin_member(request, "since");
	uint64_t age_ms = 0;

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (json_object_get(request, keys[i]) != NULL && admin_member(request, keys[i]).length == 0)
			return admin_failure(EX_USAGE, "\"%s\" is given without a value", keys[i]);
	*out_choice = (struct choice){ .sender = admin_member(request, "sender"),
		.recipient = admin_member(request, "recipient"),
		.domain = admin_member(request, "domain"),
		.about = about };
	if (about.length > 0 && queue_id_parse(about, &out_choice->id))
		out_choice->about = TEXT_EMPTY;
	else if (about.length > 0 && text_find_byte(about, '@') == about.length && !text_equal(about, TEXT("<>")))
		return admin_failure(EX_USAGE, "%.*s is neither an address nor a queue ID", TEXT_FORMAT(about));
	if (id.length > 0 && !queue_id_parse(id, &out_choice->id))
		return admin_failure(EX_USAGE, "%.*s is not a queue ID", TEXT_FORMAT(id));
	if (since.length > 0 && !value_duration(since, &age_ms))
		return admin_failure(EX_USAGE, "%.*s is not a duration like 30s, 10m or 2h", TEXT_FORMAT(since));
	out_choice->since_ms = since.length > 0 ? now_ms - (int64_t)age_ms : 0;
	return choose_kinds(out_choice, admin_member(request, "event"));
}

static struct text domain_of(struct text address)
{
	return text_from(address, text_find_byte_last(address, '@') + 1);
}

/* `wanted`: an address, "<>", or "@domain". */
static bool field_is(const struct event *event, enum event_field field, struct text wanted)
{
	const struct text value = admin_bare_address(event->fields[field]);

	if (value.length == 0)
		return false;
	return text_equal_nocase(value, admin_bare_address(wanted)) ||
	    (wanted.bytes[0] == '@' && text_equal_nocase(domain_of(value), text_from(wanted, 1)));
}

static bool is_to(const struct event *event, struct text wanted)
{
	return field_is(event, EVENT_FIELD_RECIPIENT, wanted) || field_is(event, EVENT_FIELD_ORIGINAL, wanted);
}

static bool is_of_domain(const struct event *event, struct text domain)
{
	return text_equal_nocase(domain_of(admin_bare_address(event->fields[EVENT_FIELD_RECIPIENT])), domain) ||
	    text_equal_nocase(domain_of(admin_bare_address(event->fields[EVENT_FIELD_ORIGINAL])), domain) ||
	    text_equal_nocase(event->fields[EVENT_FIELD_DOMAIN], domain);
}

static bool is_about_message(const struct event *event, queue_id id)
{
	queue_id other;

	return event->id == id || (queue_id_parse(event->fields[EVENT_FIELD_PARENT], &other) && other == id) ||
	    (queue_id_parse(event->fields[EVENT_FIELD_REPORT], &other) && other == id);
}

static bool is_wanted(const struct choice *choice, const struct event *event)
{
	return (choice->all_kinds || choice->kinds[event->kind]) && event->time_ms >= choice->since_ms &&
	    (choice->id == 0 || is_about_message(event, choice->id)) &&
	    (choice->about.length == 0 || field_is(event, EVENT_FIELD_SENDER, choice->about) || is_to(event, choice->about)) &&
	    (choice->sender.length == 0 || field_is(event, EVENT_FIELD_SENDER, choice->sender)) &&
	    (choice->recipient.length == 0 || is_to(event, choice->recipient)) &&
	    (choice->domain.length == 0 || is_of_domain(event, choice->domain));
}

/* -- the answer ------------------------------------------------------------------- */

static void tail_free(struct tail *tail)
{
	loop_timer_free(tail->timer);
	json_decref(tail->request);
	json_decref(tail->events);
	free(tail);
}

static void tail_answer(struct tail *tail)
{
	char next[64];

	snprintf(next, sizeof next, "%" PRId64 ".%" PRIu64, tail->admin->started_ms, tail->from);
	json_t *answer = json_pack("{s:b, s:O, s:s, s:I}", "ok", 1, "events", tail->events, "next", next, "lost", (json_int_t)tail->lost);

	if (tail->restarted)
		json_object_set_new(answer, "restarted", json_true());
	if (tail->falls_short)
		json_object_set_new(answer, "remembered_since", admin_time(tail->oldest_ms));
	if (tail->timer != NULL) {
		DL_DELETE(tail->admin->pending, &tail->pending);
		tail->admin->tails--;
	}
	tail->answered(tail->context, answer);
	tail_free(tail);
}

static void give_up(struct admin_pending *pending)
{
	struct tail *tail = (struct tail *)pending;

	tail->answered(tail->context, admin_stopping());
	tail_free(tail);
}

/* False: that was all there is. */
static bool look_at_page(struct tail *tail)
{
	struct arena *arena = arena_new(FEED_PAGE_BYTES + 4096);
	struct feed_page page = { 0 };
	struct event event;

	if (arena == NULL || feed_read(tail->admin->settings.feed, tail->from, arena, &page) != OK) {
		arena_free(arena);
		return false;
	}
	tail->lost += page.first - tail->from;
	tail->from = page.first;
	while (json_array_size(tail->events) < tail->max && feed_next(&page.records, &event)) {
		tail->from++;
		if (tail->oldest_ms == 0)
			tail->oldest_ms = event.time_ms;
		if (is_wanted(&tail->choice, &event))
			json_array_append_new(tail->events, admin_event(&event));
	}
	arena_free(arena);
	return page.count > 0 && json_array_size(tail->events) < tail->max;
}

/* Gives whether the end was reached; else there is more to look at, but not in this round of the loop. */
static bool look(struct tail *tail)
{
	for (unsigned i = 0; i < PAGES_AT_ONCE; i++)
		if (!look_at_page(tail))
			return true;
	return false;
}

static void look_again(void *context)
{
	struct tail *tail = context;
	const bool at_end = look(tail);

	if (json_array_size(tail->events) > 0 || tail->lost > 0 || loop_now_ms(tail->admin->settings.loop) >= tail->until_ms)
		tail_answer(tail);
	else
		loop_timer_set(tail->timer, at_end ? LOOK_MS : 0);
}

/* -- the request ------------------------------------------------------------------- */

/* Where to begin. False: "after" is none of ours. */
static bool begin(struct tail *tail)
{
	const struct text after = admin_member(tail->request, "after");
	struct text rest = after, start;
	uint64_t started_ms, number, end = feed_end(tail->admin->settings.feed);

	tail->from = tail->choice.since_ms > 0 ? 0 : end;
	if (after.length == 0)
		return true;
	if (!text_cut(&rest, '.', &start) || !text_to_u64(start, &started_ms) || !text_to_u64(rest, &number))
		return false;
	tail->restarted = started_ms != (uint64_t)tail->admin->started_ms || number > end;
	tail->from = tail->restarted ? 0 : number; /* All that the new server has told is news. */
	return true;
}

static json_t *tail_start(struct tail *tail, const json_t *request)
{
	struct admin *admin = tail->admin;
	const json_int_t limit = json_integer_value(json_object_get(request, "limit"));

	tail->request = json_deep_copy(request);
	tail->events = json_array();
	tail->max = limit <= 0 ? ADMIN_PAGE_DEFAULT : limit < ADMIN_PAGE_MAX ? (size_t)limit : ADMIN_PAGE_MAX;
	tail->wait = json_is_true(json_object_get(request, "wait"));
	if (admin->settings.feed == NULL)
		return admin_failure(EX_UNAVAILABLE, "this server keeps no events");

	json_t *failure = choose(tail->request, loop_unix_ms(admin->settings.loop), &tail->choice);

	if (failure != NULL)
		return failure;
	if (!begin(tail))
		return admin_failure(EX_USAGE, "\"after\" is not what an answer gave as \"next\"");
	if (admin->tails >= ADMIN_TAILS_MAX)
		return admin_failure(EX_TEMPFAIL, "%d others wait for events already", ADMIN_TAILS_MAX);
	return NULL;
}

/* What was forgotten before anybody looked is not lost to him; but he is told when it is part of what he asked for. */
static void forget_lost(struct tail *tail)
{
	tail->falls_short = tail->lost > 0 && tail->oldest_ms > tail->choice.since_ms;
	tail->lost = 0;
}

void admin_tail(struct admin *admin, const json_t *request, admin_answered *answered, void *context)
{
	struct tail *tail = calloc(1, sizeof *tail);
	json_t *failure = NULL;

	if (tail == NULL) {
		answered(context, admin_failure(EX_OSERR, "out of memory"));
		return;
	}
	*tail = (struct tail){ .pending = { .give_up = give_up }, .admin = admin, .answered = answered, .context = context };
	failure = tail_start(tail, request);
	if (failure != NULL) {
		answered(context, failure);
		tail_free(tail);
		return;
	}
	const bool first = json_object_get(request, "after") == NULL;

	(void)look(tail);
	if (first || tail->restarted)
		forget_lost(tail);
	if (first || !tail->wait || json_array_size(tail->events) > 0 || tail->lost > 0 ||
	    (tail->timer = loop_timer_new(admin->settings.loop, look_again, tail)) == NULL) {
		tail_answer(tail);
		return;
	}
	admin->tails++;
	DL_APPEND(admin->pending, &tail->pending);
	tail->until_ms = loop_now_ms(admin->settings.loop) + WAIT_MS;
	loop_timer_set(tail->timer, LOOK_MS);
}
