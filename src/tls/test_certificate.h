/* For tests: certificates and keys made on the spot, as files in a folder that goes with them. */
#ifndef TLS_TEST_CERTIFICATE_H
#define TLS_TEST_CERTIFICATE_H

#include "base/text.h"

struct test_certificate {
	const char *names;   /* subjectAltName: "DNS:mx.test,IP:127.0.0.1"; NULL: none. */
	const char *common;  /* Common name. */
	bool rsa;            /* Else P-256. */
};

/* Makes a folder; gives its path in `room`. */
void test_folder_make(char room[64]);
void test_folder_remove(const char *folder);

/* Writes FOLDER/NAME.pem and FOLDER/NAME.key, signed by FOLDER/ISSUER.pem; issuer NULL: by itself, and with it may sign others.
 * The results borrow from `room`s of at least 128 bytes. */
void test_certificate_write(const char *folder, const char *name, const char *issuer,
    const struct test_certificate *certificate, char certificate_path[128], char key_path[128]);

/* A TLSA record for it, 3 1 1, as rdata. */
enum { TEST_TLSA_SIZE = 3 + 32 };
struct text test_certificate_tlsa(const char *certificate_path, char room[TEST_TLSA_SIZE]);

#endif
