/* Prints the documents that come from the tables of options, for the build of docs/.
 *
 *     conf_manual            postroad.conf(5) as mdoc
 *     conf_manual --sample   the annotated sample file */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "conf/conf.h"

enum { DOCUMENT_BYTES_MAX = 1 << 20 };

int main(int count, char **words)
{
	const bool sample = count == 2 && strcmp(words[1], "--sample") == 0;
	struct buffer out;
	bool ok;

	if (count > 2 || (count == 2 && !sample)) {
		fputs("usage: conf_manual [--sample]\n", stderr);
		return EX_USAGE;
	}
	buffer_init(&out, DOCUMENT_BYTES_MAX);
	ok = sample ? conf_print_sample(&out) : conf_print_manual(&out);
	ok = ok && fwrite(out.bytes + out.start, 1, out.length, stdout) == out.length && fflush(stdout) == 0;
	buffer_done(&out);
	return ok ? EX_OK : EX_IOERR;
}
