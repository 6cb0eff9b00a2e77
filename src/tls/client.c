/* What we are to servers: somebody who encrypts, and, where it is demanded, believes only certificates. */
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/must.h"
#include "tls/tls_private.h"

struct tls_client {
	atomic_uint reference_count;
	SSL_CTX *context;
	BIO_METHOD *wire;
};

/* Without authentication weak keys of the other side are better than clear text (RFC 7435). */
enum { LEVEL_UNVERIFIED = 1 };

static bool load_authorities(struct tls_client *client, const char *authorities)
{
	ERR_clear_error();
	return authorities[0] != '\0' ? SSL_CTX_load_verify_file(client->context, authorities) == 1
	                              : SSL_CTX_set_default_verify_paths(client->context) == 1;
}

enum error tls_client_new(
    const char *authorities, struct arena *arena, struct tls_client **out_client, struct text *out_complaint)
{
	struct tls_client *client = calloc(1, sizeof *client);

	if (client == NULL)
		return ERR_NO_MEMORY;
	client->reference_count = 1;
	client->context = tls_context_new(TLS_client_method());
	client->wire = tls_wire_method_new();
	if (client->context == NULL || client->wire == NULL || SSL_CTX_dane_enable(client->context) != 1) {
		tls_client_unref(client);
		return ERR_NO_MEMORY;
	}
	if (!load_authorities(client, authorities)) {
		tls_client_unref(client);
		return arena_print(arena, out_complaint, "%s: holds no certificates that can be read: %s", authorities,
		           tls_reason())
		    ? ERR_SYNTAX
		    : ERR_NO_MEMORY;
	}
	*out_client = client;
	return OK;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
	if (client != NULL)
		atomic_fetch_add_explicit(&client->reference_count, 1, memory_order_relaxed);
	return client;
}

void tls_client_unref(struct tls_client *client)
{
	if (client == NULL || atomic_fetch_sub_explicit(&client->reference_count, 1, memory_order_acq_rel) > 1)
		return;
	SSL_CTX_free(client->context);
	BIO_meth_free(client->wire);
	free(client);
}

bool tls_client_lend_trust(const struct tls_client *client, void *ssl_context)
{
	SSL_CTX_set1_cert_store(ssl_context, SSL_CTX_get_cert_store(client->context));
	return true;
}

/* -- Expecting -------------------------------------------------------------------- */

static bool is_address(const char *host)
{
	unsigned char ip[16];

	return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

/* RFC 6066 §3: without the dot at the end. False: there can be no such name. */
static bool copy_name(struct text name, char room[TLS_NAME_MAX + 1])
{
	if (text_ends(name, TEXT(".")))
		name = text_part(name, 0, name.length - 1);
	if (name.length > TLS_NAME_MAX || text_find_byte(name, '\0') < name.length)
		return false;
	if (name.length > 0)
		memcpy(room, name.bytes, name.length);
	room[name.length] = '\0';
	return true;
}

/* OpenSSL verifies in any case; the mode says whether the handshake hangs on it. */
static bool verify(SSL *ssl, const char *host, bool address, int mode)
{
	SSL_set_verify(ssl, mode, NULL);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return host[0] != '\0' &&
	    (address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 : SSL_set1_host(ssl, host) == 1);
}

/* One that OpenSSL cannot read (a certificate in full that is none) is passed over. */
static size_t add_records(SSL *ssl, const struct tls_expectation *expectation)
{
	size_t count = 0;

	for (size_t i = 0; i < expectation->tlsa_count; i++) {
		const struct text record = expectation->tlsa[i];
		const unsigned char *bytes = (const unsigned char *)record.bytes;

		must(record.length > 3);
		if (SSL_dane_tlsa_add(ssl, bytes[0], bytes[1], bytes[2], bytes + 3, record.length - 3) == 1)
			count++;
	}
	ERR_clear_error();
	return count;
}

/* False, too, when no record can match: the connection would be one without DANE. */
static bool verify_by_records(SSL *ssl, const struct tls_expectation *expectation, const char *host)
{
	char domain[TLS_NAME_MAX + 1];

	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (host[0] == '\0' || !copy_name(expectation->domain, domain) || SSL_dane_enable(ssl, host) <= 0)
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	return (domain[0] == '\0' || is_address(domain) || SSL_add1_host(ssl, domain) == 1) &&
	    add_records(ssl, expectation) > 0;
}

static bool expect(SSL *ssl, const struct tls_expectation *expectation)
{
	char host[TLS_NAME_MAX + 1];

	if (!copy_name(expectation->host, host))
		return false;
	const bool address = is_address(host);

	if (!expectation->verified) {
		SSL_set_security_level(ssl, LEVEL_UNVERIFIED);
		if (expectation->judged && !verify(ssl, host, address, SSL_VERIFY_NONE))
			return false;
	} else if (expectation->tlsa_count > 0 ? !verify_by_records(ssl, expectation, host)
	                                       : !verify(ssl, host, address, SSL_VERIFY_PEER)) {
		return false;
	}
	return host[0] == '\0' || address || SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct stream_filter *tls_client_filter(struct tls_client *client, const struct tls_expectation *expectation)
{
	struct tls_filter *filter = tls_filter_new(client->context, client->wire, (struct tls_owner){ .client = client });

	if (filter == NULL)
		return NULL;
	SSL_set_connect_state(filter->ssl);
	if (!expect(filter->ssl, expectation)) {
		ERR_clear_error();
		tls_filter_free(filter);
		return NULL;
	}
	return &filter->face;
}
