/* Adding a set to a message's Authenticated Received Chain (RFC 8617 §5.1): what we found, sealed for those behind us
 * who see no more of the message than we let through.
 *
 * Pure; streams like the verifier, beside which it works: arc_new and arc_sealer_new when the header is complete, the body
 * through the set, and after arc_judge arc_sealer_seal.
 *
 *   S1  The new instance follows the highest that is there, and never exceeds ARC_SETS_MAX.
 *   S2  cv=none for the first set, cv=pass behind a chain that passed, else cv=fail. A seal that says fail signs its
 *       own set alone (§5.1.2), and nothing is ever added behind it.
 *   S3  A chain whose keys DNS could not tell just now is not called broken, for nobody could mend that: it gets no set. */
#ifndef AUTH_ARC_SEAL_H
#define AUTH_ARC_SEAL_H

#include "auth/arc.h"
#include "auth/dkim_sign.h"

struct arc_sealer;

/* Gives a sealer that lives in the arena. Borrows all until it has sealed. `manner` is that of DKIM, without its
 * lifetime. ERR_TOO_LARGE: the message has more fields than a signature may sign; ERR_NO_MEMORY. */
[[nodiscard]] enum error arc_sealer_new(const struct arc *arc, const struct header_index *index,
    struct body_hashes *hashes, const struct dkim_manner *manner, struct arena *arena, struct arc_sealer **out_sealer);

/* After arc_judge: append the three fields that go before the header. `results` is the value of our own
 * Authentication-Results field, whose name behind its authserv-id may be folded. ERR_UNSUPPORTED: such a chain gets no
 * set (S1 to S3), or the key cannot sign; ERR_NO_MEMORY; ERR_TOO_LARGE (`out` is full). `out` is as before then. */
[[nodiscard]] enum error arc_sealer_seal(const struct arc_sealer *sealer, const struct arc_verdict *verdict,
    const struct dkim_signing *signing, struct text results, struct buffer *out);

#endif
