/* What libcrypto wants to be told before it is used. */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

/* Read the system's settings of it (openssl.cnf) now, in a process that may not open files later. */
void crypto_prepare(void);

#endif
