/* Shared inside admin/: JSON from text, the words of a message's state, filters. */
#ifndef ADMIN_ADMIN_PRIVATE_H
#define ADMIN_ADMIN_PRIVATE_H

#include "admin/admin.h"
#include "queue/pauses.h"

enum { ADMIN_ARENA_BYTES = 8 << 20 };

/* A request that is answered later: first in whatever it needs. */
struct admin_pending {
	struct admin_pending *prev, *next; /* utlist */
	void (*give_up)(struct admin_pending *pending); /* Answers with admin_stopping and releases it. */
};

struct admin {
	struct admin_settings settings;
	struct admin_pending *pending;
	int64_t started_ms;    /* By the monotonic clock. */
	unsigned tails;        /* That wait for events. */
};

json_t *admin_stopping(void);

/* A JSON string; bytes that are not UTF-8 become U+FFFD. */
json_t *admin_string(struct text text);

/* Of an event's field: they have addresses with and without brackets, and with their type in front (RFC 3461 §4.2). "<>" stays. */
struct text admin_bare_address(struct text address);

/* The text of a string member; empty when absent or of another type. Borrows. */
struct text admin_member(const json_t *object, const char *key);

/* "451 4.7.1 try later"; of one with a code. */
[[nodiscard]] bool admin_verdict_words(const struct verdict *verdict, struct arena *arena, struct text *out_words);

/* "mx.example.net said: 451 4.7.1 try later" without empty parts. Gives a string, or null before any attempt. */
json_t *admin_verdict(const struct verdict *verdict);

/* As the log has it in JSON. Gives. */
json_t *admin_event(const struct event *event);

/* RFC 3339 in UTC with milliseconds. */
json_t *admin_time(int64_t unix_ms);
/* What the courier remembers of hosts. */
json_t *admin_known_hosts(const struct queue_survey *survey);

/* What a queue knows of a destination, its name aside. Gives. */
json_t *admin_destination(const struct queue_destination *destination);

/* Which messages and recipients a request means. Texts borrow from the request. */
struct admin_filter {
	struct text sender;    /* whole address, "<>", or "@domain" */
	struct text recipient; /* the same */
	struct text domain;    /* of a recipient */
	struct text user;      /* who logged in */
	struct text state;     /* "held", "paused", "quarantined" or "waiting" */
	struct text host;      /* part of the host that answered last */
	struct text error;     /* part of the last answer */
	struct text older;     /* a duration: arrived at least so long ago, */
	int64_t arrived_until_ms; /* which is until then; with `older`. */
	struct text id, after; /* Where in the queue; for admin_page. */
};

/* Answers NULL, or gives a failure: a member is empty or no string, or there is no such state, or it is no duration. */
json_t *admin_filter_read(const json_t *request, struct admin_filter *out_filter);
/* "waiting", "held", "paused" or "quarantined"; a filter by "held" takes the paused and the quarantined, too. */
const char *admin_state(const struct recipient *recipient);
bool admin_filter_takes_message(const struct admin_filter *filter, const struct message *message, struct arena *arena);
bool admin_filter_takes_recipient(
    const struct admin_filter *filter, const struct recipient *recipient, struct arena *arena);

/* The page of messages that a request means: its "id", or what lies above "after", "limit" at most. Answers NULL and
 * fills the outputs, or gives a failure. *out_next: 0 when the end was reached. */
json_t *admin_page(struct spool *spool, const json_t *request, const struct admin_filter *filter, struct arena *arena,
    queue_id **out_ids, size_t *out_count, queue_id *out_next);

json_t *admin_queue_list(struct spool *spool, const json_t *request);
json_t *admin_queue_show(struct spool *spool, const json_t *request);
json_t *admin_trace(struct spool *spool, const json_t *request);

/* "queue destinations": what waits, by domain, as far as the oldest messages tell. */
json_t *admin_queue_destinations(struct spool *spool);
/* The same, with what the queues know of each whose mail may not leave now, in "state" as "explain" has it. What goes to another host
 * than the domain's own ("via HOST") is in "held_back". */
void admin_destinations(struct admin *admin, admin_answered *answered, void *context);

/* "queue retry|hold|release|delete|expire|bounce|reroute|resume": the word behind "queue ". False: not one of them. */
bool admin_queue_change(struct admin *admin, const json_t *request, struct text action, uint32_t uid,
    admin_answered *answered, void *context);
/* "queue pause", for one domain, sender or user: a durable note. */
void admin_queue_pause(struct admin *admin, const json_t *request, uint32_t uid, admin_answered *answered, void *context);
/* "queue pauses": those that there are. */
json_t *admin_queue_pauses(struct spool *spool);
/* Which pause a request means: the key of its note, and the event of who set or ended it (its kind is the caller's). Answers NULL,
 * or gives a failure. All in the arena. */
json_t *admin_pause_read(
    const json_t *request, uint32_t uid, struct arena *arena, struct text *out_key, struct event *out_event);
/* "reports": what is counted for them, a page of sets; with a domain, what is counted about that. */
json_t *admin_reports(struct spool *spool, const json_t *request);
/* "reports send": of one day, or of all that are over. Answers when they have left. */
void admin_reports_send(struct admin *admin, const json_t *request, admin_answered *answered, void *context);
/* How each webhook fares: an array of objects. */
json_t *admin_webhooks(const struct admin_settings *settings);
/* "tail": events as they happen. */
void admin_tail(struct admin *admin, const json_t *request, admin_answered *answered, void *context);
/* How many keys are in which state, and at most ADMIN_KEYS_MAX of them: those whose next step is nearest, in the plan's order. Gives;
 * null: nothing is signed. */
json_t *admin_keys(const struct admin_settings *settings, int64_t now_s);
void admin_stats(struct admin *admin, admin_answered *answered, void *context);
void admin_explain(struct admin *admin, const json_t *request, admin_answered *answered, void *context);

#endif
