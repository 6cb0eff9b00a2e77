#include "target.h"

#include "route/sts_policy.h"

/* The input is a record, and the policy that it leads to. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct sts_policy policy;
	struct text id, rest, pattern;
	const char *why = NULL;

	(void)choice;
	if (sts_record_choose(&input, 1, &id) == OK)
		must(id.length > 0 && id.length <= STS_ID_MAX);
	if (sts_policy_parse(input, arena, &policy, &why) != OK) {
		must(why != NULL);
		return;
	}
	must(policy.max_age_s <= STS_AGE_S_MAX && policy.patterns.length <= STS_PATTERNS_MAX);
	rest = policy.patterns;
	while (sts_pattern_cut(&rest, &pattern)) {
		must(pattern.length > 0);
		must(text_starts(pattern, TEXT("*.")) || sts_policy_allows(&policy, pattern));
	}
}
