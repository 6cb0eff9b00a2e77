/* The three parts of a report (RFC 6522 §3). Private to this folder. */
#ifndef DSN_PARTS_H
#define DSN_PARTS_H

#include "base/arena.h"
#include "dsn/dsn.h"

struct composer {
	const struct dsn_report *report;
	struct arena *arena;
	bool utf8;             /* An address is not ASCII: RFC 6533 instead of RFC 3464. */
	bool whole;            /* The original is returned whole. */
};

/* "This is the mail server ...": plain words. */
[[nodiscard]] bool part_words(const struct composer *composer, struct buffer *out);

/* message/delivery-status (RFC 3464 §2.1). */
[[nodiscard]] bool part_status(const struct composer *composer, struct buffer *out);

/* The original, or its header. */
[[nodiscard]] bool part_original(const struct composer *composer, struct buffer *out);


/* The verdict in one line: "550 5.1.1 no such user". */
[[nodiscard]] bool part_verdict_words(
    const struct composer *composer, const struct verdict *verdict, struct text *out_words);

#endif
