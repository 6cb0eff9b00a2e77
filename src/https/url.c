#include "https/https.h"

static const uint16_t PORT_DEFAULT = 443;

/* Letters, digits, hyphens; at least two labels, the last of which begins with a letter: what libraries would take
 * for an address in one of its many spellings ("127.1", "0x7f000001") is no name. */
static bool is_host(struct text host)
{
	const struct text last = text_from(host, text_find_byte_last(host, '.') + 1);

	if (host.length > HTTPS_HOST_MAX || last.length == 0 || last.length == host.length || !byte_is_alpha(last.bytes[0]))
		return false;
	for (size_t i = 0; i < host.length; i++)
		if (!byte_is_alnum(host.bytes[i]) && host.bytes[i] != '-' && host.bytes[i] != '.' && host.bytes[i] != '_')
			return false;
	return host.bytes[0] != '.' && text_find(host, TEXT("..")) == host.length;
}

static bool read_port(struct text digits, uint16_t *out_port)
{
	uint64_t port;

	if (!text_to_u64(digits, &port) || port == 0 || port > UINT16_MAX)
		return false;
	*out_port = (uint16_t)port;
	return true;
}

static bool is_visible(struct text url)
{
	for (size_t i = 0; i < url.length; i++)
		if (url.bytes[i] <= ' ' || url.bytes[i] > '~')
			return false;
	return true;
}

bool https_url_split(struct text url, struct text *out_host, uint16_t *out_port)
{
	const struct text scheme = TEXT("https://");
	uint16_t port = PORT_DEFAULT;
	size_t end = scheme.length;

	if (url.length > HTTPS_URL_MAX || !text_starts_nocase(url, scheme) || !is_visible(url) ||
	    text_find_byte(url, '#') < url.length || text_find_byte(url, '\\') < url.length)
		return false;
	while (end < url.length && url.bytes[end] != '/' && url.bytes[end] != '?')
		end++;

	const struct text authority = text_part(url, scheme.length, end - scheme.length);
	const size_t colon = text_find_byte(authority, ':');

	if (!is_host(text_part(authority, 0, colon)) ||
	    (colon < authority.length && !read_port(text_from(authority, colon + 1), &port)))
		return false;
	*out_host = text_part(authority, 0, colon);
	*out_port = port;
	return true;
}
