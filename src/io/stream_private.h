/* A stream's inside, for stream.c and listener.c. */
#ifndef IO_STREAM_PRIVATE_H
#define IO_STREAM_PRIVATE_H

#include "base/buffer.h"
#include "io/loop_private.h"
#include "io/stream.h"

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
	struct buffer backlog;   /* What the socket did not take yet. */
	struct text writing;     /* The part of it that libuv is writing: it must not move. */
	char *writing_bytes;
	uv_write_t write;
	uv_connect_t connect;
	struct loop_timer *defer; /* Ends the stream outside the owner's call; lingering. */
	struct endpoint *local, *peer;
	enum error failure;       /* Why nothing can be sent any more. */
	bool open, reading, wanted, finishing, closing, ended;
};

/* A stream whose handle is initialised for this family but has no socket yet. */
[[nodiscard]] struct stream *stream_new(struct loop *loop, enum endpoint_family family);
void stream_opened(struct stream *stream);

#endif
