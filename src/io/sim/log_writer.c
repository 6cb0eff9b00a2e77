/* io/log_writer.h: the log is part of the trace. */
#include "io/log_writer.h"

#include <stdlib.h>

#include "io/sim/world_private.h"

struct log_writer {
	struct sim_world *world;
};

enum error log_writer_open(const struct log_writer_settings *settings, struct log_writer **out_writer)
{
	struct log_writer *writer = calloc(1, sizeof *writer);

	(void)settings;
	if (writer == NULL)
		return ERR_NO_MEMORY;
	writer->world = sim_world_here();
	*out_writer = writer;
	return OK;
}

void log_writer_close(struct log_writer *writer)
{
	free(writer);
}

void log_writer_write(struct log_writer *writer, struct text line)
{
	/* The trace has its own time. */
	const size_t blank = text_find_byte(line, ' ');

	line = text_from(line, blank < line.length ? blank + 1 : 0);
	sim_tell(writer->world, "%.*s", TEXT_FORMAT(line));
}

void log_writer_reopen(struct log_writer *writer)
{
	(void)writer;
}
