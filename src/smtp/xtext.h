/* xtext: how ENVID, ORCPT and AUTH carry any byte inside a parameter (RFC 3461 §4).
 *
 * Pure. "+" and two upper case hex digits stand for a byte; all else between "!" and "~"
 * except "+" and "=" stands for itself. */
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include "base/arena.h"
#include "base/error.h"

/* Any bytes to xtext. False: no memory. */
[[nodiscard]] bool xtext_encode(struct text plain, struct arena *arena, struct text *out_xtext);

/* xtext to its bytes. ERR_SYNTAX for what is not xtext, ERR_NO_MEMORY. Lower case hex
 * digits are taken, too: they are wrong, frequent and without danger. */
[[nodiscard]] enum error xtext_decode(struct text xtext, struct arena *arena, struct text *out_plain);

/* utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533 §3), the address of ORCPT=utf-8;...:
 * xtext in which "\x{1F600}" stands for a character, and which may hold UTF-8 as it is when
 * allow_utf8. The result is UTF-8. */
[[nodiscard]] enum error xtext_decode_address(
    struct text xtext, bool allow_utf8, struct arena *arena, struct text *out_plain);

#endif
