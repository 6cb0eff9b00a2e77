#include "auth/signing_keys.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "auth/domain.h"
#include "base/must.h"

enum { NAMES_BYTES = 600 }; /* Of a key, with a pointer's worth of alignment for each. */

struct signing_keys {
	_Atomic unsigned references;
	struct arena *arena;
	struct signing_key *keys; /* In the order of their domains. */
	size_t count;
	struct dkim_manner manner;
};

static int compare_domains(const void *a, const void *b)
{
	return text_compare(((const struct signing_key *)a)->domain, ((const struct signing_key *)b)->domain);
}

static void free_keys(const struct signing_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		private_key_free(keys[i].key);
}

static bool copy_manner(struct signing_keys *copy, const struct dkim_manner *manner)
{
	struct text *names = arena_array(copy->arena, manner->oversigned_count + 1, sizeof *names);

	copy->manner = *manner;
	copy->manner.oversigned = names;
	for (size_t i = 0; names != NULL && i < manner->oversigned_count; i++)
		if (!arena_copy(copy->arena, manner->oversigned[i], &names[i]))
			return false;
	return names != NULL;
}

static struct signing_keys *copy(
    struct arena *arena, const struct signing_key *keys, size_t count, const struct dkim_manner *manner)
{
	struct signing_keys *copy = arena_alloc(arena, sizeof *copy);

	if (copy == NULL)
		return NULL;
	*copy = (struct signing_keys){
		.references = 1, .arena = arena, .keys = arena_array(arena, count + 1, sizeof *keys), .count = count
	};
	for (size_t i = 0; i < count && copy->keys != NULL; i++) {
		copy->keys[i] = keys[i];
		if (!arena_copy(arena, keys[i].domain, &copy->keys[i].domain) ||
		    !arena_copy(arena, keys[i].selector, &copy->keys[i].selector))
			return NULL;
	}
	return copy->keys != NULL && copy_manner(copy, manner) ? copy : NULL;
}

struct signing_keys *signing_keys_new(
    const struct signing_key *keys, size_t count, const struct dkim_manner *manner)
{
	must(manner->oversigned_count <= DKIM_OVERSIGNED_MAX);
	struct arena *arena = arena_new((count + DKIM_OVERSIGNED_MAX + 16) * (sizeof *keys + NAMES_BYTES));
	struct signing_keys *made = arena ? copy(arena, keys, count, manner) : NULL;

	if (made == NULL) {
		free_keys(keys, count);
		arena_free(arena);
		return NULL;
	}
	qsort(made->keys, count, sizeof *keys, compare_domains);
	return made;
}

struct signing_keys *signing_keys_ref(struct signing_keys *keys)
{
	if (keys != NULL)
		atomic_fetch_add_explicit(&keys->references, 1, memory_order_relaxed);
	return keys;
}

void signing_keys_unref(struct signing_keys *keys)
{
	if (keys == NULL || atomic_fetch_sub_explicit(&keys->references, 1, memory_order_acq_rel) > 1)
		return;
	free_keys(keys->keys, keys->count);
	arena_free(keys->arena);
}

struct dkim_manner signing_keys_manner(const struct signing_keys *keys, int64_t now_s)
{
	struct dkim_manner manner = keys->manner;

	manner.now_s = now_s;
	return manner;
}

/* The first key of that domain, or of one behind it in the order. */
static size_t first_of(const struct signing_keys *keys, struct text domain)
{
	size_t low = 0, high = keys->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (text_compare(keys->keys[middle].domain, domain) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t signing_keys_find(const struct signing_keys *keys, struct text domain, int64_t now_s,
    struct dkim_signing out_signings[DKIM_KEYS_MAX])
{
	size_t found = 0;

	for (; domain.length > 0 && found == 0; domain = domain_parent(domain)) {
		for (size_t i = first_of(keys, domain);
		     i < keys->count && found < DKIM_KEYS_MAX && text_equal(keys->keys[i].domain, domain); i++) {
			const struct signing_key *key = &keys->keys[i];

			if (now_s >= key->from_s && now_s < key->until_s)
				out_signings[found++] = (struct dkim_signing){ key->key, key->domain, key->selector };
		}
	}
	return found;
}
