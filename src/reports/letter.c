/* The report of an errand as a message. */
#include "reports/outgoing.h"
#include "reports/reports_private.h"

_Static_assert((int)PLACES_MAX <= (int)OUTGOING_PLACES_MAX, "a letter goes to all places of a record");

/* RFC 8460 §5.3 and RFC 9990 §3.5 want the same. */
static bool address_letter(const struct report_kind *kind, const struct day_report *day, struct report_mail *mail)
{
	const struct text domain = day->listed->set.domain, host = day->settings->hostname;

	mail->media_type = text_of(kind->media_type);
	return arena_print(day->arena, &mail->subject, "Report Domain: %.*s Submitter: %.*s Report-ID: <%.*s>",
		   TEXT_FORMAT(domain), TEXT_FORMAT(host), TEXT_FORMAT(day->id)) &&
	    arena_print(day->arena, &mail->filename, "%.*s!%.*s!%lld!%lld.%s", TEXT_FORMAT(host), TEXT_FORMAT(domain),
		(long long)day->start_ms / 1000, (long long)day->end_ms / 1000, kind->suffix);
}

bool letter_put(struct errand *errand, const struct day_report *report, struct spool_change *change)
{
	struct reports *reports = errand->reports;
	const struct lookup *lookup = &errand->lookup;
	struct address to[PLACES_MAX];
	struct report_mail mail = { .hostname = reports->settings.hostname,
		.now_ms = reports_now_ms(reports),
		.from_name = reports->settings.organization,
		.from = reports->settings.contact,
		.to = to,
		.content = buffer_text(&errand->packed) };
	const struct outgoing outgoing = { .signing = reports->signing,
		.mail = &mail,
		.flags = errand->kind->tls_waived ? ENVELOPE_TLS_WAIVED : 0,
		.arena = errand->arena };

	mail.id = queue_id_next(reports->parts.ids, mail.now_ms);
	for (size_t i = 0; i < lookup->place_count; i++)
		if (lookup->places[i].kind == REPORT_BY_MAIL)
			to[mail.to_count++] = lookup->places[i].address;
	return address_letter(errand->kind, report, &mail) && errand->kind->dress(report, &mail) &&
	    outgoing_put(&outgoing, change, &errand->generated);
}
