/* One connection's TLS: a handshake, then records in and out. */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "tls/tls_private.h"

static enum error received(
    struct stream_filter *face, struct text wire, struct buffer *out_plain, struct buffer *out_wire);
static enum error send_plain(struct stream_filter *face, struct text plain, struct buffer *out_wire);
static void finish(struct stream_filter *face, struct buffer *out_wire);
static void free_filter(struct stream_filter *face);

static const struct stream_filter_calls calls = { received, send_plain, finish, free_filter };

static struct tls_filter *filter_of(struct stream_filter *face)
{
	must(face->calls == &calls);
	return (struct tls_filter *)face;
}

struct tls_filter *tls_filter_new(SSL_CTX *context, const BIO_METHOD *wire, struct tls_owner owner)
{
	struct tls_filter *filter = calloc(1, sizeof *filter);
	BIO *bio = filter ? BIO_new(wire) : NULL;

	if (bio != NULL) {
		BIO_set_data(bio, filter);
		BIO_set_init(bio, 1);
		filter->ssl = SSL_new(context);
		if (filter->ssl == NULL)
			BIO_free(bio);
		else
			SSL_set_bio(filter->ssl, bio, bio);
	}
	if (filter == NULL || filter->ssl == NULL) {
		ERR_clear_error();
		free(filter);
		return NULL;
	}
	filter->face.calls = &calls;
	filter->owner.server = tls_server_ref(owner.server);
	filter->owner.client = tls_client_ref(owner.client);
	return filter;
}

void tls_filter_free(struct tls_filter *filter)
{
	if (filter == NULL)
		return;
	/* Else OpenSSL would take a session that was not said good-bye for an attack, and forget its ticket. */
	SSL_set_shutdown(filter->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(filter->ssl);
	tls_server_unref(filter->owner.server);
	tls_client_unref(filter->owner.client);
	free(filter);
}

static void free_filter(struct stream_filter *face)
{
	tls_filter_free(filter_of(face));
}

/* -- Failing ------------------------------------------------------------------ */

/* OpenSSL says only that a certificate failed; its store knows why. */
static const char *reason_of(const struct tls_filter *filter)
{
	const bool certificate = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
	const char *reason = tls_reason();

	return certificate ? X509_verify_cert_error_string(SSL_get_verify_result(filter->ssl)) : reason;
}

static enum error fail(struct tls_filter *filter)
{
	snprintf(filter->trouble, sizeof filter->trouble, "%s", reason_of(filter));
	return ERR_TLS;
}

/* What a call of SSL that gave nothing means: more bytes are wanted, or it is over. */
static enum error judge(struct tls_filter *filter, int result)
{
	switch (SSL_get_error(filter->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		must(filter->arrived.length == 0); /* F1 */
		return OK;
	case SSL_ERROR_ZERO_RETURN:
		return ERR_CLOSED;
	default:
		return fail(filter);
	}
}

/* -- The calls of the stream ---------------------------------------------------- */

static enum error shake_hands(struct tls_filter *filter)
{
	const int result = SSL_do_handshake(filter->ssl);

	if (result != 1)
		return judge(filter, result);
	filter->face.ready = true;
	return OK;
}

static enum error read_plain(struct tls_filter *filter, struct buffer *out_plain)
{
	for (;;) {
		char *room = buffer_reserve(out_plain, SSL3_RT_MAX_PLAIN_LENGTH);
		size_t length;

		if (room == NULL)
			return ERR_NO_MEMORY;
		const int result = SSL_read_ex(filter->ssl, room, SSL3_RT_MAX_PLAIN_LENGTH, &length);

		if (result != 1)
			return judge(filter, result);
		buffer_added(out_plain, length);
	}
}

static enum error received(
    struct stream_filter *face, struct text wire, struct buffer *out_plain, struct buffer *out_wire)
{
	struct tls_filter *filter = filter_of(face);
	enum error error = OK;

	ERR_clear_error();
	filter->arrived = wire;
	filter->leaving = out_wire;
	if (!face->ready)
		error = shake_hands(filter);
	if (face->ready)
		error = read_plain(filter, out_plain);
	filter->arrived = TEXT_EMPTY;
	filter->leaving = NULL;
	return error;
}

static enum error send_plain(struct stream_filter *face, struct text plain, struct buffer *out_wire)
{
	struct tls_filter *filter = filter_of(face);
	size_t length = 0;

	must(face->ready);
	ERR_clear_error();
	filter->leaving = out_wire;
	const int result = plain.length > 0 ? SSL_write_ex(filter->ssl, plain.bytes, plain.length, &length) : 1;

	filter->leaving = NULL;
	/* The wire takes all; so SSL has written all, or failed. */
	must(result != 1 || length == plain.length);
	return result == 1 ? OK : fail(filter);
}

static void finish(struct stream_filter *face, struct buffer *out_wire)
{
	struct tls_filter *filter = filter_of(face);

	ERR_clear_error();
	filter->leaving = out_wire;
	(void)!SSL_shutdown(filter->ssl); /* Says close_notify; its answer is not waited for. */
	filter->leaving = NULL;
	ERR_clear_error();
}

/* -- Facts ------------------------------------------------------------------------ */

/* A certificate of a person names an address (RFC 8550 §3), one of a machine its common name. */
static void copy_name(X509 *certificate, char room[TLS_NAME_MAX + 1])
{
	STACK_OF(OPENSSL_STRING) *addresses = X509_get1_email(certificate);
	const int last = X509_NAME_get_index_by_NID(X509_get_subject_name(certificate), NID_commonName, -1);
	unsigned char *common = NULL;

	if (addresses != NULL && sk_OPENSSL_STRING_num(addresses) > 0)
		snprintf(room, TLS_NAME_MAX + 1, "%s", sk_OPENSSL_STRING_value(addresses, 0));
	else if (last >= 0 && ASN1_STRING_to_UTF8(&common, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(
	                          X509_get_subject_name(certificate), last))) > 0)
		snprintf(room, TLS_NAME_MAX + 1, "%s", (const char *)common);
	OPENSSL_free(common);
	X509_email_free(addresses);
}

bool tls_filter_exporter(const struct stream_filter *face, char out_binding[TLS_EXPORTER_SIZE])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	const struct tls_filter *filter = (const struct tls_filter *)face;

	must(face->calls == &calls && face->ready);
	return SSL_version(filter->ssl) >= TLS1_3_VERSION &&
	    SSL_export_keying_material(filter->ssl, (unsigned char *)out_binding, TLS_EXPORTER_SIZE, label,
		sizeof label - 1, NULL, 0, 0) == 1;
}

