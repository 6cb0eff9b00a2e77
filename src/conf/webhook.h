/* Webhooks as they are configured; part of conf.h. */
#ifndef CONF_WEBHOOK_H
#define CONF_WEBHOOK_H

#include "base/text.h"

enum { CONF_WEBHOOKS_MAX = 16, CONF_WEBHOOK_WORDS = 6 };
extern const char *const conf_webhook_words[CONF_WEBHOOK_WORDS]; /* Events that a webhook may want. */

struct conf_webhook {             /* Who is told of deliveries. */
	struct text name, url;
	const char *secret_file;
	unsigned events;          /* A bit for each word of conf_webhook_words. */
	int line;
};

#endif
