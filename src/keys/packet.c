#include "keys/packet.h"

#include <string.h>

#include "auth/domain.h"
#include "base/pack.h"

/* The least of an entry: three texts and two moments. */
enum { ENTRY_BYTES_MIN = 3 * 2 + 2 * 8 };
enum { ARENA_BYTES = 256 << 20, KEY_BYTES_MAX = 16 << 10, ENTRY_BYTES_MAX = KEY_BYTES_MAX + 1024, MOMENT_BYTES = 8 };

/* -- packing ----------------------------------------------------------------- */

static bool pack_key(
    const struct planned_key *planned, const struct private_key *key, struct arena *arena, struct buffer *out)
{
	char room[ENTRY_BYTES_MAX];
	struct pack pack = { .room = room, .room_size = sizeof room };
	struct text pem;

	if (!private_key_print(key, arena, &pem))
		return false;
	pack_text(&pack, planned->domain, DOMAIN_BYTES_MAX);
	pack_text(&pack, planned->selector, DOMAIN_BYTES_MAX);
	pack_number(&pack, (uint64_t)planned->active_s, MOMENT_BYTES);
	pack_number(&pack, (uint64_t)planned->until_s, MOMENT_BYTES);
	pack_text(&pack, pem, KEY_BYTES_MAX);
	const bool packed = !pack.failed && buffer_append(out, (struct text){ room, pack.length });

	explicit_bzero((char *)pem.bytes, pem.length);
	explicit_bzero(room, sizeof room);
	return packed;
}

bool keys_pack(const char *path, int64_t now_s, struct buffer *out, struct buffer *complaints)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	struct keys_folder folder;
	bool right = arena != NULL && keys_folder_open(path, false, arena, &folder, complaints);

	if (!right) {
		arena_free(arena);
		return false;
	}
	for (size_t i = 0; i < folder.plan.count; i++) {
		const struct planned_key *planned = &folder.plan.keys[i];
		struct private_key *key;

		/* What has ended needs no key; what is new may be seen in DNS at any time, and is looked at now. */
		if (key_state_at(planned, now_s) >= KEY_RETIRING)
			continue;
		if (!keys_folder_read_key(&folder, planned, &key, complaints)) {
			right = false;
			continue;
		}
		if (planned->active_s != 0 && !pack_key(planned, key, arena, out))
			right = false;
		private_key_free(key);
	}
	keys_folder_close(&folder);
	arena_free(arena);
	return right;
}

/* -- unpacking --------------------------------------------------------------- */

static bool unpack_key(struct unpack *unpack, struct signing_key *out_key)
{
	out_key->domain = unpack_text(unpack, DOMAIN_BYTES_MAX);
	out_key->selector = unpack_text(unpack, DOMAIN_BYTES_MAX);
	out_key->from_s = (int64_t)unpack_number(unpack, MOMENT_BYTES);
	out_key->until_s = (int64_t)unpack_number(unpack, MOMENT_BYTES);
	const struct text pem = unpack_text(unpack, KEY_BYTES_MAX);

	if (out_key->until_s == 0)
		out_key->until_s = INT64_MAX;
	return !unpack->failed && private_key_read(pem, &out_key->key) == OK;
}

struct signing_keys *keys_unpack(struct text packet, const struct dkim_manner *manner)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	const size_t count_max = packet.length / ENTRY_BYTES_MIN < PLAN_KEYS_MAX ? packet.length / ENTRY_BYTES_MIN : PLAN_KEYS_MAX;
	struct signing_key *keys = arena ? arena_array(arena, count_max + 1, sizeof *keys) : NULL;
	struct unpack unpack = { .rest = packet };
	struct signing_keys *made = NULL;
	size_t count = 0;
	bool right = keys != NULL;

	while (right && unpack.rest.length > 0) {
		right = count < count_max && unpack_key(&unpack, &keys[count]);
		count += right;
	}
	if (right)
		made = signing_keys_new(keys, count, manner);
	else
		for (size_t i = 0; i < count; i++)
			private_key_free(keys[i].key);
	arena_free(arena);
	return made;
}
