/* Reports of TLS (RFC 8460). */
#include "dsn/tls_report.h"
#include "reports/reports_private.h"

_Static_assert((int)TLS_REPORT_PLACES_MAX <= (int)PLACES_MAX, "all places of a record are kept");
_Static_assert((int)TLS_RESULT_ROW_MAX <= (int)TALLY_ROW_BYTES_MAX, "each result is a row");

static bool is_on(const struct reports_settings *settings)
{
	return settings->tls;
}

static bool ask(struct lookup *lookup)
{
	return arena_print(lookup->arena, &lookup->question, "_smtp._tls.%.*s", TEXT_FORMAT(lookup->set->domain));
}

/* What is no record, or no good one, asks for nothing (RFC 8460 §3). */
static enum error answer(struct lookup *lookup, const struct text *records, size_t count, bool failed)
{
	if (failed)
		return ERR_TIMEOUT;

	const enum error error =
	    tls_report_record_choose(records, count, lookup->arena, lookup->places, &lookup->place_count);

	if (error == ERR_NO_MEMORY)
		return error;
	if (error != OK)
		lookup->place_count = 0;
	lookup->question = TEXT_EMPTY;
	return OK;
}

static bool compose(const struct day_report *day, struct buffer *out)
{
	struct tls_report_row *rows = arena_array(day->arena, day->row_count, sizeof *rows);
	struct tls_report report = { .organization = day->organization,
		.id = day->id,
		.domain = day->listed->set.domain,
		.start_ms = day->start_ms,
		.end_ms = day->end_ms,
		.rows = rows };

	if (rows == NULL || !address_print(&day->settings->contact, day->arena, &report.contact))
		return false;
	for (size_t i = 0; i < day->row_count; i++) {
		struct tls_report_row *row = &rows[report.row_count];

		row->count = day->rows[i].count;
		report.row_count += tls_result_decode(day->rows[i].bytes, &row->result);
	}
	return tls_report_compose(&report, out);
}

/* RFC 8460 §5.3. It says how our TLS fails, so that no failure of TLS may hold it up (§3): the field of RFC 8689 §5 says so. */
static bool dress(const struct day_report *day, struct report_mail *mail)
{
	const struct text domain = day->listed->set.domain, host = day->settings->hostname;

	mail->report_type = TEXT("tlsrpt");
	return arena_print(day->arena, &mail->fields,
		"TLS-Report-Domain: %.*s\r\nTLS-Report-Submitter: %.*s\r\nTLS-Required: No\r\n", TEXT_FORMAT(domain),
		TEXT_FORMAT(host)) &&
	    arena_print(day->arena, &mail->words,
		"This is an aggregate report of TLS from %.*s\r\nabout its sessions with the mail hosts of %.*s.\r\n",
		TEXT_FORMAT(host), TEXT_FORMAT(domain));
}

const struct report_kind report_kind_tls = { .kind = TALLY_TLS,
	.word = "tls",
	.is_on = is_on,
	.ask = ask,
	.answer = answer,
	.compose = compose,
	.media_type = "application/tlsrpt+gzip",
	.suffix = "json.gz",
	.tls_waived = true,
	.dress = dress };
