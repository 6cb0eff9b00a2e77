#include "mailbox/request.h"

#include "base/must.h"

/* The first byte says what it is and in which version; roles of one server run one program. */
enum { KIND_REQUEST = 0x51, KIND_ANSWER = 0x61 };

/* -- putting and getting ------------------------------------------------------ */

struct putter {
	char *room;
	size_t length;
	bool failed;
};

static void put_number(struct putter *putter, uint64_t value, size_t size)
{
	must(putter->length + size <= MAILBOX_MESSAGE_MAX);
	for (size_t i = 0; i < size; i++)
		putter->room[putter->length++] = (char)(value >> 8 * i);
}

static void put_text(struct putter *putter, struct text text)
{
	if (text.length > MAILBOX_TEXT_MAX) {
		putter->failed = true;
		return;
	}
	put_number(putter, text.length, 2);
	must(putter->length + text.length <= MAILBOX_MESSAGE_MAX);
	if (text.length > 0)
		memcpy(putter->room + putter->length, text.bytes, text.length);
	putter->length += text.length;
}

struct getter {
	struct text rest;
	bool failed;
};

static uint64_t get_number(struct getter *getter, size_t size)
{
	uint64_t value = 0;

	if (getter->failed || getter->rest.length < size) {
		getter->failed = true;
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)(unsigned char)getter->rest.bytes[i] << 8 * i;
	getter->rest = text_from(getter->rest, size);
	return value;
}

static struct text get_text(struct getter *getter)
{
	const uint64_t length = get_number(getter, 2);

	if (getter->failed || length > MAILBOX_TEXT_MAX || length > getter->rest.length) {
		getter->failed = true;
		return TEXT_EMPTY;
	}
	const struct text text = text_part(getter->rest, 0, (size_t)length);

	getter->rest = text_from(getter->rest, (size_t)length);
	return text;
}

/* A line that stays one line. */
static struct text get_line(struct getter *getter)
{
	const struct text text = get_text(getter);

	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] == '\r' || text.bytes[i] == '\n' || text.bytes[i] == '\0')
			getter->failed = true;
	return text;
}

static bool get_end(const struct getter *getter)
{
	return !getter->failed && getter->rest.length == 0;
}

/* -- the two messages --------------------------------------------------------- */

size_t mailbox_request_encode(const struct mailbox_request *request, char room[MAILBOX_MESSAGE_MAX])
{
	struct putter putter = { .room = room };

	put_number(&putter, KIND_REQUEST, 1);
	put_number(&putter, request->number, 8);
	put_number(&putter, request->body_size, 8);
	put_text(&putter, request->parts.user);
	put_text(&putter, request->parts.domain);
	put_text(&putter, request->parts.detail);
	put_text(&putter, request->return_path);
	put_text(&putter, request->delivered_to);
	return putter.failed ? 0 : putter.length;
}

enum error mailbox_request_decode(struct text bytes, struct mailbox_request *out_request)
{
	struct getter getter = { .rest = bytes };
	struct mailbox_request request;

	if (get_number(&getter, 1) != KIND_REQUEST)
		return ERR_SYNTAX;
	request.number = get_number(&getter, 8);
	request.body_size = get_number(&getter, 8);
	request.parts.user = get_text(&getter);
	request.parts.domain = get_text(&getter);
	request.parts.detail = get_text(&getter);
	request.return_path = get_line(&getter);
	request.delivered_to = get_line(&getter);
	if (!get_end(&getter) || request.body_size > INT64_MAX)
		return ERR_SYNTAX;
	*out_request = request;
	return OK;
}

size_t mailbox_answer_encode(const struct mailbox_answer *answer, char room[MAILBOX_MESSAGE_MAX])
{
	struct putter putter = { .room = room };

	put_number(&putter, KIND_ANSWER, 1);
	put_number(&putter, answer->number, 8);
	put_number(&putter, answer->verdict.code, 2);
	put_number(&putter, answer->verdict.enhanced.class, 2);
	put_number(&putter, answer->verdict.enhanced.subject, 2);
	put_number(&putter, answer->verdict.enhanced.detail, 2);
	put_text(&putter, answer->verdict.text);
	put_text(&putter, answer->verdict.host);
	return putter.failed ? 0 : putter.length;
}

enum error mailbox_answer_decode(struct text bytes, struct mailbox_answer *out_answer)
{
	struct getter getter = { .rest = bytes };
	struct mailbox_answer answer = { 0 };

	if (get_number(&getter, 1) != KIND_ANSWER)
		return ERR_SYNTAX;
	answer.number = get_number(&getter, 8);
	answer.verdict.code = (uint16_t)get_number(&getter, 2);
	answer.verdict.enhanced.class = (uint16_t)get_number(&getter, 2);
	answer.verdict.enhanced.subject = (uint16_t)get_number(&getter, 2);
	answer.verdict.enhanced.detail = (uint16_t)get_number(&getter, 2);
	answer.verdict.text = get_line(&getter);
	answer.verdict.host = get_line(&getter);
	if (!get_end(&getter) || answer.verdict.code < 200 || answer.verdict.code > 599)
		return ERR_SYNTAX;
	*out_answer = answer;
	return OK;
}
