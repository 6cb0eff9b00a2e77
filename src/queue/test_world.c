#include "queue/test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RATES = 100 };

static const char aliases[] = "staff: alice, bob, carol@ok.test\npostmaster: root\neve: \\eve, carol@ok.test\n";

static const char zone[] =
    "{\"ok.test\": {\"MX\": [[10, \"mx.ok.test\"]]}, \"mx.ok.test\": {\"A\": [\"192.0.2.1\"]},"
    " \"other.test\": {\"A\": [\"192.0.2.2\"]}, \"d0.test\": {\"A\": [\"192.0.2.10\"]},"
    " \"d1.test\": {\"A\": [\"192.0.2.11\"]}, \"d2.test\": {\"A\": [\"192.0.2.12\"]},"
    " \"d3.test\": {\"A\": [\"192.0.2.13\"]}, \"d4.test\": {\"A\": [\"192.0.2.14\"]},"
    " \"s1.test\": {\"MX\": [[10, \"mx.shared.test\"]]}, \"s2.test\": {\"MX\": [[20, \"MX.shared.test\"]]},"
    " \"s3.test\": {\"MX\": [[10, \"mx.shared.test\"]]}, \"mx.shared.test\": {\"A\": [\"192.0.2.3\"]},"
    " \"s4.test\": {\"MX\": [[10, \"mx2.shared.test\"]]}, \"mx2.shared.test\": {\"A\": [\"192.0.2.4\"]},"
    " \"null.test\": {\"MX\": [[0, \".\"]]}, \"servfail.test\": \"SERVFAIL\"}";

/* -- The spool that fails on demand: linked in place of spool_submit -------------------------------- */

void __real_spool_submit(struct spool_port *port, struct spool_change *change, spool_done *done, void *context);
void __wrap_spool_submit(struct spool_port *port, struct spool_change *change, spool_done *done, void *context);

static struct world *failing_world;

struct failed_change {
	spool_done *done;
	void *context;
};

static void fail_change(void *context)
{
	struct failed_change *failed = *(struct failed_change **)context;

	failed->done(failed->context, ERR_NO_SPACE);
	loop_timer_free(((struct loop_timer **)context)[1]);
	free(failed);
	free(context);
}

void __wrap_spool_submit(struct spool_port *port, struct spool_change *change, spool_done *done, void *context)
{
	if (failing_world == NULL || failing_world->failures_left == 0 || done == NULL) {
		__real_spool_submit(port, change, done, context);
		return;
	}
	failing_world->failures_left--;
	spool_change_free(change);

	struct failed_change *failed = malloc(sizeof *failed);
	void **pair = calloc(2, sizeof *pair);

	*failed = (struct failed_change){ done, context };
	pair[0] = failed;
	pair[1] = loop_timer_new(failing_world->loop, fail_change, pair);
	loop_timer_set(pair[1], 0);
}

/* -- Couriers ------------------------------------------------------------------------------------------ */

static bool local_starts(const struct recipient *recipient, const char *start)
{
	return text_starts(recipient->address.local, text_of(start));
}

static bool is_stuck(const struct world *world, const struct delivery *delivery)
{
	return !world->release_stuck && local_starts(&delivery->message->recipients[0], "stuck-");
}

static struct delivery_outcome outcome_of(const struct world *world, const struct recipient *recipient)
{
	struct delivery_outcome outcome = { .verdict = VERDICT(250, 2, 0, 0, "ok"),
		.relayed_without_dsn = world->knows_no_dsn };

