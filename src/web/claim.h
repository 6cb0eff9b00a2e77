/* Idempotency-Key: a message is put once for it, however often it is handed in, since its answer may be lost. The key is its
 * sender's own, so it counts for the token that showed it. The server remembers it with the message, in the same change, and until
 * the end of the next day; with it a mark of what was handed in, so that a key is not used for something else.
 *
 * Pure. */
#ifndef WEB_CLAIM_H
#define WEB_CLAIM_H

#include "base/text.h"

enum { WEB_KEY_MAX = 255, WEB_CLAIM_KEY_SIZE = 64 + 1, WEB_CLAIM_MARK_SIZE = 32 + 1 };

struct web_claim {                       /* A value; key "": none was shown. */
	char key[WEB_CLAIM_KEY_SIZE];
	char mark[WEB_CLAIM_MARK_SIZE];
};

/* What a client shows as Idempotency-Key: 1 to WEB_KEY_MAX printable characters. */
bool web_claim_key_is_right(struct text shown);

/* `name`: of the token, empty where none is asked for. `content`: all that makes the message. False: no memory. */
[[nodiscard]] bool web_claim_make(struct text name, struct text shown, const struct text *content, size_t content_count,
    struct web_claim *out_claim);

#endif
