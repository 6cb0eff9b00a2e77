/* Channels: small typed messages between roles, with descriptors, over a SOCK_SEQPACKET pair.
 *
 * The kernel keeps the borders of messages; what is in them is the caller's (mailbox/request.h, ...).
 *
 *   N1  A message is 1 to CHANNEL_MESSAGE_MAX bytes and carries at most CHANNEL_FDS_MAX descriptors;
 *       it arrives whole, once and in order, or the channel is dead.
 *   N2  Who sends keeps its descriptors. Who receives takes the ones that arrive; all are close-on-exec.
 *   N3  channel_send never blocks and never calls back; what the socket does not take waits in a queue of
 *       CHANNEL_QUEUE_MAX messages.
 *   N4  `ended` is called once, as the last callback, unless the owner freed the channel before.
 *
 * Lifecycle: channel_new for a role with a loop, channel_free at any time, also inside callbacks. A
 * role without a loop uses the functions on a bare descriptor at the end of this header. */
#ifndef IO_CHANNEL_H
#define IO_CHANNEL_H

#include "base/text.h"
#include "io/loop.h"

enum { CHANNEL_MESSAGE_MAX = 16 << 10, CHANNEL_FDS_MAX = 4, CHANNEL_QUEUE_MAX = 256 };

struct channel_handler {
	/* `bytes` is valid during the call; `fds` are taken. */
	void (*message)(void *context, struct text bytes, const int *fds, size_t fd_count);
	void (*drained)(void *context); /* The queue became empty after holding something. */
	void (*ended)(void *context, enum error reason); /* ERR_CLOSED: the other role is gone. */
};

/* Two connected ends: non-blocking, close-on-exec. The caller closes them. */
[[nodiscard]] enum error channel_pair(int out_fds[2]);

struct channel;

/* Takes fd, also when it gives NULL (no memory or descriptor). Borrows the handler. */
[[nodiscard]] struct channel *channel_new(
    struct loop *loop, int fd, const struct channel_handler *handler, void *context);
void channel_free(struct channel *channel); /* What waits is lost. NULL is fine. */

/* False: the queue is full, or no memory or descriptor was left; nothing was sent. A channel that died
 * takes everything and sends nothing: its `ended` is on the way. */
[[nodiscard]] bool channel_send(struct channel *channel, struct text bytes, const int *fds, size_t fd_count);

/* Messages that wait for the socket. */
size_t channel_queued(const struct channel *channel);

/* -- On a bare descriptor, blocking or not ------------------------------------ */

struct channel_message {
	char bytes[CHANNEL_MESSAGE_MAX];
	size_t length;
	int fds[CHANNEL_FDS_MAX]; /* The receiver's to close. */
	size_t fd_count;
};

/* Waits until the socket takes it. ERR_RESET: the other side is gone. */
[[nodiscard]] enum error channel_send_wait(int fd, struct text bytes, const int *fds, size_t fd_count);

/* Waits for a message. ERR_CLOSED: the other side is gone; ERR_TOO_LARGE: it sent what breaks N1. */
[[nodiscard]] enum error channel_receive_wait(int fd, struct channel_message *out_message);

/* The same without waiting: ERR_BUSY when there is none. */
[[nodiscard]] enum error channel_receive_now(int fd, struct channel_message *out_message);

/* Closes what the message carries. */
void channel_message_close(struct channel_message *message);

#endif
