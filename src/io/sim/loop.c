/* io/loop.h over the virtual clock. */
#include "io/loop.h"

#include <stdlib.h>

#include "base/must.h"
#include "io/sim/world_private.h"

enum { WAKE_US_MAX = 200 };

struct loop_timer {
	struct sim_event event;
	struct sim_world *world;
};

struct loop_wake {
	struct loop_timer timer;
};

struct loop *loop_new(void)
{
	struct sim_world *world = sim_world_here();
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL)
		return NULL;
	loop->world = world;
	loop->process = world->running;
	return loop;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	stream_drop_lingering(loop);
	free(loop);
}

/* One thread turns all loops: it is over when this one was stopped. */
void loop_run(struct loop *loop)
{
	while (!loop->stopped && sim_world_step(loop->world))
		continue;
}

void loop_stop(struct loop *loop) { loop->stopped = true; }
bool sim_loop_is_stopped(const struct loop *loop) { return loop->stopped; }
int64_t loop_now_ms(const struct loop *loop) { return loop->world->now_us / 1000; }

int64_t loop_unix_ms(const struct loop *loop)
{
	const int64_t stopped_ms = loop->process ? loop->process->stopped_unix_ms : 0;

	return stopped_ms ? stopped_ms : sim_unix_ms(loop->world);
}

uint32_t loop_random(struct loop *loop)
{
	return (uint32_t)(sim_draw(loop->world) >> 32);
}

/* -- Timers ------------------------------------------------------------------------------ */

static void timer_init(struct loop_timer *timer, struct loop *loop, loop_callback *callback, void *context)
{
	timer->world = loop->world;
	sim_event_init(&timer->event, loop->process, callback, context);
	timer->event.loop = loop;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_callback *callback, void *context)
{
	struct loop_timer *timer = calloc(1, sizeof *timer);

	if (timer != NULL)
		timer_init(timer, loop, callback, context);
	return timer;
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	loop_timer_stop(timer);
	free(timer);
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
	must(delay_ms >= 0);
	sim_event_plan(timer->world, &timer->event, delay_ms * 1000);
}

void loop_timer_stop(struct loop_timer *timer)
{
	sim_event_cancel(timer->world, &timer->event);
}

/* -- Wake-ups ---------------------------------------------------------------------------- */

struct loop_wake *loop_wake_new(struct loop *loop, loop_callback *callback, void *context)
{
	struct loop_wake *wake = calloc(1, sizeof *wake);

	if (wake != NULL)
		timer_init(&wake->timer, loop, callback, context);
	return wake;
}

void loop_wake_free(struct loop_wake *wake)
{
	if (wake == NULL)
		return;
	loop_timer_stop(&wake->timer);
	free(wake);
}

void loop_wake_send(struct loop_wake *wake)
{
	struct loop_timer *timer = &wake->timer;

	if (!sim_event_is_planned(&timer->event))
		sim_event_plan(timer->world, &timer->event, (int64_t)sim_below(timer->world, WAKE_US_MAX));
}

/* -- Descriptors: there are none to watch -------------------------------------------------- */

struct loop_watch *loop_watch_new(struct loop *loop, int fd, loop_callback *readable, void *context)
{
	(void)loop, (void)fd, (void)readable, (void)context;
	return NULL;
}

void loop_watch_free(struct loop_watch *watch)
{
	must(watch == NULL);
}

void loop_watch_want(struct loop_watch *watch, bool readable, bool writable)
{
	(void)readable, (void)writable;
	must(watch == NULL);
}
