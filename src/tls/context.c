/* What servers and clients have in common: the settings of OpenSSL, and its way to the wire. */
#include <openssl/bio.h>

#include "tls/tls_private.h"

/* Only what keeps old traffic secret when a key is lost (forward secrecy) and what has no padding to be guessed
 * at. A peer without these would speak TLS 1.2 of before 2010; RFC 9325 §4.2 recommends the same. */
static const char ciphers_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char groups[] = "X25519:P-256:P-384";

SSL_CTX *tls_context_new(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (context == NULL)
		return NULL;
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	        SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(context, ciphers_1_2) == 1 && SSL_CTX_set1_groups_list(context, groups) == 1)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* -- The wire ----------------------------------------------------------------- */

static int wire_read(BIO *bio, char *room, size_t size, size_t *out_length)
{
	struct tls_filter *filter = BIO_get_data(bio);
	const struct text part = text_part(filter->arrived, 0, size);

	BIO_clear_retry_flags(bio);
	if (part.length == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(room, part.bytes, part.length);
	filter->arrived = text_from(filter->arrived, part.length);
	*out_length = part.length;
	return 1;
}

static int wire_write(BIO *bio, const char *bytes, size_t length, size_t *out_length)
{
	struct tls_filter *filter = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (filter->leaving == NULL || !buffer_append(filter->leaving, (struct text){ bytes, length }))
		return 0;
	*out_length = length;
	return 1;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_wire_method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");

	if (method != NULL && BIO_meth_set_read_ex(method, wire_read) == 1 &&
	    BIO_meth_set_write_ex(method, wire_write) == 1 && BIO_meth_set_ctrl(method, wire_control) == 1)
		return method;
	BIO_meth_free(method);
	return NULL;
}

/* -- Reasons ------------------------------------------------------------------ */

const char *tls_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason != NULL ? reason : "no reason was given";
}
