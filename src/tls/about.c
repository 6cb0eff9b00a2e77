#include "tls/about.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tls/tls_private.h"

enum { TLSA_HEAD = 3, USAGE_DANE_EE = 3, SELECTOR_KEY = 1 };

static X509 *read_certificate(const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

	if (file != NULL)
		fclose(file);
	return certificate;
}

bool tls_time_read(const ASN1_TIME *time, int64_t *out_s)
{
	struct tm parts;

	if (ASN1_TIME_to_tm(time, &parts) != 1)
		return false;
	*out_s = (int64_t)timegm(&parts);
	return true;
}

enum error tls_certificate_look(const char *path, struct text host, struct tls_certificate_about *out_about)
{
	X509 *certificate = read_certificate(path);
	struct tls_certificate_about about = { 0 };

	if (certificate == NULL)
		return ERR_SYNTAX;
	const bool read = tls_time_read(X509_get0_notBefore(certificate), &about.not_before_s) &&
	    tls_time_read(X509_get0_notAfter(certificate), &about.not_after_s);

	about.is_for_host = X509_check_host(certificate, host.bytes, host.length, 0, NULL) == 1;
	X509_free(certificate);
	if (read)
		*out_about = about;
	return read ? OK : ERR_SYNTAX;
}

/* RFC 6698 §2.1.3, of what the selector names. */
static bool is_same(const unsigned char *der, size_t length, unsigned matching, struct text data)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_length = 0;

	if (matching == 0)
		return data.length == length && memcmp(data.bytes, der, length) == 0;
	if (matching > 2 || EVP_Digest(der, length, digest, &digest_length, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL) != 1)
		return false;
	return data.length == digest_length && memcmp(data.bytes, digest, digest_length) == 0;
}

enum error tls_certificate_compare(const char *path, struct text tlsa)
{
	X509 *certificate = read_certificate(path);
	unsigned char *der = NULL;

	if (certificate == NULL)
		return ERR_SYNTAX;
	const bool usable = tlsa.length > TLSA_HEAD && tlsa.bytes[0] == USAGE_DANE_EE;
	const int length = !usable                     ? -1
	    : tlsa.bytes[1] == SELECTOR_KEY            ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der)
						       : i2d_X509(certificate, &der);
	const bool same = length > 0 && is_same(der, (size_t)length, (unsigned char)tlsa.bytes[2], text_from(tlsa, TLSA_HEAD));

	OPENSSL_free(der);
	X509_free(certificate);
	return same ? OK : ERR_DENIED;
}
