/* Questions to the DNS, answered later: by libunbound, or from a JSON zone.
 *
 *   D1  The callback never runs inside dns_ask, and exactly once unless cancelled.
 *   D2  An answer and its records are valid during the callback only.
 *   D3  Names are ASCII (A-labels), without trailing dot, lower case in answers.
 *   D4  What cannot be a name (a label too long or empty, control bytes, non-ASCII) is DNS_NXDOMAIN.
 *
 * Life of a question: dns_ask gives a query; it ends with its callback or with dns_cancel, whichever
 * comes first, and with dns_free. A callback may ask, cancel and free the resolver. */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/arena.h"
#include "base/endpoint.h"
#include "io/loop.h"

enum dns_type { DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_PTR, DNS_TLSA };

enum dns_status {
	DNS_FOUND,
	DNS_NODATA,   /* The name exists, the type does not. */
	DNS_NXDOMAIN,
	DNS_SERVFAIL, /* Also refused and malformed answers, and servers that libunbound gave up on. */
	DNS_TIMEOUT,  /* No word for a minute, or the zone file says so. */
	DNS_BOGUS     /* DNSSEC validation failed. */
};

struct dns_record {
	struct endpoint address;  /* A, AAAA; port 0. */
	uint16_t preference;      /* MX */
	struct text name;         /* MX exchange ("" is the root: null MX), PTR target. */
	struct text data;         /* TXT: all strings joined; TLSA: raw rdata. */
};

struct dns_answer {
	enum dns_status status;
	bool secure;              /* DNSSEC validated. */
	uint32_t ttl_s;
	struct text canonical;    /* Name after CNAMEs; the question's name if there were none. */
	const struct dns_record *records;
	uint32_t record_count;    /* > 0 only with DNS_FOUND; at most DNS_RECORD_MAX. */
};
enum { DNS_RECORD_MAX = 100 };

typedef void dns_callback(void *context, const struct dns_answer *answer);

struct dns;
struct dns_query;

struct dns_settings {            /* Borrows during the call. */
	const struct text *servers;    /* "127.0.0.1", "127.0.0.1@5353"; none: /etc/resolv.conf. */
	size_t server_count;
	struct text trust_anchor;      /* File; may be empty. */
	struct text resolv_conf;       /* File that says whom to ask without servers and config; empty: /etc/resolv.conf. */
	struct text config;            /* File for libunbound; may be empty. Given without servers, it alone
	                                * says whom to ask. */
};

/* Gives a resolver on this loop; NULL with a reason in *out_reason (static text). Without a trust anchor
 * nothing is validated and no answer is secure. /etc/hosts is not read. */
[[nodiscard]] struct dns *dns_unbound_new(
    struct loop *loop, const struct dns_settings *settings, const char **out_reason);

/* Answers from the JSON of `dns { zone = FILE }`: see dns/zone_table.h for its form. */
[[nodiscard]] struct dns *dns_zone_new(struct loop *loop, struct text json, const char **out_reason);

/* What is wrong with that JSON, and where: "line 3, column 9: ..." or "\"mx.example.org\" A record 2: ...".
 * ERR_SYNTAX fills *out_complaint (in `arena`). */
[[nodiscard]] enum error dns_zone_check(struct text json, struct arena *arena, struct text *out_complaint);

void dns_free(struct dns *dns); /* Cancels what is open. */

/* It is asked no more but from its callbacks, and frees itself when its last open question has ended: for a resolver that
 * another one replaces while look-ups, which may be chains of questions, are under way. */
void dns_retire(struct dns *dns);

/* NULL: no memory. */
[[nodiscard]] struct dns_query *dns_ask(struct dns *dns, struct text name, enum dns_type type,
    dns_callback *callback, void *context);

/* The callback will not come. NULL is fine, and so is the query whose callback is running. */
void dns_cancel(struct dns_query *query);

#endif
