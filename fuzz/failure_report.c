#include "target.h"

#include "dsn/failure_report.h"

/* The input is a header, a sender and a selector: whatever they are, the report is 7-bit, bounded, and names nobody. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	const struct auth_failure failure = { .domain = TEXT("a.test"), .author = TEXT("a.test"), .client = TEXT("192.0.2.1"),
		.sender = text_part(input, 0, text_find_line_end(input)), .results = TEXT(" mx.test; dmarc=fail\r\n"), .delivery = "spam",
		.dkim_aligned = choice & 1, .dkim_domain = choice & 2 ? input : TEXT_EMPTY, .dkim_selector = input, .header = input };
	struct report_part parts[FAILURE_PARTS];
	struct report_mail mail = { 0 };

	if (!failure_report_dress(&failure, arena, parts, &mail))
		return;
	for (size_t i = 0; i < mail.part_count; i++) {
		struct text rest = parts[i].content, line;

		must(rest.length <= FAILURE_HEADER_MAX && text_is_ascii(rest) && text_find_byte(rest, '\0') == rest.length);
		while (text_cut(&rest, '\n', &line)) {
			const size_t at = text_find_byte(line, '@');
			const struct text before = text_part(line, 0, at);

			if (at == line.length || text_starts_nocase(line, TEXT("Message-ID")) || i == 0)
				continue;
			must(text_ends(before, TEXT("redacted")) || before.length == 0 ||
			    strchr(" \t<(,;:=[?\r", before.bytes[before.length - 1]) != NULL);
		}
	}
}
