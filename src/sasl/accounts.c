#include "sasl/accounts.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/must.h"
#include "sasl/exchange.h"
#include "sasl/password.h"

enum { ACCOUNTS_BYTES_MAX = 512 << 20 };

struct account {
	struct text name, stored;
};

struct accounts {
	atomic_uint references;
	struct arena *arena;
	struct account *entries;  /* By name, without case. */
	size_t count;
	const struct text *domains;
	size_t domain_count;
	unsigned mechanisms;
	bool with_password;       /* At least one has one. */
};

static int compare_names(struct text a, struct text b)
{
	for (size_t i = 0; i < a.length && i < b.length; i++) {
		const int order = (unsigned char)byte_lower(a.bytes[i]) - (unsigned char)byte_lower(b.bytes[i]);

		if (order != 0)
			return order;
	}
	return a.length < b.length ? -1 : a.length > b.length;
}

static int compare_accounts(const void *a, const void *b)
{
	return compare_names(((const struct account *)a)->name, ((const struct account *)b)->name);
}

/* -- Making ------------------------------------------------------------------------------ */

static unsigned mechanisms_of(enum password_scheme scheme)
{
	const unsigned passwords = 1u << SASL_PLAIN | 1u << SASL_LOGIN;
	const unsigned sha256 = 1u << SASL_SCRAM_SHA_256 | 1u << SASL_SCRAM_SHA_256_PLUS;

	switch (scheme) {
	case PASSWORD_PLAIN:
		return passwords | sha256 | 1u << SASL_SCRAM_SHA_1;
	case PASSWORD_SCRAM_SHA256:
		return passwords | sha256;
	case PASSWORD_SCRAM_SHA1:
		return passwords | 1u << SASL_SCRAM_SHA_1;
	case PASSWORD_CRYPT:
	case PASSWORD_ARGON2:
		break;
	}
	return passwords;
}

/* False: no memory. */
static bool take_line(struct accounts *accounts, struct text line)
{
	struct account *account = &accounts->entries[accounts->count];
	enum password_scheme scheme;
	struct text name, stored, rest;

	if (!text_cut(&line, ':', &name) || name.length == 0 || name.bytes[0] == '#' || name.length > SASL_NAME_MAX)
		return true;
	account->stored = TEXT_EMPTY;
	if (!arena_copy(accounts->arena, name, &account->name))
		return false;
	accounts->count++;
	if (!text_cut(&line, ':', &stored) || !password_split(stored, &scheme, &rest))
		return true;
	accounts->mechanisms &= mechanisms_of(scheme);
	accounts->with_password = true;
	return arena_copy(accounts->arena, stored, &account->stored);
}

static bool take_lines(struct accounts *accounts, struct text file)
{
	size_t lines = 1;
	struct text line;

	for (size_t i = 0; i < file.length; i++)
		lines += file.bytes[i] == '\n';
	accounts->entries = arena_array(accounts->arena, lines, sizeof *accounts->entries);
	if (accounts->entries == NULL)
		return false;
	while (text_cut(&file, '\n', &line))
		if (!take_line(accounts, text_trim(line)))
			return false;
	qsort(accounts->entries, accounts->count, sizeof *accounts->entries, compare_accounts);
	return true;
}

static bool copy_domains(struct accounts *accounts, const struct text *domains, size_t count)
{
	struct text *copies = arena_array(accounts->arena, count + 1, sizeof *copies);

	for (size_t i = 0; copies != NULL && i < count; i++)
		if (!arena_copy(accounts->arena, domains[i], &copies[i]))
			return false;
	accounts->domains = copies;
	accounts->domain_count = count;
	return copies != NULL;
}

enum error accounts_new(
    struct text file, const struct text *domains, size_t domain_count, struct accounts **out_accounts)
{
	struct arena *arena = arena_new(ACCOUNTS_BYTES_MAX);
	struct accounts *accounts = arena ? arena_alloc(arena, sizeof *accounts) : NULL;

	if (accounts == NULL) {
		arena_free(arena);
		return ERR_NO_MEMORY;
	}
	accounts->references = 1;
	accounts->arena = arena;
	accounts->mechanisms = (1u << SASL_MECHANISM_COUNT) - 1;
	if (!take_lines(accounts, file) || !copy_domains(accounts, domains, domain_count)) {
		arena_free(arena);
		return ERR_NO_MEMORY;
	}
	*out_accounts = accounts;
	return OK;
}

struct accounts *accounts_ref(struct accounts *accounts)
{
	accounts->references++;
	return accounts;
}

void accounts_unref(struct accounts *accounts)
{
	if (accounts != NULL && --accounts->references == 0)
		arena_free(accounts->arena);
}

/* -- Asking --------------------------------------------------------------------------------- */

static const struct account *find_entry(const struct accounts *accounts, struct text name)
{
	const struct account key = { .name = name };

	return accounts->count > 0
	    ? bsearch(&key, accounts->entries, accounts->count, sizeof key, compare_accounts)
	    : NULL;
}

static bool domain_is_ours(const struct accounts *accounts, struct text domain)
{
	for (size_t i = 0; i < accounts->domain_count; i++)
		if (text_equal_nocase(accounts->domains[i], domain))
			return true;
	return false;
}

bool accounts_find(const struct accounts *accounts, struct text login, struct text *out_stored, struct text *out_name)
{
	const struct account *entry = find_entry(accounts, login);
	const size_t at = text_find_byte_last(login, '@');

	if (entry == NULL && at < login.length && domain_is_ours(accounts, text_from(login, at + 1)))
		entry = find_entry(accounts, text_part(login, 0, at)); /* A2 */
	if (entry == NULL)
		return false;
	*out_stored = entry->stored;
	*out_name = entry->name;
	return true;
}

unsigned accounts_mechanisms(const struct accounts *accounts)
{
	return accounts->with_password ? accounts->mechanisms : 0;
}
