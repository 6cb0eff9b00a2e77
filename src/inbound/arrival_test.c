/* Messages that are looked at as they arrive, over socket pairs, with names from a table: what the client hears, what the
 * spool holds, and what is left when one of them breaks off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/must.h"
#include "inbound/inbound.h"
#include "spool/tally.h"

static const char zone[] =
    "{\"_dmarc.hard.test\": {\"TXT\": [[\"v=DMARC1; p=reject; rua=mailto:d@hard.test\"]]}, "
    "\"_dmarc.strict.test\": {\"TXT\": [[\"v=DMARC1; p=reject\"]]}, \"_dmarc.soft.test\": {\"TXT\": [[\"v=DMARC1; "
    "p=quarantine\"]]}, \"_dmarc.asks.test\": {\"TXT\": [[\"v=DMARC1; p=quarantine; rua=mailto:d@asks.test\"]]}, \"_dmarc.slow.test\": \"TIMEOUT\", \"strict.test\": {\"A\": [\"192.0.2.1\"]}}";

struct world {
	struct loop *loop;
	struct spool *spool;
	struct spool_port *port;
	struct loop_wake *wake;
	struct router *router;
	struct arena *arena;
	struct dns *dns;
	struct queue_id_source ids;
	struct inbound *inbound;
	struct stream *client;
	struct buffer heard, log;
	struct counters counters;
	const char *recipients;        /* NULL: alice */
	bool drained, hangs_up;        /* The client, when it has said all. */
	struct loop_timer *moment;
};

static void report(void *context, const struct event *event)
{
	struct world *world = context;

	must(event_print_text(event, &world->log) && buffer_append(&world->log, TEXT("\n")));
}

static void poll_spool(void *context)
{
	(void)spool_port_poll(((struct world *)context)->port);
}

static void wake_loop(void *context)
{
	loop_wake_send(context);
}

static void nothing(void *context)
{
	(void)context;
}

static void heard(void *context, struct text bytes)
{
	must(buffer_append(&((struct world *)context)->heard, bytes));
}

static void ended(void *context, enum error reason)
{
	(void)reason;
	loop_stop(((struct world *)context)->loop);
}

static const struct stream_handler handler = { nothing, heard, nothing, ended };

static void have_drained(void *context)
{
	((struct world *)context)->drained = true;
	loop_stop(((struct world *)context)->loop);
}

static void set_up(struct world *world, const struct policy *policy)
{
	static const struct text domains[] = { { "here.test", 9 } }, users[] = { { "alice", 5 } };
	const struct router_settings settings = { .hostname = TEXT("mx.here.test"), .domains = domains,
		.domain_count = 1, .users_known = true, .users = users, .user_count = 1,
		.aliases = TEXT("away: friend@far.test\n"), .aliases_name = TEXT("aliases") };
	const struct inbound_settings inbound_settings = { .hostname = TEXT("mx.here.test"), .policy = *policy };
	struct text complaint;
	const char *reason;

	*world = (struct world){ .loop = loop_new(), .arena = arena_new(4 << 20) };
	must(world->loop != NULL && world->arena != NULL);
	assert_int_equal(router_new(&settings, world->arena, &world->router, &complaint), OK);
	world->wake = loop_wake_new(world->loop, poll_spool, world);
	world->dns = dns_zone_new(world->loop, text_of(zone), &reason);
	assert_non_null(world->dns);
	assert_int_equal(spool_memory_open(&world->spool), OK);
	assert_int_equal(spool_port_open(world->spool, 0xffff, wake_loop, world->wake, &world->port), OK);
	queue_id_source_init(&world->ids, 0, 0);
	buffer_init(&world->heard, 1 << 20);
	buffer_init(&world->log, 1 << 20);
	const struct inbound_wiring wiring = { world->loop, world->port, &world->ids, { report, world }, &world->counters, .asker = NULL };

	world->inbound = inbound_new(&wiring, &inbound_settings, world->router);
	assert_non_null(world->inbound);
	inbound_set_dns(world->inbound, world->dns);
}

