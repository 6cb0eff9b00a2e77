/* The Received field that we put on top of what we accept (RFC 5321 §4.4).
 *
 *     Received: from HELO (mx.example.net [192.0.2.1])
 *             by mail.example.org (postroad)
 *             with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id 6aedp49k6g000
 *             for <user@example.org>;
 *             Tue, 24 Nov 2026 04:28:01 +0000
 *
 *   R1  Whatever the client said, it is one field, and each clause stands where we put it. */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include "base/buffer.h"
#include "base/endpoint.h"
#include "mail/queue_id.h"

struct received {                      /* A value; borrows all of its text. */
	struct text helo;              /* As the client said it; hostile. */
	const struct endpoint *client; /* A UNIX endpoint: handed in locally, no "from" clause. */
	struct text client_name;       /* By which the DNS knows it, confirmed; empty: it does not. */
	struct text user;              /* For mail handed in locally, "uid 1000"; empty otherwise. */
	struct text hostname;          /* Ours. */
	struct text protocol;          /* "ESMTP", "UTF8SMTP", "LMTP", "local" ... (RFC 3848, 6531); ours */
	struct text tls;               /* Version and cipher, ours; empty: clear text. */
	queue_id id;
	struct text recipient; /* As address_print wrote it, if there is exactly one; empty otherwise. */
	int64_t unix_ms;
};

/* Append the folded field with its CRLF. Bytes of `helo` that could end or confuse a header are shown as "?".
 * False at the buffer's limit, with part of the field in it. */
[[nodiscard]] bool received_print(const struct received *received, struct buffer *out);

#endif
