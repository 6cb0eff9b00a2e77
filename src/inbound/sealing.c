#include "inbound/sealing.h"

#include "base/cleanup.h"

enum { DOMAIN_BYTES_MAX = 4096 };

static bool find_key(
    const struct signing_keys *keys, const struct address *recipient, int64_t now_s, struct dkim_signing *out_signing)
{
	struct arena *arena = arena_new(DOMAIN_BYTES_MAX);
	struct dkim_signing signings[DKIM_KEYS_MAX];
	struct text domain;
	size_t count = 0;

	if (arena != NULL && address_domain_to_ascii(recipient->domain, arena, &domain) == OK)
		count = signing_keys_find(keys, domain, now_s, signings);
	arena_free(arena);
	size_t chosen = 0;

	for (size_t i = 0; i < count && private_key_kind(signings[chosen].key) != KEY_RSA; i++)
		chosen = private_key_kind(signings[i].key) == KEY_RSA ? i : chosen; /* L2 */
	if (count > 0)
		*out_signing = signings[chosen];
	return count > 0;
}

void sealing_choose(struct sealing *sealing, struct signing_keys *keys, const struct router *router,
    const struct message *message, int64_t now_s)
{
	*sealing = (struct sealing){ 0 };
	for (uint32_t i = 0; keys != NULL && i < message->recipient_count && i < SEALING_RECIPIENTS_MAX; i++) {
		const struct address *recipient = &message->recipients[i].address;
		bool forwards;

		if (!find_key(keys, recipient, now_s, &sealing->signing) ||
		    router_forwards(router, recipient, &message->envelope.reverse_path, &forwards) != OK || !forwards)
			continue;
		sealing->keys = signing_keys_ref(keys);
		sealing->manner = signing_keys_manner(keys, now_s);
		sealing->manner.lifetime_s = 0;
		return;
	}
}

void sealing_done(struct sealing *sealing)
{
	signing_keys_unref(take(sealing->keys));
}
