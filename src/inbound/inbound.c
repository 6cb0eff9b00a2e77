#include "inbound/inbound.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "inbound/inbound_private.h"

enum {
	RECIPIENTS_DEFAULT = 1000,
	ERRORS_DEFAULT = 20,
	CONNECTIONS_DEFAULT = 20000,
	MEMORY_DEFAULT = 1 << 30,
	SNAPSHOT_MAX = 1 << 20 /* Bytes; a network is under 200. */
};
static const int64_t names_default_ms = 20 * 1000;                    /* RFC 7208 §4.6.4 */
static const struct pace_limits pace_default = {
	.silence_ms = 5 * 60 * 1000, /* RFC 5321 §4.5.3.2.7 */
	.line_ms = 60 * 1000,
	.dialogue_ms = 30 * 60 * 1000,
	.proof_ms = 60 * 1000
};
static const int64_t lifetime_default_ms = (int64_t)5 * 24 * 3600 * 1000; /* RFC 5321 §4.5.4.1: 4 to 5 days */

/* -- Settings ----------------------------------------------------------------------- */

void inbound_snapshot_unref(struct inbound_snapshot *snapshot)
{
	if (snapshot == NULL || --snapshot->reference_count > 0)
		return;
	arena_free(snapshot->arena); /* It lives in its own arena. */
}

/* NULL: no memory. */
static const struct network *copy_networks(struct arena *arena, const struct network *from, size_t count)
{
	struct network *networks = arena_array(arena, count + 1, sizeof *networks);

	for (size_t i = 0; networks != NULL && i < count; i++)
		networks[i] = from[i];
	return networks;
}

static bool copy_policy(struct arena *arena, const struct policy *from, struct policy *out_policy)
{
	struct text *trusted = arena_array(arena, from->arc_trusted_count + 1, sizeof *trusted);
	const struct network *forwarders = copy_networks(arena, from->forwarders, from->forwarder_count);

	if (trusted == NULL || forwarders == NULL)
		return false;
	for (size_t i = 0; i < from->arc_trusted_count; i++)
		if (!arena_copy(arena, from->arc_trusted[i], &trusted[i]))
			return false;
	*out_policy = *from;
	out_policy->arc_trusted = trusted;
	out_policy->forwarders = forwarders;
	if (out_policy->patience_ms == 0)
		out_policy->patience_ms = names_default_ms;
	return true;
}

static int64_t first_of(int64_t wanted, int64_t otherwise)
{
	return wanted > 0 ? wanted : otherwise;
}

static struct pace_limits pace_of(const struct pace_limits *from)
{
	return (struct pace_limits){ .silence_ms = first_of(from->silence_ms, pace_default.silence_ms),
		.line_ms = first_of(from->line_ms, pace_default.line_ms),
		.dialogue_ms = first_of(from->dialogue_ms, pace_default.dialogue_ms),
		.proof_ms = first_of(from->proof_ms, pace_default.proof_ms),
		.text_bytes_per_s = from->text_bytes_per_s };
}

