/* The configuration: an immutable snapshot, read from one file (postroad.conf(5)).
 *
 *   C1  Options are defined once, in options.def. Whatever this version cannot act upon is refused, never ignored.
 *   C2  A snapshot is never changed after conf_load gave it: threads may share it. Who moves paths (conf_move_paths)
 *       does so before.
 *   C3  Complaints read "FILE:LINE: what is wrong (hint: what would be right)", a line each, in the order of the
 *       file; as many as one reading can find are given together.
 *
 * Lifecycle: conf_load, read its fields, conf_free. libconfuse keeps state of its own while it reads: one
 * reading at a time in a process. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/endpoint.h"
#include "base/rate_table.h"
#include "mail/address.h"
#include "conf/webhook.h"

enum conf_role { CONF_ROLE_MX, CONF_ROLE_SUBMISSION, CONF_ROLE_LMTP };
enum conf_tls { CONF_TLS_NONE, CONF_TLS_STARTTLS, CONF_TLS_REQUIRED, CONF_TLS_IMPLICIT, CONF_TLS_DANE };
enum conf_sender_check { CONF_SENDER_FREE, CONF_SENDER_ENVELOPE, CONF_SENDER_BOTH };
enum conf_mta_sts { CONF_STS_OFF, CONF_STS_NONE, CONF_STS_TESTING, CONF_STS_ENFORCE };
enum conf_spf { CONF_SPF_MARK, CONF_SPF_OFF, CONF_SPF_REJECT };
enum conf_dmarc { CONF_DMARC_QUARANTINE, CONF_DMARC_OFF, CONF_DMARC_MARK, CONF_DMARC_ENFORCE };
enum conf_reverse_dns { CONF_REVERSE_NO, CONF_REVERSE_NOTE, CONF_REVERSE_NAME, CONF_REVERSE_CONFIRMED };
enum conf_engine { CONF_ENGINE_LMDB, CONF_ENGINE_POSTGRES };

struct conf_listener {
	struct endpoint endpoint;
	enum conf_role role;
	enum conf_tls tls;        /* NONE where there is no certificate. */
	bool proxied;             /* Front ends call, and speak the PROXY protocol first. */
	struct text text;         /* As written: "*:25". */
	int line;
};

struct conf_list {                /* In the DNS (RFC 5782). */
	struct text zone;         /* In A-label form. */
	bool allows, of_domains;
	unsigned weight;
	const struct network *replies; /* At least one. */
	size_t reply_count;
};

struct conf_relays {
	const struct text *hosts; /* As via. */
	size_t count;
	enum conf_tls tls;
};

struct conf_route {
	struct text pattern;      /* "partner.test", ".partner.test", "*" */
	const struct text *from;  /* "bob@example.org", "@example.org", ".example.org", "<>" */
	size_t from_count;        /* 0: for all senders. */
	const struct text *via;   /* "host", "host:port", "[::1]:25", "unix:/path"; none only where there is a `from`. */
	size_t via_count;
	bool lmtp;
	enum conf_tls tls;
	struct text pool;         /* Empty: that of outbound. */
	struct conf_relays relays; /* None of its own, and no via: those of outbound. */
	struct text user;         /* Empty: no login; else there is a file. */
	const char *password_file;
	int line;
};

struct conf_pool {                /* Whom mail leaves as. */
	struct text name;
	const struct endpoint *addresses; /* At least one, or a proxy. */
	size_t address_count;
	struct text hostname;
	struct endpoint proxy;    /* SOCKS5; without family: none. */
	struct text user;         /* At the proxy. Empty: no login; else there is a file, and */
	const char *password_file;
	struct text login_place;  /* what stands in the place of a route's hosts. */
	int line;
};

struct conf_pipe {
	struct text name;
	const struct text *recipients; /* "name@example.org", "@example.org"; at least one. */
	size_t recipient_count;
	const struct text *words; /* The first is an absolute path. */
	size_t word_count;
	struct text user;
	int64_t limit_ms;
	int line;
};

struct conf_destination {         /* Numbers: 0 for not fixed. */
	struct text pattern;      /* "example.net", ".example.net", "*" in A-labels; with `mx` a name. */
	const struct text *mx;    /* "mx.example.net", ".example.net" */
	size_t mx_count;          /* 0: for domains of recipients. */
	unsigned concurrency, connections, connection_messages;
	struct rate rate;
	int line;
};

