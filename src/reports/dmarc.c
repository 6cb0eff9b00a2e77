/* Reports of DMARC (RFC 9990). */
#include "dsn/dmarc_report.h"
#include "reports/dmarc_places.h"
#include "reports/reports_private.h"

_Static_assert((int)DMARC_PLACES_MAX <= (int)PLACES_MAX, "all places of a record are kept");
_Static_assert((int64_t)TALLY_ROWS_MAX * DMARC_REPORT_RECORD_MAX < (int64_t)REPORT_BYTES_MAX, "every row has room");

static bool is_on(const struct reports_settings *settings)
{
	return settings->dmarc;
}

/* Its next question, or what was found. */
static enum error go_on(struct lookup *lookup)
{
	const struct dmarc_places *places = lookup->state;
	struct question question;

	if (dmarc_places_question(places, &question)) {
		lookup->question = question.name;
		return OK;
	}
	/* Of several, those that answer get it. */
	if (places->count == 0 && places->failed)
		return ERR_TIMEOUT;
	lookup->question = TEXT_EMPTY;
	memcpy(lookup->places, places->places, places->count * sizeof places->places[0]);
	lookup->place_count = places->count;
	return OK;
}

static bool ask(struct lookup *lookup)
{
	struct dmarc_places *places = arena_alloc(lookup->arena, sizeof *places);

	if (places == NULL)
		return false;
	lookup->state = places;
	dmarc_places_start(places, DMARC_AGGREGATE, lookup->set->domain, lookup->arena);
	return go_on(lookup) == OK;
}

static enum error answer(struct lookup *lookup, const struct text *records, size_t count, bool failed)
{
	struct answer_record *texts = arena_array(lookup->arena, count + 1, sizeof *texts);
	struct answer heard = { .status = failed ? ANSWER_FAILED : count > 0 ? ANSWER_FOUND : ANSWER_ABSENT,
		.records = texts,
		.count = count };

	if (texts == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		texts[i].text = records[i];
	dmarc_places_answer(lookup->state, &heard);
	return go_on(lookup);
}

static bool compose(const struct day_report *day, struct buffer *out)
{
	struct dmarc_report_row *rows = arena_array(day->arena, day->row_count, sizeof *rows);
	struct dmarc_report report = { .organization = day->organization,
		.id = day->id,
		.generator = TEXT("postroad " POSTROAD_VERSION),
		.domain = day->listed->set.domain,
		.start_ms = day->start_ms,
		.end_ms = day->end_ms,
		.unlisted = day->listed->sum.overflow,
		.rows = rows };

	if (rows == NULL || !address_print(&day->settings->contact, day->arena, &report.contact))
		return false;
	for (size_t i = 0; i < day->row_count; i++) {
		struct dmarc_report_row *row = &rows[report.row_count];

		row->count = day->rows[i].count;
		report.row_count += dmarc_result_decode(day->rows[i].bytes, &row->result);
	}
	return report.row_count > 0 && dmarc_report_compose(&report, out);
}

/* RFC 9990 §3.5 */
static bool dress(const struct day_report *day, struct report_mail *mail)
{
	const struct text domain = day->listed->set.domain, host = day->settings->hostname;

	return arena_print(day->arena, &mail->words,
		"This is an aggregate report of DMARC from %.*s\r\nabout mail in the name of %.*s.\r\n",
		TEXT_FORMAT(host), TEXT_FORMAT(domain));
}

const struct report_kind report_kind_dmarc = { .kind = TALLY_DMARC,
	.word = "dmarc",
	.is_on = is_on,
	.ask = ask,
	.answer = answer,
	.compose = compose,
	.media_type = "application/gzip",
	.suffix = "xml.gz",
	.dress = dress };
