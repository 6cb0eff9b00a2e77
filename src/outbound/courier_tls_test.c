/* What the courier makes of TLS: what is demanded, what is believed, and what is told of it afterwards. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "outbound/courier_world.h"

static void expect_tls(const struct world *world, const char *words)
{
	if (!text_starts(world->delivery.tls, text_of(words)))
		fail_msg("tls: %.*s", TEXT_FORMAT(world->delivery.tls));
}

static void delivers_under_tls(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100000, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, false);
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	expect_tls(world, "TLSv1.3 ");
	assert_int_equal(world->peers[0].connection_count, 1);
	assert_int_equal(counters_get(&world->counters, COUNTER_TLS_OUT), 1);
	buffer_done(&body);
}

static void believes_a_certificate_for_the_host(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_VERIFIED, true);
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	expect_tls(world, "TLSv1.3 ");
	buffer_done(&body);
}

static void waits_where_tls_is_demanded_in_vain(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_VERIFIED, true);
	world->peers[0].manners.tls = NULL; /* The first offers none, the second has another's name. */
	world_deliver(world);
	world_expect(world, 0, 451, "mx2.test[127.0.0.1]", "TLS cannot be had: hostname mismatch");
	assert_int_equal(world->outcomes[0].verdict.enhanced.subject, 7);
	assert_true(world->outcomes[0].pressure);
	assert_int_equal(world->peers[0].message_count + world->peers[1].message_count, 0);
	assert_int_equal(counters_get(&world->counters, COUNTER_TLS_OUT_FAILED), 1);
	buffer_done(&body);
}

static void goes_on_in_clear_text_where_it_may(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, false);
	world->peers[0].manners = (struct peer_manners){ .noise = true };
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	expect_tls(world, "none (TLS cannot be had: ");
	assert_int_equal(world->peers[0].connection_count, 2);
	assert_int_equal(world->peers[1].connection_count, 0);
	buffer_done(&body);
}

static void goes_on_in_clear_text_after_a_handshake_without_end(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world->settings.timeouts.handshake_ms = 5;
	world_offer_tls(world, TLS_OPPORTUNISTIC, false);
	world->peers[0].manners = (struct peer_manners){ .mute = true };
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	expect_tls(world, "none (TLS cannot be had: timed out");
	assert_int_equal(counters_get(&world->counters, COUNTER_TLS_OUT_FAILED), 1);
	buffer_done(&body);
}

static void does_not_where_it_may_not(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_ENCRYPTED, false);
	world->peers[0].manners = (struct peer_manners){ .noise = true };
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored"); /* Whose name is not asked for. */
	assert_int_equal(world->peers[0].connection_count, 1);
	expect_tls(world, "TLSv1.3 ");
	buffer_done(&body);
}

static void keeps_what_is_demanded_apart(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, true);
	world_deliver(world);
	world_deliver(world);
	assert_int_equal(world->peers[0].connection_count, 1); /* Kept, and used again. */
	expect_tls(world, "TLSv1.3 ");
	world->route.next_hop.tls.level = TLS_VERIFIED;
	world_deliver(world);
	assert_int_equal(world->peers[0].connection_count, 2);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	buffer_done(&body);
}

/* -- What sessions tell of TLS ------------------------------------------------------ */

static void expect_note(const struct world *world, size_t number, enum tls_policy_type policy, enum tls_result_type type,
    const char *mx, const char *reason)
{
	const struct tls_result *result = &world->delivery.tls_notes.results[number];

	assert_true(number < world->delivery.tls_notes.count);
	if (result->policy != policy || result->type != type || !text_equal(result->mx, text_of(mx)) ||
	    (reason[0] != '\0' && text_find(result->reason, text_of(reason)) == result->reason.length))
		fail_msg("note %zu: %s %s %.*s (%.*s)", number, tls_policy_type_word(result->policy),
		    tls_result_word(result->type), TEXT_FORMAT(result->mx), TEXT_FORMAT(result->reason));
	assert_true(text_equal(result->mx_ip, TEXT("127.0.0.1")));
	assert_true(text_equal(result->sending_ip, TEXT("127.0.0.1")));
}

