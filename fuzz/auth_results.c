#include "target.h"

#include "auth/auth_results.h"

/* What we say of whatever name is read back as ours; and any field can be asked about. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	const struct text name = text_part(input, 0, choice);
	const struct spf_verdict spf = { .domain = input, .reason = name };
	const struct auth_results results = { .authserv_id = TEXT("mx.test"), .spf = &spf };
	struct header_field field;
	struct buffer out;

	(void)arena;
	(void)auth_results_claims(input, name);
	buffer_init(&out, 1 << 20);
	must(auth_results_compose(&results, &out));
	struct text rest = buffer_text(&out);
	must(header_next(&rest, &field) && rest.length == 0 &&
	    auth_results_claims(field.value, TEXT("mx.test")));
	buffer_done(&out);
}
