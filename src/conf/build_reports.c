/* As whom we report to other domains, and what. */
#include "conf/build_private.h"
#include "conf/part.h"

enum { ORGANIZATION_MAX = 200 };

/* Whom reports are from when nobody is named: whoever reads the mail of the one who runs it (RFC 5321 §4.5.1). */
static struct address postmaster(const struct conf *conf)
{
	return (struct address){ TEXT("postmaster"), conf->domain_count > 0 ? conf->domains[0] : conf->hostname };
}

static void build_contact(const struct part *reports, struct conf *conf)
{
	struct reading *reading = reports->reading;
	const struct text contact = part_text(reports, "contact");
	struct address address = { TEXT(""), TEXT("") };

	conf->reports.contact = postmaster(conf);
	if (part_line(reports, "contact") == 0)
		return;
	if (address_parse(contact, false, reading->arena, &address) != OK || address.domain.length == 0)
		reading_complain(reading, part_line(reports, "contact"),
		    "reports contact = \"%.*s\" is not an address (hint: like postmaster@example.org)", TEXT_FORMAT(contact));
	else
		conf->reports.contact = address;
}

void conf_build_reports(struct reading *reading, struct conf *conf)
{
	const struct part reports = part_section(reading, "reports");

	conf->reports.tls = part_bool(&reports, "tls");
	conf->reports.dmarc = part_bool(&reports, "dmarc");
	conf->reports.failures = part_bool(&reports, "failures");
	conf->reports.organization = part_text(&reports, "organization");
	build_contact(&reports, conf);
	if (conf->reports.organization.length > ORGANIZATION_MAX)
		reading_complain(reading, part_line(&reports, "organization"), "reports organization is too long (hint: at most %d bytes)",
		    ORGANIZATION_MAX);
}
