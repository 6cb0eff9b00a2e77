/* A stream's inside, for stream.c and listener.c. */
#ifndef IO_STREAM_PRIVATE_H
#define IO_STREAM_PRIVATE_H

#include "base/buffer.h"
#include "io/loop_private.h"
#include "io/stream.h"
#include "io/stream_filter.h"

/* Bytes that were read and given back, in one block. */
struct unread {
	struct loop_timer *timer; /* They come outside the call that resumes (L2). */
	size_t length;
	char bytes[];
};

struct stream {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	struct loop *loop;
	const struct stream_handler *handler;
	void *context;
	struct stream_filter *filter;
	struct buffer backlog;   /* What the socket did not take yet. */
	struct text writing;     /* The part of it that libuv is writing: it must not move. */
	char *writing_bytes;
	uv_write_t write;
	uv_connect_t connect;
	struct unread *unread;   /* NULL: nothing was given back. */
	struct loop_timer *defer; /* Ends the stream outside the owner's call; lingering. */
	struct endpoint *local, *peer;
	enum error failure;       /* Why nothing can be sent any more. */
	bool filter_ready;        /* The owner was told. */
	bool open, reading, wanted, finishing, closing, ended;
};

/* A stream whose handle is initialised for this family but has no socket yet. */
[[nodiscard]] struct stream *stream_new(struct loop *loop, enum endpoint_family family);
void stream_opened(struct stream *stream);

/* -- stream.c, for stream_filter.c -------------------------------------------- */

/* stream_write without a filter: to the socket, or into the backlog. */
[[nodiscard]] bool stream_write_wire(struct stream *stream, struct text bytes);
/* The end; now, or when the call of the owner is over (L2). */
void stream_end(struct stream *stream, enum error reason);
void stream_fail_later(struct stream *stream, enum error failure);

/* -- stream_filter.c ------------------------------------------------------------ */

/* Bytes came from the socket. May call the owner, who may free the stream. */
void stream_filter_received(struct stream *stream, struct text wire);
[[nodiscard]] bool stream_filter_write(struct stream *stream, struct text plain);
/* The filter's last words go out, if they can go at once. */
void stream_filter_finish(struct stream *stream);

#endif
