#include "target.h"

#include "sasl/dovecot.h"

void target(struct text input, [[maybe_unused]] unsigned choice, struct arena *arena)
{
	struct dovecot_line line;
	struct text text;

	while (text_cut(&input, '\n', &text)) {
		if (dovecot_line_read(text, arena, &line) != OK)
			return;
		must(line.word != DOVECOT_OK || (line.user.length > 0 && line.user.length <= SASL_NAME_MAX));
		must(line.bytes.length <= SASL_BYTES_MAX);
		arena_reset(arena);
	}
}
