/* A message is handed in: by the control socket, which becomes an SMTP session, as sendmail(1) does it. What limits and signs
 * mail that comes so, limits and signs this. Blocks until the message is durable, or refused. */
#ifndef WEB_HAND_IN_H
#define WEB_HAND_IN_H

#include "web/claim.h"
#include "web/letter.h"

struct web_receipt {
	unsigned status;       /* Of HTTP: 202 it is durable, 422 it is refused, 503 not now, or nobody knows. 0: nothing was done. */
	bool replayed;         /* With 202: it was handed in before. */
	const char *words;     /* The server's, in the arena. */
	const char *id;        /* With 202. */
};

/* The receipt of what was handed in under this key before; status 0: nothing was. Text in the arena. */
void web_find_claim(
    const char *control, const struct web_claim *claim, struct arena *arena, struct web_receipt *out_receipt);

/* Fills *out_receipt, text in the arena. `claim`: NULL: none. */
void web_hand_in(const char *control, const struct web_letter *letter, const struct web_claim *claim, struct arena *arena,
    struct web_receipt *out_receipt);

#endif
