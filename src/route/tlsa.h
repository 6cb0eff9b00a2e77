/* The TLSA records of a mail host (RFC 6698 §2.1), and which of them say whom to believe there (RFC 7672 §3.1). Pure.
 *
 *   A1  Usable are DANE-TA(2) and DANE-EE(3) with a selector and a matching type that we know, and data that can match: of the
 *       digest's length, or for Full(0) one DER value. PKIX-TA(0) and PKIX-EE(1) are not, for nobody knows which authorities all
 *       senders have in common (RFC 7672 §3.1.3).
 *   A2  Usable records stand in an order of their own, digests first, and each once: sets that mean the same look the same.
 *   A3  More than TLSA_USABLE_MAX of them, or TLSA_BYTES_MAX bytes, are not kept. What is dropped believes nobody, so this can
 *       only delay mail. */
#ifndef ROUTE_TLSA_H
#define ROUTE_TLSA_H

#include "base/arena.h"
#include "dns/dns.h"

enum { TLSA_USABLE_MAX = 32, TLSA_BYTES_MAX = 8 * 1024, TLSA_NAME_SIZE = 320, TLSA_PRINTED_SIZE = 160 };

enum tlsa_usage { TLSA_PKIX_TA, TLSA_PKIX_EE, TLSA_DANE_TA, TLSA_DANE_EE };

/* What the records of a host mean for it (RFC 7672 §2.2). */
enum tlsa_finding {
	TLSA_ABSENT,   /* No DANE. */
	TLSA_UNUSABLE, /* There are some, but none is usable: TLS, whoever it is. */
	TLSA_USABLE    /* TLS, with a certificate that one of them names. */
};

struct tlsa_set {                   /* A value; borrows. */
	const struct text *records; /* The usable ones: rdata, with usage, selector and matching type in its first three bytes. */
	size_t count;
};

/* A1 */
bool tlsa_is_usable(struct text rdata);

/* The usable ones among the records of an answer; copies them into `arena`. False: it is full. */
[[nodiscard]] bool tlsa_choose(
    const struct dns_record *records, size_t count, struct arena *arena, struct tlsa_set *out_set);

/* Into another arena. False: it is full. */
[[nodiscard]] bool tlsa_copy(const struct tlsa_set *set, struct arena *arena, struct tlsa_set *out_set);

bool tlsa_equal(const struct tlsa_set *a, const struct tlsa_set *b);

/* "_25._tcp.mx.example.net", in `room`. False: it is too long to be a name. */
[[nodiscard]] bool tlsa_name(struct text base, uint16_t port, char room[TLSA_NAME_SIZE], struct text *out_name);

/* "3 1 1 00112233...", in `room`; a long one is cut. */
struct text tlsa_print(struct text rdata, char room[TLSA_PRINTED_SIZE]);

#endif
