#include "target.h"

#include "base/base64.h"
#include "sasl/bearer.h"
#include "sasl/test_token.h"

static void read_keys(struct text input)
{
	const struct token_settings settings = {
		.keys = input, .issuer = TEXT("i"), .audiences = &settings.issuer, .audience_count = 1, .claim = TEXT("email")
	};
	struct token_rules *rules;
	const char *complaint = NULL;

	if (token_rules_new(&settings, &rules, &complaint) == OK)
		token_rules_unref(rules);
	else
		must(complaint != NULL);
}

/* A token, what a client says, a set of keys, or claims that the provider signs. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct token_rules *rules = test_token_rules("smtp");
	struct text name = TEXT_EMPTY;
	struct bearer bearer;

	switch (choice % 4) {
	case 0:
		must(token_check(rules, input, 1000, arena, &name) != TOKEN_GOOD);
		break;
	case 1:
		if (bearer_read(input, arena, &bearer) == OK)
			must(bearer.token.length < input.length);
		break;
	case 2:
		read_keys(input);
		break;
	case 3:
		if (arena_copy(arena, input, &input) && strlen(input.bytes) == input.length &&
		    token_check(rules, test_token_sign("{\"alg\":\"RS256\"}", input.bytes, arena), 1000, arena, &name) == TOKEN_GOOD)
			must(name.length > 0);
		break;
	}
	token_rules_unref(rules);
}
