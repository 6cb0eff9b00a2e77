/* Prints a sample report, for the parsers of others: dsn_sample NAME */
#include <stdio.h>
#include <string.h>

#include "dsn/sample.h"

static int print_sample(const struct dsn_report *report)
{
	struct buffer out;

	buffer_init(&out, DSN_REPORT_MAX);

	const bool ok = dsn_compose(report, &out) && fwrite(out.bytes + out.start, 1, out.length, stdout) == out.length;

	buffer_done(&out);
	return ok ? 0 : 1;
}

int main(int argument_count, char **arguments)
{
	for (unsigned i = 0; argument_count == 2 && i < DSN_SAMPLE_COUNT; i++)
		if (strcmp(arguments[1], dsn_sample_name(i)) == 0)
			return print_sample(dsn_sample(i));
	fputs("usage: dsn_sample NAME; one of:", stderr);
	for (unsigned i = 0; i < DSN_SAMPLE_COUNT; i++)
		fprintf(stderr, " %s", dsn_sample_name(i));
	fputs("\n", stderr);
	return 64;
}
