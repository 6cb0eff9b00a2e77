/* One login by SASL at another server (RFC 4422): the client's side, as steps without I/O; the mechanisms are GNU SASL's.
 *
 *   N1  What the password can be read from (PLAIN, LOGIN) is chosen only where nobody else can listen.
 *   N2  Of several mechanisms it is the strongest.
 *   N3  By SCRAM the server must prove that it knows the password, too (RFC 5802 §9): its success counts for nothing before it
 *       has done so.
 *   N4  A server cannot make us compute for long: more than SASL_ROUNDS_MAX rounds of hashing are refused.
 *   N5  Copies of the password are wiped when they have done their work; what a step gives stands in the caller's buffer.
 *
 * SCRAM with -PLUS is not spoken: where the host's certificate is verified it would add little.
 *
 * Lifecycle: sasl_login_new, the steps, when the server says that all went well sasl_login_is_proven, sasl_login_free. */
#ifndef SASL_LOGIN_H
#define SASL_LOGIN_H

#include "sasl/exchange.h"

enum { SASL_PASSWORD_MAX = 1024, SASL_ROUNDS_MAX = 200'000 };

struct sasl_login;

/* The best of `offered` (bits 1 << enum sasl_mechanism). `encrypted`: nobody can listen to the connection (N1). False: none will do. */
[[nodiscard]] bool sasl_login_choose(unsigned offered, bool encrypted, enum sasl_mechanism *out_mechanism);

/* Copies both; 1 to SASL_NAME_MAX and SASL_PASSWORD_MAX bytes, no NUL among them. ERR_NO_MEMORY; ERR_NOT_FOUND: not a mechanism
 * that sasl_login_choose gives, or the library does not have it. */
[[nodiscard]] enum error sasl_login_new(
    enum sasl_mechanism mechanism, struct text user, struct text password, struct sasl_login **out_login);
void sasl_login_free(struct sasl_login *login); /* NULL is fine. */

/* Does the client say something together with AUTH (RFC 4954 §4)? Then a step without challenge comes first. */
bool sasl_login_speaks_first(const struct sasl_login *login);

/* Take the server's challenge (not in base64; at most SASL_BYTES_MAX bytes) and append the response to `response`, which should
 * be a secret buffer.
 *
 *   SASL_CONTINUE   it is to be sent
 *   SASL_SUCCESS    it is to be sent, and from us that was all: the word is the server's
 *   SASL_FAILURE    the server does not know the password, whatever it says
 *   SASL_MALFORMED  it does not keep to its mechanism, asks for too much (N4), or asks on when all is said
 *   SASL_TROUBLE    ours: no memory, or the name or password cannot be used with this mechanism (RFC 4013)
 *
 * After any but the first two no step may follow. */
enum sasl_result sasl_login_step(struct sasl_login *login, struct text challenge, struct buffer *response);

/* May a server's success be believed (N3)? */
bool sasl_login_is_proven(const struct sasl_login *login);

#endif
