#include "target.h"

#include "dsn/tls_report.h"

/* The input is a record, and a row of a tally: what is read of the row goes into one again, and into a report. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct report_place places[TLS_REPORT_PLACES_MAX];
	struct tls_report_row rows[2] = { { .count = choice }, { .count = 1 } };
	char room[TLS_RESULT_ROW_MAX], again[TLS_RESULT_ROW_MAX];
	size_t count = 0;

	if (tls_report_record_choose(&input, 1, arena, places, &count) == OK)
		for (size_t i = 0; i < count; i++)
			must(places[i].kind == REPORT_BY_WEB ? places[i].url.length > 0 : places[i].address.domain.length > 0);
	if (!tls_result_decode(input, &rows[0].result))
		return;

	const struct text row = tls_result_encode(&rows[0].result, room);

	must(row.length <= sizeof room && tls_result_decode(row, &rows[1].result));
	must(text_equal(tls_result_encode(&rows[1].result, again), row));

	const struct tls_report report = { .organization = input, .contact = input, .id = input, .domain = input, .rows = rows, .row_count = 2 };
	struct buffer out;

	buffer_init(&out, TLS_REPORT_JSON_MAX);
	must(tls_report_compose(&report, &out));
	buffer_done(&out);
}
