#include "target.h"

#include "dsn/dmarc_report.h"
#include "reports/dmarc_places.h"

/* The input is a row of a tally: what is read of it goes into one again, and into a report. */
static void report(struct text input, unsigned choice)
{
	struct dmarc_report_row rows[2] = { { .count = choice }, { .count = 1 } };
	char room[DMARC_RESULT_ROW_MAX], again[DMARC_RESULT_ROW_MAX];
	struct buffer out;

	if (!dmarc_result_decode(input, &rows[0].result))
		return;

	const struct text row = dmarc_result_encode(&rows[0].result, room);

	must(row.length <= sizeof room && dmarc_result_decode(row, &rows[1].result));
	must(text_equal(dmarc_result_encode(&rows[1].result, again), row));

	const struct dmarc_report report = { .organization = input, .contact = input, .id = input, .generator = input,
		.domain = input, .unlisted = choice, .rows = rows, .row_count = 2 };

	buffer_init(&out, 1 << 20);
	must(dmarc_report_compose(&report, &out));
	must(text_find_byte(buffer_text(&out), '\0') == out.length);
	buffer_done(&out);
}

/* And the record of every name that the choice picks, when somebody is looked for who gets it. */
static void find_places(struct text input, unsigned choice, struct arena *arena)
{
	const struct answer_record record = { .text = input };
	struct dmarc_places places;
	struct question question;
	unsigned asked = 0;

	dmarc_places_start(&places, choice & 1 ? DMARC_AGGREGATE : DMARC_FAILURE, TEXT("a.b.test"), arena);
	for (; dmarc_places_question(&places, &question); asked++) {
		must(asked < DMARC_QUERIES_MAX + DMARC_PLACES_MAX * (DMARC_QUERIES_MAX + 1));
		const bool found = asked == 0 || (choice >> (1 + asked % 7) & 1) != 0;

		dmarc_places_answer(&places, &(struct answer){ found ? ANSWER_FOUND : ANSWER_ABSENT, &record, found });
	}
	must(places.count <= DMARC_PLACES_MAX);
	for (size_t i = 0; i < places.count; i++)
		must(places.places[i].kind == REPORT_BY_MAIL && places.places[i].address.domain.length > 0);
}

void target(struct text input, unsigned choice, struct arena *arena)
{
	report(input, choice);
	find_places(input, choice, arena);
}