static void set_policy(struct world *world, enum sts_mode mode, const char *patterns)
{
	world->list.policy = (struct host_policy){
		.holds = true, .sts = { .mode = mode, .max_age_s = 86400, .patterns = text_of(patterns) } };
	for (unsigned i = 0; mode == STS_ENFORCE && i < PEERS; i++)
		world->hosts[i].tls_least = TLS_VERIFIED;
}

static void a_session_is_noted_once(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, true);
	set_policy(world, STS_TESTING, "mx1.test *.other.test");
	world_deliver(world);
	assert_int_equal(world->delivery.tls_notes.count, 1);
	expect_note(world, 0, TLS_POLICY_STS, TLS_RESULT_SUCCESS, "mx1.test", "");
	assert_true(text_equal(world->delivery.tls_notes.results[0].policy_text,
	    TEXT("version: STSv1\nmode: testing\nmx: mx1.test\nmx: *.other.test\nmax_age: 86400")));
	world_deliver(world); /* Over the same connection. */
	assert_int_equal(world->peers[0].connection_count, 1);
	assert_int_equal(world->delivery.tls_notes.count, 0);
	buffer_done(&body);
}

/* Testing stops no mail, and tells what enforcing would have stopped. */
static void a_tested_policy_is_judged(void **state)
{
	static const struct {
		const char *patterns;
		bool trusted, second;
		enum tls_result_type type;
		const char *reason;
	} cases[] = {
		{ "mx1.test", false, false, TLS_RESULT_CERTIFICATE_NOT_TRUSTED, "self-signed" },
		{ "mx2.test", true, true, TLS_RESULT_CERTIFICATE_HOST_MISMATCH, "mismatch" },
		{ "mx2.test", true, false, TLS_RESULT_VALIDATION_FAILURE, "does not name this host" },
	};
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		outbound_free(take(world->outbound));
		tls_server_unref(take(world->tls_server));
		tls_client_unref(take(world->tls_client));
		world_offer_tls(world, TLS_OPPORTUNISTIC, cases[i].trusted);
		set_policy(world, STS_TESTING, cases[i].patterns);
		world->list.hosts = &world->hosts[cases[i].second];
		world->list.host_count = 1;
		world_deliver(world);
		expect_tls(world, "TLSv1.3 ");
		assert_int_equal(world->outcomes[0].verdict.code, 250);
		expect_note(world, 0, TLS_POLICY_STS, cases[i].type, cases[i].second ? "mx2.test" : "mx1.test", cases[i].reason);
		assert_int_equal(world->delivery.tls_notes.count, 1);
	}
	buffer_done(&body);
}

static void failures_under_a_policy_are_noted(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, true);
	set_policy(world, STS_ENFORCE, "mx1.test mx2.test");
	world->peers[0].manners.tls = NULL;
	world_deliver(world);
	assert_int_equal(world->outcomes[0].verdict.code, 451);
	assert_int_equal(world->delivery.tls_notes.count, 2);
	expect_note(world, 0, TLS_POLICY_STS, TLS_RESULT_STARTTLS_NOT_SUPPORTED, "mx1.test", "");
	expect_note(world, 1, TLS_POLICY_STS, TLS_RESULT_CERTIFICATE_HOST_MISMATCH, "mx2.test", "mismatch");
	buffer_done(&body);
}

/* The connection in clear text that follows is no session of its own. */
static void failures_without_a_policy_are_noted(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, false);
	world->list.policy = (struct host_policy){ .wanted = true, .failure = STS_WEBPKI_INVALID, .trouble = TEXT("too old") };
	world->peers[0].manners = (struct peer_manners){ .noise = true };
	world_deliver(world);
	assert_int_equal(world->outcomes[0].verdict.code, 250);
	assert_int_equal(world->peers[0].connection_count, 2);
	assert_int_equal(world->delivery.tls_notes.count, 2);
	assert_int_equal(world->delivery.tls_notes.results[0].type, TLS_RESULT_STS_WEBPKI_INVALID);
	assert_true(text_equal(world->delivery.tls_notes.results[0].reason, TEXT("too old")));
	expect_note(world, 1, TLS_POLICY_NONE_FOUND, TLS_RESULT_VALIDATION_FAILURE, "mx1.test", "wrong version number");
	buffer_done(&body);
}

