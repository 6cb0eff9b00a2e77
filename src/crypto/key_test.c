#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "crypto/key.h"

/* One RSA key in its forms, and what may not be taken for a key. They sign nothing but tests. */
static const char rsa_pkcs1[] = "-----BEGIN RSA PRIVATE KEY-----\n"
				"MIICXAIBAAKBgQDYZIv8/gbpjLLEWZzFw/LQY6ZqMX93rlU4wW0kX8s6h3AocOgF\n"
				"XSuq4IRWnSkF7i7fK3B+rbPFGNO47rNPa+0h/TnMmHdi9JSrgUggzugkss6T6I9Y\n"
				"f/rAEcbxznTyfgcsCZyTNmsh3Pe5uNsBiu6IBe1r/yMXgRqzQbwuOQ3rswIDAQAB\n"
				"AoGAbuVIYIUGodX7H2kVULyUyXroI+/t9TWgcw+dkVCOZBZYwkDqhyUyZcXdzE2K\n"
				"YoGn/7LRWfpG8LFCf7nEpuUWhqzjaTNBsG63GS0KzR0KPefpU4u+zZlEnO9XT+Ag\n"
				"RKzFhXV8h7Px/i4Ya52qAJHMkRlcA7A6INEHrYRuTR0USJECQQD8BdyKGqEq1D07\n"
				"6jYz5GwjJVtLqBxxHfyndrkZiPk7I439RvmhjK2tBbSi5kdtZqwdZYIkO3JT2nIA\n"
				"mYaPXM8PAkEA286+kUpEkS7gqgqWztm+6ry5Edc7oXOLbDt27HDiR6yk5oc6DmKA\n"
				"E8jJLKhpWg7H4K/Qwsofv5/ZQYh5344ZHQJBAPBJUmVmUGW6aAu5GibN0gCMfIgc\n"
				"58k+EwdD3eWnwCEPnDBxPE84BtshxoFOV6nKK633e2a6Ox4R94H03uPPVCcCQCNT\n"
				"vhMR0aVX2Gnb29MQ8fs+K6xvYDkZne3ePMXRery0Rah7UVxgfl8vpQ2VX6FGwN8e\n"
				"wrmbzLB6m2tJ6PSCHQ0CQFQvYNcod75WIrEmAgtnTd4/oaHLRUBeriVVlACkuO55\n"
				"Kf8ou3yL5HFNwm7abv7q+hB1r8AvD/UURQh8pEt42WY=\n"
				"-----END RSA PRIVATE KEY-----\n";
static const char rsa_pkcs8[] = "-----BEGIN PRIVATE KEY-----\n"
				"MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBANhki/z+BumMssRZ\n"
				"nMXD8tBjpmoxf3euVTjBbSRfyzqHcChw6AVdK6rghFadKQXuLt8rcH6ts8UY07ju\n"
				"s09r7SH9OcyYd2L0lKuBSCDO6CSyzpPoj1h/+sARxvHOdPJ+BywJnJM2ayHc97m4\n"
				"2wGK7ogF7Wv/IxeBGrNBvC45DeuzAgMBAAECgYBu5UhghQah1fsfaRVQvJTJeugj\n"
				"7+31NaBzD52RUI5kFljCQOqHJTJlxd3MTYpigaf/stFZ+kbwsUJ/ucSm5RaGrONp\n"
				"M0GwbrcZLQrNHQo95+lTi77NmUSc71dP4CBErMWFdXyHs/H+LhhrnaoAkcyRGVwD\n"
				"sDog0QethG5NHRRIkQJBAPwF3IoaoSrUPTvqNjPkbCMlW0uoHHEd/Kd2uRmI+Tsj\n"
				"jf1G+aGMra0FtKLmR21mrB1lgiQ7clPacgCZho9czw8CQQDbzr6RSkSRLuCqCpbO\n"
				"2b7qvLkR1zuhc4tsO3bscOJHrKTmhzoOYoATyMksqGlaDsfgr9DCyh+/n9lBiHnf\n"
				"jhkdAkEA8ElSZWZQZbpoC7kaJs3SAIx8iBznyT4TB0Pd5afAIQ+cMHE8TzgG2yHG\n"
				"gU5Xqcorrfd7Zro7HhH3gfTe489UJwJAI1O+ExHRpVfYadvb0xDx+z4rrG9gORmd\n"
				"7d48xdF6vLRFqHtRXGB+Xy+lDZVfoUbA3x7CuZvMsHqba0no9IIdDQJAVC9g1yh3\n"
				"vlYisSYCC2dN3j+hoctFQF6uJVWUAKS47nkp/yi7fIvkcU3Cbtpu/ur6EHWvwC8P\n"
				"9RRFCHykS3jZZg==\n"
				"-----END PRIVATE KEY-----\n";
