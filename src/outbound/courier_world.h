/* The world of a courier's tests: hosts on loopback, bodies in the memory spool, one delivery at a time. */
#ifndef OUTBOUND_COURIER_WORLD_H
#define OUTBOUND_COURIER_WORLD_H

#include "outbound/courier.h"
#include "outbound/courier_peer.h"
#include "tls/test_certificate.h"

enum { RECIPIENTS = 3, PEERS = 2 };

struct world {
	struct loop *loop;
	struct loop_timer *watchdog;
	struct spool *spool;
	struct spool_port *port;
	struct in_doubt *in_doubt;
	char doubt_path[64], socket_path[64];
	struct counters counters;
	struct tls_server *tls_server;   /* mx1.test */
	struct tls_client *tls_client;
	struct logins *logins;
	struct text via;
	struct buffer told;              /* Events, a line each. */
	struct outbound_settings settings;
	struct outbound *outbound;
	struct peer peers[PEERS];
	bool stored;
	unsigned waiting;

	struct text tlsa;                /* A record of the certificate that all peers have. */
	char tlsa_room[TEST_TLSA_SIZE];

	/* The delivery. */
	struct arena *arena;
	struct recipient recipients[RECIPIENTS];
	struct message message;
	struct host hosts[PEERS];
	struct host_list list;
	struct route_decision route;
	struct delivery_outcome outcomes[RECIPIENTS];
	struct delivery delivery;
};

int world_set_up(void **state);
int world_tear_down(void **state);

/* Put a body into the spool: numbered lines up to about `size` bytes. */
void world_store(struct world *world, size_t size, struct buffer *out_body);

/* Both hosts offer TLS with a certificate for the first. `trusted`: we believe who signed it. */
void world_offer_tls(struct world *world, enum tls_level level, bool trusted);

/* Start a delivery, and wait for its end. */
void world_deliver(struct world *world);

/* `text`: a part of the outcome's text. */
void world_expect(const struct world *world, unsigned position, unsigned code, const char *host, const char *text);

/* Marks that the next process would find: exactly this many. */
void world_expect_doubt(struct world *world, unsigned count);

/* How many commands began with these words. */
unsigned world_said(const struct peer *peer, const char *words);

#endif
