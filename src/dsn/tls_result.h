/* What became of TLS in one session with a mail host, as reports tell it (RFC 8460 §4.3): a value, and its form as a row of
 * a tally (spool/tally.h). Pure.
 *
 *   R1  A row holds at most TLS_RESULT_ROW_MAX bytes, of visible ASCII and what separates them: what is longer is cut, a
 *       policy at the end of a line; other bytes become question marks.
 *   R2  Sessions that succeeded under the same policy are the same row: reports tell only how many they were. */
#ifndef DSN_TLS_RESULT_H
#define DSN_TLS_RESULT_H

#include "base/text.h"

enum { TLS_RESULT_ROW_MAX = 1024, TLS_RESULT_POLICY_MAX = 560, TLS_RESULT_REASON_MAX = 100 };

/* Which policy the session was under. Stored: each keeps its number. */
enum tls_policy_type { TLS_POLICY_NONE_FOUND = 1, TLS_POLICY_STS = 2, TLS_POLICY_TLSA = 3 };

/* RESULT(number when stored, NAME, "as a report names it") */
#define TLS_RESULT_LIST(RESULT)                                              \
	RESULT(1, SUCCESS, "success")                                        \
	RESULT(2, STARTTLS_NOT_SUPPORTED, "starttls-not-supported")          \
	RESULT(3, CERTIFICATE_HOST_MISMATCH, "certificate-host-mismatch")    \
	RESULT(4, CERTIFICATE_EXPIRED, "certificate-expired")                \
	RESULT(5, CERTIFICATE_NOT_TRUSTED, "certificate-not-trusted")        \
	RESULT(6, VALIDATION_FAILURE, "validation-failure")                  \
	RESULT(7, TLSA_INVALID, "tlsa-invalid")                              \
	RESULT(8, DNSSEC_INVALID, "dnssec-invalid")                          \
	RESULT(9, DANE_REQUIRED, "dane-required")                            \
	RESULT(10, STS_POLICY_FETCH_ERROR, "sts-policy-fetch-error")         \
	RESULT(11, STS_POLICY_INVALID, "sts-policy-invalid")                 \
	RESULT(12, STS_WEBPKI_INVALID, "sts-webpki-invalid")

enum tls_result_type {
#define RESULT(number, name, word) TLS_RESULT_##name = (number),
	TLS_RESULT_LIST(RESULT)
#undef RESULT
};

struct tls_result {                 /* Borrows all. */
	enum tls_policy_type policy;
	enum tls_result_type type;
	struct text policy_text;    /* Its lines, or its TLSA records, with a LF between two; empty: none could be had. */
	struct text sending_ip;
	struct text mx, mx_ip;      /* Whom the session was with; empty: nobody yet. */
	struct text reason;         /* In words or as a code; may be empty. */
};

/* Static: "sts"; "certificate-expired". */
const char *tls_policy_type_word(enum tls_policy_type type);
const char *tls_result_word(enum tls_result_type type);

/* In `room`. */
struct text tls_result_encode(const struct tls_result *result, char room[TLS_RESULT_ROW_MAX]);

/* Borrows from `row`. False: it is none. */
[[nodiscard]] bool tls_result_decode(struct text row, struct tls_result *out_result);

#endif