static void tear_down(struct world *world)
{
	stream_free(world->client);
	if (world->moment != NULL)
		loop_timer_free(world->moment);
	spool_port_close(world->port);
	inbound_free(world->inbound);
	dns_free(world->dns);
	spool_close(world->spool);
	loop_wake_free(world->wake);
	router_unref(world->router);
	loop_free(world->loop);
	arena_free(world->arena);
	buffer_done(&world->heard);
	buffer_done(&world->log);
}

/* All that a client says about one message. */
static void hand_in(struct world *world, const char *message)
{
	struct buffer words;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct stream *server = stream_from_fd(world->loop, pair[0], &handler, world);

	stream_pause(server);
	world->client = stream_from_fd(world->loop, pair[1], &handler, world);
	inbound_accept(world->inbound, server, SESSION_MX, SESSION_TLS_NONE);
	buffer_init(&words, 1 << 20);
	must(buffer_print(&words, "EHLO c.test\r\nMAIL FROM:<a@far.test>\r\n%sDATA\r\n%s\r\n.\r\nQUIT\r\n",
	    world->recipients ? world->recipients : "RCPT TO:<alice@here.test>\r\n", message));
	must(stream_write(world->client, buffer_text(&words)));
	buffer_done(&words);
}

static void assert_holds(struct text all, const char *part)
{
	if (text_find(all, text_of(part)) >= all.length)
		fail_msg("'%s' is not in:\n%.*s", part, TEXT_FORMAT(all));
}

