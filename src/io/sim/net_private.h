/* Connections and streams, for net.c and stream.c. */
#ifndef SIM_NET_PRIVATE_H
#define SIM_NET_PRIVATE_H

#include "base/buffer.h"
#include "io/sim/net.h"
#include "io/sim/world_private.h"

struct wire_end {
	struct wire *wire;
	struct stream *stream;    /* Who holds it; NULL: not yet, or no more. */
	struct sim_host *host;
	struct endpoint address;
	struct buffer coming;     /* On the way to this end. */
	bool ends, reset;         /* Behind it: an end of file, a reset. */
	bool torn;                /* It was reset: nothing more gets on the way. */
	bool gone;                /* Given up by its holder; what comes is thrown away ... */
	bool mute;                /* ... and nobody is told (the power went). */
	struct sim_event arrival;
};

struct wire { /* Of the world: it outlives processes. */
	struct sim_world *world;
	struct wire *previous, *next;
	struct wire_end ends[2];  /* Who dialled, who accepted. */
	struct sim_socket *socket;
	struct sim_event knock;   /* At the socket. */
	size_t window;
	int64_t latency_us;
	int64_t bytes_left;       /* Until its fate; negative: none. */
	bool falls_silent, silent;
};

struct stream { /* Of its process. */
	struct stream *previous, *next;
	struct loop *loop;
	const struct stream_handler *handler;
	void *context;
	struct wire_end *end;
	struct buffer backlog;
	struct sim_event notice;  /* What is told outside the owner's calls (io/loop.h L2). */
	bool open, wanted, finishing, ended;
	bool opens, drained;      /* To be told. */
	enum error failure;       /* The same; OK: none. */
};

struct wire_end *wire_other(struct wire_end *end);
struct wire *wire_new(struct sim_world *world, const struct endpoint *to, struct sim_process *from);

/* Something may arrive at this end. */
void wire_plan(struct wire_end *end);

/* The holder gives its end up: orderly (what was sent arrives), or at once. */
void wire_leave(struct wire_end *end, bool orderly, bool mute);

/* stream.c: the accepted side; NULL: no memory. */
struct stream *stream_accepted(struct loop *loop, struct wire_end *end);
void stream_pump(struct stream *stream);
void stream_arrives(struct stream *stream, struct text bytes);
void stream_tell_end(struct stream *stream, enum error reason);

/* net.c: a connection of this process broke. */
void net_count_break(struct sim_process *process);

/* net.c: an accepted connection on a listener's loop. */
struct listener {
	struct listener *previous, *next; /* Of its process. */
	struct loop *loop;
	struct sim_socket *socket;
	listener_accepted *accepted;
	void *context;
};

#endif