static const char rsa_locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
				 "MIIC3TBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIbxvGfcGq9wECAggA\n"
				 "MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAECBBBlHV92UzmS/dmrDREsXWqJBIIC\n"
				 "gFH7JCETS5an97J79VkB97cWA+TGKDawiKtbl+F83l1a1YG4rEEB27DHedKVeIxx\n"
				 "vmqNuJ5n05YgYsErsQoR57fu5x9gH50MZVsM2V5kSFKAS6bevpmvXEzQkSiddnYJ\n"
				 "dS4wzxSrgW86m/PogRTtyZBBA5GiqrkeLYE2xEPaxhxqkfmK9SyZmjgxoNoT+nE+\n"
				 "J2Te7IkTSoBr/8ybkQn0p8q0yQGbu6QoI3p/7xMuVS3ibz1rfBuMkZDKpVsnNwyV\n"
				 "+/tq4z+aVrSgYKcXUQYEcyxIT2heI7k1Sa8C32gwECjnVdxzPusdJZ7t8PZS1X26\n"
				 "VTYtNhrG2Vac9gjhSwkTc/QnEwT9iPkSsCL9HuAutGOcxGE87huFS+GIECVdrszj\n"
				 "vIHEsr9H4wYLTHuDCEMQ3gHWpS3ZTjLVsvNCPoshuwnxZqdJE6oXouT9u6drEYQJ\n"
				 "2fRGMEBq+p1+uPTlnfeqvoCYYzTcvT6N4d2pIN7nz96O4QQjLbL7Rc9nDO/CXt9I\n"
				 "LqybNLI12TC0+Cn6bQCuiDjmYf+t/OfIrRMmsw76mKrRIASb+rJEQJi2KbgkrQRG\n"
				 "yr5VXpFg/PU+XqWPDF7ScblFYGbAY+4QM2qWSQvaNA7cCa6ySbMk3Z5+GKAppI8l\n"
				 "xm+LjY4TTqzMl7X5k1CPIsD1QqwGxko0akjdpn7gFLNwtHhVux4Oe8wRfUuhP55k\n"
				 "rVx0VIoCNy7lNnZiS7E7tqvJPnp+9E11H/GM8okUPFdfs+aY8pXVnv+viblIUdRm\n"
				 "E2mqASH3k9DAqVmFHtRXN8iXKKLsmD2b8xtaQacoyNzf6ybQYKs2GuxZJLAMmT0M\n"
				 "FP90Q2Oy+w21DcBpAQuTl6s=\n"
				 "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char elliptic[] = "-----BEGIN EC PRIVATE KEY-----\n"
			       "MHcCAQEEIOxUPABj0wO4tU3wR1/duxIoygZLACfCQVep2iXxDcYCoAoGCCqGSM49\n"
			       "AwEHoUQDQgAE4zw1d8QrP5ez3lcK2bSaaNSJo3957mq25If9kw+KT2krXY2UTRma\n"
			       "/2fF8EahWvRImgKJ+L2rPEjrJK61UoeSog==\n"
			       "-----END EC PRIVATE KEY-----\n";