static uint16_t flags_of_stored(struct world *world, struct text *out_start)
{
	char *room = arena_alloc(world->arena, SPOOL_START_SIZE);
	struct message message;
	queue_id *ids;
	size_t count;
	bool complete;

	must(room != NULL);
	assert_int_equal(spool_list(world->spool, 0, 10, world->arena, &ids, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(spool_read_message(world->spool, ids[0], world->arena, &message), OK);
	out_start->bytes = room;
	assert_int_equal(spool_read_start(world->spool, &message.envelope, room, &out_start->length, &complete), OK);
	assert_true(!complete || out_start->length == message.envelope.body_size);
	return message.envelope.flags;
}

static uint64_t stored_count(struct world *world)
{
	struct spool_totals totals;

	assert_int_equal(spool_totals(world->spool, &totals), OK);
	return totals.messages;
}

#define FORGED "Authentication-Results: mx.here.test;\r\n dkim=pass\r\n"

static void results_stand_on_top(void **state)
{
	struct world world;
	struct text start;

	(void)state;
	set_up(&world, &(struct policy){ 0 });
	hand_in(&world, "From: a@soft.test\r\n" FORGED "Subject: x\r\n\r\nhello");
	loop_run(world.loop);
	assert_holds(buffer_text(&world.heard), "250 2.0.0 Ok: queued as ");
	assert_int_equal(flags_of_stored(&world, &start), ENVELOPE_JUNK);
	assert_true(text_starts(start, TEXT("Authentication-Results: mx.here.test;\r\n\tdkim=none;\r\n\tarc=none;\r\n\tdmarc=fail ")));
	assert_holds(start, " header.from=soft.test\r\nReceived: ");
	assert_true(text_ends(start, TEXT("\r\nFrom: a@soft.test\r\nSubject: x\r\n\r\nhello\r\n")));
	assert_holds(buffer_text(&world.log), "dkim=none arc=none dmarc=fail junk");
	assert_int_equal(counters_get(&world.counters, COUNTER_DMARC_FAIL), 1);
	assert_int_equal(counters_get(&world.counters, COUNTER_UNAUTHENTIC_JUNK), 1);
	tear_down(&world);
}

static void what_is_disowned_is_refused(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, &(struct policy){ .dmarc = POLICY_DMARC_ENFORCE });
	hand_in(&world, "From: a@strict.test\r\n\r\nhello");
	loop_run(world.loop);
	assert_holds(buffer_text(&world.heard), "\r\n550 5.7.1 ");
	assert_holds(buffer_text(&world.heard), "\r\n221 2.0.0 ");
	assert_int_equal(stored_count(&world), 0);
	assert_holds(buffer_text(&world.log), "rejected ");
	assert_holds(buffer_text(&world.log), "dkim=none arc=none dmarc=fail");
	assert_int_equal(counters_get(&world.counters, COUNTER_UNAUTHENTIC_REFUSED), 1);
	tear_down(&world);
}

/* More than a chunk, so that the text went ahead of what stands on top of it. */
static void results_of_a_large_message(void **state)
{
	static char message[100 << 10] = "From: a@strict.test\r\n\r\n";
	struct world world;
	struct text start;

	(void)state;
	static const char line[] = "0123456789012345678901234567890123456789012345678901234567890123456789\r\n";

	for (size_t at = strlen(message); at + sizeof line <= sizeof message; at += sizeof line - 1)
		memcpy(message + at, line, sizeof line);
	set_up(&world, &(struct policy){ .dmarc = POLICY_DMARC_MARK });
	hand_in(&world, message);
	loop_run(world.loop);
	assert_int_equal(flags_of_stored(&world, &start), 0);
	assert_true(text_starts(start, TEXT("Authentication-Results: mx.here.test;")));
	assert_holds(start, " (p=reject) header.from=strict.test");
	assert_holds(start, "\r\nFrom: a@strict.test\r\n\r\n0123");
	tear_down(&world);
}

/* V1. A name that nobody answers for: the time is over at some time, and is a temporary error. */
static void the_dns_keeps_silent(void **state)
{
	struct world world;
	struct text start;

	(void)state;
	set_up(&world, &(struct policy){ .patience_ms = 20 });
	hand_in(&world, "From: a@slow.test\r\n\r\nhello");
	loop_run(world.loop);
	(void)flags_of_stored(&world, &start);
	assert_holds(start, "dmarc=temperror");
	tear_down(&world);
	set_up(&world, &(struct policy){ .patience_ms = 20, .defers = true });
	hand_in(&world, "From: a@slow.test\r\n\r\nhello");
	loop_run(world.loop);
	assert_holds(buffer_text(&world.heard), "\r\n451 4.7.0 ");
	assert_int_equal(stored_count(&world), 0);
	tear_down(&world);
}

/* The client is gone, or we want to go, while the DNS is waited for. */
static void drain_now(void *context)
{
	struct world *world = context;

	if (world->hangs_up) {
		stream_free(world->client);
		world->client = NULL;
	}
	inbound_drain(world->inbound, have_drained, world);
}

static void nobody_waits_any_more(void **state)
{
	static const char *const authors[] = { "slow.test", "strict.test" };
	struct world world;

	(void)state;
	for (int hangs_up = 0; hangs_up < 2; hangs_up++)
		for (size_t i = 0; i < 2; i++) {
			char message[64];

			set_up(&world, &(struct policy){ .patience_ms = hangs_up ? 3600 * 1000 : 30, .dmarc = POLICY_DMARC_MARK });
			world.hangs_up = hangs_up;
			snprintf(message, sizeof message, "From: a@%s\r\n\r\nhello", authors[i]);
			hand_in(&world, message);
			world.moment = loop_timer_new(world.loop, drain_now, &world);
			loop_timer_set(world.moment, 10);
			loop_run(world.loop);
			if (!world.drained) /* The client heard the end of it first. */
				loop_run(world.loop);
			assert_true(world.drained);
			assert_int_equal(inbound_connection_count(world.inbound), 0);
			tear_down(&world);
		}
}

static void sign_with(struct world *world, const char *domain)
{
	struct signing_key key = { .domain = text_of(domain), .selector = TEXT("s"), .until_s = INT64_MAX };
	struct signing_keys *keys;

	assert_int_equal(private_key_make(KEY_ED25519, 0, &key.key), OK);
	keys = signing_keys_new(&key, 1, &(struct dkim_manner){ 0 });
	assert_non_null(keys);
	inbound_set_signing(world->inbound, keys);
	signing_keys_unref(keys);
}

static void what_is_forwarded_is_sealed(void **state)
{
	static const struct {
		const char *recipients, *keys;
		bool seals, sealed;
	} cases[] = {
		{ "RCPT TO:<alice@here.test>\r\nRCPT TO:<Away@HERE.test>\r\n", "here.test", true, true },
		{ "RCPT TO:<away@here.test>\r\n", "elsewhere.test", true, false },
		{ "RCPT TO:<away@here.test>\r\n", "here.test", false, false },
		{ "RCPT TO:<alice@here.test>\r\n", "here.test", true, false },
	};
	struct world world;
	struct text start;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		set_up(&world, &(struct policy){ .seals = cases[i].seals });
		sign_with(&world, cases[i].keys);
		world.recipients = cases[i].recipients;
		hand_in(&world, "From: a@far.test\r\n\r\nhello");
		loop_run(world.loop);
		(void)flags_of_stored(&world, &start);
		assert_int_equal(text_starts(start, TEXT("ARC-Seal: i=1; a=ed25519-sha256; ")), cases[i].sealed);
		if (cases[i].sealed) {
			assert_holds(start, " cv=none;\r\n\td=here.test; s=s;");
			assert_holds(start, "ARC-Authentication-Results: i=1; mx.here.test;\r\n\tdkim=none;");
			assert_holds(buffer_text(&world.log), " sealed=here.test");
		}
		assert_holds(start, "Authentication-Results: mx.here.test;");
		inbound_set_signing(world.inbound, NULL);
		tear_down(&world);
	}
}

