/* Fills a spool with messages that wait, for measuring servers with a deep queue.
 *
 *     spool_fill FOLDER MESSAGES BYTES
 *
 * They came during the last five days to DOMAINS domains, were tried, and are due at moments spread over
 * four hours that begin in one hour, so that a server that starts with them leaves them alone. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "events/event.h"
#include "spool/record.h"
#include "spool/spool.h"

enum { DOMAINS = 500, ROUND = 1000, BODY_BYTES_MAX = SPOOL_CHUNK_SIZE };

static const int64_t HOUR_MS = 3600 * 1000;

struct filling {
	struct spool *spool;
	struct spool_port *port;
	struct queue_id_source ids;
	int64_t now_ms;
	uint64_t count, put, done; /* count: wanted. */
	struct text body;
};

static void stored(void *context, enum error result)
{
	struct filling *filling = context;

	must(result == OK);
	filling->done++;
}

static void put_message(struct filling *filling)
{
	const int64_t age_ms = (int64_t)((filling->count - filling->put) * (uint64_t)(120 * HOUR_MS) / filling->count);
	const int64_t arrived_ms = filling->now_ms - age_ms;
	/* Multiplied by a prime: neighbours by age are not neighbours by due time. */
	const int64_t wait_ms = HOUR_MS + (int64_t)(filling->put * 7919 % (uint64_t)(4 * HOUR_MS));
	struct spool_change *change = spool_change_new();
	char domain[32], address[64];
	const int domain_length = snprintf(domain, sizeof domain, "host%d.invalid", (int)(filling->put % DOMAINS));
	const int length = snprintf(address, sizeof address, "dst@%s", domain);
	const struct text addresses[] = { TEXT("src@client.invalid"), { address, (size_t)length } };
	struct recipient recipient = {
		.address = { TEXT("dst"), { domain, (size_t)domain_length } },
		.attempt_count = 1,
		.due_ms = filling->now_ms + wait_ms,
		.last = VERDICT(451, 4, 4, 1, "nobody answers there"),
	};
	const struct message message = {
		.envelope = {
			.id = queue_id_next(&filling->ids, arrived_ms), .arrived_ms = arrived_ms,
			.expires_ms = filling->now_ms + 120 * HOUR_MS,
			.reverse_path = { TEXT("src"), TEXT("client.invalid") }, .client = TEXT("client.invalid[127.0.0.1]"),
			.body_size = filling->body.length, .chunk_count = 1,
		},
		.recipients = &recipient, .recipient_count = 1,
	};
	struct event event = { .kind = EVENT_RECEIVED, .time_ms = arrived_ms, .id = message.envelope.id };

	must(change != NULL);
	event.fields[EVENT_FIELD_SENDER] = TEXT("<src@client.invalid>");
	event.fields[EVENT_FIELD_CLIENT] = message.envelope.client;
	spool_change_put_chunk(change, message.envelope.id, 0, filling->body);
	spool_change_put_message(change, &message);
	spool_record_event(change, &event, addresses, 2);
	spool_submit(filling->port, change, stored, filling);
	filling->put++;
}

static void woken(void *context)
{
	(void)context; /* The rounds below poll. */
}

static void fill(struct filling *filling)
{
	const struct timespec pause = { .tv_nsec = 200000 };

	while (filling->put < filling->count) {
		for (int i = 0; i < ROUND && filling->put < filling->count; i++)
			put_message(filling);
		spool_port_hand_in(filling->port);
		while (filling->done < filling->put)
			if (spool_port_poll(filling->port) == 0)
				nanosleep(&pause, NULL);
	}
}

static uint64_t number_of(const char *word, uint64_t max)
{
	uint64_t number;

	must(text_to_u64(text_of(word), &number) && number > 0 && number <= max);
	return number;
}

int main(int count, char **words)
{
	if (count != 4) {
		fputs("usage: spool_fill FOLDER MESSAGES BYTES\n", stderr);
		return 64;
	}

	const struct spool_lmdb_settings settings = { .path = words[1], .history_max = UINT32_MAX };
	struct filling filling = { .now_ms = (int64_t)time(NULL) * 1000, .count = number_of(words[2], 100000000) };
	char body[BODY_BYTES_MAX];

	memset(body, 'x', sizeof body);
	filling.body = (struct text){ body, number_of(words[3], sizeof body) };
	queue_id_source_init(&filling.ids, 0, 0);

	enum error error = spool_lmdb_open(&settings, &filling.spool);

	if (error == OK)
		error = spool_port_open(filling.spool, 0, woken, NULL, &filling.port);
	if (error != OK) {
		fprintf(stderr, "%s: %s\n", settings.path, error_text(error));
		return 1;
	}
	spool_port_gather(filling.port, woken);
	fill(&filling);
	spool_port_close(filling.port);
	spool_close(filling.spool);
	return 0;
}
