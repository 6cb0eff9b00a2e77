/* Webhooks of the configuration, for a lane: what it writes down for them, and, on one lane, who tells it. */
#ifndef PROGRAMS_LANE_WEBHOOKS_H
#define PROGRAMS_LANE_WEBHOOKS_H

#include "conf/conf.h"
#include "reports/webhooks.h"

/* A bit for each kind of event that some webhook wants. */
uint64_t lane_webhook_kinds(const struct conf *conf);

/* Is there a secret for each, and is it kept from others? Else complaints tell, with the line of the webhook. */
[[nodiscard]] bool lane_webhooks_are_right(const struct conf *conf, struct buffer *complaints);

/* With the secrets as their files have them now; stderr tells of one that cannot be read, and its webhook is not told. */
void lane_webhooks_reload(struct webhooks *webhooks, const struct conf *conf);

#endif
