#include "mail/received.h"

#include "mail/date.h"

enum { HELO_SHOWN_MAX = 255 };

/* Bytes that are safe inside a field and outside its comments' syntax. */
static bool append_tame(struct buffer *out, struct text text)
{
	for (size_t i = 0; i < text.length && i < HELO_SHOWN_MAX; i++) {
		const char c = text.bytes[i];
		const bool tame = byte_is_alnum(c) || (c != '\0' && strchr(".-_:[]@=+ ", c) != NULL) || (unsigned char)c > 127;

		if (!buffer_append(out, (struct text){ tame ? &c : "?", 1 }))
			return false;
	}
	return true;
}

static bool append_from(const struct received *received, struct buffer *out)
{
	char room[ENDPOINT_TEXT_MAX];

	if (received->client->family == ENDPOINT_UNIX)
		return buffer_append(out, TEXT("Received: from ")) && append_tame(out, received->user) &&
		    buffer_append(out, TEXT(" (local)"));
	const char *tag = received->client->family == ENDPOINT_IP6 ? "IPv6:" : "";

	return buffer_append(out, TEXT("Received: from ")) && append_tame(out, received->helo) &&
	    buffer_print(out, " ([%s%s])", tag, endpoint_print_ip(received->client, room).bytes);
}

bool received_print(const struct received *received, struct buffer *out)
{
	char id[QUEUE_ID_TEXT_SIZE], date[DATE_TEXT_SIZE];

	if (!append_from(received, out) || !buffer_append(out, TEXT("\r\n\tby ")) || !append_tame(out, received->hostname) ||
	    !buffer_print(out, " (postroad) with %.*s id %s", TEXT_FORMAT(received->protocol),
	        queue_id_print(received->id, id).bytes))
		return false;
	if (received->recipient.length > 0 &&
	    (!buffer_append(out, TEXT("\r\n\tfor <")) || !append_tame(out, received->recipient) ||
	        !buffer_append(out, TEXT(">"))))
		return false;
	return buffer_print(out, ";\r\n\t%s\r\n", date_print(received->unix_ms, 0, date).bytes);
}
