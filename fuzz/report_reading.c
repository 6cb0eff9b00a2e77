#include "target.h"

#include "reports/findings.h"

/* The input is a file that somebody sent as a report. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct findings *findings = findings_new();
	struct dmarc_reading dmarc;
	struct tls_reading tls;
	struct text trouble = TEXT_EMPTY;
	size_t found = 0;
	json_t *sum;

	must(findings != NULL);
	if (choice % 3 == 0 && dmarc_reading_make(input, arena, &dmarc, &trouble) == OK)
		must(dmarc.domain.length > 0 && text_is_utf8(dmarc.organization) && findings_dmarc(findings, &dmarc));
	if (choice % 3 == 1 && tls_reading_make(input, arena, &tls, &trouble) == OK)
		must(tls.policies != NULL && tls.policies->domain.length > 0 && findings_tls(findings, &tls));
	if (choice % 3 == 2)
		must(findings_file(findings, TEXT("file"), input, &found));
	sum = findings_sum(findings);
	must(sum != NULL);
	json_decref(sum);
	findings_free(findings);
}
