/* The network of a world: hosts, sockets, and connections that the weather treats badly.
 *
 *   K1  What arrives is a prefix of what was sent, in order; pieces may end at any byte.
 *   K2  A connection may be reset at any byte; each side hears of it in its own time, and what was
 *       under way may be lost. It may also fall silent for ever.
 *   K3  A host that is cut off gets and gives nothing until it is back; its connections live on.
 *   K4  A socket belongs to its host: when a process dies, who dials waits in the backlog until another listens. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "io/sim/world.h"
#include "io/stream.h"

struct sim_host;

struct sim_weather {
	unsigned reset_permille;  /* Of connections will be reset. */
	unsigned silent_permille; /* Of connections will fall silent. */
	unsigned refuse_permille; /* Of dials are refused. */
	unsigned shred_permille;  /* Of arrivals are a few bytes only. */
	int64_t byte_max;         /* Resets and silences come before so many bytes have passed. */
	int64_t latency_us_max;
};
/* In force for what comes; the caller may change it at any time. */
struct sim_weather *sim_weather(struct sim_world *world);

/* Borrows the name. `ip` as in endpoint_parse_ip. Lives as long as the world. */
struct sim_host *sim_host_new(struct sim_world *world, const char *name, const char *ip);
const char *sim_host_name(const struct sim_host *host);

/* Connections that ended under the hands of its processes, so far. */
uint64_t sim_host_breaks(const struct sim_host *host);

/* Processes of this host dial from it. */
void sim_process_live_on(struct sim_process *process, struct sim_host *host);

/* A dead host answers nobody; a living one refuses where nobody listens. */
void sim_host_set_alive(struct sim_host *host, bool alive);
void sim_host_cut_off(struct sim_host *host, int64_t until_us);

/* The number of a new listening socket, for listener_new (once a listener). False in `open`: dials are refused. */
int sim_socket_new(struct sim_host *host, uint16_t port);
void sim_socket_set_open(struct sim_world *world, int socket, bool open);

/* Does the other side still hold its end? */
bool sim_stream_is_met(const struct stream *stream);

struct sim_net_counts {
	uint64_t connections, resets, silences, refusals;
};
/* What happened so far. */
struct sim_net_counts sim_net_counts(const struct sim_world *world);

#endif
