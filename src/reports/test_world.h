/* What tests of reports share: a spool in memory with its tallies, DNS of a zone, a clock that stands, and the sender of reports. */
#ifndef REPORTS_TEST_WORLD_H
#define REPORTS_TEST_WORLD_H

#include <jansson.h>

#include "base/buffer.h"
#include "reports/reports.h"

enum { TEST_DAY = 20000 /* 2024-10-04 */, TEST_DAY_MS = 24 * 3600 * 1000, TEST_ROOM = 1 << 20 };

struct reports_world {
	struct loop *loop;
	struct loop_timer *watchdog, *again;
	struct loop_wake *wake;
	struct arena *arena;
	struct spool *spool;
	struct spool_port *port;
	struct queue_id_source ids;
	struct dns *dns;
	struct web *web;
	int64_t now_ms;                   /* Unix time. */
	struct reports_settings settings;
	struct reports *reports;          /* NULL: not started. */
	struct buffer events;             /* A line of text each. */
	struct reports_sum sum;           /* Of what was sent last. */
	uint32_t first, last;             /* Days that are to be sent. */
	bool sent;
};

/* All but the names: reports_world_set_zone. Fails the test when anything is not to be had. */
void reports_world_open(struct reports_world *world);
void reports_world_close(struct reports_world *world);
void reports_world_set_zone(struct reports_world *world, const char *zone);

/* So many more of this row in the tally. */
void reports_world_count(struct reports_world *world, const struct tally_set *set, struct text row, unsigned times);

/* The sender of reports, a new one, which looks at the clock as if the server had just begun. */
void reports_world_start(struct reports_world *world);

/* The reports of these days, started if need be; returns when they are sent. */
void reports_world_send(struct reports_world *world, uint32_t first, uint32_t last);

/* What gzip made small. In the arena. */
struct text reports_world_unpacked(struct reports_world *world, struct text packed);

/* Whether an object has these members with these values, as JSON; what it has instead goes to stderr. */
bool test_json_has(const json_t *object, const char *members);

#endif
