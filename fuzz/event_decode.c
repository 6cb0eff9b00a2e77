#include "target.h"

#include "events/event.h"

void target(struct text input, unsigned choice, [[maybe_unused]] struct arena *arena)
{
	struct buffer out;
	struct event event;

	buffer_init(&out, 16 << 20);
	if (event_decode(choice, input, &event) == OK) {
		must(event_print_text(&event, &out) &&
		    text_find_byte(buffer_text(&out), '\n') == buffer_text(&out).length);
		buffer_clear(&out);
		must(event_print_json(&event, &out) && text_is_utf8(buffer_text(&out)));
	}
	buffer_done(&out);
}
