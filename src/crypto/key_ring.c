#include "crypto/key_ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct place {
	struct public_key *key; /* NULL: empty. */
	enum key_kind kind;
	size_t length;
	char der[KEY_RING_DER_MAX];
};

struct key_ring {
	struct place places[KEY_RING_PLACES];
	struct public_key *passing; /* One too large for a place, until the next is asked for. */
};

struct key_ring *key_ring_new(void)
{
	return calloc(1, sizeof(struct key_ring));
}

void key_ring_free(struct key_ring *ring)
{
	for (size_t i = 0; ring != NULL && i < KEY_RING_PLACES; i++)
		public_key_free(ring->places[i].key);
	if (ring != NULL)
		public_key_free(ring->passing);
	free(ring);
}

static struct place *place_of(struct key_ring *ring, struct text der)
{
	return &ring->places[text_hash(der, 0) % KEY_RING_PLACES];
}

enum error key_ring_find(
    struct key_ring *ring, enum key_kind kind, struct text der, const struct public_key **out_key)
{
	const bool fits = der.length > 0 && der.length <= KEY_RING_DER_MAX;
	struct place *place = fits ? place_of(ring, der) : NULL;
	struct public_key *key;

	if (fits && place->key != NULL && place->kind == kind && text_equal(der, (struct text){ place->der, place->length })) {
		*out_key = place->key;
		return OK;
	}
	const enum error error = public_key_read(kind, der, &key);

	if (error != OK)
		return error;
	public_key_free(fits ? take(place->key) : take(ring->passing));
	if (fits) {
		place->key = key;
		place->kind = kind;
		place->length = der.length;
		memcpy(place->der, der.bytes, der.length);
	} else {
		ring->passing = key;
	}
	*out_key = key;
	return OK;
}
