/* The client's side of HTTPS: one GET or POST, and what came of it. The face of libcurl.
 *
 * Made for what mail needs of the web: policies that are fetched (RFC 8461 §3.3) and reports that are handed in
 * (RFC 8460 §3). So it is strict where a browser is kind:
 *
 *   H1  Nothing but HTTPS, TLS 1.2 at least, with a certificate for the URL's host by somebody we trust. Redirects are not
 *       followed, nothing is kept between two requests, no proxy or password is taken from the surroundings.
 *   H2  Names are not looked up here: the caller brings the addresses of the host, and no other is connected to.
 *   H3  A response that is larger than it may be, or not whole in time, is a failure: nobody sees part of it.
 *   H4  At most HTTPS_OPEN_MAX requests of one loop are under way; the others wait, and their time begins when it is their turn.
 *   H5  The callback runs once, later, never inside https_ask; not after https_cancel or https_free.
 *
 * Life: https_new, any number of requests, https_free. All on one loop's thread. */
#ifndef HTTPS_HTTPS_H
#define HTTPS_HTTPS_H

#include "base/endpoint.h"
#include "io/loop.h"

enum {
	HTTPS_OPEN_MAX = 16,
	HTTPS_ADDRESSES_MAX = 8, /* That are tried; the caller may bring more. */
	HTTPS_HEADER_BYTES_MAX = 32 << 10,
	HTTPS_HOST_MAX = 253,
	HTTPS_URL_MAX = 2048,
	HTTPS_FIELD_MAX = 255
};

/* A URL's host and port, when it is one of those that are asked: https, a host by its name, neither user nor fragment.
 * Borrows. */
[[nodiscard]] bool https_url_split(struct text url, struct text *out_host, uint16_t *out_port);

/* Whom requests believe: called for each connection with the SSL_CTX that it will use, to give it its trusted
 * authorities. False: it cannot, and the request fails. */
typedef bool https_trust(void *context, void *ssl_context);

struct https;

/* NULL: no memory. */
[[nodiscard]] struct https *https_new(struct loop *loop);
void https_free(struct https *https); /* Requests that are open are dropped. */

/* From now on (borrows `context`). Before, and with NULL, every request fails. */
void https_set_trust(struct https *https, https_trust *trust, void *context);

struct https_order {                        /* Borrows during https_ask. */
	struct text url;
	const struct endpoint *addresses;   /* Of its host; their ports do not count. */
	size_t address_count;               /* >= 1 */
	struct text content_type, content;  /* A POST of this; an empty type: a GET. */
	struct text header;                 /* One more field of a POST, with its name, of at most HTTPS_FIELD_MAX; empty: none. */
	size_t response_bytes_max;
	int64_t time_ms_max;                /* All of it, from the first packet to the last. */
};

enum https_end {
	HTTPS_ANSWERED,    /* Whatever the status is. */
	HTTPS_UNTRUSTED,   /* A certificate that is not for the host, not of somebody we trust, or too old. */
	HTTPS_UNREACHABLE, /* No connection, no TLS, no answer in time, or none that is HTTP. */
	HTTPS_TOO_LARGE
};

struct https_response { /* Borrows; valid during the callback. */
	enum https_end end;
	unsigned status;           /* HTTPS_ANSWERED: 200, 404 ... */
	struct text content_type;  /* As the server spelled it; empty: it named none. */
	struct text content;
	struct text trouble;       /* Else: why, in words. */
};

typedef void https_callback(void *context, const struct https_response *response);

struct https_request;

/* The URL must be one that https_url_split takes. NULL: no memory. */
[[nodiscard]] struct https_request *https_ask(
    struct https *https, const struct https_order *order, https_callback *callback, void *context);

/* The callback will not come. NULL is fine. */
void https_cancel(struct https_request *request);

#endif
