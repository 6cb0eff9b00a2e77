/* What was promised, what became of it, and why anything came twice.
 *
 *   L1  A letter that a client was told 250 for is, for each recipient: at its place, or reported to its sender; or
 *       the report itself found no way, which is for the postmaster.
 *   L2  What arrives is what was sent, byte for byte.
 *   L3  A recipient is at stake from the final dot until its outcome is durable. It is at stake again only after a
 *       cause: the outcome was a deferral, or the process died, or a kept connection turned out to be stale. After
 *       a death of the process (not of the power) the doubt is named in the history before the world ends.
 *   L4  Copies of a letter at one place: at most one for each time a client gave the final dot, plus causes.
 *   L5  Every message ends within its lifetime, and nothing is tried after its end. */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "base/buffer.h"
#include "events/event.h"

struct ledger;
struct sim_world;

[[nodiscard]] struct ledger *ledger_new(struct sim_world *world, int64_t lifetime_ms);
void ledger_free(struct ledger *ledger);

/* A new letter with a body of about `size` bytes: its number, and its whole text (headers, CRLF). */
unsigned ledger_write(struct ledger *ledger, const char *from, size_t size);
struct text ledger_text(const struct ledger *ledger, unsigned letter);

/* A client gave the final dot; it heard 250 for these places (addresses after expansion). */
void ledger_dot(struct ledger *ledger, unsigned letter);
void ledger_promise(struct ledger *ledger, unsigned letter, const char *place);

/* Mail came to a place: a mailbox or somebody else's server. */
void ledger_arrival(struct ledger *ledger, struct text place, struct text mail);

/* A fact became durable on a node. */
void ledger_fact(struct ledger *ledger, unsigned node, const struct event *event);

struct stake {
	unsigned node;
	queue_id id;
	struct text address;
	uint64_t breaks;     /* Connections that the node has lost so far. */
};
/* The final dot for this recipient is about to be sent, or its mailbox written: it was marked. */
void ledger_stake(struct ledger *ledger, const struct stake *stake);
void ledger_death(struct ledger *ledger, unsigned node, bool power_cut);

/* Something is wrong that only others see. */
[[gnu::format(printf, 2, 3)]] void ledger_complain(struct ledger *ledger, const char *format, ...);

/* The world is over: settle the accounts. Gives what is wrong, a line each; empty: all is right. */
struct text ledger_close(struct ledger *ledger);

struct ledger_counts {
	uint64_t promised, delivered, reported, to_postmaster, lost;
	uint64_t copies;      /* Beyond the first, and what they came from: */
	uint64_t by_client, by_connection, by_crash, by_power, by_mailbox;
	uint64_t doubts_named;
	uint64_t unexplained;
};
struct ledger_counts ledger_counts(const struct ledger *ledger);

#endif