/* The host has these records. */
static void have_tlsa(struct host *host, const struct text *records, size_t count)
{
	host->tls_least = TLS_VERIFIED;
	host->tlsa = (struct host_tlsa){ TLSA_USABLE, { records, count }, TEXT("base.test") };
}

static void believes_what_tlsa_records_name(void **state)
{
	struct world *world = *state;
	struct buffer body;
	const char other_room[TEST_TLSA_SIZE] = "\3\1\1";

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, false);
	const struct text other = { other_room, sizeof other_room }, records[] = { other, world->tlsa };

	have_tlsa(&world->hosts[0], &world->tlsa, 1);
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	assert_true(text_ends(world->delivery.tls, TEXT(" (DANE)")));
	assert_int_equal(counters_get(&world->counters, COUNTER_DANE), 1);
	assert_int_equal(world->delivery.tls_notes.count, 1);
	expect_note(world, 0, TLS_POLICY_TLSA, TLS_RESULT_SUCCESS, "mx1.test", "");
	assert_true(text_starts(world->delivery.tls_notes.results[0].policy_text, TEXT("3 1 1 ")));
	world_deliver(world);
	assert_int_equal(world->peers[0].connection_count, 1); /* Kept, and used again. */

	/* Other records make the next one prove itself by them. */
	have_tlsa(&world->hosts[0], records, 2);
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	assert_int_equal(world->peers[0].connection_count, 2);
	have_tlsa(&world->hosts[0], &other, 1);
	world_deliver(world);
	world_expect(world, 0, 250, "mx2.test[127.0.0.1]", "stored");
	assert_int_equal(world->peers[0].connection_count, 3);
	assert_int_equal(world->delivery.tls_notes.count, 2);
	expect_note(world, 0, TLS_POLICY_TLSA, TLS_RESULT_VALIDATION_FAILURE, "mx1.test", "DANE");
	expect_note(world, 1, TLS_POLICY_NONE_FOUND, TLS_RESULT_SUCCESS, "mx2.test", "");
	buffer_done(&body);
}

static void records_that_cannot_be_used_are_noted(void **state)
{
	struct world *world = *state;
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, true);
	world->hosts[0].tls_least = TLS_ENCRYPTED;
	world->hosts[0].tlsa = (struct host_tlsa){ .finding = TLSA_UNUSABLE };
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	assert_int_equal(world->delivery.tls_notes.count, 2);
	assert_int_equal(world->delivery.tls_notes.results[0].policy, TLS_POLICY_TLSA);
	assert_int_equal(world->delivery.tls_notes.results[0].type, TLS_RESULT_TLSA_INVALID);
	expect_note(world, 1, TLS_POLICY_NONE_FOUND, TLS_RESULT_SUCCESS, "mx1.test", "");
	buffer_done(&body);
}

