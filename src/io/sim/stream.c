/* io/stream.h over the world's connections. */
#include "io/stream.h"

#include <stdlib.h>

#include "base/must.h"
#include "io/sim/net_private.h"

static void noticed(void *context);

static struct stream *stream_new(struct loop *loop)
{
	struct stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL)
		return NULL;
	stream->loop = loop;
	buffer_init(&stream->backlog, STREAM_BACKLOG_MAX);
	sim_event_init(&stream->notice, loop->process, noticed, stream);
	stream->notice.loop = loop;
	stream->next = loop->process->streams;
	if (stream->next != NULL)
		stream->next->previous = stream;
	loop->process->streams = stream;
	return stream;
}

struct stream *stream_dial(struct loop *loop, const struct endpoint *to, const struct endpoint *source,
    const struct stream_handler *handler, void *context)
{
	struct stream *stream = stream_new(loop);

	(void)source;
	if (stream == NULL)
		return NULL;
	stream->end = &wire_new(loop->world, to, loop->process)->ends[0];
	stream->end->stream = stream;
	stream->wanted = true;
	stream_set_handler(stream, handler, context);
	return stream;
}

struct stream *stream_accepted(struct loop *loop, struct wire_end *end)
{
	struct stream *stream = stream_new(loop);

	if (stream == NULL)
		return NULL;
	stream->end = end;
	stream->open = true;
	end->stream = stream;
	return stream;
}

/* There are no descriptors in a world. */
struct stream *stream_from_fd(struct loop *loop, int fd, const struct stream_handler *handler, void *context)
{
	(void)loop, (void)fd, (void)handler, (void)context;
	return NULL;
}

void stream_set_handler(struct stream *stream, const struct stream_handler *handler, void *context)
{
	stream->handler = handler;
	stream->context = context;
}

/* -- What the owner hears -------------------------------------------------------------------- */

static void stream_drop(struct stream *stream, bool orderly)
{
	struct sim_process *process = stream->loop->process;

	sim_event_cancel(stream->loop->world, &stream->notice);
	if (stream->end != NULL)
		wire_leave(stream->end, orderly, false);
	if (stream->previous != NULL)
		stream->previous->next = stream->next;
	else
		process->streams = stream->next;
	if (stream->next != NULL)
		stream->next->previous = stream->previous;
	buffer_done(&stream->backlog);
	free(stream);
}

void stream_drop_lingering(struct loop *loop)
{
	struct stream *next;

	for (struct stream *stream = loop->process->streams; stream != NULL; stream = next) {
		next = stream->next;
		if (stream->loop == loop && stream->finishing)
			stream_drop(stream, true);
	}
}

static void notice_soon(struct stream *stream)
{
	sim_event_plan(stream->loop->world, &stream->notice, 0);
}

static void noticed(void *context)
{
	struct stream *stream = context;

	if (stream->finishing) { /* It lingered, or all is sent. */
		stream_drop(stream, true);
	} else if (stream->failure != OK) {
		stream_tell_end(stream, stream->failure);
	} else if (stream->opens) {
		stream->opens = false;
		stream->open = true;
		stream_pump(stream);
		wire_plan(stream->end);
		stream->handler->opened(stream->context);
	} else if (stream->drained) {
		stream->drained = false;
		if (stream->handler != NULL && !stream->ended)
			stream->handler->drained(stream->context);
	}
}

void stream_arrives(struct stream *stream, struct text bytes)
{
	struct sim_world *world = stream->loop->world;

	if (stream->handler == NULL || stream->finishing)
		return;
	struct sim_process *runner = sim_run_as(world, stream->loop->process);

	stream->handler->bytes(stream->context, bytes);
	sim_run_as(world, runner);
}

void stream_tell_end(struct stream *stream, enum error reason)
{
	struct sim_world *world = stream->loop->world;

	if (stream->ended)
		return;
	if (reason != ERR_CLOSED)
		stream->failure = reason;
	stream->ended = true;
	net_count_break(stream->loop->process);
	if (stream->finishing) {
		stream_drop(stream, true);
		return;
	}
	if (stream->handler == NULL)
		return;
	struct sim_process *runner = sim_run_as(world, stream->loop->process);

	stream->handler->ended(stream->context, reason);
	sim_run_as(world, runner);
}

/* -- Reading ------------------------------------------------------------------------------------ */

void stream_pause(struct stream *stream)
{
	stream->wanted = false;
}

void stream_resume(struct stream *stream)
{
	stream->wanted = true;
	if (stream->end != NULL)
		wire_plan(stream->end);
}

/* -- Writing ------------------------------------------------------------------------------------ */

/* As much as the window takes. Gives the bytes that were taken. */
static size_t send_some(struct stream *stream, struct text bytes)
{
	struct wire_end *other = wire_other(stream->end);
	const size_t window = stream->end->wire->window;
	const size_t room = other->coming.length < window ? window - other->coming.length : 0;
	const struct text part = text_part(bytes, 0, room);
	struct sim_world *world = stream->loop->world;
	struct sim_process *runner = sim_run_as(world, NULL);

	if (!other->mute && !other->torn && part.length > 0)
		must(buffer_append(&other->coming, part));
	sim_run_as(world, runner);
	wire_plan(other);
	return part.length;
}

void stream_pump(struct stream *stream)
{
	if (!stream->open || stream->failure != OK || stream->backlog.length == 0)
		return;
	buffer_consume(&stream->backlog, send_some(stream, buffer_text(&stream->backlog)));
	if (stream->backlog.length > 0)
		return;
	stream->drained = true;
	notice_soon(stream);
}

bool stream_write(struct stream *stream, struct text bytes)
{
	must(!stream->finishing);
	if (stream->failure != OK || bytes.length == 0)
		return true; /* The owner hears of the end, or has. */
	if (stream->open && stream->backlog.length == 0)
		bytes = text_from(bytes, send_some(stream, bytes));
	return bytes.length == 0 || buffer_append(&stream->backlog, bytes);
}

size_t stream_backlog(const struct stream *stream)
{
	return stream->backlog.length;
}

/* No front ends in a world. */
bool stream_unread(struct stream *stream, struct text bytes)
{
	(void)stream, (void)bytes;
	must(false);
}

/* Cryptography draws chance of its own: there is none in a world. */
void stream_set_filter(struct stream *stream, struct stream_filter *filter)
{
	(void)stream, (void)filter;
	must(false);
}

/* -- The end -------------------------------------------------------------------------------------- */

void stream_free(struct stream *stream)
{
	if (stream != NULL)
		stream_drop(stream, false);
}

void stream_finish(struct stream *stream, int64_t linger_ms)
{
	if (!stream->open || stream->failure != OK || stream->backlog.length == 0) {
		stream_drop(stream, true);
		return;
	}
	stream->handler = NULL;
	stream->finishing = true;
	stream->wanted = true; /* What comes is thrown away. */
	sim_event_plan(stream->loop->world, &stream->notice, linger_ms * 1000);
}

const struct endpoint *stream_local(const struct stream *stream)
{
	return &stream->end->address;
}

const struct endpoint *stream_peer(const struct stream *stream)
{
	return &wire_other(stream->end)->address;
}

bool stream_peer_uid(const struct stream *stream, uint32_t *out_uid)
{
	(void)stream, (void)out_uid;
	return false;
}
