#include "inbound/proxy_header.h"

#include "base/must.h"

static const struct text first_words = TEXT("PROXY ");
static const struct text signature = TEXT("\r\n\r\n\0\r\nQUIT\n");

enum { LINE_MAX = 107, FIXED_SIZE = 16, IP4_SIZE = 12, IP6_SIZE = 36 };
_Static_assert((int)LINE_MAX <= (int)PROXY_HEADER_MAX, "a line is a header");

/* -- Version 1: a line for people ------------------------------------------------------- */

static bool read_port(struct text word, uint16_t *out_port)
{
	uint64_t port;

	if (word.length > 5 || !text_to_u64(word, &port) || port > UINT16_MAX)
		return false;
	*out_port = (uint16_t)port;
	return true;
}

static bool read_ip(struct text word, enum endpoint_family family, struct endpoint *out_endpoint)
{
	/* No brackets, and no "IPv6:". */
	return word.length > 0 && word.bytes[0] != '[' && word.bytes[0] != 'I' && word.bytes[0] != 'i' &&
	    endpoint_parse_ip(word, out_endpoint) && out_endpoint->family == family;
}

/* "TCP4 192.0.2.1 192.0.2.25 56324 25", and "UNKNOWN" with whatever behind it. */
static enum proxy_answer read_words(struct text line, struct endpoint *out_client)
{
	struct text words[5] = { 0 };
	struct endpoint server;
	size_t count = 0;

	if (text_equal(line, TEXT("UNKNOWN")) || text_starts(line, TEXT("UNKNOWN ")))
		return PROXY_UNKNOWN;
	while (count < 5 && text_cut(&line, ' ', &words[count]))
		count++;
	const bool ip4 = text_equal(words[0], TEXT("TCP4"));
	const enum endpoint_family family = ip4 ? ENDPOINT_IP4 : ENDPOINT_IP6;

	if (count < 5 || line.bytes != NULL || (!ip4 && !text_equal(words[0], TEXT("TCP6"))) ||
	    !read_ip(words[1], family, out_client) || !read_ip(words[2], family, &server) ||
	    !read_port(words[3], &out_client->port) || !read_port(words[4], &server.port))
		return PROXY_WRONG;
	return PROXY_CLIENT;
}

static enum proxy_answer read_line(struct text bytes, struct proxy_header *header)
{
	const struct text line = text_part(bytes, 0, LINE_MAX);
	const size_t end = text_find(line, TEXT("\r\n"));

	if (end == line.length)
		return line.length == LINE_MAX ? PROXY_WRONG : PROXY_MORE;
	header->length = end + 2;
	return read_words(text_part(line, first_words.length, end - first_words.length), &header->client);
}

/* -- Version 2: a block for machines ------------------------------------------------------ */

static uint16_t number_at(struct text bytes, size_t at)
{
	return (uint16_t)((uint8_t)bytes.bytes[at] << 8 | (uint8_t)bytes.bytes[at + 1]);
}

/* The client's address is the first, the ports stand behind both addresses. */
static enum proxy_answer read_addresses(struct text block, enum endpoint_family family, struct endpoint *out_client)
{
	const size_t ip_size = family == ENDPOINT_IP4 ? 4 : 16;

	*out_client = (struct endpoint){ .family = family, .port = number_at(block, 2 * ip_size) };
	memcpy(out_client->ip, block.bytes, ip_size);
	return PROXY_CLIENT;
}

/* What came is at least FIXED_SIZE long. */
static enum proxy_answer read_block(struct text bytes, struct proxy_header *header)
{
	enum { LOCAL = 0x20, PROXY = 0x21, UNSPECIFIED = 0x00, TCP4 = 0x11, TCP6 = 0x21, STREAM = 0x31 };
	const uint8_t command = (uint8_t)bytes.bytes[12], kind = (uint8_t)bytes.bytes[13];
	const size_t length = (size_t)FIXED_SIZE + number_at(bytes, 14);
	const struct text block = text_part(bytes, FIXED_SIZE, length - FIXED_SIZE);

	if ((command != LOCAL && command != PROXY) || length > PROXY_HEADER_MAX)
		return PROXY_WRONG;
	if (command == PROXY && kind != UNSPECIFIED && kind != TCP4 && kind != TCP6 && kind != STREAM)
		return PROXY_WRONG; /* Datagrams, and what nobody has defined. */
	if (command == PROXY && length < FIXED_SIZE + (kind == TCP4 ? IP4_SIZE : kind == TCP6 ? IP6_SIZE : 0))
		return PROXY_WRONG;
	if (bytes.length < length)
		return PROXY_MORE;
	header->length = length;
	if (command == LOCAL || kind == UNSPECIFIED || kind == STREAM)
		return PROXY_UNKNOWN;
	return read_addresses(block, kind == TCP4 ? ENDPOINT_IP4 : ENDPOINT_IP6, &header->client);
}

/* -- Either ---------------------------------------------------------------------------------- */

/* As far as both go. */
static bool agree(struct text bytes, struct text beginning)
{
	return text_starts(beginning, text_part(bytes, 0, beginning.length));
}

enum proxy_answer proxy_header_read(struct text bytes, struct proxy_header *out_header)
{
	struct proxy_header header = { 0 };
	enum proxy_answer answer = PROXY_WRONG;

	if (bytes.length == 0)
		answer = PROXY_MORE;
	else if (agree(bytes, first_words))
		answer = bytes.length < first_words.length ? PROXY_MORE : read_line(bytes, &header);
	else if (agree(bytes, signature))
		answer = bytes.length < FIXED_SIZE ? PROXY_MORE : read_block(bytes, &header);
	if (answer == PROXY_CLIENT || answer == PROXY_UNKNOWN) {
		must(header.length <= bytes.length && header.length <= PROXY_HEADER_MAX);
		header.client = endpoint_unmapped(&header.client);
		*out_header = header;
	}
	return answer;
}
