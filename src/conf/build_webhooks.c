/* Webhooks: who is told of deliveries by HTTPS. */
#include "conf/build_private.h"
#include "conf/part.h"

enum { URL_MAX = 2048 };

const char *const conf_webhook_words[CONF_WEBHOOK_WORDS] = { "received", "delivered", "deferred", "bounced", "discarded", "rejected" };

static void add_event(const struct part *part, struct text word, struct conf_webhook *webhook)
{
	for (unsigned i = 0; i < CONF_WEBHOOK_WORDS; i++)
		if (text_equal(word, text_of(conf_webhook_words[i]))) {
			webhook->events |= 1u << i;
			return;
		}
	reading_complain(part->reading, part_line(part, "events"),
	    "webhook events has \"%.*s\" (hint: some of received, delivered, deferred, bounced, discarded, rejected)", TEXT_FORMAT(word));
}

static void build_webhook(const struct part *part, struct conf_webhook *webhook)
{
	struct reading *reading = part->reading;
	size_t count;
	const struct text *words = part_texts(part, "events", &count);

	webhook->name = TEXT("");
	webhook->line = part->line;
	if (!arena_copy(reading->arena, part->title, &webhook->name) || !conf_name_valid(webhook->name))
		reading_complain(reading, part->line, "webhook \"%.*s\" is no name (hint: letters, digits, - and _)", TEXT_FORMAT(part->title));
	webhook->url = part_text(part, "url");
	if (!text_starts(webhook->url, TEXT("https://")) || webhook->url.length > URL_MAX)
		reading_complain(reading, part->line, "webhook \"%.*s\" has no url that can be told (hint: url = \"https://example.org/hook\")",
		    TEXT_FORMAT(part->title));
	webhook->secret_file = part_path(part, "secret-file");
	if (webhook->secret_file[0] == '\0')
		reading_complain(reading, part->line, "webhook \"%.*s\" has no secret (hint: secret-file = \"/etc/postroad/webhook.secret\")",
		    TEXT_FORMAT(part->title));
	webhook->events = 0;
	for (size_t i = 0; i < count; i++)
		add_event(part, words[i], webhook);
}

/* That a name stands twice was seen when the file was read. */
void conf_build_webhooks(struct reading *reading, struct conf *conf)
{
	const unsigned count = part_count(reading, "webhook");
	struct conf_webhook *webhooks = arena_array(reading->arena, count + 1, sizeof *webhooks);

	if (webhooks == NULL || count > CONF_WEBHOOKS_MAX) {
		reading_complain(reading, 1, "too many webhooks (hint: at most %d)", CONF_WEBHOOKS_MAX);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		const struct part part = part_nth(reading, "webhook", i);

		build_webhook(&part, &webhooks[i]);
	}
	conf->webhooks = webhooks;
	conf->webhook_count = count;
}
