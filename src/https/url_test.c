#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "https/https.h"

static void urls_that_are_asked(void **state)
{
	static const struct {
		const char *url, *host;
		uint16_t port;
	} cases[] = {
		{ "https://mta-sts.example.net/.well-known/mta-sts.txt", "mta-sts.example.net", 443 },
		{ "HTTPS://Reports.Example.net", "Reports.Example.net", 443 },
		{ "https://a.b:8443/v1/tlsrpt?x=1@2:3", "a.b", 8443 },
		{ "https://a.b?x", "a.b", 443 },
		{ "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443 },
		{ "http://a.b/", NULL, 0 },
		{ "https:/a.b/", NULL, 0 },
		{ "https://", NULL, 0 },
		{ "https:///path", NULL, 0 },
		{ "https://localhost/", NULL, 0 },
		{ "https://192.0.2.1/", NULL, 0 },
		{ "https://127.1/", NULL, 0 },
		{ "https://127.0x1/", NULL, 0 },
		{ "https://[::1]/", NULL, 0 },
		{ "https://a..b/", NULL, 0 },
		{ "https://.a.b/", NULL, 0 },
		{ "https://a.b./", NULL, 0 },
		{ "https://user@a.b/", NULL, 0 },
		{ "https://a.b:c@d.e/", NULL, 0 },
		{ "https://a.b:0/", NULL, 0 },
		{ "https://a.b:/", NULL, 0 },
		{ "https://a.b:65536/", NULL, 0 },
		{ "https://a.b/#part", NULL, 0 },
		{ "https://a.b\\@c.d/", NULL, 0 },
		{ "https://a.b/ c", NULL, 0 },
		{ "https://a.b/\r\nX: y", NULL, 0 },
		{ "https://a%2eb/", NULL, 0 },
		{ "https://b\xc3\xbc"
		  "cher.example/",
		    NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text host = TEXT_EMPTY;
		uint16_t port = 0;
		const bool taken = https_url_split(text_of(cases[i].url), &host, &port);

		if (taken != (cases[i].host != NULL))
			fail_msg("%s was %s", cases[i].url, taken ? "taken" : "refused");
		assert_true(!taken || text_equal(host, text_of(cases[i].host)));
		assert_int_equal(port, cases[i].port);
	}
}

static void the_longest_urls(void **state)
{
	char url[HTTPS_URL_MAX + 2];
	struct text host;
	uint16_t port;

	(void)state;
	memset(url, 'a', sizeof url);
	memcpy(url, "https://a.b/", 12);
	assert_true(https_url_split((struct text){ url, HTTPS_URL_MAX }, &host, &port));
	assert_false(https_url_split((struct text){ url, HTTPS_URL_MAX + 1 }, &host, &port));
	memcpy(url, "https://a.ba", 12);
	assert_false(https_url_split((struct text){ url, 8 + HTTPS_HOST_MAX + 1 }, &host, &port));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_that_are_asked),
		cmocka_unit_test(the_longest_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