static const char rsa_spki[] =
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDYZIv8/gbpjLLEWZzFw/LQY6ZqMX93rlU4wW0kX8s6h3AocOgFXSuq4IRWnSkF7i7fK3B+rbPFGNO47rNPa+0h/TnMmHdi9JSrgUggzugkss6T6I9Yf/rAEcbxznTyfgcsCZyTNmsh3Pe5uNsBiu6IBe1r/yMXgRqzQbwuOQ3rswIDAQAB";
static const char rsa_bare[] =
    "MIGJAoGBANhki/z+BumMssRZnMXD8tBjpmoxf3euVTjBbSRfyzqHcChw6AVdK6rghFadKQXuLt8rcH6ts8UY07jus09r7SH9OcyYd2L0lKuBSCDO6CSyzpPoj1h/+sARxvHOdPJ+BywJnJM2ayHc97m42wGK7ogF7Wv/IxeBGrNBvC45DeuzAgMBAAE=";
#define SIGNED_WORDS "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define JWK_N                                                                                                  \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"     \
	"yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"     \
	"KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"                    \
	"DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define SIGNATURE_RS256                                                                                        \
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9u"   \
	"JdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_e"   \
	"SN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5"   \
	"AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define SIGNATURE_ES256 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static const char elliptic_spki[] =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4zw1d8QrP5ez3lcK2bSaaNSJo3957mq25If9kw+KT2krXY2UTRma/2fF8EahWvRImgKJ+L2rPEjrJK61UoeSog==";

