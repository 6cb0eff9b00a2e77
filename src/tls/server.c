/* Who we are to clients: certificates, chosen by the name that a client asks for. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "tls/tls_private.h"

/* Certificates of one set of names: one of each kind of key. */
struct identity {
	SSL_CTX *context;
	X509 *first;       /* The context's own; its names stand for all. */
	int kinds[4];      /* EVP_PKEY types that are there already. */
	size_t kind_count;
};

struct tls_server {
	atomic_uint reference_count;
	BIO_METHOD *wire;
	struct identity identities[TLS_CERTIFICATES_MAX]; /* The first is the default. */
	size_t identity_count;
	struct tls_certificate_facts facts[TLS_CERTIFICATES_MAX];
	size_t certificate_count;
};

/* How long a session may be taken up again: shorter than a key of tickets lives. */
enum { SESSION_TIMEOUT_S = 3600 };

struct reading {           /* Of one certificate. */
	const struct tls_server_settings *settings;
	struct arena *arena;
	struct text *out_complaint;
	const char *certificate, *key;
};

/* -- Complaints ------------------------------------------------------------------- */

static enum error complain(const struct reading *reading, const char *file, const char *what, const char *hint)
{
	return arena_print(reading->arena, reading->out_complaint, "%s: %s: %s (hint: %s)", file, what, tls_reason(), hint)
	    ? ERR_SYNTAX
	    : ERR_NO_MEMORY;
}

/* -- Names ------------------------------------------------------------------------ */

static void free_names(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}

/* Is every name of `a` one of `b`? */
static bool names_within(X509 *a, X509 *b)
{
	cleanup(free_names) GENERAL_NAMES *names = X509_get_ext_d2i(a, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		if (X509_check_host(b, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
		        (size_t)ASN1_STRING_length(name->d.dNSName), X509_CHECK_FLAG_NO_WILDCARDS, NULL) != 1)
			return false;
	}
	return true;
}

/* The client says whom it wants to reach (RFC 6066 §3). Who asks for a stranger gets the default and
 * may judge for itself: mail is delivered to hosts under many names. */
