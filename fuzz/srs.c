#include "target.h"

#include "auth/srs.h"

/* The input is a file of secrets, and a local part, which is taken as a sender's and as one that comes back. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	const int64_t now_ms = 86400000 * (int64_t)(choice + 1);
	struct srs_secrets secrets, given;
	struct address sender, rewritten, back;
	const char *why = NULL;
	size_t line;

	if (srs_secrets_parse(input, &given, &line, &why) != OK)
		must(why != NULL && line > 0);
	else
		must(given.count > 0 && given.count <= SRS_SECRETS_MAX);
	must(srs_secrets_parse(TEXT("known to the fuzzer\n"), &secrets, &line, &why) == OK);
	if (srs_reverse(&secrets, input, now_ms, arena, &back) == OK)
		must(srs_looks_like(input));

	/* What we made leads back, chains of forwarders included. */
	if (address_parse(input, true, arena, &sender) != OK || sender.domain.length == 0 ||
	    srs_forward(&secrets, TEXT("ours.test"), &sender, now_ms, arena, &rewritten) != OK)
		return;
	must(rewritten.local.length <= ADDRESS_LOCAL_MAX && srs_looks_like(rewritten.local));
	must(srs_reverse(&secrets, rewritten.local, now_ms, arena, &back) == OK);
	if (text_starts(rewritten.local, TEXT("SRS0")))
		must(text_equal(back.local, sender.local) && text_equal(back.domain, sender.domain));
	else
		must(text_starts(back.local, TEXT("SRS0")));
}
