/* Mail's side of the auth role: one for each lane, over its channel.
 *
 *   K1  A callback comes once per begin and step, later, never inside the call; none after sasl_dialogue_free.
 *   K2  While there is no channel, and when it dies, the answer is SASL_TROUBLE: the role is started again and the
 *       client may try later. What was offered is offered on: a client that sees no mechanism thinks that there is
 *       none, and asks its user for other settings.
 *
 * A dialogue is over with every answer but SASL_CONTINUE; it is freed by who began it in any case. */
#ifndef SASL_ASKER_H
#define SASL_ASKER_H

#include "io/loop.h"
#include "sasl/message.h"

struct sasl_asker;
struct sasl_dialogue;

/* The answer's texts are valid during the call. It may free the dialogue. */
typedef void sasl_answered(void *context, const struct sasl_answer *answer);

/* Without a channel at first. NULL: no memory. */
[[nodiscard]] struct sasl_asker *sasl_asker_new(struct loop *loop);
void sasl_asker_free(struct sasl_asker *asker); /* All dialogues must be freed before. NULL is fine. */

/* The channel to a (new) role; takes fd. Open dialogues of an older one are answered by K2. False: no memory, and
 * there is no channel. */
[[nodiscard]] bool sasl_asker_set_channel(struct sasl_asker *asker, int fd);

/* What can be offered, as it was told last: a set of 1 << enum sasl_mechanism. 0 before anything was told. */
unsigned sasl_asker_mechanisms(const struct sasl_asker *asker);

/* Begin an authentication; the texts are copied or sent. NULL: no memory. */
[[nodiscard]] struct sasl_dialogue *sasl_dialogue_begin(struct sasl_asker *asker, const struct sasl_facts *facts,
    struct text response, sasl_answered *answered, void *context);

/* The client's response to the challenge. Only after SASL_CONTINUE. */
void sasl_dialogue_step(struct sasl_dialogue *dialogue, struct text response);

/* Give it up if it is under way. NULL is fine. */
void sasl_dialogue_free(struct sasl_dialogue *dialogue);

#endif