	if (local_starts(recipient, "bad-") || (world->root_fails && local_starts(recipient, "root")))
		outcome.verdict = VERDICT(550, 5, 1, 1, "no such user");
	else if (local_starts(recipient, "later-") && !world->accept_later)
		outcome.verdict = VERDICT(450, 4, 2, 0, "come back later");
	else if (local_starts(recipient, "down-") && !world->is_up)
		outcome = (struct delivery_outcome){ .verdict = VERDICT(421, 4, 3, 2, "shutting down"), .pressure = true };
	else if (local_starts(recipient, "unsafe-") && !world->is_up)
		outcome = (struct delivery_outcome){ .verdict = VERDICT(451, 4, 7, 4, "TLS is demanded"), .pressure = true, .unsafe = true };
	else if (local_starts(recipient, "ours-"))
		outcome = (struct delivery_outcome){ .verdict = VERDICT(451, 4, 4, 0, "our proxy is gone"), .ours = true };
	if (!outcome.ours)
		outcome.verdict.host = TEXT("mx.test[192.0.2.1]");
	return outcome;
}

static void keep_mailbox(struct world *world, const struct delivery *delivery)
{
	static char room[SPOOL_CHUNK_SIZE];
	const struct message *message = delivery->message;
	size_t length;

	assert_true(buffer_print(&world->mailboxes, "for %.*s@%.*s\n", TEXT_FORMAT(delivery->route->user),
	    TEXT_FORMAT(delivery->route->domain)));
	for (uint32_t i = 0; i < message->envelope.chunk_count; i++) {
		assert_int_equal(spool_read_chunk(world->spool, message->envelope.id, i, room, &length), OK);
		assert_true(buffer_append(&world->mailboxes, (struct text){ room, length }));
	}
}

static void answer_one(struct world *world, struct delivery *delivery)
{
	static const struct tls_result secured = { .policy = TLS_POLICY_NONE_FOUND, .type = TLS_RESULT_SUCCESS };

	for (uint32_t i = 0; i < delivery->message->recipient_count; i++) {
		delivery->outcomes[i] = outcome_of(world, &delivery->message->recipients[i]);
		if (delivery->route->kind == ROUTE_MAILBOX && verdict_is_success(&delivery->outcomes[i].verdict))
			keep_mailbox(world, delivery);
	}
	tls_notes_add(&delivery->tls_notes, &secured, delivery->arena);
	delivery->done(delivery);
}

static void answer_all(void *context)
{
	struct world *world = context;
	struct delivery *ready[WORLD_DELIVERY_MAX];
	size_t ready_count = 0, kept = 0;

	for (size_t i = 0; i < world->open_count; i++) {
		if (is_stuck(world, world->open[i]))
			world->open[kept++] = world->open[i];
		else
			ready[ready_count++] = world->open[i];
	}
	world->open_count = kept;
	for (size_t i = 0; i < ready_count; i++)
		answer_one(world, ready[i]);
}

static void deliver(void *context, struct delivery *delivery)
{
	struct world *world = context;

	assert_true(world->open_count < WORLD_DELIVERY_MAX);
	world->open[world->open_count++] = delivery;
	world->deliveries++;
	world->rewritten += delivery->sent_as != NULL ? delivery->message->recipient_count : 0;
	world->attempts += delivery->message->recipient_count;
	if (world->open_count > world->open_max)
		world->open_max = world->open_count;
	loop_timer_set(world->answer, 0);
}

/* -- What is heard -------------------------------------------------------------------------------------- */

static void report(void *context, const struct event *event)
{
	struct world *world = context;

	/* An attempt is of a host, all else of a recipient. */
	const enum event_field subject = event->kind == EVENT_ATTEMPT ? EVENT_FIELD_HOST : EVENT_FIELD_RECIPIENT;

	assert_true(buffer_print(&world->events, "%s %.*s %.*s\n", event_kind_word(event->kind),
	    TEXT_FORMAT(event->fields[subject]), TEXT_FORMAT(event->fields[EVENT_FIELD_STATUS])));
}

unsigned world_events(struct world *world, const char *line_start)
{
	struct text rest = buffer_text(&world->events), line;
	unsigned count = 0;

	while (text_cut(&rest, '\n', &line))
		count += text_starts(line, text_of(line_start));
	return count;
}

bool world_mailbox_holds(struct world *world, const char *words)
{
	const struct text all = buffer_text(&world->mailboxes);

	return text_find(all, text_of(words)) < all.length;
}

