#include "sasl/token.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/must.h"
#include "sasl/test_token.h"

#define RS256 "{\"alg\":\"RS256\",\"kid\":\"one\"}"
#define CLAIMS(more) "{\"iss\":\"https://idp.test/\",\"aud\":\"mail\",\"exp\":2000,\"email\":\"alice@here.test\"" more "}"
#define OTHER(iss, aud, rest) "{\"iss\":\"" iss "\",\"aud\":" aud ",\"email\":\"alice@here.test\"" rest "}"

static const struct {
	const char *header, *claims;
	enum token_verdict want;
} rows[] = {
	{ RS256, CLAIMS(""), TOKEN_GOOD },
	{ "{\"alg\":\"RS256\"}", CLAIMS(""), TOKEN_GOOD },
	{ "{\"alg\":\"RS256\",\"kid\":\"three\"}", CLAIMS(""), TOKEN_UNKNOWN_KEY },
	{ "{\"alg\":\"ES256\",\"kid\":\"one\"}", CLAIMS(""), TOKEN_UNKNOWN_KEY },
	{ "{\"alg\":\"ES256\",\"kid\":\"two\"}", CLAIMS(""), TOKEN_SIGNATURE },
	{ "{\"alg\":\"none\"}", CLAIMS(""), TOKEN_ALGORITHM },
	{ "{\"alg\":\"HS256\"}", CLAIMS(""), TOKEN_ALGORITHM },
	{ "{}", CLAIMS(""), TOKEN_ALGORITHM },
	{ "{\"alg\":\"RS256\",\"crit\":[\"x\"]}", CLAIMS(""), TOKEN_MALFORMED },
	{ "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", CLAIMS(""), TOKEN_MALFORMED },
	{ "[]", CLAIMS(""), TOKEN_MALFORMED },
	{ RS256, "[]", TOKEN_MALFORMED },
	{ RS256, CLAIMS(",\"email\":\"bob@here.test\""), TOKEN_MALFORMED },
	{ RS256, OTHER("https://idp.test", "\"mail\"", ",\"exp\":2000"), TOKEN_ISSUER },
	{ RS256, OTHER("https://idp.test/", "\"web\"", ",\"exp\":2000"), TOKEN_AUDIENCE },
	{ RS256, OTHER("https://idp.test/", "[\"web\",7,\"post\"]", ",\"exp\":2000"), TOKEN_GOOD },
	{ RS256, OTHER("https://idp.test/", "{\"mail\":1}", ",\"exp\":2000"), TOKEN_AUDIENCE },
	{ RS256, OTHER("https://idp.test/", "\"mail\"", ""), TOKEN_EXPIRED },
	{ RS256, OTHER("https://idp.test/", "\"mail\"", ",\"exp\":\"2000\""), TOKEN_EXPIRED },
	{ RS256, OTHER("https://idp.test/", "\"mail\"", ",\"exp\":940"), TOKEN_EXPIRED },
	{ RS256, OTHER("https://idp.test/", "\"mail\"", ",\"exp\":941"), TOKEN_GOOD },
	{ RS256, OTHER("https://idp.test/", "\"mail\"", ",\"exp\":2e3"), TOKEN_GOOD },
	{ RS256, CLAIMS(",\"nbf\":1060"), TOKEN_GOOD },
	{ RS256, CLAIMS(",\"nbf\":1061"), TOKEN_EARLY },
	{ RS256, CLAIMS(",\"nbf\":\"x\""), TOKEN_EARLY },
	{ RS256, CLAIMS(",\"email_verified\":true"), TOKEN_GOOD },
	{ RS256, CLAIMS(",\"email_verified\":false"), TOKEN_NAMELESS },
	{ RS256, "{\"iss\":\"https://idp.test/\",\"aud\":\"mail\",\"exp\":2000}", TOKEN_NAMELESS },
	{ RS256, "{\"iss\":\"https://idp.test/\",\"aud\":\"mail\",\"exp\":2000,\"email\":\"a\\nb\"}", TOKEN_NAMELESS },
};

static void claims_and_headers(void **state)
{
	struct token_rules *rules = test_token_rules("");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 20);
		const struct text token = test_token_sign(rows[i].header, rows[i].claims, arena);
		struct text name = TEXT_EMPTY;
		const enum token_verdict verdict = token_check(rules, token, 1000, arena, &name);

		if (verdict != rows[i].want)
			fail_msg("row %zu: %s", i, token_verdict_text(verdict));
		assert_true(text_equal(name, verdict == TOKEN_GOOD ? TEXT("alice@here.test") : TEXT_EMPTY));
		arena_free(arena);
	}
	token_rules_unref(rules);
}

