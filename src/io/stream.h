/* Byte streams over TCP and UNIX sockets: non-blocking, buffered, bounded.
 *
 *   S1  The bytes given to `bytes` are valid during the call only; the receiver copies what
 *       it wants to keep. Nothing more is read while the stream is paused.
 *   S2  stream_write sends at once what the socket takes (one try) and copies the rest; it never
 *       calls back. The writer looks at stream_backlog and waits for `drained`.
 *   S3  `ended` is called once, as the last callback, unless the owner freed the stream before.
 *       It does not free the stream. What was received before a failed write is given first.
 *   S4  A filter (TLS) may be put between stream and socket. From then on `bytes` and stream_write are about
 *       plain bytes, and the backlog about those of the wire. */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/endpoint.h"
#include "base/text.h"
#include "io/loop.h"

struct stream;

struct stream_handler {
	void (*opened)(void *context);                  /* Dialled; and again when a filter is ready. */
	void (*bytes)(void *context, struct text bytes);
	void (*drained)(void *context);                 /* Backlog fell to 0 after being above it. */
	void (*ended)(void *context, enum error reason); /* ERR_CLOSED: the other side's end of file. */
};

/* Connect to an endpoint, from `source` if not NULL (its port 0). Gives a stream whose `opened` or
 * `ended` comes later; NULL: no memory or descriptor. Time-outs are the owner's. */
[[nodiscard]] struct stream *stream_dial(struct loop *loop, const struct endpoint *to,
    const struct endpoint *source, const struct stream_handler *handler, void *context);

/* A connected socket (takes fd). */
[[nodiscard]] struct stream *stream_from_fd(
    struct loop *loop, int fd, const struct stream_handler *handler, void *context);

/* An accepted stream has no handler until this; it starts paused. */
void stream_set_handler(struct stream *stream, const struct stream_handler *handler, void *context);

/* False when the backlog would exceed STREAM_BACKLOG_MAX or memory ran out: give up the stream. */
[[nodiscard]] bool stream_write(struct stream *stream, struct text bytes);
enum { STREAM_BACKLOG_MAX = 1 << 20 };
size_t stream_backlog(const struct stream *stream);

/* Stop and start reading. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* Give back the end of what `bytes` brought: it comes again, first of all, when the stream is resumed, and through a
 * filter that was set meanwhile. The stream must be paused. False: no memory. */
[[nodiscard]] bool stream_unread(struct stream *stream, struct text bytes);

/* Put a filter (takes) between the stream and its socket: before the next byte is read, and behind all that was
 * written. The stream must be open and have none. `opened` comes when it is ready; until then nothing may be written
 * and no `bytes` come. A filter that fails ends the stream with its error. */
struct stream_filter;
void stream_set_filter(struct stream *stream, struct stream_filter *filter);

/* Free at once; unsent bytes are lost. NULL is fine. */
void stream_free(struct stream *stream);

/* Send what is left, and take in what the other side still sends (at most for linger_ms), then close
 * and free. The handler hears nothing more. Also after `ended`: a half-closed client gets its answer. */
void stream_finish(struct stream *stream, int64_t linger_ms);

/* Our address and the other side's; of no family when the socket has none. Borrows. */
const struct endpoint *stream_local(const struct stream *stream);
const struct endpoint *stream_peer(const struct stream *stream);

/* UID of the process at the other end of a UNIX socket; false for others. */
[[nodiscard]] bool stream_peer_uid(const struct stream *stream, uint32_t *out_uid);

/* Accepts on a listening socket (takes fd). Each stream is given to `accepted` paused and without
 * handler. When descriptors run out accepting pauses for a second instead of spinning. */
struct listener;
typedef void listener_accepted(void *context, struct stream *stream);
[[nodiscard]] struct listener *listener_new(
    struct loop *loop, int fd, listener_accepted *accepted, void *context);
void listener_free(struct listener *listener);
/* Hear of it when accepting has to pause, and with OK when it has worked for a while again. */
typedef void listener_trouble(void *context, enum error error);
void listener_set_trouble(struct listener *listener, listener_trouble *trouble);

#endif
