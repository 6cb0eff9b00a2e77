/* What webhooks.c, which tells them, and webhooks_status.c, which tells of them, share. */
#ifndef REPORTS_WEBHOOKS_PRIVATE_H
#define REPORTS_WEBHOOKS_PRIVATE_H

#include "base/arena.h"
#include "reports/webhooks.h"

struct webhook {
	struct webhooks *owner;
	struct webhook_settings settings; /* In the arena; its secret, too. */
	struct arena *arena;
	struct loop_timer *timer;
	struct web_request *request;
	struct journal_place behind;      /* What is under way. */
	uint64_t events;                  /* How many these are. */
	int64_t wait_ms;                  /* 0: the last attempt went well, or there was none. */
	int64_t next_ms;                  /* When the timer runs off, in Unix time. */
	bool stopped;                     /* By its 410. */
	struct webhook_past past;
};

struct webhooks {
	struct webhooks_parts parts;
	struct webhook all[WEBHOOKS_MAX];
	size_t count;
	struct buffer body;
	char room[JOURNAL_RECORD_MAX];
};

#endif
