#include "sasl/bearer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
	struct text response;
	enum error want;
	const char *authorization, *token;
} rows[] = {
	/* RFC 7628, section 4.1. */
	{ TEXT("n,a=user@example.com,\001host=server.example.com\001port=143\001auth=Bearer vF9dft4qmTc2Nvb3R=\001\001"), OK,
	    "user@example.com", "vF9dft4qmTc2Nvb3R=" },
	{ TEXT("n,,\001auth=bearer x.y.z\001\001"), OK, "", "x.y.z" },
	{ TEXT("y,a=a=2Cb=3Dc,\001auth=Bearer x\001\001"), OK, "a,b=c", "x" },
	{ TEXT("n,,\001\001"), OK, "", "" },
	{ TEXT("n,,\001auth=\001\001"), OK, "", "" },
	{ TEXT("n,,\001auth=Basic eDp5\001\001"), OK, "", "" },
	{ TEXT(""), ERR_SYNTAX, NULL, NULL },
	{ TEXT("\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,,"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("p=tls-exporter,,\001auth=Bearer x\001\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,b=x,\001auth=Bearer x\001\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,a=,\001auth=Bearer x\001\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,a=x=2D,\001auth=Bearer x\001\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,a=x=,\001auth=Bearer x\001\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,a=x\0y,\001auth=Bearer x\001\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,,auth=Bearer x\001\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,,\001auth=Bearer x\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,,\001auth=Bearer x"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,,\001auth\001\001"), ERR_SYNTAX, NULL, NULL },
	{ TEXT("n,,\001auth=Bearer x\001\001more"), ERR_SYNTAX, NULL, NULL },
};

static void what_clients_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 12);
		struct bearer bearer = { TEXT_EMPTY, TEXT_EMPTY };

		if (bearer_read(rows[i].response, arena, &bearer) != rows[i].want)
			fail_msg("row %zu", i);
		if (rows[i].want == OK && (!text_equal(bearer.authorization, text_of(rows[i].authorization)) ||
					      !text_equal(bearer.token, text_of(rows[i].token))))
			fail_msg("row %zu: %.*s, %.*s", i, TEXT_FORMAT(bearer.authorization), TEXT_FORMAT(bearer.token));
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_clients_say) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
