/* A client with one letter: it tries until somebody said 250 for it, or refused it for good. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "sim/town.h"

enum {
	RECIPIENTS_MAX = 4,
	PLACES_MAX = 3,
	PATIENCE_MS = 5 * 60000,
	FINAL_PATIENCE_MS = 10 * 60000,
	AGAIN_MS_MAX = 30 * 60000,
	REPLY_ROOM = 8 << 10
};

enum step { STEP_GREETING, STEP_EHLO, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_DOT, STEP_QUIT };

struct client {
	struct client *next;
	struct town *town;
	unsigned letter, node;
	const char *sender;
	const struct addressee *to[RECIPIENTS_MAX];
	bool taken[RECIPIENTS_MAX];     /* In this session. */
	size_t to_count, at;            /* at: whose RCPT is next. */
	enum step step;
	struct stream *stream;          /* NULL: it waits. */
	struct loop_timer *timer;       /* Patience, or until it tries again. */
	struct buffer input;
	bool done;
};

/* Whom letters are for, and where that is in the end. */
static const struct addressee {
	const char *address;
	const char *places[PLACES_MAX];
	unsigned node; /* Bit: may be handed in there. Every node relays for us, so all but strange ones. */
} addressees[] = {
	{ "alice@a.test", { "alice@a.test" }, 3 },
	{ "bob@a.test", { "bob@a.test" }, 3 },
	{ "staff@a.test", { "alice@a.test", "bob@a.test", "far@good.test" }, 1 },
	{ "carol@b.test", { "carol@b.test" }, 3 },
	{ "team@b.test", { "carol@b.test", "dave@slow.test" }, 2 },
	{ "nobody@b.test", { "nobody@b.test" }, 1 }, /* Node a takes it, node b does not. */
	{ "one@good.test", { "one@good.test" }, 3 },
	{ "two@good.test", { "two@good.test" }, 3 },
	{ "nobody@good.test", { "nobody@good.test" }, 3 },
	{ "one@slow.test", { "one@slow.test" }, 3 },
	{ "two@slow.test", { "two@slow.test" }, 3 },
	{ "one@grey.test", { "one@grey.test" }, 3 },
	{ "two@grey.test", { "two@grey.test" }, 3 },
	{ "one@gone.test", { "one@gone.test" }, 3 },
	{ "two@gone.test", { "two@gone.test" }, 3 },
	{ "one@strict.test", { "one@strict.test" }, 3 },
	{ "one@pair.test", { "one@pair.test" }, 3 },
	{ "one@via.test", { "one@via.test" }, 3 },
	{ "two@via.test", { "two@via.test" }, 3 },
	{ "one@dead.test", { "one@dead.test" }, 3 },
	{ "one@null.test", { "one@null.test" }, 3 },
	{ "one@nowhere.test", { "one@nowhere.test" }, 3 },
};

static const char *const senders[] = { "alice@a.test", "carol@b.test", "one@good.test", "two@gone.test",
	"nobody@strict.test", "" };

static void try_again(struct client *client);

static void hang_up(struct client *client)
{
	stream_free(take(client->stream));
	buffer_clear(&client->input);
}

/* The letter is not handed in yet. */
static void fail(struct client *client)
{
	hang_up(client);
	loop_timer_set(client->timer, sim_between(client->town->world, 1000, AGAIN_MS_MAX));
}

static void end(struct client *client)
{
	hang_up(client);
	loop_timer_stop(client->timer);
	client->done = true;
}

/* -- Saying -------------------------------------------------------------------------------------- */

[[gnu::format(printf, 2, 3)]] static void say(struct client *client, const char *format, ...)
{
	char line[200];
	va_list values;

	va_start(values, format);
	const int length = vsnprintf(line, sizeof line, format, values);

	va_end(values);
	must(length >= 0);
	(void)!stream_write(client->stream, text_of(line));
	loop_timer_set(client->timer, PATIENCE_MS);
}

static void say_letter(struct client *client)
{
	struct text rest = ledger_text(client->town->ledger, client->letter), line;

	ledger_dot(client->town->ledger, client->letter);
	while (text_cut(&rest, '\n', &line) && line.length > 0) {
		if (line.bytes[0] == '.')
			(void)!stream_write(client->stream, TEXT("."));
		(void)!stream_write(client->stream, line);
		(void)!stream_write(client->stream, TEXT("\n"));
	}
	(void)!stream_write(client->stream, TEXT(".\r\n"));
	loop_timer_set(client->timer, FINAL_PATIENCE_MS);
}

static bool any_taken(const struct client *client)
{
	for (size_t i = 0; i < client->to_count; i++)
		if (client->taken[i])
			return true;
	return false;
}

static void say_next_recipient(struct client *client)
{
	if (client->at < client->to_count) {
		client->step = STEP_RCPT;
		say(client, "RCPT TO:<%s>\r\n", client->to[client->at]->address);
	} else if (any_taken(client)) {
		client->step = STEP_DATA;
		say(client, "DATA\r\n");
	} else {
		client->town->counts.refused++;
		end(client);
	}
}

/* -- Hearing ---------------------------------------------------------------------------------------- */