void tls_filter_facts(const struct stream_filter *face, struct tls_facts *out_facts)
{
	const struct tls_filter *filter = (const struct tls_filter *)face;
	X509 *certificate = SSL_get0_peer_certificate(filter->ssl);

	must(face->calls == &calls && face->ready);
	*out_facts = (struct tls_facts){ .version = SSL_get_version(filter->ssl),
		.cipher = SSL_get_cipher_name(filter->ssl),
		.resumed = SSL_session_reused(filter->ssl) == 1,
		.verified = certificate != NULL && (SSL_get_verify_mode(filter->ssl) & SSL_VERIFY_PEER) &&
		    SSL_get_verify_result(filter->ssl) == X509_V_OK,
		.dane = SSL_get0_dane_authority(filter->ssl, NULL, NULL) >= 0 };
	if (out_facts->verified && filter->owner.server != NULL)
		copy_name(certificate, out_facts->name);
}

enum tls_fault tls_filter_fault(const struct stream_filter *face, const char **out_words)
{
	const struct tls_filter *filter = (const struct tls_filter *)face;
	const long result = SSL_get_verify_result(filter->ssl);

	must(face->calls == &calls);
	*out_words = result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
	switch (result) {
	case X509_V_OK:
		return TLS_SOUND;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_OTHER_HOST;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
		return TLS_UNTRUSTED;
	default:
		return TLS_INVALID;
	}
}

const char *tls_filter_trouble(const struct stream_filter *face)
{
	must(face->calls == &calls);
	return ((const struct tls_filter *)face)->trouble;
}
