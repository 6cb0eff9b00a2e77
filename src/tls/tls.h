/* TLS 1.2 and 1.3 for both roles, as filters of streams (io/stream_filter.h).
 *
 * What a role needs for all its connections (certificates, trusted authorities, ciphers) is an immutable
 * tls_server or tls_client, made once, shared by threads and replaced as a whole on reload. For each
 * connection one filter is made from it.
 *
 *   T1  No compression, no renegotiation, no early data; nothing below TLS 1.2.
 *   T2  An idle filter holds no buffer: records are unpacked where the reading stands (SSL_MODE_RELEASE_BUFFERS, and
 *       a BIO that lends the bytes of the call).
 *   T3  A client that names what it expects gets exactly that, or ERR_TLS; one that names nothing encrypts and
 *       believes nothing.
 *
 * Lifecycle of a filter: made here, taken by stream_set_filter; while the stream lives it may be asked. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/arena.h"
#include "base/text.h"
#include "io/stream_filter.h"

enum { TLS_CERTIFICATES_MAX = 64, TLS_NAME_MAX = 255, TLS_TROUBLE_MAX = 160 };

/* -- The server's side ------------------------------------------------------- */

struct tls_server_settings {             /* Borrows during tls_server_new. */
	const struct text *certificates; /* PEM files, each a certificate and its chain, NUL-terminated. */
	const struct text *keys;         /* The private key of each. */
	size_t count;                    /* 1 to TLS_CERTIFICATES_MAX. The first is for who names no host of ours. */
	const char *client_authorities;  /* PEM file: clients are asked for a certificate of these; "": not asked. */
};

struct tls_server;

/* Certificates of one set of names but of different kinds of key (RSA and ECDSA) serve the same clients; others
 * serve those who ask for their names. ERR_SYNTAX: *out_complaint says which file and why (caller's arena). */
[[nodiscard]] enum error tls_server_new(const struct tls_server_settings *settings, struct arena *arena,
    struct tls_server **out_server, struct text *out_complaint);
struct tls_server *tls_server_ref(struct tls_server *server); /* Atomic count. NULL is fine. */
void tls_server_unref(struct tls_server *server);

struct tls_certificate_facts {
	char name[TLS_NAME_MAX + 1]; /* The first DNS name in it, or ""; for looking at. */
	int64_t not_after_s;         /* Unix time. */
};

/* Of each certificate, in the order of the settings. Borrows; NULL has none. */
size_t tls_server_certificates(const struct tls_server *server, const struct tls_certificate_facts **out_facts);

/* A filter for a client that is about to speak. Shares the server. NULL: no memory. */
[[nodiscard]] struct stream_filter *tls_server_filter(struct tls_server *server);

/* -- The client's side ------------------------------------------------------- */

struct tls_client;

/* `authorities`: PEM file of those who are trusted; "": the system's. ERR_SYNTAX as above. */
[[nodiscard]] enum error tls_client_new(
    const char *authorities, struct arena *arena, struct tls_client **out_client, struct text *out_complaint);
struct tls_client *tls_client_ref(struct tls_client *client); /* Atomic count. NULL is fine. */
void tls_client_unref(struct tls_client *client);

/* For a library that speaks TLS itself: its SSL_CTX believes from now on whom this client does (shares them). */
[[nodiscard]] bool tls_client_lend_trust(const struct tls_client *client, void *ssl_context);

struct tls_expectation {     /* Borrows during the call. */
	struct text host;    /* Said to the server (SNI), unless it is an address; may be empty. */
	bool verified;       /* The certificate must be of a trusted authority, and for `host`. */
	bool judged;         /* It need not be, but tls_filter_fault is to say whether it is. */
	/* With `verified`: TLSA records of usage DANE-TA and DANE-EE, as rdata (RFC 6698 §2.1). Where there are some, the
	 * certificate is believed by them alone, and `host` is the TLSA base domain. One that DANE-EE names may be old and for anybody
	 * (RFC 7672 §3.1.1); one of an authority that DANE-TA names must be for `host` or `domain` (§3.2.2), which may be empty. */
	const struct text *tlsa;
	size_t tlsa_count;
	struct text domain;
};

/* Shares the client. NULL: no memory, a host that can be in no certificate, or no TLSA record that can match. */
[[nodiscard]] struct stream_filter *tls_client_filter(
    struct tls_client *client, const struct tls_expectation *expectation);

/* -- About a filter of these ------------------------------------------------- */

struct tls_facts {
	const char *version, *cipher;     /* "TLSv1.3", "TLS_AES_256_GCM_SHA384". Static. */
	bool resumed;
	bool verified;                    /* The other side's certificate, by our authorities (and for its host), */
	bool dane;                        /* or by its TLSA records. */
	char name[TLS_NAME_MAX + 1];      /* Of a client that was verified: its address or common name; else "". */
};

/* Of one that is ready. */
void tls_filter_facts(const struct stream_filter *filter, struct tls_facts *out_facts);

enum tls_fault { TLS_SOUND, TLS_EXPIRED, TLS_OTHER_HOST, TLS_UNTRUSTED, TLS_INVALID };

/* What is wrong with the certificate of a server that was to be verified or judged, if its handshake is over or has failed, and
 * in words (static); TLS_SOUND and "": nothing, or there was no word of one yet. */
enum tls_fault tls_filter_fault(const struct stream_filter *filter, const char **out_words);

enum { TLS_EXPORTER_SIZE = 32 };

/* The channel binding tls-exporter (RFC 9266) of one that is ready. False: there is none. Before TLS 1.3 it is not
 * unique to the connection by itself (RFC 9266 §4.2), so there is none. */
[[nodiscard]] bool tls_filter_exporter(const struct stream_filter *filter, char out_binding[TLS_EXPORTER_SIZE]);

/* Why it failed, in words; "" if it did not. Borrows from the filter. */
const char *tls_filter_trouble(const struct stream_filter *filter);

#endif
