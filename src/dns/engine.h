/* Between dns.c, which all questions pass, and the engines that answer them.
 *
 * Private to this folder. dns.c owns queries, posts answers later (D1) and outlives the callbacks;
 * an engine only starts a look-up, says that it is ready, and turns its result into an answer.
 *
 *   E1  A query is waiting (in the engine), ready (its callback is due), or gone.
 *   E2  `answer` runs once per ready query, right before its callback.
 *   E3  `forget` runs once for each query that was started, whether answered or cancelled. */
#ifndef DNS_ENGINE_H
#define DNS_ENGINE_H

#include "base/arena.h"
#include "dns/dns.h"
#include "dns/name.h"

enum { DNS_ANSWER_BYTES_MAX = 512 * 1024 };

struct dns_query {
	struct dns *dns;
	struct dns_query *previous, *next; /* In dns->waiting or dns->ready. */
	bool is_ready, is_started;
	enum dns_type type;
	enum dns_status failure;           /* The answer when it is not DNS_FOUND and no engine was asked. */
	int64_t deadline_ms;
	uint64_t turn;                     /* dns->turn when it became ready. */
	dns_callback *callback;
	void *context;
	int engine_id;                     /* The engine's own. */
	void *engine_result;               /* The engine's own. */
	struct text name;                  /* Normalised, NUL-terminated in `room`. */
	char room[DNS_NAME_SIZE];
};

struct dns_engine {
	bool (*start)(struct dns *dns, struct dns_query *query); /* False: no memory. */
	/* May fail with ERR_SYNTAX (malformed) or ERR_NO_MEMORY: both are told as DNS_SERVFAIL. */
	enum error (*answer)(struct dns *dns, struct dns_query *query, struct arena *arena,
	    struct dns_answer *out_answer);
	void (*forget)(struct dns *dns, struct dns_query *query);
	void (*free)(struct dns *dns);     /* The engine's part, and `dns` itself. */
};

struct dns_list {
	struct dns_query *first, *last;
};

/* The first member of each engine's struct. */
struct dns {
	const struct dns_engine *engine;
	struct loop *loop;
	struct loop_timer *post;           /* Due at once when something is ready. */
	struct loop_timer *patience;       /* For the oldest of `waiting`. */
	struct arena *arena;               /* Of the one answer that is being told. */
	struct dns_list waiting, ready;    /* Both in the order of asking. */
	struct dns_query *told;            /* Whose callback is running; in no list. */
	uint64_t turn;
	bool telling, doomed;              /* Inside dns_tell_ready; freed in there. */
	bool retired;                      /* Freed with its last question. */
};

/* Prepare the common part. False: no memory, nothing to undo. */
[[nodiscard]] bool dns_init(struct dns *dns, const struct dns_engine *engine, struct loop *loop);

/* Release what dns_init made; the engine's `free` calls it. */
void dns_done(struct dns *dns);

/* From an engine: `query` can be answered; its callback runs from the loop. */
void dns_query_ready(struct dns_query *query);

/* From an engine's own loop callback: tell what is ready now, without another turn of the loop.
 * `dns` may be gone afterwards. */
void dns_tell_ready(struct dns *dns);

#endif
