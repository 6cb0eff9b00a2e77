/* Who may log in, and with what: the users file with its passwords (Dovecot's passwd-file format), for the auth role.
 *
 *   A1  Immutable once made; shared by threads.
 *   A2  A name without a domain in the file is a user in all our domains, and may log in with or without one of
 *       them. Names compare without the case of ASCII letters. */
#ifndef SASL_ACCOUNTS_H
#define SASL_ACCOUNTS_H

#include "base/error.h"
#include "base/text.h"

struct accounts;

/* From the bytes of the file. Lines that hold no name are left out; a user without a password that we understand can
 * log in by other means only. Copies everything. ERR_NO_MEMORY. */
[[nodiscard]] enum error accounts_new(
    struct text file, const struct text *domains, size_t domain_count, struct accounts **out_accounts);
struct accounts *accounts_ref(struct accounts *accounts);
void accounts_unref(struct accounts *accounts); /* NULL is fine. */

/* The stored password of a login name (empty: none that we understand), and the name as the file has it. Borrow from
 * the accounts. */
[[nodiscard]] bool accounts_find(
    const struct accounts *accounts, struct text login, struct text *out_stored, struct text *out_name);

/* The mechanisms that every account with a password can use, as a set of 1 << enum sasl_mechanism: a client takes the best that is
 * offered, and would fail with one that its own hash cannot serve. Without any such account: none. */
unsigned accounts_mechanisms(const struct accounts *accounts);

#endif