static void append_file(const char *path, const char *to)
{
	FILE *in = fopen(path, "re"), *out = fopen(to, "ae");
	char line[256];

	assert_true(in != NULL && out != NULL);
	while (fgets(line, sizeof line, in) != NULL)
		assert_true(fputs(line, out) >= 0);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

/* From now on the hosts have a certificate for this name, of an authority whose record is in `room` (DANE-TA). */
static void certify_by_authority(struct world *world, const char *names, char room[TEST_TLSA_SIZE])
{
	char folder[64], authority[128], authority_key[128], leaf[128], key[128];
	const struct test_certificate signer = { .common = "ca" }, wanted = { .names = names, .common = "leaf" };
	struct text certificates[1], keys[1], complaint;

	test_folder_make(folder);
	test_certificate_write(folder, "ca", NULL, &signer, authority, authority_key);
	test_certificate_write(folder, "ec", "ca", &wanted, leaf, key);
	append_file(authority, leaf);
	certificates[0] = text_of(leaf);
	keys[0] = text_of(key);
	const struct tls_server_settings settings = { certificates, keys, 1, "" };

	tls_server_unref(take(world->tls_server));
	assert_int_equal(tls_server_new(&settings, world->arena, &world->tls_server, &complaint), OK);
	test_certificate_tlsa(authority, room);
	room[0] = 2;
	test_folder_remove(folder);
	for (unsigned i = 0; i < PEERS; i++)
		world->peers[i].manners.tls = world->tls_server;
}

/* RFC 7672 §3.2.2, whatever else is in the name of the destination. */
static void a_certificate_may_name_the_domain(void **state)
{
	struct world *world = *state;
	char room[TEST_TLSA_SIZE];
	const struct text record = { room, sizeof room };
	struct buffer body;

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, false);
	certify_by_authority(world, "DNS:dest.test", room);
	have_tlsa(&world->hosts[0], &record, 1);
	world->list.host_count = 1;
	world->route.next_hop.destination = TEXT("dest.test, from pool news");
	world_deliver(world);
	world_expect(world, 0, 250, "mx1.test[127.0.0.1]", "stored");
	outbound_free(take(world->outbound));

	world->route.next_hop.domain = TEXT("another.test");
	world_deliver(world);
	world_expect(world, 0, 451, "mx1.test[127.0.0.1]", "hostname mismatch");
	buffer_done(&body);
}

static void never_sends_where_tlsa_records_name_another(void **state)
{
	struct world *world = *state;
	struct buffer body;
	const char other_room[TEST_TLSA_SIZE] = "\3\1\1";
	const struct text other = { other_room, sizeof other_room };

	world_store(world, 100, &body);
	world_offer_tls(world, TLS_OPPORTUNISTIC, true); /* Whoever signed it. */
	have_tlsa(&world->hosts[0], &other, 1);
	have_tlsa(&world->hosts[1], &other, 1);
	world_deliver(world);
	world_expect(world, 0, 451, "mx2.test[127.0.0.1]", "TLS cannot be had: no matching DANE TLSA records");
	assert_int_equal(world->outcomes[0].verdict.enhanced.subject, 7);

	/* Nor where no TLS is to be had, offered or not. */
	world->peers[0].manners.tls = NULL;
	world->peers[1].manners = (struct peer_manners){ .noise = true };
	world_deliver(world);
	world_expect(world, 0, 451, "mx2.test[127.0.0.1]", "TLS cannot be had: ");
	assert_int_equal(world->peers[0].message_count + world->peers[1].message_count, 0);
	assert_int_equal(world->peers[0].connection_count + world->peers[1].connection_count, 4);
	assert_int_equal(counters_get(&world->counters, COUNTER_DANE), 0);
	assert_int_equal(counters_get(&world->counters, COUNTER_DANE_FAILED), 3);
	buffer_done(&body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(delivers_under_tls),
		WITH_WORLD(believes_a_certificate_for_the_host),
		WITH_WORLD(waits_where_tls_is_demanded_in_vain),
		WITH_WORLD(goes_on_in_clear_text_where_it_may),
		WITH_WORLD(goes_on_in_clear_text_after_a_handshake_without_end),
		WITH_WORLD(does_not_where_it_may_not),
		WITH_WORLD(keeps_what_is_demanded_apart),
		WITH_WORLD(a_session_is_noted_once),
		WITH_WORLD(a_tested_policy_is_judged),
		WITH_WORLD(failures_under_a_policy_are_noted),
		WITH_WORLD(failures_without_a_policy_are_noted),
		WITH_WORLD(believes_what_tlsa_records_name),
		WITH_WORLD(records_that_cannot_be_used_are_noted),
		WITH_WORLD(a_certificate_may_name_the_domain),
		WITH_WORLD(never_sends_where_tlsa_records_name_another),
	};

	signal(SIGPIPE, SIG_IGN); /* As the program does. */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
