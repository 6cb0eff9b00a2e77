#include "target.h"

#include "conf/users.h"

void target(struct text input, [[maybe_unused]] unsigned choice, struct arena *arena)
{
	const struct text *names;
	struct buffer complaints;
	size_t count = 0;

	buffer_init(&complaints, 1 << 20);
	if (!users_read(input, "users", arena, &names, &count, &complaints))
		must(buffer_text(&complaints).length > 0);
	buffer_done(&complaints);
}