/* Changed for another while a chain of questions is under way. */
static void names_are_asked_elsewhere(void **state)
{
	struct world world;
	struct text start;
	const char *reason;

	(void)state;
	set_up(&world, &(struct policy){ .patience_ms = 50 });
	hand_in(&world, "From: a@one.two.three.slow.test\r\n\r\nhello");
	struct dns *other = dns_zone_new(world.loop, text_of(zone), &reason);

	dns_retire(world.dns);
	world.dns = other;
	inbound_set_dns(world.inbound, other);
	loop_run(world.loop);
	(void)flags_of_stored(&world, &start);
	assert_holds(start, "dmarc=temperror");
	tear_down(&world);
}

/* With the message, or on its own; and only for whom asks, and if we are to. */
static void results_are_tallied(void **state)
{
	static const struct {
		const char *author;
		struct policy policy;
		unsigned rows;
		uint64_t stored;
	} rows[] = { { "asks.test", { .tallies_dmarc = true }, 1, 1 }, { "asks.test", { .tallies_dmarc = false }, 0, 1 },
		{ "soft.test", { .tallies_dmarc = true }, 0, 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world world;
		struct tally_listed *sets;
		size_t count;
		char message[100];

		set_up(&world, &rows[i].policy);
		snprintf(message, sizeof message, "From: a@%s\r\n\r\nhello", rows[i].author);
		hand_in(&world, message);
		loop_run(world.loop);
		assert_int_equal(stored_count(&world), rows[i].stored);
		assert_int_equal(spool_tally_sets(world.spool, TALLY_DMARC, UINT32_MAX, NULL, 10, world.arena, &sets, &count), OK);
		assert_int_equal(count, rows[i].rows > 0 ? 2 : 0); /* The day's account, and the set. */
		if (count > 0) {
			assert_true(text_equal(sets[1].set.domain, TEXT("asks.test")));
			assert_int_equal(sets[1].sum.total, 1);
		}
		tear_down(&world);
	}
}

/* A message that is refused is told of, too: by a change of its own. */
static void refusals_are_tallied(void **state)
{
	struct world world;
	struct tally_listed *sets;
	size_t count;

	(void)state;
	set_up(&world, &(struct policy){ .dmarc = POLICY_DMARC_ENFORCE, .tallies_dmarc = true });
	hand_in(&world, "From: a@hard.test\r\n\r\nhello");
	loop_run(world.loop);
	assert_holds(buffer_text(&world.heard), "550 5.7.1 ");
	assert_int_equal(stored_count(&world), 0);
	assert_int_equal(spool_tally_sets(world.spool, TALLY_DMARC, UINT32_MAX, NULL, 10, world.arena, &sets, &count), OK);
	assert_int_equal(count, 2);
	assert_true(text_equal(sets[1].set.domain, TEXT("hard.test")));
	tear_down(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(results_stand_on_top), cmocka_unit_test(what_is_disowned_is_refused),
		cmocka_unit_test(results_of_a_large_message), cmocka_unit_test(the_dns_keeps_silent),
		cmocka_unit_test(nobody_waits_any_more), cmocka_unit_test(names_are_asked_elsewhere),
		cmocka_unit_test(what_is_forwarded_is_sealed), cmocka_unit_test(results_are_tallied),
		cmocka_unit_test(refusals_are_tallied) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
