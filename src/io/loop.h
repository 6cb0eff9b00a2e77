/* The event loop of one thread: timers, wake-ups from other threads, descriptors.
 *
 * Hides its library (libuv): no type of it appears above io, so that io/sim can be linked
 * in its place.
 *
 *   L1  A loop and all that hangs on it belong to one thread; only loop_wake_send
 *       may be called from others.
 *   L2  No callback runs before the call that asked for it has returned.
 *   L3  After x_free no callback of x runs, also when x_free is called inside one. */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct loop;

/* A loop, run until it is stopped; freed when all that hung on it is. */
[[nodiscard]] struct loop *loop_new(void); /* NULL: no memory or descriptors. */
void loop_free(struct loop *loop);         /* All that hung on it must be freed before. */
void loop_run(struct loop *loop);          /* Until loop_stop. */
void loop_stop(struct loop *loop);

int64_t loop_now_ms(const struct loop *loop); /* Monotonic, cached once an iteration. */
int64_t loop_unix_ms(const struct loop *loop); /* Wall clock. */

/* Random bits, not for secrets (shuffling, jitter); seeded by the simulator. */
uint32_t loop_random(struct loop *loop);

typedef void loop_callback(void *context);

struct loop_timer;

/* NULL: no memory. Freeing stops it. */
[[nodiscard]] struct loop_timer *loop_timer_new(struct loop *loop, loop_callback *callback, void *context);
void loop_timer_free(struct loop_timer *timer);
/* Once, after delay_ms (>= 0). Setting again moves it; cheap when it moves later. */
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);

/* Many sends before the loop gets to it make one call. */
struct loop_wake;
[[nodiscard]] struct loop_wake *loop_wake_new(struct loop *loop, loop_callback *callback, void *context);
void loop_wake_free(struct loop_wake *wake);
void loop_wake_send(struct loop_wake *wake); /* Any thread. */

/* A descriptor that became readable (level-triggered). Borrows fd. */
struct loop_watch;
[[nodiscard]] struct loop_watch *loop_watch_new(struct loop *loop, int fd, loop_callback *readable, void *context);
void loop_watch_free(struct loop_watch *watch);
/* From now on it is called when its descriptor is readable, writable or either; neither: not at all. A watch begins with
 * readable. */
void loop_watch_want(struct loop_watch *watch, bool readable, bool writable);

#endif
