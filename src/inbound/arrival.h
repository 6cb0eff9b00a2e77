/* A message between its session and its intake: what a stranger wrote in our name is taken away, who it is from is looked
 * for, and it is decided what becomes of it by that.
 *
 * Life: arrival_new when the message begins; arrival_text; arrival_judge once, when all text has come; arrival_free at any
 * moment, and not before the intake has what it takes from here. */
#ifndef INBOUND_ARRIVAL_H
#define INBOUND_ARRIVAL_H

#include "inbound/inbound_private.h"

struct arrival;

/* Borrows all, for its life. False: no memory. *out_arrival may be NULL: this message is taken as it is. */
[[nodiscard]] bool arrival_new(struct inbound *inbound, const struct inbound_snapshot *snapshot,
    struct connection *connection, const struct session *session, struct intake *intake, struct arrival **out_arrival);
void arrival_free(struct arrival *arrival); /* NULL is fine. */

/* The next bytes. */
void arrival_text(struct arrival *arrival, struct text bytes);

/* May it be stored? Code 0: connection_judged tells later. What is to stand on top of it is put there. */
[[nodiscard]] struct verdict arrival_judge(struct arrival *arrival);

/* We want to go: the DNS has little time left. */
void arrival_hurry(struct arrival *arrival);

/* After a verdict that lets it in. */
uint16_t arrival_flags(const struct arrival *arrival);       /* Of its envelope, beside others; NULL is fine. */
struct text arrival_results(const struct arrival *arrival);  /* For the log, also when it is refused; may be empty; NULL is fine. */
const struct dmarc_tally *arrival_tally(const struct arrival *arrival); /* To be counted with it; NULL: nothing. */
struct text arrival_sealed(const struct arrival *arrival);   /* The domain that did; may be empty; NULL is fine. */

#endif