/* -- Running ---------------------------------------------------------------------------------------------- */

static int64_t now_ms(void *context)
{
	return ((struct world *)context)->now_ms;
}

static void wake_from_spool(void *context)
{
	loop_wake_send(((struct world *)context)->wake);
}

static void poll_spool(void *context)
{
	struct world *world = context;

	spool_port_poll(world->port);
	if (world->queue != NULL)
		queue_poll_news(world->queue);
}

static void step(void *context)
{
	struct world *world = context;

	world->reached = world->until != NULL && world->until(world);
	if (world->reached || --world->turns_left == 0)
		loop_stop(world->loop);
	else
		loop_wake_send(world->step);
}

static void run(struct world *world, bool (*until)(struct world *world), size_t turns)
{
	world->until = until;
	world->turns_left = turns;
	loop_wake_send(world->step);
	loop_run(world->loop);
}

void world_run(struct world *world, bool (*until)(struct world *world))
{
	run(world, until, 1000000);
	assert_true(world->reached);
}

void world_settle(struct world *world)
{
	run(world, NULL, 300);
}

void world_sleep(struct world *world, int64_t ms)
{
	world->now_ms += ms;
	queue_poll_news(world->queue);
	world_settle(world);
}

bool world_is_empty(struct world *world)
{
	struct spool_totals totals;

	assert_int_equal(spool_totals(world->spool, &totals), OK);
	return totals.messages == 0 && queue_counts(world->queue).deliveries == 0;
}

uint64_t world_recipients(struct world *world)
{
	struct spool_totals totals;

	assert_int_equal(spool_totals(world->spool, &totals), OK);
	return totals.recipients;
}

struct recipient world_recipient(struct world *world, queue_id id, uint32_t index, struct arena *arena)
{
	struct message message;

	assert_int_equal(spool_read_recipients(world->spool, id, &index, 1, arena, &message), OK);
	return message.recipients[0];
}

/* -- Mail -------------------------------------------------------------------------------------------------- */

static void change_done(void *context, enum error result)
{
	(void)context;
	assert_int_equal(result, OK);
}

void world_submit(struct world *world, struct spool_change *change)
{
	__real_spool_submit(world->port, change, change_done, NULL);
}

static struct address parse(struct text text, struct arena *arena)
{
	struct address address;

	assert_int_equal(address_parse(text, false, arena, &address), OK);
	return address;
}

queue_id world_send_message(struct world *world, const struct envelope *envelope, const char *from, const char *to,
    uint8_t notify)
{
	static const struct text body = { "Message-ID: <one@example.org>\r\nSubject: Hello\r\n\r\nHello.\r\n", 56 };
	struct arena *arena = arena_new(1 << 20);
	struct recipient recipients[WORLD_RECIPIENT_MAX];
	struct message message = { .envelope = *envelope, .recipients = recipients };
	struct text rest = text_of(to), one;
	struct spool_change *change = spool_change_new();

	message.envelope.id = queue_id_next(&world->ids, world->now_ms);
	message.envelope.reverse_path = parse(text_of(from), arena);
	message.envelope.body_size = body.length;
	message.envelope.chunk_count = 1;
	while (text_cut(&rest, ' ', &one)) {
		recipients[message.recipient_count] = (struct recipient){ .index = message.recipient_count,
			.address = parse(one, arena), .notify = notify, .due_ms = world->now_ms };
		message.recipient_count++;
	}
	spool_change_put_chunk(change, message.envelope.id, 0, body);
	spool_change_put_message(change, &message);
	world_submit(world, change);
	arena_free(arena);
	return message.envelope.id;
}

queue_id world_send(struct world *world, const char *from, const char *to)
{
	const struct envelope envelope = { .arrived_ms = world->now_ms,
		.expires_ms = world->now_ms + 5 * 24 * 3600000ll };

	return world_send_message(world, &envelope, from, to, 0);
}

/* -- Life --------------------------------------------------------------------------------------------------- */