struct conf_user {
	struct text name;
	const struct text *send_as; /* "somebody@example.net", "@example.net", "*" */
	size_t send_as_count;
	struct rate messages, recipients; /* Those of the limits where he has none of his own. */
	int line;
};

enum { CONF_PIPES_MAX = 256, CONF_POOLS_MAX = 256 };

/* Texts are NUL-terminated. Paths are absolute if the file's was, relative ones were in the file's folder. No
 * text is NULL: what is not given is empty. */
struct conf {
	struct arena *arena;      /* Holds all of it. */
	const char *path, *folder; /* Of the file. */
	struct text source;       /* Its text: another process makes the same snapshot of it (conf_load_text). */

	struct text hostname;
	const struct text *domains; /* In A-label form. */
	size_t domain_count;
	const char *users, *aliases, *control, *run_as, *run_as_auth;
	struct text separator;    /* One character, or none. */
	const struct network *relay_from;
	size_t relay_from_count;
	const struct network *proxy_from;
	size_t proxy_from_count;
	const struct network *xclient_from;
	size_t xclient_from_count;
	enum conf_sender_check sender_check;
	const struct conf_user *named_users;
	size_t named_user_count;
	unsigned lanes;           /* 0: one per processor. */
	const struct conf_listener *listeners; /* At least one, all different. */
	size_t listener_count;
	const struct conf_route *routes;
	size_t route_count;
	const struct conf_pool *pools;
	size_t pool_count;        /* At most CONF_POOLS_MAX. */
	const struct conf_webhook *webhooks;
	size_t webhook_count;     /* At most CONF_WEBHOOKS_MAX. */
	const struct conf_pipe *pipes;
	size_t pipe_count;        /* At most CONF_PIPES_MAX. */
	const struct conf_destination *destinations;
	size_t destination_count;
	struct {
		const struct text *certificates, *keys; /* Paths, certificate_count of each. */
		size_t certificate_count;               /* 0: no TLS for clients. */
		const char *authorities;                /* Empty: the system's. */
		const char *client_authorities;         /* Empty: clients are not asked. */
	} tls;
	const struct conf_list *lists; /* Those that block, then those that allow. */
	size_t list_count;
	struct {
		unsigned block_at;
		enum conf_reverse_dns reverse_dns;
		bool require_helo_name, refuse_own_name, spare_postmaster;
	} strangers;
	struct {
		int64_t delay_ms, lifetime_ms; /* delay_ms 0: nobody is put off. */
		unsigned pass_count;           /* 0: no network is known for good. */
	} greylist;
	struct {
		struct text dovecot;           /* "unix:/path" of its socket; empty: passwords are checked here. */
	} auth;
	struct {
		const char *keys;              /* A path; empty: no tokens. The others are given if this is. */
		struct text issuer, claim, scope; /* The scope may be empty. */
		const struct text *audiences;
		size_t audience_count;
	} oauth;
	struct {
		const char *path; /* A template. */
		struct text lmtp; /* If given, the path is not used. */
	} mailbox;
	struct {
		const struct text *servers;
		size_t server_count;
		const char *trust_anchor, *config, *zone;
		const char *resolv_conf; /* Who is asked when no server, no configuration and no zone is named. */
	} dns;
	struct {
		enum conf_spf spf;
		bool dkim;
		enum conf_dmarc dmarc;
		bool defers, seals, received_spf;
		const struct text *arc_trusted; /* In A-label form. */
		size_t arc_trusted_count;
		const struct network *forwarders;
		size_t forwarder_count;
		int64_t timeout_ms;
	} authentication;
	struct {
		const char *keys; /* Empty: nothing is signed. */
		bool sign;
		const struct text *oversigned;
		size_t oversigned_count;
		int64_t expire_ms, publish_wait_ms, retire_after_ms, rotate_after_ms;
	} dkim;
	struct {
		uint16_t port;
		const struct endpoint *sources;
		size_t source_count;
		struct text pool;         /* Of what has none of its own; empty: sources. */
		unsigned concurrency;
		enum conf_tls tls;
		int64_t connect_ms, command_ms, final_ms, idle_ms;
		bool prefer_ip6;
		bool mta_sts, dane;
		struct conf_relays relays;
	} outbound;
	struct {
		const char *secret_file; /* Empty: no sender is rewritten. */
		struct text domain;      /* In A-label form, one of ours. */
	} srs;
	struct {
		bool tls, dmarc, failures;
		struct address contact;
		struct text organization;
	} reports;
	struct {
		enum conf_engine engine;
		const char *path;
		uint64_t size;
	} spool;
	struct {
		const int64_t *retry_ms; /* Each > 0. */
		size_t retry_count;      /* >= 1 */
		int64_t lifetime_ms, warn_after_ms; /* warn_after_ms 0: never. */
	} queue;
	struct {
		uint64_t message_size, memory;
		unsigned recipients, connections, errors;
		unsigned priority;       /* At most PRIORITY_MAX. */
		struct rate user_messages, user_recipients;
		int64_t hold_ms;
		int64_t idle_ms, line_ms, dialogue_ms, handshake_ms;
		uint32_t pace;           /* Bytes a second; 0: any. */
	} limits;
	struct {
		unsigned connections;    /* 0: any number. */
		struct rate connects, handshakes, messages, recipients, errors, unknown, logins;
		int64_t greet_delay_ms, tarpit_ms;
	} client;
	uint32_t history_messages;
	struct {
		bool enabled;
		struct endpoint endpoint; /* If enabled. */
		const char *tokens;       /* Empty: nobody is asked for one. */
		bool tls;
		struct rate messages, recipients; /* Of each token. */
		enum conf_mta_sts mta_sts;
		const struct text *mta_sts_mx; /* In A-label form; none: the hostname. */
		size_t mta_sts_mx_count;
		int64_t mta_sts_age_ms;
	} web;
	struct {
		bool json;
		const char *to; /* "stderr", "syslog", or a path with a slash. */
	} log;
};

