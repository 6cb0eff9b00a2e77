/* A site: somebody else's SMTP server, with moods. In peace it takes everything but what it refuses on principle. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "sim/town.h"

enum {
	LINE_ROOM = 4096,
	MAIL_MAX = 2 << 20,
	RECIPIENTS_MAX = 20,
	ANSWER_MS_MAX = 200,
	SLOW_MS_MAX = 400000, /* Longer than a client waits for some answers. */
	GREY_MAX = 64,
	GREY_MS = 10 * 60000
};

enum visit_state { VISIT_COMMANDS, VISIT_DATA, VISIT_OVER };

struct visit {
	struct visit *prev, *next;
	struct site *site;
	struct stream *stream;
	struct loop_timer *timer;    /* The answer that is being thought about. */
	enum visit_state state;
	struct buffer input, mail, answer;
	char recipients[RECIPIENTS_MAX][64];
	size_t recipient_count;
	bool closes;                 /* After the answer. */
};

struct grey { /* Who called for the first time, and when. */
	char recipient[64];
	int64_t first_ms;
};

struct site {
	struct town *town;
	const char *domain;
	struct sim_host *host;
	int socket;
	struct listener *listener;
	struct visit *visits;
	bool is_grey, is_strict;
	struct grey greys[GREY_MAX];
	unsigned grey_next;
};

static void visit_free(struct visit *visit)
{
	DL_DELETE(visit->site->visits, visit);
	stream_free(visit->stream);
	loop_timer_free(visit->timer);
	buffer_done(&visit->input);
	buffer_done(&visit->mail);
	buffer_done(&visit->answer);
	free(visit);
}

static void serve(struct visit *visit);

/* -- Answers ----------------------------------------------------------------------------------- */

/* The answer is said after a while. */
[[gnu::format(printf, 2, 3)]] static void say(struct visit *visit, const char *format, ...)
{
	struct sim_world *world = visit->site->town->world;
	const bool is_slow = !visit->site->town->peace && sim_chance(world, visit->site->town->mood_permille / 2);
	char line[5000];
	va_list values;

	va_start(values, format);
	const int length = vsnprintf(line, sizeof line, format, values);

	va_end(values);
	must(length >= 0);
	must(buffer_print(&visit->answer, "%s\r\n", line));
	loop_timer_set(visit->timer, sim_between(world, 0, is_slow ? SLOW_MS_MAX : ANSWER_MS_MAX));
}

static void answer_is_due(void *context)
{
	struct visit *visit = context;

	(void)!stream_write(visit->stream, buffer_text(&visit->answer));
	buffer_clear(&visit->answer);
	if (visit->closes) {
		stream_finish(take(visit->stream), 1000);
		visit_free(visit);
		return;
	}
	serve(visit);
}

/* True: something else was said (or not) than what is right. */
static bool is_moody(struct visit *visit)
{
	static const char *const permanent[] = { "550 5.7.1 we do not like this", "554 5.0.0 no" };
	static const char *const temporary[] = { "450 4.2.1 come back later", "451 4.3.0 trouble", "452 4.5.3 too many" };
	struct town *town = visit->site->town;

	if (town->peace || !sim_chance(town->world, town->mood_permille))
		return false;
	town->counts.moods++;
	switch (sim_below(town->world, 9)) {
	case 0:
		say(visit, "%s", permanent[sim_below(town->world, 2)]);
		return true;
	case 1:
	case 2:
	case 3:
		say(visit, "%s", temporary[sim_below(town->world, 3)]);
		return true;
	case 4:
		visit->closes = true;
		say(visit, "421 4.3.2 shutting down");
		return true;
	case 5:
		say(visit, "%s", sim_chance(town->world, 500) ? "what?" : "999-\t\r\n\r\n1");
		return true;
	case 6:
		say(visit, "450-%02000d\r\n450 %02000d", 1, 2); /* Longer than a line may be. */
		return true;
	case 7: /* Without a word. */
		visit->closes = true;
		visit->state = VISIT_OVER;
		loop_timer_set(visit->timer, 0);
		return true;
	default: /* Silence: the patience is the client's. */
		visit->state = VISIT_OVER;
		return true;
	}
}

/* -- Commands ------------------------------------------------------------------------------------- */

/* Grey-listed: the first call is for nothing. */
static bool is_too_early(struct site *site, const char *recipient)
{
	const int64_t now_ms = sim_unix_ms(site->town->world);

	for (size_t i = 0; site->is_grey && i < GREY_MAX; i++)
		if (strcmp(site->greys[i].recipient, recipient) == 0)
			return now_ms - site->greys[i].first_ms < GREY_MS;
	if (!site->is_grey)
		return false;
	struct grey *grey = &site->greys[site->grey_next++ % GREY_MAX];

	grey->first_ms = now_ms;
	snprintf(grey->recipient, sizeof grey->recipient, "%s", recipient);
	return true;
}

/* As many transactions as one client may have here. One whose recipients were all refused is over for it before we
 * hear so. */
static void count_transactions(struct visit *visit)
{
	const struct site *site = visit->site;
	const struct endpoint *client = stream_peer(visit->stream);
	unsigned count = 0;

	for (const struct visit *other = site->visits; other != NULL; other = other->next) {
		struct endpoint address = *stream_peer(other->stream);

		address.port = client->port;
		count += other->recipient_count > 0 && sim_stream_is_met(other->stream) && endpoint_equal(&address, client);
	}
	if (count > TOWN_CONCURRENCY)
		ledger_complain(site->town->ledger, "%u transactions at once at %s", count, site->domain);
}

