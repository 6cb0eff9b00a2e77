#include "outbound/logins.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/must.h"

/* Of one snapshot; the configuration has far fewer. */
enum { LOGINS_BYTES_MAX = 16 << 20 };

struct entry {
	struct client_login login;
	const struct text *via;
	size_t via_count;
	atomic_bool failed; /* And that was told. */
};

struct logins {
	atomic_uint reference_count;
	struct arena *arena; /* Wiped in the end. */
	struct entry *entries;
	size_t count;
};

static bool same_hosts(const struct text *a, size_t a_count, const struct text *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!text_equal(a[i], b[i]))
			return false;
	return true;
}

static struct entry *find(const struct logins *logins, struct text user, const struct text *via, size_t via_count)
{
	for (size_t i = 0; logins != NULL && i < logins->count; i++) {
		struct entry *entry = &logins->entries[i];

		if (text_equal(entry->login.user, user) && same_hosts(entry->via, entry->via_count, via, via_count))
			return entry;
	}
	return NULL;
}

static bool copy_rule(struct logins *logins, const struct login_rule *rule, const struct logins *before)
{
	struct entry *entry = &logins->entries[logins->count];
	struct text *via = arena_array(logins->arena, rule->via_count, sizeof *via);
	const struct entry *older = find(before, rule->login.user, rule->via, rule->via_count);

	if (via == NULL || !arena_copy(logins->arena, rule->login.user, &entry->login.user) ||
	    !arena_copy(logins->arena, rule->login.password, &entry->login.password))
		return false;
	for (size_t i = 0; i < rule->via_count; i++)
		if (!arena_copy(logins->arena, rule->via[i], &via[i]))
			return false;
	entry->via = via;
	entry->via_count = rule->via_count;
	atomic_init(&entry->failed, older != NULL && atomic_load(&older->failed));
	logins->count++;
	return true;
}

struct logins *logins_new(const struct login_rule *rules, size_t count, const struct logins *before)
{
	struct logins *logins = calloc(1, sizeof *logins);
	bool copied;

	if (logins == NULL)
		return NULL;
	atomic_init(&logins->reference_count, 1);
	logins->arena = arena_new(LOGINS_BYTES_MAX);
	logins->entries = calloc(count + 1, sizeof *logins->entries);
	copied = logins->arena != NULL && logins->entries != NULL;
	for (size_t i = 0; copied && i < count; i++)
		copied = copy_rule(logins, &rules[i], before);
	if (copied)
		return logins;
	logins_unref(logins);
	return NULL;
}

struct logins *logins_ref(struct logins *logins)
{
	if (logins != NULL)
		must(atomic_fetch_add_explicit(&logins->reference_count, 1, memory_order_relaxed) > 0);
	return logins;
}

void logins_unref(struct logins *logins)
{
	if (logins == NULL || atomic_fetch_sub_explicit(&logins->reference_count, 1, memory_order_acq_rel) > 1)
		return;
	if (logins->arena != NULL)
		arena_wipe(logins->arena);
	arena_free(logins->arena);
	free(logins->entries);
	free(logins);
}

const struct client_login *logins_find(const struct logins *logins, const struct next_hop *hop)
{
	const struct entry *entry = find(logins, hop->user, hop->via, hop->via_count);

	return entry != NULL ? &entry->login : NULL;
}

bool logins_note(struct logins *logins, const struct client_login *login, bool taken)
{
	for (size_t i = 0; i < logins->count; i++)
		if (&logins->entries[i].login == login)
			return atomic_exchange(&logins->entries[i].failed, !taken) == taken;
	must(false); /* It is of this snapshot. */
	return false;
}
