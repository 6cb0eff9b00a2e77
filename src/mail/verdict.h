/* Mail's answer: what is said to a client, heard from a server, or decided by us.
 *
 * A value; `text` and `host` borrow from wherever the verdict was made. */
#ifndef MAIL_VERDICT_H
#define MAIL_VERDICT_H

#include "base/text.h"

struct enhanced_code { /* RFC 3463; all 0: none given. */
	uint16_t class, subject, detail;
};

struct verdict {
	uint16_t code; /* SMTP reply code; 2yz, 4yz or 5yz. 0: no verdict. */
	struct enhanced_code enhanced;
	struct text text; /* One line without codes; lines of a multi-line reply joined by " / ". */
	struct text host; /* Who said it: "mx.example.net[192.0.2.1]"; empty: we did. */
};

static inline bool verdict_is_success(const struct verdict *v)
{
	return v->code / 100 == 2;
}
static inline bool verdict_is_temporary(const struct verdict *v)
{
	return v->code / 100 == 4;
}
static inline bool verdict_is_permanent(const struct verdict *v)
{
	return v->code / 100 == 5;
}

/* VERDICT(550, 5,1,1, "no such user") */
#define VERDICT(code_, class_, subject_, detail_, text_) \
	((struct verdict){                               \
	    .code = (code_), .enhanced = { (class_), (subject_), (detail_) }, .text = TEXT(text_) })

#endif
