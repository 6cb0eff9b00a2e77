#include "target.h"

#include "sasl/password.h"

void target(struct text input, [[maybe_unused]] unsigned choice, [[maybe_unused]] struct arena *arena)
{
	struct password_scram scram;
	enum password_scheme scheme;
	struct text rest;

	if (password_split(input, &scheme, &rest) && scheme >= PASSWORD_SCRAM_SHA1)
		must(password_scram_split(rest, &scram) && scram.iterations > 0);
}
