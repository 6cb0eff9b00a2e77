#include "conf/users.h"

#include <stdlib.h>

#include "mail/address.h"

enum { LINE_ARENA_BYTES = 16 << 10, NAME_LENGTH_MAX = ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX };

struct entry {
	struct text name;
	size_t line;
};

struct users {
	const char *file_name;
	struct arena *scratch; /* For one line. */
	struct entry *entries;
	size_t count;
	struct buffer *complaints;
	bool right;
};

static void complain(struct users *users, size_t line, const char *sentence)
{
	(void)!buffer_print(users->complaints, "%s:%zu: %s\n", users->file_name, line, sentence);
	users->right = false;
}

/* A local part, or an address. A slash would leave the folder of mailboxes, a colon end the name in its line. */
bool users_name_is_valid(struct text name, struct arena *scratch)
{
	struct address address;
	struct text whole = name;

	/* A NUL would end what is printed below, and hide the rest of the name from the grammar. */
	if (name.length > NAME_LENGTH_MAX || text_starts(name, TEXT("#")) || text_find_byte(name, '/') < name.length ||
	    text_find_byte(name, ':') < name.length || text_find_byte(name, '\0') < name.length)
		return false;
	if (text_find_byte(name, '@') == name.length && !arena_print(scratch, &whole, "%.*s@x", TEXT_FORMAT(name)))
		return false;
	return address_parse(whole, true, scratch, &address) == OK;
}

static void read_line(struct users *users, struct text line, size_t number, struct arena *arena)
{
	const struct text name = text_part(line, 0, text_find_byte(line, ':'));
	struct entry *entry = &users->entries[users->count];

	if (line.length == 0 || line.bytes[0] == '#')
		return;
	arena_reset(users->scratch);
	if (!users_name_is_valid(name, users->scratch)) {
		complain(users, number, "no user begins this line (hint: name:password, or name@domain:password)");
	} else if (!arena_copy(arena, name, &entry->name)) {
		complain(users, number, "more users than memory (hint: a shorter file)");
	} else {
		entry->line = number;
		users->count++;
	}
}

/* By name without case, then by line. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	const struct text x = left->name, y = right->name;

	for (size_t i = 0; i < x.length && i < y.length; i++) {
		const int order = (unsigned char)byte_lower(x.bytes[i]) - (unsigned char)byte_lower(y.bytes[i]);

		if (order != 0)
			return order;
	}
	if (x.length != y.length)
		return x.length < y.length ? -1 : 1;
	return left->line < right->line ? -1 : left->line > right->line;
}

/* Sorts the entries. */
static void complain_twice(struct users *users)
{
	qsort(users->entries, users->count, sizeof *users->entries, compare_entries);
	for (size_t i = 1; i < users->count; i++) {
		const struct entry *before = &users->entries[i - 1], *entry = &users->entries[i];

		if (!text_equal_nocase(before->name, entry->name))
			continue;
		(void)!buffer_print(users->complaints, "%s:%zu: %.*s stands in line %zu already (hint: keep one of them)\n",
		    users->file_name, entry->line, TEXT_FORMAT(entry->name), before->line);
		users->right = false;
	}
}

static size_t line_count(struct text text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.length; i++)
		lines += text.bytes[i] == '\n';
	return lines;
}

/* The entries in `users`, in the order of the file. False: no memory; a complaint was made. */
static bool read_lines(struct users *users, struct text text, struct arena *arena)
{
	const size_t lines = line_count(text);
	struct text line;

	if (lines > USERS_MAX) {
		complain(users, USERS_MAX, "more than a million lines (hint: a shorter file)");
		return false;
	}
	users->scratch = arena_new(LINE_ARENA_BYTES);
	users->entries = calloc(lines, sizeof *users->entries);
	if (users->entries == NULL || users->scratch == NULL) {
		complain(users, 1, "not enough memory (hint: a shorter file)");
		return false;
	}
	for (size_t number = 1; text_cut(&text, '\n', &line); number++)
		read_line(users, text_trim(line), number, arena);
	return true;
}

bool users_read(struct text text, const char *file_name, struct arena *arena, const struct text **out_names,
    size_t *out_count, struct buffer *complaints)
{
	struct users users = { .file_name = file_name, .complaints = complaints, .right = true };
	struct text *names = NULL;

	if (read_lines(&users, text, arena)) {
		names = arena_array(arena, users.count + 1, sizeof *names);
		if (names == NULL)
			complain(&users, 1, "not enough memory (hint: a shorter file)");
		for (size_t i = 0; names != NULL && i < users.count; i++)
			names[i] = users.entries[i].name;
		complain_twice(&users);
	}
	if (users.right) {
		*out_names = names;
		*out_count = users.count;
	}
	free(users.entries);
	arena_free(users.scratch);
	return users.right;
}

bool users_print_owners(struct text text, struct buffer *out)
{
	struct text line;

	while (text.length > 0 && text_cut(&text, '\n', &line)) {
		struct text rest = text_trim(line), name, password, uid_text, gid_text;
		uint64_t uid, gid;

		if (text_starts(rest, TEXT("#")) || !text_cut(&rest, ':', &name) || !text_cut(&rest, ':', &password) ||
		    !text_cut(&rest, ':', &uid_text))
			continue;
		gid_text = text_part(rest, 0, text_find_byte(rest, ':'));
		if (!text_to_u64(uid_text, &uid) || !text_to_u64(gid_text, &gid) || uid == 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
			continue;
		if (!buffer_print(out, "%.*s %u %u\n", TEXT_FORMAT(name), (unsigned)uid, (unsigned)gid))
			return false;
	}
	return true;
}
