#include "target.h"

#include "web/tokens.h"

void target(struct text input, [[maybe_unused]] unsigned choice, [[maybe_unused]] struct arena *arena)
{
	struct buffer complaints;
	struct text name;

	buffer_init(&complaints, 1 << 20);
	struct web_tokens *tokens = web_tokens_new("tokens", input, &complaints);

	must((tokens == NULL) == (buffer_text(&complaints).length > 0));
	if (tokens != NULL)
		must((web_tokens_scopes(tokens, TEXT("secret"), &name) & ~(unsigned)WEB_EVERYTHING) == 0);
	web_tokens_free(tokens);
	buffer_done(&complaints);
}
