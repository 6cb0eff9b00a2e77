/* What `mail` asks of the auth role, and what it hears: messages of their channel (io/channel.h).
 *
 * Pure. Numbers are little-endian; decoding checks every bound, since the other side is another process with other
 * rights. Decoded texts borrow from the bytes. */
#ifndef SASL_MESSAGE_H
#define SASL_MESSAGE_H

#include "sasl/exchange.h"

enum { SASL_REASON_MAX = 128, SASL_MESSAGE_MAX = SASL_BYTES_MAX + 640 };

enum sasl_request_kind { SASL_BEGIN, SASL_STEP, SASL_ABORT };

struct sasl_request {
	enum sasl_request_kind kind;
	uint64_t number;                 /* Of the exchange; chosen by mail. > 0. */
	enum sasl_mechanism mechanism;   /* BEGIN */
	struct text binding;             /* BEGIN */
	struct text client;              /* BEGIN: its IP address, for those who count failures; may be empty. */
	struct text response;            /* BEGIN and STEP */
};

struct sasl_answer {
	uint64_t number;                 /* 0: news of no exchange, but of what can be offered. */
	enum sasl_result result;
	unsigned mechanisms;             /* With number 0: a set of 1 << enum sasl_mechanism; with TROUBLE it is a guess, for
	                                  * who has heard nothing better. */
	struct text challenge;           /* With CONTINUE, and what comes with SUCCESS. */
	struct text user;                /* With SUCCESS. */
	struct text reason;              /* With FAILURE and TROUBLE, for the log; may be empty. */
};

/* Give the length written to `room`. Texts keep to their bounds in exchange.h. */
size_t sasl_request_encode(const struct sasl_request *request, char room[SASL_MESSAGE_MAX]);
size_t sasl_answer_encode(const struct sasl_answer *answer, char room[SASL_MESSAGE_MAX]);

/* ERR_SYNTAX: not one. */
[[nodiscard]] enum error sasl_request_decode(struct text bytes, struct sasl_request *out_request);
[[nodiscard]] enum error sasl_answer_decode(struct text bytes, struct sasl_answer *out_answer);

#endif
