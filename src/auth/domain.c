#include "auth/domain.h"

#include <stdio.h>

bool domain_is_name(struct text domain)
{
	struct text rest = domain, label;

	if (domain.length == 0 || domain.length > DOMAIN_BYTES_MAX)
		return false;
	while (text_cut(&rest, '.', &label))
		if (label.length == 0 || label.length > DOMAIN_LABEL_MAX)
			return false;
	return true;
}

size_t domain_label_count(struct text domain)
{
	size_t count = domain.length > 0;

	for (size_t i = 0; i < domain.length; i++)
		count += domain.bytes[i] == '.';
	return count;
}

struct text domain_parent(struct text domain)
{
	const size_t dot = text_find_byte(domain, '.');

	return text_from(domain, dot < domain.length ? dot + 1 : dot);
}

struct text domain_suffix(struct text domain, size_t count)
{
	size_t start = domain.length;

	while (start > 0) {
		if (domain.bytes[start - 1] == '.' && --count == 0)
			break;
		start--;
	}
	return text_from(domain, start);
}

bool domain_is_within(struct text domain, struct text ancestor)
{
	if (ancestor.length == 0 || domain.length < ancestor.length)
		return false;
	const size_t start = domain.length - ancestor.length;

	return text_equal_nocase(text_from(domain, start), ancestor) &&
	    (start == 0 || domain.bytes[start - 1] == '.');
}

struct text domain_without_dot(struct text domain)
{
	if (domain.length > 0 && domain.bytes[domain.length - 1] == '.')
		domain.length--;
	return domain;
}

bool domain_dotted_address(const uint8_t *ip, bool is_ip6, struct arena *arena, struct text *out_dotted)
{
	if (!is_ip6)
		return arena_print(arena, out_dotted, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	char room[65]; /* With snprintf's last NUL. */

	for (size_t i = 0; i < 16; i++)
		snprintf(room + 4 * i, 5, "%X.%X.", ip[i] >> 4, ip[i] & 15);
	return arena_copy(arena, (struct text){ room, 63 }, out_dotted);
}

bool domain_of_address(const uint8_t *ip, bool is_ip6, struct arena *arena, struct text *out_domain)
{
	struct text dotted;
	char room[64];

	if (!is_ip6)
		return arena_print(arena, out_domain, "%u.%u.%u.%u.in-addr.arpa", ip[3], ip[2], ip[1], ip[0]);
	if (!domain_dotted_address(ip, true, arena, &dotted))
		return false;
	for (size_t i = 0; i < dotted.length; i++)
		room[i] = dotted.bytes[dotted.length - 1 - i];
	return arena_print(
	    arena, out_domain, "%.*s.ip6.arpa", TEXT_FORMAT(((struct text){ room, dotted.length })));
}
