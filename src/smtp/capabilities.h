/* What a server offers in its answer to EHLO or LHLO (RFC 5321 §4.1.1.1).
 *
 * Pure. Unknown keywords are skipped; of a keyword given twice the last counts. */
#ifndef SMTP_CAPABILITIES_H
#define SMTP_CAPABILITIES_H

#include "base/text.h"

/* CAPABILITY(NAME, "keyword", "RFC") */
#define CAPABILITY_LIST(CAPABILITY)                                    \
	CAPABILITY(PIPELINING, "PIPELINING", "RFC 2920")               \
	CAPABILITY(SIZE, "SIZE", "RFC 1870")                           \
	CAPABILITY(8BITMIME, "8BITMIME", "RFC 6152")                   \
	CAPABILITY(SMTPUTF8, "SMTPUTF8", "RFC 6531")                   \
	CAPABILITY(CHUNKING, "CHUNKING", "RFC 3030")                   \
	CAPABILITY(DSN, "DSN", "RFC 3461")                             \
	CAPABILITY(ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES", "RFC 2034") \
	CAPABILITY(STARTTLS, "STARTTLS", "RFC 3207")                   \
	CAPABILITY(AUTH, "AUTH", "RFC 4954")                           \
	CAPABILITY(LIMITS, "LIMITS", "RFC 9422")                       \
	CAPABILITY(DELIVERBY, "DELIVERBY", "RFC 2852")                 \
	CAPABILITY(MT_PRIORITY, "MT-PRIORITY", "RFC 6710")             \
	CAPABILITY(REQUIRETLS, "REQUIRETLS", "RFC 8689")

/* SASL mechanisms by their registered names. */
#define MECHANISM_LIST(MECHANISM)                                  \
	MECHANISM(PLAIN, "PLAIN")                                  \
	MECHANISM(LOGIN, "LOGIN")                                  \
	MECHANISM(CRAM_MD5, "CRAM-MD5")                            \
	MECHANISM(SCRAM_SHA_1, "SCRAM-SHA-1")                      \
	MECHANISM(SCRAM_SHA_1_PLUS, "SCRAM-SHA-1-PLUS")            \
	MECHANISM(SCRAM_SHA_256, "SCRAM-SHA-256")                  \
	MECHANISM(SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS")        \
	MECHANISM(EXTERNAL, "EXTERNAL")                            \
	MECHANISM(OAUTHBEARER, "OAUTHBEARER")                      \
	MECHANISM(XOAUTH2, "XOAUTH2")

enum capability_position {
#define CAPABILITY(name, keyword, rfc) CAPABILITY_POSITION_##name,
	CAPABILITY_LIST(CAPABILITY)
#undef CAPABILITY
};

enum capability { /* Bits. */
#define CAPABILITY(name, keyword, rfc) CAPABILITY_##name = 1 << CAPABILITY_POSITION_##name,
	CAPABILITY_LIST(CAPABILITY)
#undef CAPABILITY
};

enum mechanism_position {
#define MECHANISM(name, word) MECHANISM_POSITION_##name,
	MECHANISM_LIST(MECHANISM)
#undef MECHANISM
};

enum mechanism { /* Bits. */
#define MECHANISM(name, word) MECHANISM_##name = 1 << MECHANISM_POSITION_##name,
	MECHANISM_LIST(MECHANISM)
#undef MECHANISM
};

struct capabilities {             /* A value; all 0 is a server that knows only HELO. */
	uint32_t offered;         /* enum capability bits. */
	uint32_t mechanisms;      /* enum mechanism bits. */
	uint64_t size_max;        /* Bytes; 0: no fixed limit, or SIZE is not offered. */
	uint32_t by_min_s;        /* RFC 2852 §4: the shortest time for mode R; 0: any. */
	uint32_t mail_max;        /* RFC 9422 §4: transactions a connection; 0: no limit known. */
	uint32_t rcpt_max;        /* Recipients a transaction; 0: no limit known. */
	uint32_t rcpt_domain_max; /* Different recipient domains a connection; 0: no limit known. */
};

/* One line of the reply after the first, without its code: "SIZE 52428800". */
void capabilities_add_line(struct capabilities *capabilities, struct text line);

static inline bool capabilities_offer(const struct capabilities *capabilities, enum capability wanted)
{
	return (capabilities->offered & (uint32_t)wanted) != 0;
}

#endif