static int choose(SSL *ssl, int *alert, void *context)
{
	const struct tls_server *server = context;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	for (size_t i = 0; name != NULL && i < server->identity_count; i++) {
		const struct identity *identity = &server->identities[i];

		if (X509_check_host(identity->first, name, 0, 0, NULL) != 1)
			continue;
		if (i > 0 && SSL_set_SSL_CTX(ssl, identity->context) == NULL)
			return SSL_TLSEXT_ERR_ALERT_FATAL;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* -- Contexts --------------------------------------------------------------------- */

/* Never ask a terminal. */
static int no_password(char *room, int size, int writing, void *context)
{
	(void)room;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

/* A certificate is a help here, not a ticket: without a good one the client is just nobody in particular. */
static int accept_anyway(int good, X509_STORE_CTX *store)
{
	(void)good;
	(void)store;
	return 1;
}

static enum error ask_clients(SSL_CTX *context, const struct reading *reading)
{
	const char *authorities = reading->settings->client_authorities;

	if (authorities[0] == '\0')
		return OK;
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(authorities);

	if (names == NULL || SSL_CTX_load_verify_file(context, authorities) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return complain(reading, authorities, "holds no certificates that can be read", "PEM, one behind another");
	}
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_anyway);
	return OK;
}

/* A new identity, yet without certificate. */
static enum error add_identity(struct tls_server *server, const struct reading *reading, struct identity **out_identity)
{
	static const unsigned char session_name[] = "postroad";
	struct identity *identity = &server->identities[server->identity_count];

	identity->context = tls_context_new(TLS_server_method());
	if (identity->context == NULL)
		return ERR_NO_MEMORY;
	server->identity_count++;
	SSL_CTX_set_default_passwd_cb(identity->context, no_password);
	SSL_CTX_set_tlsext_servername_callback(identity->context, choose);
	SSL_CTX_set_tlsext_servername_arg(identity->context, server);
	/* Sessions live in tickets, which clients keep: no memory of ours, and valid in every lane. */
	SSL_CTX_set_session_cache_mode(identity->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(identity->context, 1);
	SSL_CTX_set_timeout(identity->context, SESSION_TIMEOUT_S);
	*out_identity = identity;
	if (SSL_CTX_set_session_id_context(identity->context, session_name, sizeof session_name - 1) != 1)
		return ERR_NO_MEMORY;
	return ask_clients(identity->context, reading);
}

/* -- Certificates ------------------------------------------------------------------ */

static bool has_kind(const struct identity *identity, int kind)
{
	for (size_t i = 0; i < identity->kind_count; i++)
		if (identity->kinds[i] == kind)
			return true;
	return false;
}

/* Whose names are exactly these, and who lacks this kind of key. */
static struct identity *find_identity(struct tls_server *server, X509 *certificate, int kind)
{
	for (size_t i = 0; i < server->identity_count; i++) {
		struct identity *identity = &server->identities[i];

		if (!has_kind(identity, kind) && identity->kind_count < sizeof identity->kinds / sizeof *identity->kinds &&
		    names_within(certificate, identity->first) && names_within(identity->first, certificate))
			return identity;
	}
	return NULL;
}

static X509 *read_certificate(const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *certificate = file ? PEM_read_X509_AUX(file, NULL, no_password, NULL) : NULL;

	if (file != NULL)
		fclose(file);
	else
		ERR_raise(ERR_LIB_SYS, ERR_R_SYS_LIB);
	return certificate;
}

static enum error use_files(struct identity *identity, const struct reading *reading)
{
	SSL_CTX *context = identity->context;

	if (SSL_CTX_use_certificate_chain_file(context, reading->certificate) != 1)
		return complain(reading, reading->certificate, "this certificate cannot be used", "PEM, its chain behind it");
	/* A key of another kind would find its own place, and be nobody's. */
	if (SSL_CTX_use_PrivateKey_file(context, reading->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context) != 1)
		return complain(reading, reading->key, "cannot be used with that certificate",
		    "the PEM file of its private key, without a password");
	if (identity->first == NULL)
		identity->first = SSL_CTX_get0_certificate(context);
	return OK;
}

/* A date that cannot be read is one that is over. */
static void note_facts(struct tls_server *server, X509 *certificate)
{
	struct tls_certificate_facts *facts = &server->facts[server->certificate_count++];
	cleanup(free_names) GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	if (!tls_time_read(X509_get0_notAfter(certificate), &facts->not_after_s))
		facts->not_after_s = 0;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		snprintf(facts->name, sizeof facts->name, "%.*s", ASN1_STRING_length(name->d.dNSName),
		    (const char *)ASN1_STRING_get0_data(name->d.dNSName));
		return;
	}
}

static enum error add_certificate(struct tls_server *server, const struct reading *reading)
{
	ERR_clear_error();
	X509 *certificate = read_certificate(reading->certificate);

	if (certificate == NULL)
		return complain(reading, reading->certificate, "no certificate can be read from it", "a PEM file");

	const EVP_PKEY *key = X509_get0_pubkey(certificate);
	const int kind = key ? EVP_PKEY_get_base_id(key) : 0;
	struct identity *identity = find_identity(server, certificate, kind);
	enum error error = identity ? OK : add_identity(server, reading, &identity);

	note_facts(server, certificate);
	X509_free(certificate);
	if (error == OK)
		error = use_files(identity, reading);
	if (error == OK)
		identity->kinds[identity->kind_count++] = kind;
	return error;
}

/* -- Life --------------------------------------------------------------------------- */

enum error tls_server_new(const struct tls_server_settings *settings, struct arena *arena,
    struct tls_server **out_server, struct text *out_complaint)
{
	struct tls_server *server = calloc(1, sizeof *server);
	enum error error = server ? OK : ERR_NO_MEMORY;

	must(settings->count >= 1 && settings->count <= TLS_CERTIFICATES_MAX);
	if (server == NULL)
		return error;
	server->reference_count = 1;
	server->wire = tls_wire_method_new();
	if (server->wire == NULL)
		error = ERR_NO_MEMORY;
	for (size_t i = 0; error == OK && i < settings->count; i++) {
		const struct reading reading = {
			settings, arena, out_complaint, settings->certificates[i].bytes, settings->keys[i].bytes
		};

		error = add_certificate(server, &reading);
	}
	if (error == OK)
		*out_server = server;
	else
		tls_server_unref(server);
	return error;
}

size_t tls_server_certificates(const struct tls_server *server, const struct tls_certificate_facts **out_facts)
{
	if (server == NULL)
		return 0;
	*out_facts = server->facts;
	return server->certificate_count;
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
	if (server != NULL)
		atomic_fetch_add_explicit(&server->reference_count, 1, memory_order_relaxed);
	return server;
}

void tls_server_unref(struct tls_server *server)
{
	if (server == NULL || atomic_fetch_sub_explicit(&server->reference_count, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < server->identity_count; i++)
		SSL_CTX_free(server->identities[i].context);
	BIO_meth_free(server->wire);
	free(server);
}

struct stream_filter *tls_server_filter(struct tls_server *server)
{
	struct tls_filter *filter =
	    tls_filter_new(server->identities[0].context, server->wire, (struct tls_owner){ .server = server });

	if (filter == NULL)
		return NULL;
	SSL_set_accept_state(filter->ssl);
	return &filter->face;
}
