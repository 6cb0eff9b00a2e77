/* What a configuration makes of a message: in the order in which a server asks, as far as it asks nobody else.
 *
 * A recipient that waits has been taken in: of it the way is judged. Our own reports come in by no door, either. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_private.h"
#include "admin/replay.h"
#include "base/endpoint.h"

enum { JUDGE_ARENA_BYTES = 4 << 20 };

struct judging {
	const struct replay_side *side;
	const json_t *facts;
	struct arena *arena;
	struct address sender;
	bool at_the_door; /* It is asked whether it may come in. */
	bool trusted;
	int64_t arrived_ms;
	struct text user; /* Who logged in; empty: nobody. */
	struct endpoint client;
	bool has_client;
	json_t *judged;
};

static void put_text(struct judging *judging, const char *key, struct text text)
{
	json_object_set_new(judging->judged, key, admin_string(text));
}

/* -- the message -------------------------------------------------------------------- */

/* "helo.name[192.0.2.1]" */
static bool client_of(struct text client, struct endpoint *out_client)
{
	size_t from = client.length;

	while (from > 0 && client.bytes[from - 1] != '[')
		from--;
	return from > 0 && endpoint_parse_ip(text_part(client, from, client.length - from - 1), out_client) &&
	    (out_client->family == ENDPOINT_IP4 || out_client->family == ENDPOINT_IP6);
}

static void find_trust(struct judging *judging)
{
	const struct conf *conf = judging->side->conf;
	const struct text user = admin_member(judging->facts, "user");

	judging->has_client = client_of(admin_member(judging->facts, "client"), &judging->client);
	judging->trusted = user.length > 0 ||
	    (judging->has_client && network_any_holds(conf->relay_from, conf->relay_from_count, &judging->client));
	/* sendmail(1) is trusted for its user, and limited by nothing. */
	judging->user = text_starts(user, TEXT("uid ")) ? TEXT_EMPTY : user;
}

static void judge_size(struct judging *judging)
{
	const uint64_t size_max = judging->side->conf->limits.message_size;
	struct text words;

	if ((uint64_t)json_integer_value(json_object_get(judging->facts, "size")) > size_max &&
	    arena_print(judging->arena, &words, "552 5.3.4 larger than %" PRIu64 " bytes", size_max))
		put_text(judging, "refused", words);
}

static void judge_sender(struct judging *judging)
{
	bool may = true;

	if (judging->user.length == 0 || judging->side->conf->sender_check == CONF_SENDER_FREE || address_is_null(&judging->sender))
		return;
	if (router_may_send_as(judging->side->router, judging->user, &judging->sender, &may) == OK && !may)
		put_text(judging, "refused", TEXT("553 5.7.1 the sender's address does not belong to the user"));
}

static void judge_recipient_count(struct judging *judging)
{
	const unsigned count_max = judging->side->conf->limits.recipients;
	struct text words;

	if (json_integer_value(json_object_get(judging->facts, "recipients")) > (json_int_t)count_max &&
	    arena_print(judging->arena, &words, "452 4.5.3 more than %u recipients", count_max))
		put_text(judging, "limited", words);
}

/* "example.org (s1, s2)" */
static void judge_signature(struct judging *judging)
{
	struct dkim_signing signings[DKIM_KEYS_MAX];
	struct buffer words;
	size_t count;

	if (judging->side->signing == NULL || !judging->trusted || judging->sender.domain.length == 0)
		return;
	count = signing_keys_find(judging->side->signing, judging->sender.domain, judging->side->now_ms / 1000, signings);
	buffer_init(&words, 4096);
	for (size_t i = 0; i < count; i++)
		(void)!(i > 0 || buffer_append(&words, signings[i].domain));
	for (size_t i = 0; i < count; i++)
		(void)!buffer_print(&words, "%s%.*s", i == 0 ? " (" : ", ", TEXT_FORMAT(signings[i].selector));
	if (count > 0 && buffer_append(&words, TEXT(")")))
		put_text(judging, "signed", buffer_text(&words));
	buffer_done(&words);
}

/* -- what is taken of rates ---------------------------------------------------------- */

static void take_rate(struct judging *judging, const char *what, struct text who, const struct rate *rate, json_int_t amount)
{
	if (rate->count > 0 && amount > 0)
		json_array_append_new(json_object_get(judging->judged, "rates"), json_pack("{s:s, s:o, s:I, s:I, s:I}", "what", what, "who",
		    admin_string(who), "count", (json_int_t)rate->count, "period_ms", (json_int_t)rate->period_ms, "amount", amount));
}