/* Read the file. Gives the snapshot, or NULL with at least one complaint in `complaints`. */
[[nodiscard]] struct conf *conf_load(const char *path, struct buffer *complaints);

/* The same from memory. `name` stands for the file in complaints, and its folder is where relative paths begin. */
[[nodiscard]] struct conf *conf_load_text(const char *name, const char *text, struct buffer *complaints);

/* Walks over the paths of the files that a server reads besides its users: aliases, zone, trust anchor, resolv.conf,
 * certificates, keys, authorities, passwords of routes and pools, secrets of rewriting and of webhooks, always in the same order; a path that is not given is left out. `place` gives
 * the path to be read instead, in the snapshot's arena, or the one it was given. CONF_FILES_MAX at most. */
enum { CONF_LOGINS_MAX = 64, CONF_POOL_LOGINS_MAX = 64, CONF_FILES_MAX = 2 * 64 + CONF_LOGINS_MAX + CONF_POOL_LOGINS_MAX + CONF_WEBHOOKS_MAX + 7 };
enum { CONF_FALLBACK_MAX = 4 }; /* Relays that a route, or outbound, may name. */
typedef const char *conf_place(void *context, const struct conf *conf, const char *path);
void conf_move_paths(struct conf *conf, conf_place *place, void *context);

void conf_free(struct conf *conf); /* NULL is fine. */

/* The MTA-STS policy of our domains. Borrows. */
struct conf_sts {
	enum conf_mta_sts mode;
	const struct text *hosts;
	size_t host_count;
	int64_t age_ms;
};
enum { CONF_STS_ID_SIZE = 17 };
struct conf_sts conf_sts_of(const struct conf *conf); /* What web serves; CONF_STS_OFF: nothing. */
/* As it is served; nothing with CONF_STS_OFF. False: out is full. And the id for a record that names it: another one for another policy. */
[[nodiscard]] bool conf_sts_print(const struct conf_sts *sts, struct buffer *out);
void conf_sts_id(struct text policy, char room[CONF_STS_ID_SIZE]);

/* What a server with this configuration does, in a few lines for `postroad check`. False: out is full. */
[[nodiscard]] bool conf_summary(const struct conf *conf, struct buffer *out);

/* From the tables: the manual page postroad.conf(5) as mdoc, and the annotated sample file. */
[[nodiscard]] bool conf_print_manual(struct buffer *out);
[[nodiscard]] bool conf_print_sample(struct buffer *out);

#endif
