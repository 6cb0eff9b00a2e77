/* Canonical forms of header and body (RFC 6376 §3.4), streamed into digests.
 *
 *   C1  Memory does not depend on the length of a field, a line or a body.
 *   C2  However a body is cut into pieces, its hash is the same.
 *   C3  Line ends are CRLF; a bare CR or LF is a byte like others.
 *
 * One set of bodies serves everybody who needs a hash of a message: body_hashes_new, body_hashes_want by each
 * of them, body_hashes_add while the body arrives, body_hashes_end, the hashes, body_hashes_free. */
#ifndef AUTH_CANON_H
#define AUTH_CANON_H

#include "crypto/digest.h"
#include "mail/header.h"

enum canon { CANON_SIMPLE, CANON_RELAXED };

/* A field with its line end. */
void canon_field(enum canon canon, const struct header_field *field, struct digest *digest);

/* A signature's own field: without `hole`, which lies in its value, and without line end (§3.7). */
void canon_signature_field(
    enum canon canon, const struct header_field *field, struct text hole, struct digest *digest);

enum { BODY_HASHES_MAX = 16 };
#define BODY_WHOLE UINT64_MAX

struct body_hashes;

/* NULL: no memory. */
[[nodiscard]] struct body_hashes *body_hashes_new(void);
void body_hashes_free(struct body_hashes *hashes);

/* Ask for the hash of the first `limit` bytes of the canonical body, before any of it was added; who wants the same shares it.
 * False: no memory, or more than BODY_HASHES_MAX. */
[[nodiscard]] bool body_hashes_want(
    struct body_hashes *hashes, enum canon canon, uint64_t limit, size_t *out_id);

/* The next bytes of the body; its end. */
void body_hashes_add(struct body_hashes *hashes, struct text bytes);
void body_hashes_end(struct body_hashes *hashes);

/* After the end: the hash, and the length of the whole canonical body. */
const uint8_t *body_hashes_hash(const struct body_hashes *hashes, size_t id);
uint64_t body_hashes_length(const struct body_hashes *hashes, size_t id);

#endif