static bool copy_settings(struct inbound_snapshot *snapshot, const struct inbound_settings *from)
{
	const struct text domain = from->domain.length > 0 ? from->domain : from->hostname;

	snapshot->session.relay_from = copy_networks(snapshot->arena, from->relay_from, from->relay_from_count);
	snapshot->session.relay_from_count = from->relay_from_count;
	snapshot->proxy_from = copy_networks(snapshot->arena, from->proxy_from, from->proxy_from_count);
	snapshot->proxy_from_count = from->proxy_from_count;
	snapshot->xclient_from = copy_networks(snapshot->arena, from->xclient_from, from->xclient_from_count);
	snapshot->xclient_from_count = from->xclient_from_count;
	snapshot->list_told_ms = arena_array(snapshot->arena, from->vetting.list_count + 1, sizeof *snapshot->list_told_ms);
	if (snapshot->list_told_ms == NULL || !vetting_settings_copy(&from->vetting, snapshot->arena, &snapshot->vetting))
		return false;
	if (snapshot->session.relay_from == NULL || snapshot->proxy_from == NULL || snapshot->xclient_from == NULL ||
	    !arena_copy(snapshot->arena, from->hostname, &snapshot->session.hostname) ||
	    !arena_copy(snapshot->arena, domain, &snapshot->session.domain) ||
	    !submitter_rules_copy(&from->submitters, snapshot->arena, &snapshot->submitters) ||
	    !copy_policy(snapshot->arena, &from->policy, &snapshot->policy))
		return false;
	snapshot->session.message_size_max = from->message_size_max;
	snapshot->session.recipient_count_max =
	    from->recipient_count_max > 0 ? from->recipient_count_max : RECIPIENTS_DEFAULT;
	snapshot->session.hold_ms_max = from->hold_ms_max;
	snapshot->session.priority_max = from->priority_max;
	snapshot->session.error_count_max = from->error_count_max > 0 ? from->error_count_max : ERRORS_DEFAULT;
	snapshot->memory_max = from->memory_max > 0 ? (int64_t)from->memory_max : MEMORY_DEFAULT;
	snapshot->client = from->client;
	snapshot->pace = pace_of(&from->pace);
	snapshot->connection_count_max =
	    from->connection_count_max > 0 ? from->connection_count_max : CONNECTIONS_DEFAULT;
	snapshot->lifetime_ms = from->lifetime_ms > 0 ? from->lifetime_ms : lifetime_default_ms;
	return true;
}

static struct inbound_snapshot *snapshot_new(struct inbound *inbound, const struct inbound_settings *settings)
{
	struct arena *arena = arena_new(SNAPSHOT_MAX);
	struct inbound_snapshot *snapshot = arena ? arena_alloc(arena, sizeof *snapshot) : NULL;

	if (snapshot != NULL) {
		snapshot->arena = arena;
		snapshot->reference_count = 1;
		snapshot->session.owns = judge_owns;
		snapshot->session.owns_context = inbound;
		if (copy_settings(snapshot, settings))
			return snapshot;
	}
	arena_free(arena);
	return NULL;
}

enum error inbound_reload(
    struct inbound *inbound, const struct inbound_settings *settings, struct router *router)
{
	struct inbound_snapshot *snapshot = snapshot_new(inbound, settings);

	if (snapshot == NULL)
		return ERR_NO_MEMORY;
	inbound_snapshot_unref(inbound->snapshot);
	inbound->snapshot = snapshot;
	struct router *old = inbound->router;

	inbound->router = router_ref(router);
	router_unref(old);
	return OK;
}

/* -- Life ------------------------------------------------------------------------------ */

static void all_drained(void *context)
{
	struct inbound *inbound = context;

	inbound->drained(inbound->drained_context);
}

struct inbound *inbound_new(const struct inbound_wiring *wiring,
    const struct inbound_settings *settings, struct router *router)
{
	struct inbound *inbound = calloc(1, sizeof *inbound);

	if (inbound == NULL)
		return NULL;
	inbound->wiring = *wiring;
	inbound->drained_timer = loop_timer_new(wiring->loop, all_drained, inbound);
	inbound->snapshot = snapshot_new(inbound, settings);
	inbound->router = router_ref(router);
	inbound->ring = key_ring_new();
	if (session_output_init(&inbound->output) && inbound->snapshot != NULL && inbound->drained_timer != NULL && inbound->ring != NULL)
		return inbound;
	inbound_free(inbound);
	return NULL;
}

void inbound_free(struct inbound *inbound)
{
	if (inbound == NULL)
		return;
	inbound->draining = false; /* Nobody wants to hear of it any more. */
	front_free_all(inbound);
	while (inbound->connections != NULL)
		connection_free(inbound->connections);
	intake_free_all(inbound);
	session_output_done(&inbound->output);
	inbound_snapshot_unref(inbound->snapshot);
	router_unref(inbound->router);
	tls_server_unref(inbound->tls);
	signing_keys_unref(inbound->signing);
	key_ring_free(inbound->ring);
	if (inbound->drained_timer != NULL)
		loop_timer_free(inbound->drained_timer);
	free(inbound);
}

size_t inbound_connection_count(const struct inbound *inbound)
{
	return inbound->connection_count;
}

/* -- Doors --------------------------------------------------------------------------------- */

