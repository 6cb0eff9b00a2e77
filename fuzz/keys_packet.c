#include "target.h"

#include "keys/packet.h"

/* The input is what the supervisor hands over: keys, or no packet at all. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	static const struct dkim_manner manner = { 0 };
	struct signing_keys *keys = keys_unpack(input, &manner);
	struct dkim_signing signings[DKIM_KEYS_MAX];

	(void)arena;
	if (keys == NULL)
		return;

	const size_t count = signing_keys_find(keys, TEXT("mail.example.org"), choice, signings);

	must(count <= DKIM_KEYS_MAX);
	for (size_t i = 0; i < count; i++)
		must(text_equal(signings[i].domain, TEXT("mail.example.org")) || text_equal(signings[i].domain, TEXT("example.org")) ||
		    text_equal(signings[i].domain, TEXT("org")));
	signing_keys_unref(keys);
}
