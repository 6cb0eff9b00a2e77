#include "ctl/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { SILENT_MS = 1000, GAP_MS = 100, BAR_WIDTH = 20 };

struct progress progress_begin(const char *what, uint64_t total)
{
	return (struct progress){ .what = what, .total = total, .began_ms = clock_monotonic_ms(), .on_terminal = isatty(STDERR_FILENO) };
}

void progress_line(const struct progress *progress, uint64_t done, int64_t now, char room[PROGRESS_LINE_SIZE])
{
	static const char full[] = "====================";
	const uint64_t total = progress->total;
	const int64_t spent_ms = now - progress->began_ms;

	_Static_assert(sizeof full == BAR_WIDTH + 1);
	if (total == 0) {
		snprintf(room, PROGRESS_LINE_SIZE, "%" PRIu64 " %s", done, progress->what);
		return;
	}
	const double share = done < total ? (double)done / (double)total : 1;
	const int bar = (int)(share * BAR_WIDTH);
	int length = snprintf(room, PROGRESS_LINE_SIZE, "%3d %%  [%.*s%*s]  %" PRIu64 " of %" PRIu64 " %s", (int)(share * 100), bar, full,
	    BAR_WIDTH - bar, "", done, total, progress->what);

	if (share > 0 && share < 1 && length > 0 && length < PROGRESS_LINE_SIZE)
		snprintf(room + length, (size_t)(PROGRESS_LINE_SIZE - length), ", %" PRId64 " s left",
		    (int64_t)((double)spent_ms * (1 - share) / share / 1000) + 1);
}

void progress_show(struct progress *progress, uint64_t done)
{
	char line[PROGRESS_LINE_SIZE];
	const int64_t now = progress->on_terminal ? clock_monotonic_ms() : 0;

	if (!progress->on_terminal || now - progress->began_ms < SILENT_MS || now - progress->shown_ms < GAP_MS)
		return;
	progress_line(progress, done, now, line);
	fprintf(stderr, "\r%s\033[K", line);
	fflush(stderr);
	progress->shown_ms = now;
	progress->visible = true;
}

void progress_end(struct progress *progress)
{
	if (progress->visible)
		fputs("\r\033[K", stderr);
	progress->visible = false;
}
