#include "keys/packet.h"

#include <string.h>

#include "auth/domain.h"
#include "base/pack.h"

/* The least of an entry: three texts, a kind and five moments. */
enum { MOMENTS = 5, MOMENT_BYTES = 8, ENTRY_BYTES_MIN = 3 * 2 + 1 + MOMENTS * MOMENT_BYTES };
enum { ARENA_BYTES = 256 << 20, KEY_BYTES_MAX = 16 << 10, ENTRY_BYTES_MAX = KEY_BYTES_MAX + 1024 };

/* -- packing ----------------------------------------------------------------- */

/* `key` NULL: only what is planned. */
static bool pack_key(
    const struct planned_key *planned, const struct private_key *key, struct arena *arena, struct buffer *out)
{
	const int64_t moments[MOMENTS] = { planned->made_s, planned->seen_s, planned->active_s, planned->until_s, planned->removed_s };
	char room[ENTRY_BYTES_MAX];
	struct pack pack = { .room = room, .room_size = sizeof room };
	struct text pem = TEXT_EMPTY;

	if (key != NULL && !private_key_print(key, arena, &pem))
		return false;
	pack_text(&pack, planned->domain, DOMAIN_BYTES_MAX);
	pack_text(&pack, planned->selector, DOMAIN_BYTES_MAX);
	pack_number(&pack, planned->kind, 1);
	for (size_t i = 0; i < MOMENTS; i++)
		pack_number(&pack, (uint64_t)moments[i], MOMENT_BYTES);
	pack_text(&pack, pem, KEY_BYTES_MAX);
	const bool packed = !pack.failed && buffer_append(out, (struct text){ room, pack.length });

	if (pem.length > 0)
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
		struct private_key *key = NULL;

		/* What has ended needs no key; what is new may be seen in DNS at any time, and is looked at now. */
		if (key_state_at(planned, now_s) < KEY_RETIRING && !keys_folder_read_key(&folder, planned, &key, complaints))
			right = false;
		if (!pack_key(planned, planned->active_s != 0 ? key : NULL, arena, out))
			right = false;
		private_key_free(key);
	}
	keys_folder_close(&folder);
	arena_free(arena);
	return right;
}

/* -- unpacking --------------------------------------------------------------- */

/* Texts borrow from the packet. */
static bool unpack_key(struct unpack *unpack, struct planned_key *out_planned, struct text *out_pem)
{
	int64_t *const moments[MOMENTS] = { &out_planned->made_s, &out_planned->seen_s, &out_planned->active_s, &out_planned->until_s,
		&out_planned->removed_s };

	out_planned->domain = unpack_text(unpack, DOMAIN_BYTES_MAX);
	out_planned->selector = unpack_text(unpack, DOMAIN_BYTES_MAX);
	const uint64_t kind = unpack_number(unpack, 1);

	for (size_t i = 0; i < MOMENTS; i++)
		*moments[i] = (int64_t)unpack_number(unpack, MOMENT_BYTES);
	*out_pem = unpack_text(unpack, KEY_BYTES_MAX);
	out_planned->kind = kind == KEY_RSA ? KEY_RSA : KEY_ED25519;
	return !unpack->failed && (kind == KEY_RSA || kind == KEY_ED25519);
}

static bool keep_plan(const struct planned_key *planned, struct key_plan *plan)
{
	struct planned_key *kept = &plan->keys[plan->count];

	*kept = *planned;
	if (!arena_copy(plan->arena, planned->domain, &kept->domain) || !arena_copy(plan->arena, planned->selector, &kept->selector))
		return false;
	plan->count++;
	return true;
}

static bool keep_key(const struct planned_key *planned, struct text pem, struct signing_key *keys, size_t *count)
{
	struct signing_key *key = &keys[*count];

	if (pem.length == 0)
		return true;
	*key = (struct signing_key){ .domain = planned->domain,
		.selector = planned->selector,
		.from_s = planned->active_s,
		.until_s = planned->until_s == 0 ? INT64_MAX : planned->until_s };
	if (private_key_read(pem, &key->key) != OK)
		return false;
	(*count)++;
	return true;
}

struct signing_keys *keys_unpack(struct text packet, const struct dkim_manner *manner, struct key_plan *plan)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	const size_t count_max = packet.length / ENTRY_BYTES_MIN < PLAN_KEYS_MAX ? packet.length / ENTRY_BYTES_MIN : PLAN_KEYS_MAX;
	struct signing_key *keys = arena ? arena_array(arena, count_max + 1, sizeof *keys) : NULL;
	struct unpack unpack = { .rest = packet };
	struct signing_keys *made = NULL;
	size_t count = 0;
	bool right = keys != NULL;

	if (plan != NULL) {
		plan->room = count_max + 1;
		plan->keys = arena_array(plan->arena, plan->room, sizeof *plan->keys);
		right = right && plan->keys != NULL;
	}
	for (size_t seen = 0; right && unpack.rest.length > 0; seen++) {
		struct planned_key planned = { 0 };
		struct text pem;

		right = seen < count_max && unpack_key(&unpack, &planned, &pem) && (plan == NULL || keep_plan(&planned, plan)) &&
		    keep_key(&planned, pem, keys, &count);
	}
	if (right)
		made = signing_keys_new(keys, count, manner);
	else
		for (size_t i = 0; i < count; i++)
			private_key_free(keys[i].key);
	arena_free(arena);
	return made;
}