static void turn_away(struct inbound *inbound, struct stream *stream, const char *why)
{
	char line[512];

	snprintf(line, sizeof line, "421 4.3.2 %.*s %s\r\n", TEXT_FORMAT(inbound->snapshot->session.hostname), why);
	if (stream_write(stream, text_of(line)))
		stream_finish(stream, INBOUND_LINGER_MS);
	else
		stream_free(stream);
}

bool inbound_is_full(const struct inbound *inbound)
{
	return inbound->connection_count + inbound->front_count >= inbound->snapshot->connection_count_max;
}

struct session_peer inbound_peer(
    const struct inbound *inbound, const struct endpoint *client, enum session_role role, enum session_tls tls)
{
	const struct inbound_snapshot *snapshot = inbound->snapshot;
	struct session_peer peer = { .role = role, .client = *client };

	peer.trusted = network_any_holds(snapshot->session.relay_from, snapshot->session.relay_from_count, client);
	peer.forwards = network_any_holds(snapshot->xclient_from, snapshot->xclient_from_count, client);
	peer.tls = inbound->tls != NULL ? tls : SESSION_TLS_NONE;
	if (inbound->wiring.asker != NULL)
		peer.mechanisms = sasl_asker_mechanisms(inbound->wiring.asker);
	return peer;
}

void inbound_set_tls(struct inbound *inbound, struct tls_server *server)
{
	struct tls_server *old = inbound->tls;

	inbound->tls = tls_server_ref(server);
	tls_server_unref(old);
}

void inbound_set_dns(struct inbound *inbound, struct dns *dns)
{
	inbound->dns = dns;
}

void inbound_set_signing(struct inbound *inbound, struct signing_keys *keys)
{
	struct signing_keys *old = inbound->signing;

	inbound->signing = signing_keys_ref(keys);
	signing_keys_unref(old);
}

void inbound_accept(struct inbound *inbound, struct stream *stream, enum session_role role, enum session_tls tls)
{
	struct session_peer peer = inbound_peer(inbound, stream_peer(stream), role, tls);
	char user[16];
	uint32_t uid;

	if (role == SESSION_LOCAL && stream_peer_uid(stream, &uid)) {
		snprintf(user, sizeof user, "uid %u", (unsigned)uid);
		peer.user = text_of(user);
		peer.trusted = true;
	}
	inbound_welcome(inbound, stream, &peer);
}

void inbound_welcome(struct inbound *inbound, struct stream *stream, const struct session_peer *peer)
{
	/* Gone already, or no memory for its address: a client we do not know might be refused for good. */
	const bool is_unknown = peer->client.family == ENDPOINT_NONE && peer->user.length == 0;
	const bool is_short = is_unknown || inbound_is_short(inbound);

	if (!inbound->draining && (inbound_is_full(inbound) || is_short) && inbound->wiring.counters != NULL)
		counters_add(inbound->wiring.counters, COUNTER_CONNECTIONS_REFUSED, 1);
	if (peer->tls == SESSION_TLS_IMPLICIT && (inbound->draining || is_short || inbound_is_full(inbound)))
		stream_free(stream); /* It would not understand a word. */
	else if (inbound->draining)
		turn_away(inbound, stream, "The service is shutting down");
	else if (is_short)
		turn_away(inbound, stream, "Short of memory, try again later");
	else if (inbound_is_full(inbound))
		turn_away(inbound, stream, "Too many connections, try again later");
	else
		connection_new(inbound, stream, peer);
}

void inbound_drain(struct inbound *inbound, void (*drained)(void *context), void *context)
{
	struct connection *connection = inbound->connections;

	must(!inbound->draining && drained != NULL);
	inbound->draining = true;
	inbound->drained = drained;
	inbound->drained_context = context;
	front_free_all(inbound);
	while (connection != NULL) {
		struct connection *next = connection_next(connection);

		connection_shut_down(connection);
		connection = next;
	}
	intake_hurry(inbound);
	inbound_look_drained(inbound);
}

void inbound_look_drained(struct inbound *inbound)
{
	if (inbound->draining && inbound->connections == NULL && inbound->intakes == NULL)
		loop_timer_set(inbound->drained_timer, 0);
}
