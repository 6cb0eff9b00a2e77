/* A world in one thread: a virtual clock, one source of chance, processes that may vanish.
 *
 * io/sim implements io/loop.h, io/stream.h and io/log_writer.h over it: a program that links this library before io
 * runs the same code as the server, without sockets, threads or the system's clock.
 *
 *   V1  All chance comes from the seed and all time from the world: the same seed gives the same trace.
 *   V2  Time moves to the next event only; each callback costs a few microseconds. Events of one moment run in an
 *       order that is drawn.
 *   V3  Between two callbacks a process may vanish with all its memory, timers and streams; nothing of it runs after.
 *   V4  What a process takes from malloc is counted as its own until it is freed: it shows what an orderly end leaves.
 *
 * Lifecycle: sim_world_new, then processes and loops; sim_world_step until the story is over; end every process;
 * sim_world_free. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>

#include "base/text.h"

struct loop;
struct sim_world;
struct sim_process;

/* The one thing that loop_new cannot be told: which world it is in. Answered by the program. May be NULL. */
struct sim_world *sim_world_here(void);

/* Ends the program when there is no memory: a world is for tests. */
[[nodiscard]] struct sim_world *sim_world_new(uint64_t seed);
void sim_world_free(struct sim_world *world);

/* One event. False: nothing is left to happen. */
bool sim_world_step(struct sim_world *world);

/* Since the world's beginning; and the wall clock, which begins in 2027. */
int64_t sim_now_us(const struct sim_world *world);
int64_t sim_unix_ms(const struct sim_world *world);

/* Callbacks so far. */
uint64_t sim_step_count(const struct sim_world *world);

/* -- Chance ------------------------------------------------------------------ */

/* 64 random bits; 0 .. bound - 1 (bound > 0); between two values, both included; true so often. */
uint64_t sim_draw(struct sim_world *world);
uint64_t sim_below(struct sim_world *world, uint64_t bound);
int64_t sim_between(struct sim_world *world, int64_t low, int64_t high);
bool sim_chance(struct sim_world *world, unsigned permille);

/* -- The trace ---------------------------------------------------------------- */

/* A line of what happens. It always counts in the hash; it is printed with its virtual time if there is a file. */
[[gnu::format(printf, 2, 3)]] void sim_tell(struct sim_world *world, const char *format, ...);
void sim_trace_to(struct sim_world *world, FILE *file);
uint64_t sim_trace_hash(const struct sim_world *world);

/* -- Events ------------------------------------------------------------------- */

typedef void sim_callback(void *context);

struct sim_event {          /* Zeroed, then sim_event_init. Lives in what it is about. */
	sim_callback *callback;
	void *context;
	struct sim_process *owner; /* Runs as; NULL: the world itself. */
	struct loop *loop;         /* Not run once it was stopped; NULL: of no loop. */
	int64_t at_us;
	uint64_t tie;
	size_t place;              /* In the heap, from 1; 0: not planned. */
};

void sim_event_init(struct sim_event *event, struct sim_process *owner, sim_callback *callback, void *context);
/* After delay_us; planning again moves it. */
void sim_event_plan(struct sim_world *world, struct sim_event *event, int64_t delay_us);
void sim_event_cancel(struct sim_world *world, struct sim_event *event);
static inline bool sim_event_is_planned(const struct sim_event *event)
{
	return event->place != 0;
}

/* -- Processes ---------------------------------------------------------------- */

/* Borrows the name. */
[[nodiscard]] struct sim_process *sim_process_new(struct sim_world *world, const char *name);

/* Run as this process from now on (NULL: the world itself); gives who ran before. */
struct sim_process *sim_run_as(struct sim_world *world, struct sim_process *process);

/* It vanishes (V3). Its connections are closed by its system, or just fall silent when the power went. */
void sim_process_kill(struct sim_process *process, bool power_cut);

/* It has released everything, or should have. Gives the bytes that it left behind. */
size_t sim_process_end(struct sim_process *process);

/* Its wall clock stands still from now on. */
void sim_process_stop_clock(struct sim_process *process);

/* Was loop_stop called? A stopped loop runs nothing more. */
bool sim_loop_is_stopped(const struct loop *loop);

#endif
