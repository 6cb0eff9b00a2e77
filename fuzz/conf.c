#include "target.h"

#include "conf/conf.h"

void target(struct text input, [[maybe_unused]] unsigned choice, struct arena *arena)
{
	struct buffer complaints;
	struct text terminated;

	buffer_init(&complaints, 1 << 20);
	if (arena_copy(arena, input, &terminated)) {
		struct conf *conf = conf_load_text("postroad.conf", terminated.bytes, &complaints);

		must(conf != NULL || buffer_text(&complaints).length > 0);
		conf_free(conf);
	}
	buffer_done(&complaints);
}
