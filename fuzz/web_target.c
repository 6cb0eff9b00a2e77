#include "target.h"

#include "web/target.h"

static bool is_within(struct text part, struct text whole)
{
	return part.length == 0 || (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length);
}

/* A method, a path, a Host and an Origin field, with spaces between them. */
void target(struct text input, [[maybe_unused]] unsigned choice, [[maybe_unused]] struct arena *arena)
{
	struct web_target found;
	struct text method = TEXT_EMPTY, path = TEXT_EMPTY, host = TEXT_EMPTY;

	text_cut(&input, ' ', &method);
	text_cut(&input, ' ', &path);
	text_cut(&input, ' ', &host);
	if (web_target_find(method, path, &found) == WEB_FOUND) {
		must(found.endpoint != NULL && is_within(found.first, path) && is_within(found.second, path));
		must(text_find_byte(found.first, '/') == found.first.length);
	}
	(void)web_host_is_local(host);
	if (web_origin_is_host(input, host))
		must(text_equal_nocase(text_from(input, input.length - host.length), host));
}
