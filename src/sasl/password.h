/* Stored passwords: "{SCHEME}..." as in Dovecot's passwd-file, and what a given one is worth against them.
 *
 *   PLAIN, CLEARTEXT    the password itself
 *   CRYPT               what crypt(5) knows; also under the names SHA256-CRYPT, SHA512-CRYPT, BLF-CRYPT, and without
 *                       any scheme when it begins with $
 *   ARGON2I, ARGON2ID   $argon2id$v=19$... (RFC 9106)
 *   SCRAM-SHA-1, SCRAM-SHA-256
 *                       iterations,salt,stored-key,server-key; the last three in base64 (RFC 5802 §3)
 *
 *   P1  Comparing takes as long for a wrong byte at the front as for one at the end.
 *   P2  Works on the calling thread, for as long as the scheme wants (some hash for a tenth of a second): nothing for
 *       a thread that serves others. */
#ifndef SASL_PASSWORD_H
#define SASL_PASSWORD_H

#include "base/arena.h"

enum { PASSWORD_LENGTH_MAX = 1024, PASSWORD_STORED_MAX = 1024, PASSWORD_SCRAM_ITERATIONS = 10000 };

enum password_scheme { PASSWORD_PLAIN, PASSWORD_CRYPT, PASSWORD_ARGON2, PASSWORD_SCRAM_SHA1, PASSWORD_SCRAM_SHA256 };

/* What stands behind the scheme; borrows from the stored text. False: no scheme that we know, or what stands behind
 * it does not look like one of its kind. */
[[nodiscard]] bool password_split(struct text stored, enum password_scheme *out_scheme, struct text *out_rest);

/* The parts of a SCRAM record; borrow. False: it is malformed. */
struct password_scram {
	uint32_t iterations;                            /* 1 to 10 million. */
	struct text salt, stored_key, server_key;       /* base64 */
};
[[nodiscard]] bool password_scram_split(struct text rest, struct password_scram *out_scram);

/* Is `given` the password of this record? False for what cannot be understood. */
[[nodiscard]] bool password_check(struct text stored, struct text given);

/* A new record for a password, SCRAM-SHA-256: it serves SCRAM and PLAIN alike, and does not tell the password.
 * ERR_NO_MEMORY, or ERR_SYNTAX for what SASLprep forbids in one (RFC 4013). */
[[nodiscard]] enum error password_store(struct text given, struct arena *arena, struct text *out_stored);

#endif