/* RFC 8032 §7.1, test 1: the seed and its public key. */
static const char seed[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
static const char seed_public[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

static enum error read_public(enum key_kind kind, const char *base64, struct public_key **out_key)
{
	struct arena *arena = arena_new(1 << 16);
	struct text der;

	assert_int_equal(base64_decode(text_of(base64), arena, &der), OK);
	const enum error error = public_key_read(kind, der, out_key);

	arena_free(arena);
	return error;
}

static void check_pair(const char *private_file, enum key_kind kind, const char *public_base64, unsigned bits)
{
	uint8_t hash[DIGEST_BYTES] = { 1, 2, 3 };
	struct private_key *private;
	struct public_key *public;
	char room[KEY_SIGNATURE_MAX];
	struct text signature;

	assert_int_equal(private_key_read(text_of(private_file), &private), OK);
	assert_int_equal(private_key_kind(private), kind);
	assert_int_equal(private_key_bits(private), bits);
	assert_int_equal(read_public(kind, public_base64, &public), OK);
	assert_int_equal(public_key_bits(public), bits);
	assert_int_equal(private_key_sign(private, hash, room, &signature), OK);
	assert_true(public_key_verify(public, hash, signature));
	assert_false(public_key_verify(public, hash, text_part(signature, 0, signature.length - 1)));
	assert_false(public_key_verify(public, hash, TEXT_EMPTY));
	hash[31] ^= 1;
	assert_false(public_key_verify(public, hash, signature));
	private_key_free(private);
	public_key_free(public);
}

static void every_form_of_a_key_signs_and_verifies(void **state)
{
	(void)state;
	check_pair(rsa_pkcs1, KEY_RSA, rsa_spki, 1024);
	check_pair(rsa_pkcs8, KEY_RSA, rsa_bare, 1024);
	check_pair(seed, KEY_ED25519, seed_public, 256);
}

/* RFC 7515, appendices A.2 and A.3: the same words signed by two kinds of key. */
static const char signed_rs256[] = "eyJhbGciOiJSUzI1NiJ9." SIGNED_WORDS;
static const char signed_es256[] = "eyJhbGciOiJFUzI1NiJ9." SIGNED_WORDS;

static bool verifies(const struct public_key *key, const char *words, struct text signature)
{
	struct digest *digest = digest_new();
	uint8_t hash[DIGEST_BYTES];

	digest_add(digest, text_of(words));
	digest_end(digest, hash);
	digest_free(digest);
	return public_key_verify(key, hash, signature);
}

static struct text url(struct arena *arena, const char *base64url)
{
	struct text bytes = TEXT_EMPTY;

	assert_int_equal(base64url_decode(text_of(base64url), arena, &bytes), OK);
	return bytes;
}

static void the_keys_of_rfc_7515(void **state)
{
	struct arena *arena = arena_new(1 << 16);
	const struct text modulus = url(arena, JWK_N), exponent = url(arena, "AQAB");
	const struct text signature = url(arena, SIGNATURE_ES256);
	struct text point = TEXT_EMPTY;
	struct public_key *rsa, *curve;

	(void)state;
	assert_int_equal(public_key_from_numbers(modulus, exponent, &rsa), OK);
	assert_int_equal(public_key_bits(rsa), 2048);
	assert_true(verifies(rsa, signed_rs256, url(arena, SIGNATURE_RS256)));
	assert_false(verifies(rsa, signed_es256, url(arena, SIGNATURE_RS256)));
	point = url(arena, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72bfocs3-257rn0s2ldbqkLJK2KRiMohYjlrQ");
	assert_int_equal(public_key_read(KEY_P256, point, &curve), OK);
	assert_int_equal(public_key_bits(curve), 256);
	assert_true(verifies(curve, signed_es256, signature));
	assert_false(verifies(curve, signed_rs256, signature));
	assert_false(verifies(curve, signed_es256, text_part(signature, 0, 63)));
	public_key_free(rsa);
	public_key_free(curve);
	/* Not on the curve, no point at all, and numbers that are none. */
	((char *)point.bytes)[63] ^= 1;
	assert_int_equal(public_key_read(KEY_P256, point, &curve), ERR_SYNTAX);
	assert_int_equal(public_key_read(KEY_P256, text_part(point, 0, 63), &curve), ERR_SYNTAX);
	assert_int_equal(public_key_from_numbers(modulus, modulus, &rsa), ERR_TOO_LARGE);
	assert_int_equal(public_key_from_numbers(TEXT_EMPTY, exponent, &rsa), ERR_SYNTAX);
	arena_free(arena);
}

static void the_public_half_is_what_dns_wants(void **state)
{
	struct arena *arena = arena_new(1 << 16);
	struct private_key *key;
	struct text der = TEXT_EMPTY, base64 = TEXT_EMPTY;

	(void)state;
	assert_int_equal(private_key_read(text_of(rsa_pkcs8), &key), OK);
	assert_true(private_key_public(key, arena, &der) && base64_encode(der, arena, &base64));
	assert_true(text_equal(base64, text_of(rsa_spki)));
	private_key_free(key);
	assert_int_equal(private_key_read(text_of(seed), &key), OK);
	assert_true(private_key_public(key, arena, &der) && base64_encode(der, arena, &base64));
	assert_true(text_equal(base64, text_of(seed_public)));
	private_key_free(key);
	arena_free(arena);
}

static void what_is_no_key_is_refused(void **state)
{
	static const char *const bad_rsa[] = { "", "AAAA", "MIGf",
		"MAA=", "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDY", elliptic_spki, "MAwwCgYIKoZIzj0DAQc=" };
	struct public_key *public;
	struct private_key *private;
	static char large[KEY_FILE_BYTES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof bad_rsa / sizeof bad_rsa[0]; i++)
		assert_int_equal(read_public(KEY_RSA, bad_rsa[i], &public), ERR_SYNTAX);
	assert_int_equal(read_public(KEY_ED25519, rsa_spki, &public), ERR_SYNTAX);
	assert_int_equal(read_public(KEY_ED25519, "AAAA", &public), ERR_SYNTAX);
	assert_int_equal(
	    private_key_read(
		TEXT("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), &private),
	    ERR_SYNTAX);
	assert_int_equal(private_key_read(TEXT("AAAA"), &private), ERR_SYNTAX);
	assert_int_equal(private_key_read(TEXT(""), &private), ERR_SYNTAX);
	assert_int_equal(private_key_read((struct text){ large, sizeof large }, &private), ERR_TOO_LARGE);
	assert_int_equal(private_key_read(text_of(rsa_locked), &private), ERR_UNSUPPORTED);
	assert_int_equal(private_key_read(text_of(elliptic), &private), ERR_UNSUPPORTED);
	public_key_free(NULL);
	private_key_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_form_of_a_key_signs_and_verifies),
		cmocka_unit_test(the_public_half_is_what_dns_wants), cmocka_unit_test(the_keys_of_rfc_7515),
		cmocka_unit_test(what_is_no_key_is_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
