/* The DNS record that publishes a DKIM key (RFC 6376 §3.6.1, RFC 8463 §4), and whether DNS has it.
 *
 * Pure and resumable, like the evaluators: key_check_init, questions and answers, key_check_judge. */
#ifndef AUTH_KEY_RECORD_H
#define AUTH_KEY_RECORD_H

#include "auth/question.h"
#include "crypto/key.h"

enum { KEY_RECORD_STRING_MAX = 255 }; /* RFC 1035 §3.3.14: of one string in a TXT record. */

/* "v=DKIM1; k=rsa; p=..." for this key, in the arena. False: no memory. */
[[nodiscard]] bool key_record_print(const struct private_key *key, struct arena *arena, struct text *out_record);

enum key_published {
	KEY_PUBLISHED,
	KEY_ABSENT,      /* No record there. */
	KEY_DIFFERS,     /* Records, but none with this key. */
	KEY_UNKNOWN      /* DNS has no answer now. */
};

struct key_check { /* A value, once initialised. */
	struct text name, record; /* Borrows: where it is to be, and what. */
	bool heard;
	enum key_published published;
};

bool key_check_question(const struct key_check *check, struct question *out_question);
void key_check_answer(struct key_check *check, const struct answer *answer);

#endif
