/* Received is read by people and by programs that count hops and judge reputation. So nothing that a client
 * says may end the field, open a comment, or look like a clause of ours ("by", "with", "for"). */
#include "mail/received.h"

#include "mail/date.h"

enum { WORD_SHOWN_MAX = 255 };

static bool is_wide(char c)
{
	return (unsigned char)c > 127;
}

typedef bool tame_byte(char c, bool allow_wide);

static bool is_word_byte(char c, bool allow_wide)
{
	return byte_is_alnum(c) || (c != '\0' && strchr(".-_:[]+=@", c) != NULL) || (allow_wide && is_wide(c));
}

static bool is_path_byte(char c, bool allow_wide)
{
	return (c >= ' ' && c <= '~') || (allow_wide && is_wide(c));
}

/* Every byte that is not tame becomes a question mark. */
static bool append_tamed(struct buffer *out, struct text bytes, tame_byte *is_tame, bool allow_wide)
{
	char *room = buffer_reserve(out, bytes.length);

	if (room == NULL)
		return false;
	for (size_t i = 0; i < bytes.length; i++)
		room[i] = is_tame(bytes.bytes[i], allow_wide) ? bytes.bytes[i] : '?';
	buffer_added(out, bytes.length);
	return true;
}

/* A word without blanks or specials: what a domain or an address literal may consist of. */
static bool append_word(struct buffer *out, struct text word, bool allow_utf8)
{
	const struct text shown = text_part(word, 0, WORD_SHOWN_MAX);

	return append_tamed(out, shown, is_word_byte, allow_utf8 && text_is_utf8(shown));
}

/* A path that address_print wrote: its specials are quoted, so only control bytes could do harm. */
static bool append_path(struct buffer *out, struct text path, bool allow_utf8)
{
	return append_tamed(out, path, is_path_byte, allow_utf8);
}

/* "from HELO (NAME [IP])", which mail handed in locally has not. */
static bool append_from(const struct received *received, bool allow_utf8, struct buffer *out)
{
	const struct text helo = received->helo.length > 0 ? received->helo : TEXT("unknown");
	const char *tag = received->client->family == ENDPOINT_IP6 ? "IPv6:" : "";
	char room[ENDPOINT_TEXT_MAX];

	if (received->client->family == ENDPOINT_UNIX)
		return true;
	return buffer_append(out, TEXT("from ")) && append_word(out, helo, allow_utf8) && buffer_append(out, TEXT(" (")) &&
	    append_word(out, received->client_name, false) &&
	    buffer_append(out, received->client_name.length > 0 ? TEXT(" [") : TEXT("[")) && buffer_append(out, text_of(tag)) &&
	    buffer_append(out, endpoint_print_ip(received->client, room)) && buffer_append(out, TEXT("])\r\n\t"));
}

/* "by HOSTNAME (postroad)", or "by HOSTNAME (postroad, from uid 1000)". */
static bool append_by(const struct received *received, struct buffer *out)
{
	struct text rest = received->user, word;

	if (!buffer_append(out, TEXT("by ")) || !append_word(out, received->hostname, true) ||
	    !buffer_append(out, TEXT(" (postroad")))
		return false;
	if (received->user.length > 0 && !buffer_append(out, TEXT(", from")))
		return false;
	while (received->user.length > 0 && text_cut(&rest, ' ', &word))
		if (!buffer_append(out, TEXT(" ")) || !append_word(out, word, false))
			return false;
	return buffer_append(out, TEXT(")"));
}

/* " (TLSv1.3 TLS_AES_256_GCM_SHA384)" */
static bool append_tls(const struct received *received, struct buffer *out)
{
	return received->tls.length == 0 || buffer_print(out, " (%.*s)", TEXT_FORMAT(received->tls));
}

bool received_print(const struct received *received, struct buffer *out)
{
	const bool allow_utf8 = text_starts(received->protocol, TEXT("UTF8")); /* RFC 6531 §3.7.3 */
	char id[QUEUE_ID_TEXT_SIZE], date[DATE_TEXT_SIZE];

	if (!buffer_append(out, TEXT("Received: ")) || !append_from(received, allow_utf8, out) ||
	    !append_by(received, out) ||
	    !buffer_append(out, TEXT("\r\n\twith ")) || !buffer_append(out, received->protocol) ||
	    !append_tls(received, out) || !buffer_append(out, TEXT(" id ")) ||
	    !buffer_append(out, queue_id_print(received->id, id)))
		return false;
	if (received->recipient.length > 0 &&
	    (!buffer_append(out, TEXT("\r\n\tfor <")) || !append_path(out, received->recipient, allow_utf8) ||
		!buffer_append(out, TEXT(">"))))
		return false;
	return buffer_append(out, TEXT(";\r\n\t")) && buffer_append(out, date_print(received->unix_ms, 0, date)) &&
	    buffer_append(out, TEXT("\r\n"));
}
