#include "programs/lane_webhooks.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "sasl/secret_file.h"

_Static_assert((int)CONF_WEBHOOKS_MAX == (int)WEBHOOKS_MAX, "the same bound in both");

static uint64_t kinds_of(const struct conf_webhook *webhook)
{
	uint64_t kinds = 0;

	for (unsigned i = 0; i < CONF_WEBHOOK_WORDS; i++)
		for (unsigned kind = 0; kind < EVENT_KIND_COUNT; kind++)
			if ((webhook->events >> i & 1) != 0 &&
			    strcmp(conf_webhook_words[i], event_kind_word((enum event_kind)kind)) == 0)
				kinds |= 1ull << kind;
	return kinds;
}

uint64_t lane_webhook_kinds(const struct conf *conf)
{
	uint64_t kinds = 0;

	for (size_t i = 0; i < conf->webhook_count; i++)
		kinds |= kinds_of(&conf->webhooks[i]);
	return kinds;
}

bool lane_webhooks_are_right(const struct conf *conf, struct buffer *complaints)
{
	bool right = true;

	for (size_t i = 0; i < conf->webhook_count; i++) {
		const struct conf_webhook *webhook = &conf->webhooks[i];
		char room[SECRET_ROOM_BYTES];
		struct text secret;
		const char *problem = secret_file_read(webhook->secret_file, true, room, &secret);

		explicit_bzero(room, sizeof room);
		right &= problem == NULL;
		if (problem != NULL)
			(void)!buffer_print(complaints, "%s:%d: webhook secret-file \"%s\" cannot be used: %s\n", conf->path, webhook->line,
			    webhook->secret_file, problem);
	}
	return right;
}

void lane_webhooks_reload(struct webhooks *webhooks, const struct conf *conf)
{
	struct webhook_settings settings[WEBHOOKS_MAX];
	char rooms[WEBHOOKS_MAX][SECRET_ROOM_BYTES];

	must(conf->webhook_count <= WEBHOOKS_MAX);
	for (size_t i = 0; i < conf->webhook_count; i++) {
		const struct conf_webhook *webhook = &conf->webhooks[i];
		struct text secret;
		const char *problem = secret_file_read(webhook->secret_file, false, rooms[i], &secret);

		if (problem != NULL)
			fprintf(stderr, "postroad: %s:%d: webhook secret-file cannot be used: %s\n", conf->path, webhook->line, problem);
		settings[i] = (struct webhook_settings){ .name = webhook->name,
			.url = webhook->url,
			.secret = problem == NULL ? secret : TEXT_EMPTY,
			.kinds = kinds_of(webhook),
			.problem = problem };
	}
	webhooks_reload(webhooks, settings, conf->webhook_count);
	explicit_bzero(rooms, sizeof rooms);
}
