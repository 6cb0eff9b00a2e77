#include "supervisor/note.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/must.h"

union ancillary {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

bool note_send(int channel, const char *word, int fd)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)word, .iov_len = strlen(word) };
	union ancillary ancillary = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	must(part.iov_len > 0 && part.iov_len < NOTE_LENGTH_MAX);
	if (fd >= 0) {
		message.msg_control = ancillary.room;
		message.msg_controllen = sizeof ancillary.room;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	do
		sent = sendmsg(channel, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)part.iov_len;
}

bool note_receive(int channel, char room[NOTE_LENGTH_MAX], int *out_fd)
{
	struct iovec part = { .iov_base = room, .iov_len = NOTE_LENGTH_MAX - 1 };
	union ancillary ancillary;
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = ancillary.room,
		.msg_controllen = sizeof ancillary.room };
	ssize_t length;

	do
		length = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (length < 0 && errno == EINTR);
	if (length <= 0)
		return false;
	room[length] = '\0';
	*out_fd = -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
			memcpy(out_fd, CMSG_DATA(header), sizeof *out_fd);
	return true;
}
