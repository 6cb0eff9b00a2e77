/* The words in which SPF, DKIM, DMARC, ARC and iprev judge (RFC 8601 §2.7). */
#ifndef AUTH_RESULT_H
#define AUTH_RESULT_H

#include "base/text.h"

#define AUTH_RESULTS(RESULT)           \
	RESULT(NONE, "none")           \
	RESULT(NEUTRAL, "neutral")     \
	RESULT(PASS, "pass")           \
	RESULT(FAIL, "fail")           \
	RESULT(SOFTFAIL, "softfail")   \
	RESULT(POLICY, "policy")       \
	RESULT(TEMPERROR, "temperror") \
	RESULT(PERMERROR, "permerror")

enum auth_result {
#define RESULT(name, word) AUTH_##name,
	AUTH_RESULTS(RESULT)
#undef RESULT
	    AUTH_RESULT_COUNT
};

/* The word of a result. Static. */
static inline const char *auth_result_word(enum auth_result result)
{
	static const char *const words[] = {
#define RESULT(name, word) word,
		AUTH_RESULTS(RESULT)
#undef RESULT
	};
	return words[result];
}

#endif
