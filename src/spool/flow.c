#include "spool/flow.h"

#include <xxhash.h>

static bool is_mark(char c)
{
	return c == '-' || c == '_' || c == '.';
}

struct text flow_local_part(struct text local)
{
	size_t end = 0;

	while (end < local.length && !byte_is_digit(local.bytes[end]) && local.bytes[end] != '+' && local.bytes[end] != '=')
		end++;
	if (end == local.length)
		return local;
	for (size_t mark = end; mark > 0; mark--)
		if (is_mark(local.bytes[mark - 1]))
			return text_part(local, 0, mark);
	return text_part(local, 0, end);
}

/* Without case, which no server of today minds. */
static uint64_t hash_nocase(struct text text, uint64_t seed)
{
	char room[ADDRESS_DOMAIN_MAX];
	const size_t length = text.length < sizeof room ? text.length : sizeof room;

	for (size_t i = 0; i < length; i++)
		room[i] = byte_lower(text.bytes[i]);
	return XXH3_64bits_withSeed(room, length, seed);
}

struct flow flow_of(const struct envelope *envelope)
{
	const struct address *path = &envelope->reverse_path;
	const uint64_t hash = envelope->user.length > 0
	    ? hash_nocase(envelope->user, 1)
	    : hash_nocase(path->domain, hash_nocase(flow_local_part(path->local), 2));

	return (struct flow){ .sender = (uint32_t)hash, .priority = envelope->priority };
}
