/* What the parts of a lane take from a configuration. */
#ifndef PROGRAMS_LANE_SETTINGS_H
#define PROGRAMS_LANE_SETTINGS_H

#include "conf/conf.h"
#include "inbound/inbound.h"
#include "outbound/courier.h"
#include "queue/queue.h"
#include "reports/failures.h"
#include "reports/reports.h"

/* Lists in the shape that the parts want. They borrow from the configuration, and the parts from them. */
struct lane_lists {
	struct shape *shapes; /* Of its destinations. */
	struct submitter_user *named_users;
	size_t named_user_count;
	struct outbound_pool *pools;
	size_t pool_count;
};

/* In place of those before. False: no memory; shapes and users stay what they were, pools there are none then, and what is to
 * leave from them waits. */
bool lane_lists_take_shapes(struct lane_lists *lists, const struct conf *conf);
bool lane_lists_take_users(struct lane_lists *lists, const struct conf *conf);
bool lane_lists_take_pools(struct lane_lists *lists, const struct conf *conf);
void lane_lists_done(struct lane_lists *lists);

/* Parts of these live in the arena. */
struct inbound_settings lane_inbound_settings(
    const struct conf *conf, const struct lane_lists *lists, unsigned lane_count, struct arena *arena);
struct queue_settings lane_queue_settings(const struct conf *conf, const struct lane_lists *lists);
struct outbound_settings lane_outbound_settings(const struct conf *conf, const struct lane_lists *lists);
struct reports_settings lane_reports_settings(const struct conf *conf);
struct failures_settings lane_failures_settings(const struct conf *conf);

#endif
