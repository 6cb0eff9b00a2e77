/* POST /v1/messages: a message as a program has it, made into one that mail takes.
 *
 * Either application/json: an object with `from`, `to`, `cc`, `bcc` (an address with or without a name, or a list of them),
 * `subject`, `text`, `html`, `headers` (an object of strings) and `attachments` (a list of objects with `filename`, `type` and
 * `content` in base64); or message/rfc822, as it is, with `from` and `to` in the query. With both, `notify`, `ret` and `envid` are
 * the wishes of RFC 3461.
 *
 *   L1  No byte of what is given gets where it could be taken for another field or another address: line ends and control
 *       bytes are refused, and what is not ASCII is encoded (RFC 2047).
 *   L2  Blind copies are in the envelope alone.
 *
 * Pure. Date and Message-ID are put in by the server that takes it. */
#ifndef WEB_LETTER_H
#define WEB_LETTER_H

#include "mail/address.h"
#include "web/api.h"

enum { LETTER_RECIPIENTS_MAX = 1000, LETTER_ARENA_BYTES = 4 << 20, LETTER_PARTS_MAX = 100 };

struct web_letter {
	struct text hostname;          /* Completes addresses without a domain. */
	struct text sender;            /* As printed; empty: the null path. */
	struct address *recipients;
	size_t recipient_count;
	struct text notify, ret, envelope_id; /* As values of NOTIFY, RET and ENVID; empty: not given. */
	struct text message;           /* Header and body. */
};

/* All in the arena, or borrowed from the call. `letter->hostname` is given. False: *out_wrong says why, and is static. */
[[nodiscard]] bool web_letter_read(const struct web_call *call, struct text content_type, struct arena *arena,
    struct web_letter *letter, const char **out_wrong);

#endif
