/* "queue destinations": what waits, and why, by recipient domain.
 *
 * It is counted from the oldest messages on, as many as can be read without holding up the lane: an operator asks for it every few
 * seconds. "complete" says whether that was the whole queue. */
#include <stdlib.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"

enum { MESSAGES_MAX = 2000, DOMAINS_MAX = 200 };

struct waiting {
	struct text domain;
	uint64_t recipients, held, paused;
	int64_t oldest_ms, next_ms;    /* next_ms INT64_MAX: none is to be tried. */
	int64_t tried_ms;              /* When `last` is from, as far as is known: the due time that followed it. */
	json_t *last;                  /* NULL: not tried yet. */
};

struct sum {
	struct arena *arena;           /* Of the names. */
	struct waiting *domains;
	size_t count;
	bool complete;
};

/* NULL: there are too many. */
static struct waiting *domain_of(struct sum *sum, struct text domain)
{
	for (size_t i = 0; i < sum->count; i++)
		if (text_equal_nocase(sum->domains[i].domain, domain))
			return &sum->domains[i];
	struct waiting *fresh = &sum->domains[sum->count];

	if (sum->count == DOMAINS_MAX || !arena_copy(sum->arena, domain, &fresh->domain))
		return NULL;
	fresh->oldest_ms = fresh->next_ms = INT64_MAX;
	sum->count++;
	return fresh;
}

static void add_recipient(struct sum *sum, const struct envelope *envelope, const struct recipient *recipient)
{
	struct waiting *domain = domain_of(sum, recipient->address.domain);
	const bool held = recipient->flags & RECIPIENT_HELD, paused = held && recipient->flags & RECIPIENT_PAUSED;

	if (domain == NULL) {
		sum->complete = false;
		return;
	}
	domain->recipients++;
	domain->held += held && !paused;
	domain->paused += paused;
	if (envelope->arrived_ms < domain->oldest_ms)
		domain->oldest_ms = envelope->arrived_ms;
	if (!held && recipient->due_ms < domain->next_ms)
		domain->next_ms = recipient->due_ms;
	if (recipient->last.code != 0 && (domain->last == NULL || recipient->due_ms > domain->tried_ms)) {
		json_decref(domain->last);
		domain->last = admin_verdict(&recipient->last);
		domain->tried_ms = recipient->due_ms;
	}
}

static bool add_messages(struct sum *sum, struct spool *spool, const queue_id *ids, size_t count)
{
	struct arena *arena = arena_new(ADMIN_ARENA_BYTES);

	for (size_t i = 0; arena != NULL && i < count; i++) {
		struct message message;

		arena_reset(arena);
		if (spool_read_message(spool, ids[i], arena, &message) != OK)
			continue; /* It has left meanwhile. */
		for (uint32_t r = 0; r < message.recipient_count; r++)
			add_recipient(sum, &message.envelope, &message.recipients[r]);
	}
	arena_free(arena);
	return arena != NULL;
}

static int by_recipients(const void *a, const void *b)
{
	const struct waiting *one = a, *other = b;

	return one->recipients < other->recipients ? 1 : one->recipients > other->recipients ? -1 : text_compare(one->domain, other->domain);
}

static json_t *domain_json(const struct waiting *domain)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "domain", admin_string(domain->domain), "recipients",
	    (json_int_t)domain->recipients, "held", (json_int_t)domain->held, "paused", (json_int_t)domain->paused, "oldest",
	    admin_time(domain->oldest_ms), "next", domain->next_ms == INT64_MAX ? json_null() : admin_time(domain->next_ms), "last",
	    domain->last ? domain->last : json_null());
}

json_t *admin_queue_destinations(struct spool *spool)
{
	struct sum sum = { .arena = arena_new(ADMIN_ARENA_BYTES), .complete = true };
	json_t *answer = NULL, *destinations = json_array();
	queue_id *ids;
	size_t count;

	sum.domains = sum.arena ? arena_array(sum.arena, DOMAINS_MAX + 1, sizeof *sum.domains) : NULL;
	if (sum.domains == NULL)
		answer = admin_failure(EX_OSERR, "out of memory");
	else if (spool_list(spool, 0, MESSAGES_MAX, sum.arena, &ids, &count) != OK)
		answer = admin_failure(EX_IOERR, "the spool cannot be read");
	else if (!add_messages(&sum, spool, ids, count))
		answer = admin_failure(EX_OSERR, "out of memory");
	if (answer == NULL) {
		qsort(sum.domains, sum.count, sizeof *sum.domains, by_recipients);
		for (size_t i = 0; i < sum.count; i++)
			json_array_append_new(destinations, domain_json(&sum.domains[i]));
		answer = json_pack("{s:b, s:o, s:b}", "ok", 1, "destinations", destinations, "complete", sum.complete && count < MESSAGES_MAX);
	} else {
		json_decref(destinations);
	}
	arena_free(sum.arena);
	return answer;
}

/* -- with what the queues know ------------------------------------------------------ */

struct looking {
	struct admin_pending pending;
	struct admin *admin;
	admin_answered *answered;
	void *context;
};

static json_t *row_of(const json_t *destinations, struct text domain)
{
	json_t *row;
	size_t i;

	json_array_foreach (destinations, i, row)
		if (text_equal_nocase(admin_member(row, "domain"), domain))
			return row;
	return NULL;
}

static void add_states(json_t *answer, const struct queue_survey *survey)
{
	json_t *others = json_array(), *destinations = json_object_get(answer, "destinations");

	for (size_t i = 0; i < survey->held_back_count; i++) {
		const struct queue_destination *destination = &survey->held_back[i].destination;
		json_t *state = admin_destination(destination), *row = row_of(destinations, destination->key);

		json_object_set_new(state, "same_hosts", json_integer(destination->site_destinations));
		if (row != NULL)
			json_object_set_new(row, "state", state);
		else
			json_array_append_new(others, json_pack("{s:o, s:o}", "destination", admin_string(destination->key), "state", state));
	}
	json_object_set_new(answer, "held_back", others);
}

static void looked(void *context, const struct queue_survey *survey)
{
	struct looking *looking = context;
	json_t *answer = admin_queue_destinations(looking->admin->settings.spool);

	DL_DELETE(looking->admin->pending, &looking->pending);
	if (json_is_true(json_object_get(answer, "ok")))
		add_states(answer, survey);
	looking->answered(looking->context, answer);
	free(looking);
}

static void give_up(struct admin_pending *pending)
{
	struct looking *looking = (struct looking *)pending;

	looking->answered(looking->context, admin_stopping());
	free(looking);
}

void admin_destinations(struct admin *admin, admin_answered *answered, void *context)
{
	const struct admin_question all = { TEXT_EMPTY, TEXT_EMPTY };
	struct looking *looking = calloc(1, sizeof *looking);

	if (looking == NULL)
		goto no_memory;
	*looking = (struct looking){ { .give_up = give_up }, admin, answered, context };
	DL_APPEND(admin->pending, &looking->pending);
	if (admin->settings.survey(admin->settings.context, &all, looked, looking))
		return;
	DL_DELETE(admin->pending, &looking->pending);
	free(looking);
no_memory:
	answered(context, admin_failure(EX_OSERR, "out of memory"));
}
