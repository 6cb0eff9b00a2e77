#include "io/loop.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/must.h"
#include "io/stream_private.h"

struct loop_timer {
	uv_timer_t uv;
	struct loop *loop;
	loop_callback *callback;
	void *context;
	int64_t deadline_ms; /* When the owner wants it; later than the armed time after a lazy set. */
	int64_t armed_ms;    /* When libuv will call; meaningless while not armed. */
	bool wanted, armed;
};

struct loop_wake {
	uv_async_t uv;
	loop_callback *callback;
	void *context;
};

struct loop_watch {
	uv_poll_t uv;
	loop_callback *callback;
	void *context;
	int wanted; /* UV_READABLE, UV_WRITABLE. */
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL)
		return NULL;
	loop->read_room = malloc(LOOP_READ_ROOM);
	buffer_init_secret(&loop->plain_room, 4 * LOOP_READ_ROOM);
	buffer_init(&loop->wire_room, 4 * STREAM_BACKLOG_MAX);
	if (loop->read_room == NULL || uv_loop_init(&loop->uv) != 0) {
		free(loop->read_room);
		free(loop);
		return NULL;
	}
	if (getrandom(&loop->random, sizeof loop->random, 0) != sizeof loop->random)
		loop->random = (uint64_t)loop_unix_ms(loop);
	loop->random |= 1; /* xorshift never leaves 0. */
	return loop;
}

/* Streams that were finished have no owner any more. */
static void drop_lingering(uv_handle_t *handle, void *nothing)
{
	(void)nothing;
	if (handle->type != UV_TCP && handle->type != UV_NAMED_PIPE)
		return;

	struct stream *stream = handle->data;

	if (stream->finishing && !stream->closing)
		stream_free(stream);
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	uv_walk(&loop->uv, drop_lingering, NULL);
	/* Handles that were closed last still want their close callbacks. Twice: a stop that nobody
	 * heard makes the first return at once. */
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	must(uv_loop_close(&loop->uv) == 0);
	buffer_done(&loop->plain_room);
	buffer_done(&loop->wire_room);
	free(loop->read_room);
	free(loop);
}

void loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

int64_t loop_now_ms(const struct loop *loop)
{
	return (int64_t)uv_now(&loop->uv);
}

int64_t loop_unix_ms(const struct loop *loop)
{
	struct timespec now;

	(void)loop; /* The simulator's loop has a clock of its own. */
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint32_t loop_random(struct loop *loop)
{
	/* xorshift64* */
	loop->random ^= loop->random >> 12;
	loop->random ^= loop->random << 25;
	loop->random ^= loop->random >> 27;
	return (uint32_t)(loop->random * 0x2545f4914f6cdd1dULL >> 32);
}

/* -- timers ------------------------------------------------------------------ */

struct loop_timer *loop_timer_new(struct loop *loop, loop_callback *callback, void *context)
{
	struct loop_timer *timer = calloc(1, sizeof *timer);

	if (timer == NULL)
		return NULL;
	timer->loop = loop;
	timer->callback = callback;
	timer->context = context;
	must(uv_timer_init(&loop->uv, &timer->uv) == 0);
	timer->uv.data = timer;
	return timer;
}

static void timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer != NULL)
		uv_close((uv_handle_t *)&timer->uv, timer_closed);
}

static void timer_fired(uv_timer_t *handle);

static void timer_arm(struct loop_timer *timer)
{
	const int64_t now_ms = loop_now_ms(timer->loop);

	timer->armed = true;
	timer->armed_ms = timer->deadline_ms;
	uv_timer_start(&timer->uv, timer_fired,
	    timer->deadline_ms > now_ms ? (uint64_t)(timer->deadline_ms - now_ms) : 0, 0);
}

static void timer_fired(uv_timer_t *handle)
{
	struct loop_timer *timer = handle->data;

	timer->armed = false;
	if (!timer->wanted)
		return;
	if (timer->deadline_ms > loop_now_ms(timer->loop)) {
		timer_arm(timer); /* It had been moved later. */
		return;
	}
	timer->wanted = false;
	timer->callback(timer->context);
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
	must(delay_ms >= 0);
	timer->deadline_ms = loop_now_ms(timer->loop) + delay_ms;
	timer->wanted = true;
	if (!timer->armed || timer->armed_ms > timer->deadline_ms)
		timer_arm(timer);
}

void loop_timer_stop(struct loop_timer *timer)
{
	timer->wanted = false;
}

/* -- wake-ups ---------------------------------------------------------------- */

static void wake_called(uv_async_t *handle)
{
	struct loop_wake *wake = handle->data;

	wake->callback(wake->context);
}

struct loop_wake *loop_wake_new(struct loop *loop, loop_callback *callback, void *context)
{
	struct loop_wake *wake = calloc(1, sizeof *wake);

	if (wake == NULL)
		return NULL;
	wake->callback = callback;
	wake->context = context;
	if (uv_async_init(&loop->uv, &wake->uv, wake_called) != 0) {
		free(wake);
		return NULL;
	}
	wake->uv.data = wake;
	return wake;
}

static void wake_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_wake_free(struct loop_wake *wake)
{
	if (wake != NULL)
		uv_close((uv_handle_t *)&wake->uv, wake_closed);
}

void loop_wake_send(struct loop_wake *wake)
{
	uv_async_send(&wake->uv);
}

/* -- descriptors ------------------------------------------------------------- */

static void watch_called(uv_poll_t *handle, int status, int events)
{
	struct loop_watch *watch = handle->data;

	(void)events;
	if (status < 0) /* libuv stopped; the error shows when the owner reads. */
		uv_poll_start(handle, watch->wanted, watch_called);
	watch->callback(watch->context);
}

void loop_watch_want(struct loop_watch *watch, bool readable, bool writable)
{
	watch->wanted = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
	if (watch->wanted != 0)
		must(uv_poll_start(&watch->uv, watch->wanted, watch_called) == 0);
	else
		uv_poll_stop(&watch->uv);
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, loop_callback *readable, void *context)
{
	struct loop_watch *watch = calloc(1, sizeof *watch);

	if (watch == NULL)
		return NULL;
	watch->callback = readable;
	watch->context = context;
	if (uv_poll_init(&loop->uv, &watch->uv, fd) != 0) {
		free(watch);
		return NULL;
	}
	watch->uv.data = watch;
	loop_watch_want(watch, true, false);
	return watch;
}

static void watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_watch_free(struct loop_watch *watch)
{
	if (watch == NULL)
		return;
	uv_poll_stop(&watch->uv);
	uv_close((uv_handle_t *)&watch->uv, watch_closed);
}
