/* postroad verify, in three parts: what is asked (verify.c), finding it out (verify_run.c), saying it
 * (verify_report.c).
 *
 * Private to this folder. */
#ifndef CTL_VERIFY_H
#define CTL_VERIFY_H

#include <jansson.h>

#include "auth/auth_results.h"
#include "conf/conf.h"
#include "dns/dns.h"

struct verify_request {             /* Borrows the words and the configuration. */
	bool spf, dkim, arc, dmarc; /* What is wanted. */
	bool everything;            /* No method was named. */
	bool json;
	const char *file;       /* NULL: standard input. */
	bool has_message;       /* A message is to be read. */
	struct endpoint client; /* ENDPOINT_NONE: not given. */
	struct text helo, mail_from;
	bool has_mail_from;
	const char *zone; /* Empty: as the configuration says. */
	int64_t now_s;
	struct text from_domain, spf_pass_domain;
	struct text dkim_pass_domains[DMARC_IDENTIFIERS_MAX];
	size_t dkim_pass_count;
	struct text hostname;    /* Who verifies. */
	const struct conf *conf; /* NULL: there is none. */
};

struct verify_findings { /* NULL: not looked at. Lives in the arena, but for `queries`. */
	const struct iprev *iprev;
	const struct spf_verdict *spf;
	bool dkim_used;
	const struct dkim_finding *dkim;
	size_t dkim_count, dkim_ignored;
	const struct arc_verdict *arc;
	const struct dmarc_verdict *dmarc;
	json_t *queries; /* "TXT example.org", in the order of their answers. */
};

/* Find out. Returns an exit code; but for EX_OK it has been said why. The caller releases out_findings->queries
 * in any case. */
int verify_run(
    const struct verify_request *request, struct arena *arena, struct verify_findings *out_findings);

/* Who answers: the zone file, if `zone` or the configuration names one (both may say nothing), or else what the configuration
 * says of DNS. NULL with a static *out_reason. */
[[nodiscard]] struct dns *verify_resolver(
    const struct conf *conf, const char *zone, struct loop *loop, const char **out_reason);

/* Say it. Returns an exit code. */
int verify_report(const struct verify_request *request, const struct verify_findings *findings);

#endif
