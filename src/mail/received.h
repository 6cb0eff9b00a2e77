/* The Received field that we put on top of what we accept (RFC 5321 §4.4). */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include "base/buffer.h"
#include "base/endpoint.h"
#include "mail/queue_id.h"

struct received {
	struct text helo;             /* As the client said it; hostile. */
	const struct endpoint *client;
	struct text user;             /* For mail handed in locally; empty otherwise. */
	struct text hostname;         /* Ours. */
	struct text protocol;         /* "ESMTP", "UTF8SMTP", "LMTP", "local" ... (RFC 3848, 6531) */
	queue_id id;
	struct text recipient;        /* Only when there is exactly one; empty otherwise. */
	int64_t unix_ms;
};

/* Append the folded field with its CRLF. Bytes of `helo` that could end or
 * confuse a header are replaced. False at the buffer's limit. */
[[nodiscard]] bool received_print(const struct received *received, struct buffer *out);

#endif
