/* Who a message is from, as far as the DNS tells: SPF, DKIM, ARC, DMARC and the client's reverse name, looked for while its
 * text streams by.
 *
 *   V1  Nobody waits for the DNS but at the end of the text, and there no longer than the time that is given; what has no answer
 *       by then has failed for now (temperror).
 *   V2  `done` is called at most once, never inside a call of this header, and never after evaluation_free.
 *   V3  Memory: EVALUATION_MAX, and the hashes of a body, however long header and body are.
 *
 * Life: evaluation_new; evaluation_text; evaluation_end once; the findings when that, or `done`, says so; evaluation_free at
 * any moment. */
#ifndef INBOUND_EVALUATION_H
#define INBOUND_EVALUATION_H

#include "auth/arc_seal.h"
#include "auth/auth_results.h"
#include "base/arena.h"
#include "dns/dns.h"

enum {
	EVALUATION_HEADER_MAX = 128 << 10, /* Bytes of a header whose signatures are looked at. */
	EVALUATION_MAX = 1 << 20           /* That, a list of its fields, records of the DNS. */
};

struct evaluation_request {     /* Borrows but for `dns`, which is copied from, during the call. */
	struct loop *loop;
	struct dns *const *dns; /* Whom to ask: read at each question, so that it may be replaced. Borrows for its life. */
	struct endpoint client;
	const struct iprev *iprev; /* Of this client, if it is known; borrows for its life. NULL: it is looked for. */
	struct text helo;
	struct text sender;     /* The reverse-path without brackets. */
	struct text hostname;   /* Ours. */
	struct key_ring *ring;  /* Keys of lately; borrows for its life. NULL: none are kept. */
	int64_t now_s;
	bool spf, dkim, dmarc;  /* What is wanted; DMARC looks for the others, too. */
	const struct dkim_manner *seal; /* ARC's chain is to be sealed, by evaluation_seal, in this manner (borrows what it
	                                 * borrows for its life); NULL: not. */
};

struct evaluation_findings {    /* Lives as long as the evaluation. NULL: that was not looked for. */
	const struct iprev *iprev;
	const struct spf_verdict *spf;
	const struct spf_request *spf_request; /* What `spf` answers. */
	const struct spf_verdict *spf_helo; /* Of the HELO name, where `spf` is of the sender; no policy looks at it. */
	bool dkim_used;
	const struct dkim_finding *dkim;
	size_t dkim_count;
	const struct arc_verdict *arc;
	const struct dmarc_verdict *dmarc;
	bool header_too_large;  /* DKIM, ARC and DMARC were not looked for. */
	bool no_memory;         /* Not all is here that should be. */
};

struct evaluation;

/* Begins with what the envelope tells. NULL: no memory. */
[[nodiscard]] struct evaluation *evaluation_new(const struct evaluation_request *request);
void evaluation_free(struct evaluation *evaluation); /* NULL is fine. */

/* The next bytes of the message, as they came. */
void evaluation_text(struct evaluation *evaluation, struct text bytes);

/* That was all. True: the findings are there; else `done` tells it, at the latest after `patience_ms`. */
[[nodiscard]] bool evaluation_end(
    struct evaluation *evaluation, int64_t patience_ms, void (*done)(void *context), void *context);

/* Wait no longer than that from now on, if it waits. */
void evaluation_hurry(struct evaluation *evaluation, int64_t patience_ms);

const struct evaluation_findings *evaluation_findings(const struct evaluation *evaluation);
/* The header, when that is there; without fields if it was too large. */
const struct header_index *evaluation_header(const struct evaluation *evaluation);

/* With the findings, once: append the set that goes on top of all, as arc_sealer_seal does. ERR_UNSUPPORTED: the chain or the header
 * does not allow it, or no seal was asked for. */
[[nodiscard]] enum error evaluation_seal(const struct evaluation *evaluation, const struct dkim_signing *signing,
    struct text results, struct buffer *out);

#endif
