/* The message that brings a report: a few words, and the report as an attachment or as parts of their own. Pure.
 *
 *   M1  It is 7-bit, no line is longer than 998 bytes, and every line ends with CRLF. What addresses, names and words hold
 *       that would break this is left out or becomes a question mark. */
#ifndef DSN_REPORT_MAIL_H
#define DSN_REPORT_MAIL_H

#include "base/buffer.h"
#include "mail/address.h"
#include "mail/queue_id.h"

enum { REPORT_MAIL_MAX = 16 << 20 };

struct report_part {
	struct text media_type;
	struct text content;            /* 7-bit lines with CRLF, none of which begins like a boundary of ours. */
};

struct report_mail {                    /* Borrows all. */
	queue_id id;                    /* Becomes its Message-ID, */
	struct text hostname;           /* with this behind the @. */
	int64_t now_ms;
	struct text from_name;          /* May be empty. */
	struct address from;
	const struct address *to;       /* >= 1 */
	size_t to_count;
	struct text subject;
	struct text fields;             /* More lines of the header, each with CRLF; may be empty. */
	struct text report_type;        /* Of multipart/report; empty: multipart/mixed. */
	struct text words;              /* Lines with CRLF. */
	struct text media_type, filename; /* Of the attachment. */
	struct text content;
	const struct report_part *parts; /* Instead of the attachment. */
	size_t part_count;
};

/* Append the message to `out`. False: no memory, or the limit of `out`, which is as before then. */
[[nodiscard]] bool report_mail_compose(const struct report_mail *mail, struct buffer *out);

#endif
