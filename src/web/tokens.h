/* Who may ask for what over HTTP: the file of `web { tokens }`.
 *
 * A line each: NAME:SHA256:SCOPE,SCOPE with the hash of the token in hexadecimal digits, so the file gives no token away.
 * Empty lines and those that begin with # count for nothing.
 *
 * Pure; never changed once made, so threads may share it. */
#ifndef WEB_TOKENS_H
#define WEB_TOKENS_H

#include "base/buffer.h"

enum web_scope {
	WEB_METRICS = 1 << 0,
	WEB_READ = 1 << 1,
	WEB_CHANGE = 1 << 2,
	WEB_SEND = 1 << 3,
	WEB_ADMIN = 1 << 4,
	WEB_EVERYTHING = (1 << 5) - 1
};

enum { WEB_TOKENS_MAX = 1000 };

struct web_tokens;

/* "read"; of one scope. Static. */
const char *web_scope_word(enum web_scope scope);

/* Gives the tokens, or NULL and complaints like "FILE:LINE: what is wrong (hint: ...)". */
[[nodiscard]] struct web_tokens *web_tokens_new(const char *name, struct text file, struct buffer *complaints);
void web_tokens_free(struct web_tokens *tokens); /* NULL is fine. */

/* The scopes of who shows this token; 0: nobody. *out_name borrows. */
unsigned web_tokens_scopes(const struct web_tokens *tokens, struct text token, struct text *out_name);

#endif
