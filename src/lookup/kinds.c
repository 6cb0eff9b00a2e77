/* The evaluators, without their types. */
#include "auth/arc.h"
#include "auth/dkim.h"
#include "auth/dmarc.h"
#include "auth/dns_list.h"
#include "auth/iprev.h"
#include "auth/spf.h"
#include "lookup/lookup.h"

#define KIND(name, type)                                                              \
	static bool name##_asks(const void *evaluator, struct question *out_question) \
	{                                                                             \
		return name##_question((const type *)evaluator, out_question);        \
	}                                                                             \
	static void name##_hears(void *evaluator, const struct answer *answer)        \
	{                                                                             \
		name##_answer((type *)evaluator, answer);                             \
	}                                                                             \
	const struct lookup_kind lookup_##name = { name##_asks, name##_hears };

KIND(spf, struct spf)
KIND(iprev, struct iprev)
KIND(dkim, struct dkim)
KIND(arc, struct arc)
KIND(dmarc, struct dmarc)
KIND(dns_list, struct dns_list)
