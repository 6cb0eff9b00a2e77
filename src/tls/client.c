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
	if (client->context == NULL || client->wire == NULL) {
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

static bool verify(SSL *ssl, const char *host, bool address)
{
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return host[0] != '\0' &&
	    (address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 : SSL_set1_host(ssl, host) == 1);
}

static bool expect(SSL *ssl, const struct tls_expectation *expectation)
{
	char host[TLS_NAME_MAX + 1] = "";
	struct text name = expectation->host;

	/* RFC 6066 §3: without the dot at the end. */
	if (text_ends(name, TEXT(".")))
		name = text_part(name, 0, name.length - 1);
	if (name.length > TLS_NAME_MAX || text_find_byte(name, '\0') < name.length)
		return false;
	if (name.length > 0)
		memcpy(host, name.bytes, name.length);
	const bool address = is_address(host);

	if (expectation->verified && !verify(ssl, host, address))
		return false;
	if (!expectation->verified)
		SSL_set_security_level(ssl, LEVEL_UNVERIFIED);
	return name.length == 0 || address || SSL_set_tlsext_host_name(ssl, host) == 1;
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
