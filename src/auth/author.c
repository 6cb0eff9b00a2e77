#include "auth/author.h"

#include "mail/address_list.h"

/* Given to addresses without a domain; nobody's (RFC 6761 §6.4). */
#define NO_DOMAIN "invalid"

static enum error wrong(const char *reason, const char **out_reason)
{
	*out_reason = reason;
	return ERR_SYNTAX;
}

static const struct header_field *find_from(const struct header_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		if (text_equal_nocase(index->fields[i].name, TEXT("From")))
			return &index->fields[i];
	return NULL;
}

enum error author_domain(
    const struct header_index *index, struct arena *arena, struct text *out_domain, const char **out_reason)
{
	const size_t field_count = header_index_count(index, TEXT("From"));
	struct address *authors = arena_array(arena, AUTHORS_MAX, sizeof *authors);
	struct text domain;
	size_t count = 0;

	if (authors == NULL)
		return ERR_NO_MEMORY;
	if (field_count != 1)
		return wrong(field_count == 0 ? "there is no From field" : "there are several From fields",
		    out_reason);
	const enum error error =
	    address_list_parse(find_from(index)->value, TEXT(NO_DOMAIN), arena, authors, AUTHORS_MAX, &count);

	if (error == ERR_NO_MEMORY)
		return error;
	if (error != OK)
		return wrong("the From field cannot be read", out_reason);
	if (count == 0)
		return wrong("the From field names nobody", out_reason);
	for (size_t i = 0; i < count; i++)
		if (!text_equal_nocase(authors[i].domain, authors[0].domain))
			return wrong("the From field names more than one domain", out_reason);
	if (text_equal(authors[0].domain, TEXT(NO_DOMAIN)) || text_starts(authors[0].domain, TEXT("[")))
		return wrong("the author has no domain", out_reason);
	if (address_domain_to_ascii(authors[0].domain, arena, &domain) != OK)
		return wrong("the author's domain is none", out_reason);
	*out_domain = domain;
	return OK;
}
