/* What the files of tls share; see tls.h. OpenSSL is known here and in crypto only. */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

#include "tls/tls.h"

/* -- context.c: what both roles have in common ------------------------------------ */

/* With T1 and T2 and what is sane besides. NULL: no memory. */
SSL_CTX *tls_context_new(const SSL_METHOD *method);

/* A BIO that lends the bytes of one call to SSL and takes what it says; its data is the filter. */
BIO_METHOD *tls_wire_method_new(void);

/* The newest reason in OpenSSL's queue, which is emptied. Static, or valid for ever. */
const char *tls_reason(void);

/* -- about.c ------------------------------------------------------------------------- */

/* Unix time. False: it is none. */
[[nodiscard]] bool tls_time_read(const ASN1_TIME *time, int64_t *out_s);

/* -- filter.c ------------------------------------------------------------------------ */

/* Whom a filter shares: exactly one of them. */
struct tls_owner {
	struct tls_server *server;
	struct tls_client *client;
};

struct tls_filter {
	struct stream_filter face;
	SSL *ssl;
	struct tls_owner owner;
	struct text arrived;       /* Of this call: what SSL has not read yet, */
	struct buffer *leaving;    /* and where it writes. */
	char trouble[TLS_TROUBLE_MAX];
};

/* Takes the owner's reference. NULL: no memory. */
struct tls_filter *tls_filter_new(SSL_CTX *context, const BIO_METHOD *wire, struct tls_owner owner);
void tls_filter_free(struct tls_filter *filter);

#endif
