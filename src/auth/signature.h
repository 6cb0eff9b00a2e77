/* What DKIM-Signature, ARC-Message-Signature and ARC-Seal have in common: a tag list, a key in the DNS, a hash of
 * header fields that the key signed (RFC 6376 §3.5, RFC 8617 §4.1).
 *
 * Pure. Signatures borrow from their field, or live in the arena. */
#ifndef AUTH_SIGNATURE_H
#define AUTH_SIGNATURE_H

#include "auth/canon.h"
#include "auth/header_index.h"
#include "auth/question.h"
#include "auth/result.h"
#include "crypto/key_ring.h"

enum signature_kind { SIGNATURE_DKIM, SIGNATURE_ARC_MESSAGE, SIGNATURE_ARC_SEAL };

enum {
	SIGNATURE_NAMES_MAX = 200,      /* Fields that one signature may sign. */
	SIGNATURE_KEYS_MAX = 4,         /* Keys under one name that are tried. */
	SIGNATURE_KEY_BYTES_MAX = 8192, /* Of a key's record. */
	SIGNATURE_RSA_BITS_MIN = 1024   /* RFC 8301 §3.2 */
};

struct signature {
	enum signature_kind kind;
	const struct header_field *field;
	/* As written, as far as it could be read: also of a signature with a mistake. */
	struct text algorithm, domain, selector, identity;
	struct text key_name; /* Where its key is. */
	enum key_kind key_kind;
	enum canon header_canon, body_canon;
	uint64_t body_limit;          /* BODY_WHOLE without l=. */
	struct text names;            /* h= */
	struct text hole;             /* The value of b= in the field, with the blanks around it. */
	struct text value, body_hash; /* b= and bh=, decoded. */
	uint64_t instance;            /* ARC: i=. */
	struct text chain;            /* ARC-Seal: cv=. */
};

struct judgement {
	enum auth_result result;
	const char *reason; /* Static; NULL: nothing to add. */
};

/* Read a field of this kind and check all that needs neither key nor message. False: *out_judgement says what is wrong
 * (permerror), and *out_signature holds what could be read. */
[[nodiscard]] bool signature_read(enum signature_kind kind, const struct header_field *field, int64_t now_s,
    struct arena *arena, struct signature *out_signature, struct judgement *out_judgement);

/* The hash of the fields that a DKIM-Signature or ARC-Message-Signature names, and of itself. False: no memory. */
[[nodiscard]] bool signature_hash(const struct signature *signature, const struct header_index *index,
    struct arena *arena, uint8_t out_hash[DIGEST_BYTES]);

/* The keys that an answer brought, kept until they are needed. */
struct signature_keys {
	bool heard;
	enum answer_status status;
	struct text records[SIGNATURE_KEYS_MAX];
	size_t count;
};

/* Keep them. Without memory they count as a failed answer. */
void signature_keys_hear(struct signature_keys *keys, const struct answer *answer, struct arena *arena);

/* Did one of the keys sign that hash? RFC 6376 §6.1.2, §6.1.3. `ring` may keep the keys; NULL: nobody does. */
struct judgement signature_judge(const struct signature *signature, const uint8_t hash[DIGEST_BYTES],
    const struct signature_keys *keys, struct key_ring *ring, struct arena *arena);

#endif
