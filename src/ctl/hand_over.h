/* A message over a connection that ctl_client_into_smtp gave: what sendmail(1) and the API say there. Blocks. */
#ifndef CTL_HAND_OVER_H
#define CTL_HAND_OVER_H

#include "base/text.h"

enum { HAND_OVER_REPLY_MAX = 8192 };

struct hand_over { /* A value; 0 but for `fd`, of the caller. */
	int fd;
	char reply[HAND_OVER_REPLY_MAX]; /* The last line of the last reply; empty when there was none. */
	bool in_line;                    /* Of the text: what was sent last ends no line. */
	char last;                       /* The byte that was. */
};

[[nodiscard]] bool hand_over_put(struct hand_over *over, struct text bytes);

/* Code of the next reply; 0: the connection is lost, or silent for longer than its socket waits. */
int hand_over_reply(struct hand_over *over);

/* Say a command, and hear the code. 0 also for one that is too long. */
[[gnu::format(printf, 2, 3)]] int hand_over_say(struct hand_over *over, const char *format, ...);

/* A part of the message, with line ends of two bytes, and a dot more where a line begins with one (RFC 5321 §4.5.2). */
[[nodiscard]] bool hand_over_text(struct hand_over *over, struct text part);

/* That was all of it: 250 when it is durable. */
int hand_over_end(struct hand_over *over);

#endif
