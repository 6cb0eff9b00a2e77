#include "io/packet.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

union ancillary {
	struct cmsghdr header; /* Aligns the room. */
	char room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
};

static void attach(struct msghdr *packet, union ancillary *ancillary, const int *fds, size_t fd_count)
{
	packet->msg_control = ancillary->room;
	packet->msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);

	struct cmsghdr *header = CMSG_FIRSTHDR(packet);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
}

enum error packet_send(int fd, struct text bytes, const int *fds, size_t fd_count)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes.bytes, .iov_len = bytes.length };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	union ancillary ancillary = { 0 };
	ssize_t sent;

	must(bytes.length > 0 && bytes.length <= CHANNEL_MESSAGE_MAX); /* N1 */
	must(fd_count <= CHANNEL_FDS_MAX);
	if (fd_count > 0)
		attach(&packet, &ancillary, fds, fd_count);
	do
		sent = sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	/* Too many descriptors under way (ETOOMANYREFS) pass when the other side reads. */
	if (sent < 0)
		return errno == ETOOMANYREFS ? ERR_BUSY : error_from_errno(errno);
	must((size_t)sent == bytes.length);
	return OK;
}

static void collect(struct msghdr *packet, struct channel_message *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header; header = CMSG_NXTHDR(packet, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		message->fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		must(message->fd_count <= CHANNEL_FDS_MAX); /* Our room holds no more. */
		memcpy(message->fds, CMSG_DATA(header), sizeof(int) * message->fd_count);
	}
}

enum error packet_receive(int fd, struct channel_message *out_message)
{
	struct iovec part = { .iov_base = out_message->bytes, .iov_len = sizeof out_message->bytes };
	union ancillary ancillary;
	struct msghdr packet = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = ancillary.room,
		.msg_controllen = sizeof ancillary.room };
	ssize_t length;

	do
		length = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return error_from_errno(errno);
	out_message->fd_count = 0;
	collect(&packet, out_message);
	out_message->length = (size_t)length;
	if (packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		channel_message_close(out_message);
		return ERR_TOO_LARGE;
	}
	return length > 0 ? OK : ERR_CLOSED;
}

void channel_message_close(struct channel_message *message)
{
	for (size_t i = 0; i < message->fd_count; i++)
		close(message->fds[i]);
	message->fd_count = 0;
}

enum error channel_pair(int out_fds[2])
{
	enum { SEND_ROOM = 1 << 20 };


	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, out_fds) != 0)
		return error_from_errno(errno);
	/* Room for a batch of small mail, so that it shares its flush; what the system allows of it will do. */
	for (int i = 0; i < 2; i++)
		(void)setsockopt(out_fds[i], SOL_SOCKET, SO_SNDBUF, &(int){ SEND_ROOM }, sizeof(int));
	return OK;
}

/* -- waiting ------------------------------------------------------------------ */

static void wait_for(int fd, short events)
{
	struct pollfd waiting = { .fd = fd, .events = events };

	poll(&waiting, 1, -1); /* Interrupted or failed: the next try tells. */
}

enum error channel_send_wait(int fd, struct text bytes, const int *fds, size_t fd_count)
{
	enum error error;

	while ((error = packet_send(fd, bytes, fds, fd_count)) == ERR_BUSY)
		wait_for(fd, POLLOUT);
	return error;
}

enum error channel_receive_wait(int fd, struct channel_message *out_message)
{
	enum error error;

	while ((error = packet_receive(fd, out_message)) == ERR_BUSY)
		wait_for(fd, POLLIN);
	return error;
}

enum error channel_receive_now(int fd, struct channel_message *out_message)
{
	return packet_receive(fd, out_message);
}