static void take_recipient(struct visit *visit, struct text line)
{
	struct text address = text_from(line, text_find_byte(line, '<') + 1);
	char *room = visit->recipients[visit->recipient_count];

	address = text_part(address, 0, text_find_byte(address, '>'));
	if (visit->recipient_count == RECIPIENTS_MAX || address.length >= sizeof visit->recipients[0]) {
		say(visit, "452 4.5.3 too many");
		return;
	}
	snprintf(room, sizeof visit->recipients[0], "%.*s", TEXT_FORMAT(address));
	if (visit->site->is_strict || text_starts(address, TEXT("nobody@"))) {
		say(visit, "550 5.1.1 no such user");
	} else if (is_too_early(visit->site, room)) {
		say(visit, "450 4.7.1 grey-listed");
	} else {
		visit->recipient_count++;
		count_transactions(visit);
		say(visit, "250 2.1.5 fine");
	}
}

static void end_transaction(struct visit *visit)
{
	visit->recipient_count = 0;
	buffer_clear(&visit->mail);
}

static void obey(struct visit *visit, struct text line)
{
	if (text_starts_nocase(line, TEXT("QUIT"))) {
		visit->closes = true;
		say(visit, "221 2.0.0 bye");
	} else if (is_moody(visit)) {
		return;
	} else if (text_starts_nocase(line, TEXT("EHLO"))) {
		say(visit, "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES", visit->site->domain);
	} else if (text_starts_nocase(line, TEXT("MAIL"))) {
		end_transaction(visit);
		say(visit, "250 2.1.0 fine");
	} else if (text_starts_nocase(line, TEXT("RCPT"))) {
		take_recipient(visit, line);
	} else if (text_starts_nocase(line, TEXT("DATA"))) {
		if (visit->recipient_count == 0) {
			say(visit, "554 5.5.1 no recipients");
			return;
		}
		visit->state = VISIT_DATA;
		say(visit, "354 go on");
	} else {
		if (text_starts_nocase(line, TEXT("RSET")))
			end_transaction(visit);
		say(visit, "250 2.0.0 fine");
	}
}

static void take_line(struct visit *visit, struct text line)
{
	struct site *site = visit->site;

	if (!text_equal(line, TEXT(".\r\n"))) {
		must(buffer_append(&visit->mail, text_from(line, line.bytes[0] == '.')));
		return;
	}
	visit->state = VISIT_COMMANDS;
	if (is_moody(visit))
		return;
	for (size_t i = 0; i < visit->recipient_count; i++)
		ledger_arrival(site->town->ledger, text_of(visit->recipients[i]), buffer_text(&visit->mail));
	end_transaction(visit);
	say(visit, "250 2.0.0 we have it");
}

/* One command at a time; the lines of a message as they come. */
static void serve(struct visit *visit)
{
	char room[LINE_ROOM];

	while (visit->answer.length == 0 && visit->state != VISIT_OVER) {
		const struct text input = buffer_text(&visit->input);
		const size_t end = text_find_byte(input, '\n');

		if (end == input.length)
			return;
		must(end + 1 < sizeof room);
		memcpy(room, input.bytes, end + 1);
		buffer_consume(&visit->input, end + 1);
		const struct text line = { room, end + 1 };

		if (visit->state == VISIT_DATA)
			take_line(visit, line);
		else
			obey(visit, line);
	}
}

/* -- Visits --------------------------------------------------------------------------------------- */

static void on_bytes(void *context, struct text bytes)
{
	struct visit *visit = context;

	if (buffer_append(&visit->input, bytes))
		serve(visit);
}

static void on_nothing(void *context)
{
	(void)context;
}

static void on_ended(void *context, enum error reason)
{
	(void)reason;
	visit_free(context);
}

static const struct stream_handler visit_handler = { on_nothing, on_bytes, on_nothing, on_ended };

static void accepted(void *context, struct stream *stream)
{
	struct site *site = context;
	struct visit *visit = calloc(1, sizeof *visit);

	must(visit != NULL);
	*visit = (struct visit){ .site = site, .stream = stream };
	visit->timer = loop_timer_new(site->town->loop, answer_is_due, visit);
	must(visit->timer != NULL);
	buffer_init(&visit->input, MAIL_MAX);
	buffer_init(&visit->mail, MAIL_MAX);
	buffer_init(&visit->answer, LINE_ROOM * 4);
	DL_APPEND(site->visits, visit);
	stream_set_handler(stream, &visit_handler, visit);
	stream_resume(stream);
	if (!is_moody(visit))
		say(visit, "220 %s at your service", site->domain);
}

/* -- Sites ------------------------------------------------------------------------------------------ */

struct site *site_new(struct town *town, const char *domain, const char *ip)
{
	struct site *site = calloc(1, sizeof *site);

	must(site != NULL);
	*site = (struct site){ .town = town, .domain = domain };
	site->host = sim_host_new(town->world, domain, ip);
	site->socket = sim_socket_new(site->host, 25);
	site->listener = listener_new(town->loop, site->socket, accepted, site);
	must(site->listener != NULL);
	return site;
}

void site_free(struct site *site)
{
	if (site == NULL)
		return;
	listener_free(site->listener);
	while (site->visits != NULL)
		visit_free(site->visits);
	free(site);
}

struct sim_host *site_host(const struct site *site) { return site->host; }
void site_set_grey(struct site *site, bool grey) { site->is_grey = grey; }
void site_set_strict(struct site *site) { site->is_strict = true; }

void site_set_open(struct site *site, bool open)
{
	sim_socket_set_open(site->town->world, site->socket, open);
	while (!open && site->visits != NULL)
		visit_free(site->visits);
}