static void make_router(struct world *world)
{
	static const struct text domains[] = { { "example.org", 11 } };
	const struct router_settings settings = {
		.hostname = TEXT("mail.example.org"),
		.domains = domains,
		.domain_count = 1,
		.aliases = text_of(aliases),
		.aliases_name = TEXT("aliases"),
		.srs_secrets = TEXT("of these worlds alone\n"),
	};
	struct text complaint;

	assert_int_equal(router_new(&settings, world->arena, &world->router, &complaint), OK);
}

static void open_queue(struct world *world)
{
	const struct queue_parts parts = {
		.loop = world->loop,
		.spool = world->spool,
		.port = world->port,
		.shards = (1u << SPOOL_SHARD_COUNT) - 1,
		.in_doubt = world->in_doubt,
		.suspects = world->suspects,
		.ids = &world->ids,
		.hosts = &world->hosts,
		.outbound = &world->outbound,
		.mailbox = &world->mailbox,
		.sink = { report, world },
		.rates = world->rates,
		.now_unix_ms = now_ms,
		.now_context = world,
	};

	world->queue = queue_new(&parts, &world->settings, world->router);
	assert_non_null(world->queue);
}

static void open_port(struct world *world)
{
	assert_int_equal(
	    spool_port_open(world->spool, (1u << SPOOL_SHARD_COUNT) - 1, wake_from_spool, world, &world->port), OK);
}

struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof *world);
	const char *reason = NULL;

	world->now_ms = WORLD_START_MS;
	world->arena = arena_new(1 << 20);
	world->loop = loop_new();
	world->wake = loop_wake_new(world->loop, poll_spool, world);
	world->step = loop_wake_new(world->loop, step, world);
	world->answer = loop_timer_new(world->loop, answer_all, world);
	world->dns = dns_zone_new(world->loop, text_of(zone), &reason);
	assert_non_null(world->dns);
	world->hosts = (struct hosts_settings){ .dns = world->dns, .hostname = TEXT("mail.example.org"), .port = 25 };
	make_router(world);
	assert_int_equal(spool_memory_open(&world->spool), OK);
	assert_int_equal(in_doubt_open(NULL, &world->in_doubt), OK);
	assert_int_equal(suspects_open(NULL, &world->suspects), OK);
	open_port(world);
	queue_id_source_init(&world->ids, 0, 0);
	world->rates = rate_table_new(RATES, 1);
	assert_non_null(world->rates);
	world->outbound = world->mailbox = (struct courier){ deliver, world };
	world->retry_ms[0] = 60000;
	world->retry_ms[1] = 600000;
	world->retry_ms[2] = 7200000;
	world->settings = (struct queue_settings){ .hostname = TEXT("mail.example.org"), .retry_ms = world->retry_ms,
		.retry_count = 3, .lifetime_ms = 5 * 24 * 3600000ll, .warn_after_ms = 4 * 3600000ll,
		.concurrency = WORLD_CONCURRENCY, .mailbox_concurrency = 5, .in_flight_max = 100, .tallies_tls = true };
	buffer_init(&world->mailboxes, 10 << 20);
	buffer_init(&world->events, 10 << 20);
	failing_world = world;
	open_queue(world);
	return world;
}

void world_restart(struct world *world)
{
	spool_port_close(world->port);
	queue_free(world->queue);
	world->open_count = 0;
	open_port(world);
	open_queue(world);
}

void world_free(struct world *world)
{
	failing_world = NULL;
	spool_port_close(world->port);
	queue_free(world->queue);
	spool_close(world->spool);
	in_doubt_close(world->in_doubt);
	suspects_close(world->suspects);
	rate_table_free(world->rates);
	router_unref(world->router);
	dns_free(world->dns);
	loop_timer_free(world->answer);
	loop_wake_free(world->step);
	loop_wake_free(world->wake);
	loop_free(world->loop);
	arena_free(world->arena);
	buffer_done(&world->mailboxes);
	buffer_done(&world->events);
	free(world);
}
