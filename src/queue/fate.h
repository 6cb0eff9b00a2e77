/* What becomes of a recipient after an attempt, and whether its sender is told.
 *
 * Pure. The truth table of RFC 3461 §5.2 in code:
 *
 *     answer   | fate                       | told when NOTIFY ...
 *     2yz      | done                       | has SUCCESS, and we are the last to know
 *     4yz      | waits, failed when expired | has DELAY or is absent; once, after warn_after
 *     5yz      | failed                     | has FAILURE or is absent
 *
 * Who said by when it ought to be there (DELIVERBY, RFC 2852) is told of a delay then, or of its failure, which is the end of its
 * life; and, with T or where a server knows nothing of it, of each one that takes it over.
 *
 * An operator may have said that its time is over: then it is, whatever the last answer was.
 *
 *   F1  Nobody is told of a message with a null reverse-path but a postmaster, and of its failure only:
 *       no report answers a report (RFC 5321 §6.1).
 *   F2  The report to a postmaster carries NOTIFY=NEVER: its own failure is told to nobody. */
#ifndef QUEUE_FATE_H
#define QUEUE_FATE_H

#include "dsn/dsn.h"
#include "queue/retry_schedule.h"

enum fate_kind { FATE_OPEN, FATE_GONE, FATE_DONE, FATE_WAITS, FATE_FAILED }; /* OPEN: not decided; GONE: somebody else removed it. */

struct fate_question {                          /* Borrows. */
	const struct envelope *envelope;
	const struct recipient *recipient;
	const struct verdict *verdict;          /* code != 0 */
	bool by_host;                           /* Of another server, whose words say when to come back; else of ours. */
	bool final;                             /* Mailbox or LMTP: nobody behind us sends reports. */
	bool relayed_without_dsn, relayed_without_deliverby;
	const struct retry_schedule *schedule;
	int64_t warn_after_ms;                  /* 0: never. */
	int64_t now_ms;
};

struct fate {
	enum fate_kind kind;
	bool told;               /* It belongs into the report; `action` says how. */
	bool expired;
	enum dsn_action action;
	int64_t due_ms;          /* FATE_WAITS */
};

struct fate fate_decide(const struct fate_question *question);

#endif
