/* DMARC policy records (RFC 9989 §4.7), and those that were written for RFC 7489.
 *
 * Pure. Borrows the record. */
#ifndef AUTH_DMARC_RECORD_H
#define AUTH_DMARC_RECORD_H

#include "base/text.h"

enum dmarc_policy { DMARC_UNSET, DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };

enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

struct dmarc_record {
	enum dmarc_policy policy, subdomain_policy, absent_policy; /* p, sp, np */
	enum dmarc_psd psd;
	bool dkim_strict, spf_strict; /* adkim, aspf */
	bool testing;                 /* t */
	bool unusable;                /* It has no policy, and nobody who wants reports (§4.7): no DMARC. */
	struct text rua, ruf, fo;     /* As written. */
};

/* False when the text is no DMARC record. Mistakes in single tags count as their absence; tags of the old kind (pct, rf,
 * ri) and unknown ones are passed over. */
[[nodiscard]] bool dmarc_record_read(struct text text, struct dmarc_record *out_record);

/* "none", "quarantine", "reject"; "none" for DMARC_UNSET. Static. */
const char *dmarc_policy_word(enum dmarc_policy policy);

#endif