static void keep_promises(struct client *client)
{
	for (size_t i = 0; i < client->to_count; i++)
		for (size_t k = 0; client->taken[i] && k < PLACES_MAX && client->to[i]->places[k] != NULL; k++)
			ledger_promise(client->town->ledger, client->letter, client->to[i]->places[k]);
	sim_tell(client->town->world, "letter %u from <%s> is handed in", client->letter, client->sender);
}

static void hear(struct client *client, char class)
{
	const char expected = client->step == STEP_DATA ? '3' : '2';

	if (client->step == STEP_RCPT && (class == '2' || class == '5')) {
		client->taken[client->at++] = class == '2';
		say_next_recipient(client);
		return;
	}
	if (class != expected) {
		fail(client);
		return;
	}
	switch (client->step) {
	case STEP_GREETING:
		client->step = STEP_EHLO;
		say(client, "EHLO client.test\r\n");
		break;
	case STEP_EHLO:
		client->step = STEP_MAIL;
		say(client, "MAIL FROM:<%s>\r\n", client->sender);
		break;
	case STEP_MAIL:
		say_next_recipient(client);
		break;
	case STEP_DATA:
		client->step = STEP_DOT;
		say_letter(client);
		break;
	case STEP_DOT:
		keep_promises(client);
		client->step = STEP_QUIT;
		say(client, "QUIT\r\n");
		break;
	case STEP_QUIT:
		end(client);
		break;
	case STEP_RCPT:
		break;
	}
}

static void on_opened(void *context)
{
	struct client *client = context;

	loop_timer_set(client->timer, PATIENCE_MS);
}

static void on_bytes(void *context, struct text bytes)
{
	struct client *client = context;

	must(buffer_append(&client->input, bytes));
	while (client->stream != NULL) {
		const struct text input = buffer_text(&client->input);
		const size_t line_end = text_find_byte(input, '\n');

		if (line_end == input.length)
			return;
		must(line_end >= 4);
		const char class = input.bytes[0], mark = input.bytes[3];

		buffer_consume(&client->input, line_end + 1);
		if (mark != '-')
			hear(client, class);
	}
}

static void on_drained(void *context)
{
	(void)context;
}

static void on_ended(void *context, enum error reason)
{
	struct client *client = context;

	(void)reason;
	if (client->step == STEP_QUIT)
		end(client);
	else
		fail(client);
}

static const struct stream_handler client_handler = { on_opened, on_bytes, on_drained, on_ended };

/* -- Life ------------------------------------------------------------------------------------------- */

static void try_again(struct client *client)
{
	const struct endpoint node = { .family = ENDPOINT_IP4, .port = 25, .ip = { 10, 0, 0, (uint8_t)(client->node + 1) } };

	client->step = STEP_GREETING;
	client->at = 0;
	memset(client->taken, 0, sizeof client->taken);
	client->stream = stream_dial(client->town->loop, &node, NULL, &client_handler, client);
	must(client->stream != NULL);
	loop_timer_set(client->timer, PATIENCE_MS);
}

static void timer_rings(void *context)
{
	struct client *client = context;

	if (client->stream == NULL)
		try_again(client);
	else if (client->step == STEP_QUIT)
		end(client);
	else
		fail(client);
}

static void choose_addressees(struct client *client)
{
	struct sim_world *world = client->town->world;
	const size_t count = sizeof addressees / sizeof *addressees;
	const size_t first = (size_t)sim_below(world, count);
	const size_t wanted = (size_t)sim_below(world, RECIPIENTS_MAX) + 1;

	for (size_t i = 0; i < count && client->to_count < wanted; i += 1 + (size_t)sim_below(world, 3)) {
		const struct addressee *one = &addressees[(first + i) % count];

		/* An alias and its target together would be one place by two ways. */
		if (one->node & 1u << client->node && (client->to_count == 0 || one->places[1] == NULL))
			client->to[client->to_count++] = one;
		if (one->places[1] != NULL && client->to_count > 0)
			return;
	}
}

void client_new(struct town *town, int64_t within_us)
{
	struct sim_process *runner = sim_run_as(town->world, NULL);
	struct client *client = calloc(1, sizeof *client);
	const bool is_large = sim_chance(town->world, 100);

	must(client != NULL);
	*client = (struct client){ .next = town->clients, .town = town };
	client->node = (unsigned)sim_below(town->world, TOWN_NODES);
	client->sender = senders[sim_below(town->world, sizeof senders / sizeof *senders)];
	while (client->to_count == 0)
		choose_addressees(client);
	client->letter = ledger_write(
	    town->ledger, client->sender, (size_t)sim_below(town->world, is_large ? 150000 : 3000));
	buffer_init(&client->input, REPLY_ROOM);
	client->timer = loop_timer_new(town->loop, timer_rings, client);
	must(client->timer != NULL);
	loop_timer_set(client->timer, sim_between(town->world, 0, within_us / 1000));
	town->clients = client;
	town->counts.letters++;
	sim_run_as(town->world, runner);
}

void client_free_all(struct town *town)
{
	while (town->clients != NULL) {
		struct client *client = town->clients;

		town->clients = client->next;
		stream_free(client->stream);
		loop_timer_free(client->timer);
		buffer_done(&client->input);
		free(client);
	}
}

bool clients_are_done(const struct town *town)
{
	for (const struct client *client = town->clients; client != NULL; client = client->next)
		if (!client->done)
			return false;
	return true;
}