/* Who has one address of an IPv6 network has all of them (inbound/clients.h N1). */
static bool name_client(const struct endpoint *client, struct arena *arena, struct text *out_name)
{
	struct endpoint network = *client;
	char room[ENDPOINT_TEXT_MAX];
	const bool wide = client->family == ENDPOINT_IP6;

	if (wide)
		memset(network.ip + 8, 0, 8);
	return arena_print(arena, out_name, "client %.*s%s", TEXT_FORMAT(endpoint_print_ip(&network, room)), wide ? "/64" : "");
}

static void take_rates(struct judging *judging)
{
	const struct conf *conf = judging->side->conf;
	const json_int_t recipients = json_integer_value(json_object_get(judging->facts, "recipients"));
	struct rate messages = conf->limits.user_messages, of_recipients = conf->limits.user_recipients;
	struct text who;

	for (size_t i = 0; i < conf->named_user_count; i++) {
		if (text_equal_nocase(conf->named_users[i].name, judging->user)) {
			messages = conf->named_users[i].messages;
			of_recipients = conf->named_users[i].recipients;
		}
	}
	if (judging->user.length > 0 && arena_print(judging->arena, &who, "user %.*s", TEXT_FORMAT(judging->user))) {
		take_rate(judging, "messages", who, &messages, 1);
		take_rate(judging, "recipients", who, &of_recipients, recipients);
	}
	if (judging->has_client && !judging->trusted && name_client(&judging->client, judging->arena, &who)) {
		take_rate(judging, "messages", who, &conf->client.messages, 1);
		take_rate(judging, "recipients", who, &conf->client.recipients, recipients);
	}
}

/* -- recipients ---------------------------------------------------------------------- */

struct way {
	struct text key, words;
	bool refused, mailbox;
};

static bool refuse(struct judging *judging, const struct verdict *verdict, struct way *out_way)
{
	struct text words;

	out_way->refused = true;
	if (!admin_verdict_words(verdict, judging->arena, &words))
		return false;
	out_way->key = out_way->words = words;
	return true;
}

/* What a line of the router says of the rule, without the domain, so that all that go the same way have the same words. */
static bool hosts_words(struct judging *judging, const struct route_decision *decision, struct text *out_words)
{
	static const char *const levels[] = { [TLS_UNUSED] = ", without TLS", [TLS_OPPORTUNISTIC] = "", [TLS_ENCRYPTED] = ", TLS required",
		[TLS_VERIFIED] = ", TLS verified" };
	const struct next_hop *hop = &decision->next_hop;
	const struct text line = decision->explanation;
	const size_t domain = text_find(line, hop->domain);
	/* The words of the line tell what is particular to a route; this is what holds for all. */
	const char *tls = text_find(line, TEXT("TLS ")) < line.length || text_find(line, TEXT("DANE ")) < line.length ? "" : levels[hop->tls.level];

	if (hop->via_count > 0 || domain == line.length)
		return arena_print(judging->arena, out_words, "%.*s%s", TEXT_FORMAT(line), tls);
	return arena_print(judging->arena, out_words, "the hosts of its domain%.*s%s", TEXT_FORMAT(text_from(line, domain + hop->domain.length)), tls);
}

static bool hosts_way(struct judging *judging, const struct route_decision *decision, struct way *out_way)
{
	const struct next_hop *hop = &decision->next_hop;
	struct buffer relays;
	bool ok = true;

	buffer_init(&relays, 4096);
	for (size_t i = 0; ok && i < hop->fallback_count; i++)
		ok = buffer_print(&relays, " else %.*s", TEXT_FORMAT(hop->fallback[i]));
	ok = ok &&
	    arena_print(judging->arena, &out_way->key, "%.*s tls %d%d%d%.*s %d%d%d", TEXT_FORMAT(hop->destination), (int)hop->tls.level,
	        (int)hop->tls.implicit, (int)hop->tls.dane, TEXT_FORMAT(buffer_text(&relays)), (int)hop->fallback_tls.level,
	        (int)hop->fallback_tls.implicit, (int)hop->fallback_tls.dane);
	buffer_done(&relays);
	return ok && hosts_words(judging, decision, &out_way->words);
}

static bool way_of(struct judging *judging, const struct address *recipient, struct text via, bool expanded, struct way *out_way);

static int compare_ways(const void *a, const void *b)
{
	return text_compare(((const struct way *)a)->key, ((const struct way *)b)->key);
}

