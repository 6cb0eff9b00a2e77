/* Streams with a filter: what comes and goes passes through it. */
#include "io/stream_filter.h"

#include "base/must.h"
#include "io/stream_private.h"

enum { WIRE_ROOM_KEPT = 256 << 10 };

/* What the filter put into the wire's room goes out. False: as stream_write. */
static bool send_wire(struct stream *stream)
{
	struct buffer *wire = &stream->loop->wire_room;
	const bool sent = stream_write_wire(stream, buffer_text(wire));

	if (wire->capacity > WIRE_ROOM_KEPT)
		buffer_release(wire);
	else
		buffer_clear(wire);
	return sent;
}

/* One reading makes one call of `bytes`, as without a filter: a pause behind it holds nothing back. */
void stream_filter_received(struct stream *stream, struct text wire)
{
	struct loop *loop = stream->loop;
	struct stream_filter *filter = stream->filter;
	enum error error = filter->calls->received(filter, wire, &loop->plain_room, &loop->wire_room);

	if (!send_wire(stream) && error == OK)
		error = ERR_TOO_LARGE; /* It makes us talk and does not listen. */
	if (filter->ready && !stream->filter_ready) {
		stream->filter_ready = true;
		stream->handler->opened(stream->context);
	}
	if (loop->plain_room.length > 0 && stream->handler != NULL && !stream->finishing)
		stream->handler->bytes(stream->context, buffer_text(&loop->plain_room));
	buffer_clear(&loop->plain_room); /* Not with the next reading: what is under TLS is not left lying about. */
	if (error != OK)
		stream_end(stream, error);
}

bool stream_filter_write(struct stream *stream, struct text plain)
{
	struct stream_filter *filter = stream->filter;

	must(filter->ready); /* F2 */
	const enum error error = filter->calls->send(filter, plain, &stream->loop->wire_room);

	if (error == OK)
		return send_wire(stream);
	buffer_clear(&stream->loop->wire_room);
	stream_fail_later(stream, error);
	return true; /* The owner hears of the end. */
}

void stream_filter_finish(struct stream *stream)
{
	struct stream_filter *filter = stream->filter;

	if (filter == NULL || !filter->ready || stream->failure != OK)
		return;
	filter->calls->finish(filter, &stream->loop->wire_room);
	(void)!send_wire(stream);
}

void stream_set_filter(struct stream *stream, struct stream_filter *filter)
{
	struct loop *loop = stream->loop;

	must(stream->open && stream->filter == NULL);
	stream->filter = filter;
	buffer_clear(&loop->plain_room);
	const enum error error = filter->calls->received(filter, TEXT_EMPTY, &loop->plain_room, &loop->wire_room);

	must(loop->plain_room.length == 0 && !filter->ready); /* F2: nothing was received. */
	if (!send_wire(stream) || error != OK)
		stream_fail_later(stream, error != OK ? error : ERR_TOO_LARGE);
}
