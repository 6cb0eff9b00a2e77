/* The world's inside, for io/sim only. */
#ifndef SIM_WORLD_PRIVATE_H
#define SIM_WORLD_PRIVATE_H

#include "io/loop.h"
#include "io/sim/world.h"

struct block { /* Before each piece of memory. Two words of 16 bytes: what follows stays aligned. */
	struct block *previous, *next;
	struct sim_process *owner; /* NULL: in no list. */
	size_t size;
};

struct sim_process {
	struct sim_world *world;
	struct sim_process *previous, *next;
	const char *name;
	struct block memory;       /* Head of a ring. */
	struct stream *streams;    /* By stream->next. */
	struct listener *listeners; /* By listener->next. */
	struct sim_host *host;
	int64_t stopped_unix_ms;   /* 0: its clock runs. */
};

struct sim_host;
struct sim_socket;
struct wire;

struct sim_world {
	uint64_t random[2];
	int64_t now_us;
	uint64_t steps;
	struct sim_event **heap; /* Binary; the first is due next. */
	size_t heap_count, heap_capacity;
	struct sim_process *processes, *running;
	FILE *trace;
	uint64_t hash;
	char *room;              /* Lent to one delivery of bytes at a time. */
	/* The network. */
	struct sim_host *hosts;
	struct sim_socket **sockets;
	size_t socket_count;
	struct wire *wires;
	struct sim_weather *weather;
};

struct loop {
	struct sim_world *world;
	struct sim_process *process;
	bool stopped;
};

enum { SIM_ROOM = 64 << 10 };

/* net.c: what a death means for connections. */
void sim_net_process_gone(struct sim_process *process, bool power_cut);
void sim_net_free(struct sim_world *world);

/* stream.c: streams that were finished have no owner any more. */
void stream_drop_lingering(struct loop *loop);

/* memory.c: free all that a process holds; gives the bytes. */
size_t sim_memory_drop(struct sim_process *process);

#endif
