#include "supervisor/note.h"

#include "base/must.h"
#include "io/channel.h"

bool note_send(int channel, const char *word, int fd)
{
	const struct text note = text_of(word);

	must(note.length > 0 && note.length < NOTE_LENGTH_MAX);
	return channel_send_wait(channel, note, &fd, fd >= 0) == OK;
}

bool note_receive(int channel, char room[NOTE_LENGTH_MAX], int *out_fd)
{
	struct channel_message message;

	if (channel_receive_wait(channel, &message) != OK)
		return false;
	/* None of ours is longer or brings more. */
	if (message.length >= NOTE_LENGTH_MAX || message.fd_count > 1) {
		channel_message_close(&message);
		return false;
	}
	memcpy(room, message.bytes, message.length);
	room[message.length] = '\0';
	*out_fd = message.fd_count > 0 ? message.fds[0] : -1;
	return true;
}