/* Of all targets, in an order that does not hang on the file's. */
static bool alias_way(struct judging *judging, const struct route_decision *decision, struct way *out_way)
{
	struct way *ways = arena_array(judging->arena, decision->target_count + 1, sizeof *ways);
	struct buffer key, words;
	bool ok = ways != NULL;

	for (size_t i = 0; ok && i < decision->target_count; i++) {
		ways[i] = (struct way){ 0 };
		ok = way_of(judging, &decision->targets[i], TEXT_EMPTY, true, &ways[i]);
	}
	buffer_init(&key, JUDGE_ARENA_BYTES / 4);
	buffer_init(&words, 512);
	ok = ok && buffer_append(&key, TEXT("alias")) && buffer_append(&words, TEXT("an alias: "));
	if (ok)
		qsort(ways, decision->target_count, sizeof *ways, compare_ways);
	for (size_t i = 0; ok && i < decision->target_count; i++) {
		ok = buffer_print(&key, "; %.*s", TEXT_FORMAT(ways[i].key));
		if (i == 0 || !text_equal(ways[i].words, ways[i - 1].words)) /* As far as there is room. */
			(void)!buffer_print(&words, "%s%.*s", i > 0 ? ", " : "", TEXT_FORMAT(ways[i].words));
	}
	ok = ok && arena_copy(judging->arena, buffer_text(&key), &out_way->key) && arena_copy(judging->arena, buffer_text(&words), &out_way->words);
	buffer_done(&key);
	buffer_done(&words);
	return ok;
}

/* False: no memory, or an address that nobody can have accepted. */
static bool way_of(struct judging *judging, const struct address *recipient, struct text via, bool expanded, struct way *out_way)
{
	const struct router *router = judging->side->router;
	struct route_decision *decision = arena_alloc(judging->arena, sizeof *decision);
	struct text printed;

	if (decision == NULL || !address_print(recipient, judging->arena, &printed) ||
	    (via.length > 0 ? router_decide_via(router, recipient, via, judging->arena, decision)
			    : router_decide(router, recipient, &judging->sender, expanded, judging->arena, decision)) != OK)
		return false;
	switch (decision->kind) {
	case ROUTE_REFUSE:
		return refuse(judging, &decision->verdict, out_way);
	case ROUTE_EXPAND:
		return alias_way(judging, decision, out_way);
	case ROUTE_MAILBOX:
		out_way->mailbox = true;
		return arena_print(judging->arena, &out_way->key, "mailbox %.*s@%.*s", TEXT_FORMAT(decision->user), TEXT_FORMAT(decision->domain)) &&
		    arena_print(judging->arena, &out_way->words, "a mailbox of %.*s", TEXT_FORMAT(decision->domain));
	case ROUTE_PIPE:
		return arena_print(judging->arena, &out_way->key, "pipe %.*s", TEXT_FORMAT(decision->user)) &&
		    arena_print(judging->arena, &out_way->words, "pipe \"%.*s\"", TEXT_FORMAT(decision->user));
	case ROUTE_HOSTS:
		return hosts_way(judging, decision, out_way);
	}
	return false;
}

static void judge_recipient(struct judging *judging, const json_t *recipient)
{
	const bool expanded = json_is_true(json_object_get(recipient, "expanded"));
	struct address address;
	struct verdict door = { .code = 250 };
	struct way way = { .key = TEXT("?"), .words = TEXT("what cannot be told") };

	if (address_parse(admin_member(recipient, "address"), true, judging->arena, &address) == OK) {
		if (judging->at_the_door && !json_is_true(json_object_get(recipient, "waiting")))
			door = router_judge(judging->side->router, &address, judging->trusted, judging->arrived_ms);
		if (verdict_is_success(&door))
			(void)!way_of(judging, &address, admin_member(recipient, "via"), expanded, &way);
		else
			(void)!refuse(judging, &door, &way);
	}
	json_array_append_new(json_object_get(judging->judged, "to"), json_pack("{s:o, s:o, s:b, s:b}", "key", admin_string(way.key), "way",
	    admin_string(way.words), "refused", way.refused, "mailbox", way.mailbox));
}

json_t *replay_judge(const struct replay_side *side, const json_t *facts)
{
	const struct text sender = admin_member(facts, "sender");
	struct judging judging = { .side = side,
		.facts = facts,
		.arena = arena_new(JUDGE_ARENA_BYTES),
		.at_the_door = !json_is_true(json_object_get(facts, "ours")),
		.arrived_ms = json_integer_value(json_object_get(facts, "arrived_ms")),
		.judged = json_pack("{s:n, s:n, s:n, s:[], s:s, s:[]}", "refused", "limited", "signed", "rates", "mailboxes", side->conf->mailbox.path,
		    "to") };
	const json_t *recipient;
	size_t i;

	if (judging.arena == NULL)
		return judging.judged;
	if (sender.length > 0 && !text_equal(sender, TEXT("<>")) && address_parse(sender, true, judging.arena, &judging.sender) != OK)
		judging.sender = (struct address){ 0 };
	find_trust(&judging);
	if (judging.at_the_door) {
		judge_size(&judging);
		judge_sender(&judging);
		judge_recipient_count(&judging);
		judge_signature(&judging);
		take_rates(&judging);
	}
	json_array_foreach (json_object_get(facts, "to"), i, recipient)
		judge_recipient(&judging, recipient);
	arena_free(judging.arena);
	return judging.judged;
}