static void a_scope_that_is_wanted_must_be_there(void **state)
{
	static const struct {
		const char *claims;
		enum token_verdict want;
	} scopes[] = {
		{ CLAIMS(""), TOKEN_SCOPE },
		{ CLAIMS(",\"scope\":\"openid smtp\""), TOKEN_GOOD },
		{ CLAIMS(",\"scope\":\"openid smtps\""), TOKEN_SCOPE },
		{ CLAIMS(",\"scope\":[\"smtp\"]"), TOKEN_SCOPE },
	};
	struct token_rules *rules = test_token_rules("smtp");
	struct arena *arena = arena_new(1 << 20);
	struct text name, json = TEXT_EMPTY;

	(void)state;
	for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++)
		assert_int_equal(token_check(rules, test_token_sign(RS256, scopes[i].claims, arena), 1000, arena, &name), scopes[i].want);
	assert_true(token_refusal(rules, TOKEN_SCOPE, arena, &json));
	assert_true(text_equal(json, TEXT("{\"status\":\"insufficient_scope\",\"openid-configuration\":"
					  "\"https://idp.test/.well-known/openid-configuration\",\"scope\":\"smtp\"}")));
	arena_free(arena);
	token_rules_unref(rules);
}

/* The signature covers every byte before it, and every byte of it counts. */
static void no_byte_can_be_changed(void **state)
{
	struct token_rules *rules = test_token_rules("");
	struct arena *lasting = arena_new(1 << 16), *arena = arena_new(1 << 18);
	const struct text token = test_token_for("alice@here.test", lasting);
	struct text name;

	(void)state;
	for (size_t i = 0; i < token.length; i++) {
		struct text changed;

		must(arena_copy(arena, token, &changed));
		((char *)changed.bytes)[i] ^= 1;
		assert_int_not_equal(token_check(rules, changed, 1000, arena, &name), TOKEN_GOOD);
		assert_int_not_equal(token_check(rules, text_part(token, 0, i), 1000, arena, &name), TOKEN_GOOD);
		arena_reset(arena);
	}
	arena_free(arena);
	arena_free(lasting);
	token_rules_unref(rules);
}

/* RFC 7515, appendix A.3: signed by the other kind of key, for other people. */
static void a_curve_signs_as_well(void **state)
{
	static const char token[] =
	    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"
	    "Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	struct token_rules *rules = test_token_rules("");
	struct arena *arena = arena_new(1 << 16);
	struct text name;

	(void)state;
	assert_int_equal(token_check(rules, text_of(token), 1000, arena, &name), TOKEN_ISSUER);
	arena_free(arena);
	token_rules_unref(rules);
}

static void sets_without_a_good_key_are_refused(void **state)
{
	static const struct {
		const char *keys, *complaint;
	} sets[] = {
		{ "", "this is no JWK set" },
		{ "{\"keys\":{}}", "this is no JWK set" },
		{ "{\"keys\":[]}", "there is no key for RS256 or ES256" },
		{ "{\"keys\":[7]}", "a key is no object" },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\"}]}", "there is no key for RS256 or ES256" },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}", "a key is malformed" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"}]}", "a key is malformed" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
		  "5r8_zDD0hcAGdbq2gE3C8eI6a9t5ws9BBk0jRXQT_edLtTUgPlJmnYV1-to0eo42hORQJfHFOqg9R5i2bi1oByLlIm"
  		  "xs6fvpXdDXy_oSSmY2S-9Vf1hKKnmLYsd7xZUtrpHfn9kjSwPSwOEV-Te1FGMkRbxuID9TkDsbMIY7AHk"
		  "\"}]}", "an RSA key has less than 2048 bits" },
	};
	struct token_settings settings = {
		.issuer = TEXT("i"), .audiences = &settings.issuer, .audience_count = 1, .claim = TEXT("sub")
	};

	(void)state;
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		struct token_rules *rules = NULL;
		const char *complaint = "";

		settings.keys = text_of(sets[i].keys);
		assert_int_equal(token_rules_new(&settings, &rules, &complaint), ERR_SYNTAX);
		assert_string_equal(complaint, sets[i].complaint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_and_headers),
		cmocka_unit_test(a_scope_that_is_wanted_must_be_there),
		cmocka_unit_test(no_byte_can_be_changed),
		cmocka_unit_test(a_curve_signs_as_well),
		cmocka_unit_test(sets_without_a_good_key_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
