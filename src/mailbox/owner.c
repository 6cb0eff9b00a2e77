#include "mailbox/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/must.h"

/* -- Acting as ------------------------------------------------------------------ */

/* The calls tell only who it was before; asking for nobody (-1) changes nothing. */
static bool is_now(uid_t uid, gid_t gid)
{
	return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid;
}

static void become(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
}

bool owner_enter(const struct owner *owner)
{
	if (!owner->differs)
		return true;
	become(owner->uid, owner->gid);
	if (is_now(owner->uid, owner->gid))
		return true;
	owner_leave(owner);
	return false;
}

void owner_leave(const struct owner *owner)
{
	if (!owner->differs)
		return;
	become(geteuid(), getegid());
	must(is_now(geteuid(), getegid())); /* To go on as somebody else would be worse than to end. */
}

/* -- Who owns what ---------------------------------------------------------------- */

enum { ARENA_BYTES = 256 << 20, NAME_MAX_LENGTH = 2 * MAILBOX_PART_MAX + 1 };

struct entry {
	struct text name;
	struct owner owner;
};

struct owners {
	struct arena *arena;
	struct entry *entries; /* By name. */
	size_t count;
	struct owner others;
};

static int compare(const void *a, const void *b)
{
	const struct text left = ((const struct entry *)a)->name, right = ((const struct entry *)b)->name;
	const size_t shorter = left.length < right.length ? left.length : right.length;
	const int order = shorter > 0 ? memcmp(left.bytes, right.bytes, shorter) : 0;

	return order != 0 ? order : (left.length > right.length) - (left.length < right.length);
}

static bool read_line(struct text line, struct arena *arena, struct entry *out_entry)
{
	struct text name, uid_text;
	uint64_t uid, gid;

	if (!text_cut(&line, ' ', &name) || !text_cut(&line, ' ', &uid_text) || !text_to_u64(uid_text, &uid) ||
	    !text_to_u64(line, &gid) || uid >= UINT32_MAX || gid >= UINT32_MAX || name.length == 0 ||
	    !arena_copy(arena, name, &out_entry->name))
		return false;
	out_entry->owner = (struct owner){ .differs = true, .uid = (uid_t)uid, .gid = (gid_t)gid };
	return true;
}

static enum error read_lines(struct owners *owners, struct text lines)
{
	size_t count = 0;
	struct text line;

	for (size_t i = 0; i < lines.length; i++)
		count += lines.bytes[i] == '\n';
	owners->entries = arena_array(owners->arena, count + 1, sizeof *owners->entries);
	if (owners->entries == NULL)
		return ERR_NO_MEMORY;
	while (owners->count < count && text_cut(&lines, '\n', &line))
		if (!read_line(line, owners->arena, &owners->entries[owners->count++]))
			return ERR_SYNTAX;
	qsort(owners->entries, owners->count, sizeof *owners->entries, compare);
	return OK;
}

enum error owners_new(struct text lines, const struct owner *others, struct owners **out_owners)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	struct owners *owners = arena ? arena_alloc(arena, sizeof *owners) : NULL;

	if (owners == NULL) {
		arena_free(arena);
		return ERR_NO_MEMORY;
	}
	*owners = (struct owners){ .arena = arena, .others = *others };
	const enum error error = read_lines(owners, lines);

	if (error == OK)
		*out_owners = owners;
	else
		owners_free(owners);
	return error;
}

void owners_free(struct owners *owners)
{
	if (owners != NULL)
		arena_free(owners->arena);
}

static const struct entry *find(const struct owners *owners, struct text name)
{
	const struct entry key = { .name = name };

	return owners->count > 0 ? bsearch(&key, owners->entries, owners->count, sizeof key, compare) : NULL;
}

struct owner owners_find(const struct owners *owners, const struct mailbox_parts *parts)
{
	char room[NAME_MAX_LENGTH + 1];
	const struct entry *entry = NULL;

	if (parts->user.length + parts->domain.length < NAME_MAX_LENGTH) {
		const int length = snprintf(room, sizeof room, "%.*s@%.*s", TEXT_FORMAT(parts->user), TEXT_FORMAT(parts->domain));

		entry = find(owners, (struct text){ room, (size_t)length });
	}
	if (entry == NULL)
		entry = find(owners, parts->user);
	return entry != NULL ? entry->owner : owners->others;
}
