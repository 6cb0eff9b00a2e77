#include "ctl/hand_over.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { COMMAND_BYTES = 4096, PIECE = 32 << 10 };

bool hand_over_put(struct hand_over *over, struct text bytes)
{
	while (bytes.length > 0) {
		const ssize_t sent = send(over->fd, bytes.bytes, bytes.length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		bytes = text_from(bytes, (size_t)sent);
	}
	return true;
}

int hand_over_reply(struct hand_over *over)
{
	size_t length = 0;

	while (length + 1 < sizeof over->reply) {
		const ssize_t got = recv(over->fd, over->reply + length, 1, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (over->reply[length++] != '\n')
			continue;
		if (length >= 4 && over->reply[3] == '-') {
			length = 0;
			continue;
		}
		over->reply[length] = '\0';
		over->reply[text_trim(text_of(over->reply)).length] = '\0';
		return (int)strtol(over->reply, NULL, 10);
	}
	over->reply[0] = '\0';
	return 0;
}

int hand_over_say(struct hand_over *over, const char *format, ...)
{
	char line[COMMAND_BYTES];
	va_list list;

	va_start(list, format);
	const int length = vsnprintf(line, sizeof line, format, list);

	va_end(list);
	if (length >= 0 && (size_t)length < sizeof line && hand_over_put(over, (struct text){ line, (size_t)length }))
		return hand_over_reply(over);
	over->reply[0] = '\0';
	return 0;
}

bool hand_over_text(struct hand_over *over, struct text part)
{
	char out[2 * PIECE];
	size_t length = 0;

	for (size_t i = 0; i < part.length; i++) {
		const char c = part.bytes[i];

		if (length > sizeof out - 4) {
			if (!hand_over_put(over, (struct text){ out, length }))
				return false;
			length = 0;
		}
		if (!over->in_line && c == '.')
			out[length++] = '.';
		if (c == '\n' && over->last != '\r')
			out[length++] = '\r';
		out[length++] = c;
		over->in_line = c != '\n';
		over->last = c;
	}
	return hand_over_put(over, (struct text){ out, length });
}

int hand_over_end(struct hand_over *over)
{
	return hand_over_say(over, "%s.\r\n", over->in_line ? "\r\n" : "");
}
