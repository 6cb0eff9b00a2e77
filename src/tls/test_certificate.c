#include "tls/test_certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"

enum { DAY_S = 24 * 60 * 60 };

void test_folder_make(char room[64])
{
	snprintf(room, 64, "/tmp/tls_test.XXXXXX");
	must(mkdtemp(room) != NULL);
}

void test_folder_remove(const char *folder)
{
	static const char *const names[] = { "ca", "rsa", "ec", "other", "client", "stranger", "expired" };
	char path[128];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s.pem", folder, names[i]);
		unlink(path);
		snprintf(path, sizeof path, "%s/%s.key", folder, names[i]);
		unlink(path);
	}
	must(rmdir(folder) == 0);
}

static void add_extension(X509 *certificate, int kind, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

	must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static EVP_PKEY *read_issuer(const char *folder, const char *issuer, X509 *certificate)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s.pem", folder, issuer);
	file = fopen(path, "r");
	must(file != NULL);
	X509 *above = PEM_read_X509(file, NULL, NULL, NULL);

	fclose(file);
	snprintf(path, sizeof path, "%s/%s.key", folder, issuer);
	file = fopen(path, "r");
	must(file != NULL && above != NULL);
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

	fclose(file);
	must(X509_set_issuer_name(certificate, X509_get_subject_name(above)) == 1);
	X509_free(above);
	return key;
}

void test_certificate_write(const char *folder, const char *name, const char *issuer,
    const struct test_certificate *wanted, char certificate_path[128], char key_path[128])
{
	X509 *certificate = X509_new();
	EVP_PKEY *key = wanted->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509_NAME *subject = X509_get_subject_name(certificate);
	FILE *file;

	must(key != NULL && X509_set_version(certificate, 2) == 1 && X509_set_pubkey(certificate, key) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1 + rand()) == 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S);
	must(X509_NAME_add_entry_by_txt(
		 subject, "CN", MBSTRING_ASC, (const unsigned char *)wanted->common, -1, -1, 0) == 1);
	if (wanted->names != NULL)
		add_extension(certificate, NID_subject_alt_name, wanted->names);
	if (issuer == NULL)
		add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	EVP_PKEY *signer = issuer ? read_issuer(folder, issuer, certificate) : key;

	must(issuer != NULL || X509_set_issuer_name(certificate, subject) == 1);
	must(X509_sign(certificate, signer, EVP_sha256()) > 0);
	snprintf(certificate_path, 128, "%s/%s.pem", folder, name);
	snprintf(key_path, 128, "%s/%s.key", folder, name);
	file = fopen(certificate_path, "w");
	must(file != NULL && PEM_write_X509(file, certificate) == 1);
	fclose(file);
	file = fopen(key_path, "w");
	must(file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(file);
	if (signer != key)
		EVP_PKEY_free(signer);
	EVP_PKEY_free(key);
	X509_free(certificate);
}

struct text test_certificate_tlsa(const char *certificate_path, char room[TEST_TLSA_SIZE])
{
	FILE *file = fopen(certificate_path, "r");
	unsigned char *der = NULL;

	must(file != NULL);
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);

	fclose(file);
	must(certificate != NULL);
	const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

	must(length > 0);
	memcpy(room, "\3\1\1", 3);
	must(EVP_Digest(der, (size_t)length, (unsigned char *)room + 3, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_free(der);
	X509_free(certificate);
	return (struct text){ room, TEST_TLSA_SIZE };
}
