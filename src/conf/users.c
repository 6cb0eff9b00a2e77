#include "conf/users.h"

#include "mail/address.h"

static bool name_valid(struct text name, struct arena *arena)
{
	struct address address;
	struct text whole = name;

	if (text_find_byte(name, '@') == name.length && !arena_print(arena, &whole, "%.*s@x", TEXT_FORMAT(name)))
		return false;
	return address_parse(whole, true, arena, &address) == OK && text_find_byte(name, '/') == name.length;
}

static size_t count_lines(struct text text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.length; i++)
		count += text.bytes[i] == '\n';
	return count;
}

bool users_read(struct text text, const char *file_name, struct arena *arena, const struct text **out_names,
    size_t *out_count, struct buffer *complaints)
{
	const size_t lines = count_lines(text);
	struct text *names = lines <= USERS_MAX ? arena_array(arena, lines, sizeof *names) : NULL;
	struct text line;
	size_t count = 0;
	bool right = true;

	if (names == NULL) {
		(void)!buffer_print(complaints, "%s: more than %d users\n", file_name, USERS_MAX);
		return false;
	}
	for (size_t number = 1; text_cut(&text, '\n', &line); number++) {
		line = text_trim(line);
		if (line.length == 0 || line.bytes[0] == '#')
			continue;
		const struct text name = text_part(line, 0, text_find_byte(line, ':'));

		if (!name_valid(name, arena) || !arena_copy(arena, name, &names[count])) {
			(void)!buffer_print(complaints, "%s:%zu: \"%.*s\" is no user (hint: name:password, or name@domain:password)\n",
			    file_name, number, TEXT_FORMAT(name));
			right = false;
			continue;
		}
		count++;
	}
	*out_names = names;
	*out_count = count;
	return right;
}
