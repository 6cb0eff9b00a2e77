#include "mailbox/request.h"

#include "base/pack.h"

/* The first byte says what it is and in which version; roles of one server run one program. */
enum { KIND_REQUEST = 0x51, KIND_ANSWER = 0x61 };

size_t mailbox_request_encode(const struct mailbox_request *request, char room[MAILBOX_MESSAGE_MAX])
{
	struct pack pack = { .room = room, .room_size = MAILBOX_MESSAGE_MAX };

	pack_number(&pack, KIND_REQUEST, 1);
	pack_number(&pack, request->number, 8);
	pack_number(&pack, request->body_size, 8);
	pack_number(&pack, request->parts.junk, 1);
	pack_text(&pack, request->parts.user, MAILBOX_TEXT_MAX);
	pack_text(&pack, request->parts.domain, MAILBOX_TEXT_MAX);
	pack_text(&pack, request->parts.detail, MAILBOX_TEXT_MAX);
	pack_text(&pack, request->return_path, MAILBOX_TEXT_MAX);
	pack_text(&pack, request->delivered_to, MAILBOX_TEXT_MAX);
	pack_text(&pack, request->original, MAILBOX_ORIGINAL_MAX);
	if (request->body_size <= MAILBOX_BODY_MAX)
		pack_text(&pack, request->body, MAILBOX_BODY_MAX);
	return pack.failed ? 0 : pack.length;
}

enum error mailbox_request_decode(struct text bytes, struct mailbox_request *out_request)
{
	struct unpack unpack = { .rest = bytes };
	struct mailbox_request request;

	if (unpack_number(&unpack, 1) != KIND_REQUEST)
		return ERR_SYNTAX;
	request.number = unpack_number(&unpack, 8);
	request.body_size = unpack_number(&unpack, 8);
	request.parts.junk = unpack_number(&unpack, 1) != 0;
	request.parts.user = unpack_text(&unpack, MAILBOX_TEXT_MAX);
	request.parts.domain = unpack_text(&unpack, MAILBOX_TEXT_MAX);
	request.parts.detail = unpack_text(&unpack, MAILBOX_TEXT_MAX);
	request.return_path = unpack_line(&unpack, MAILBOX_TEXT_MAX);
	request.delivered_to = unpack_line(&unpack, MAILBOX_TEXT_MAX);
	request.original = unpack_line(&unpack, MAILBOX_ORIGINAL_MAX);
	request.body = TEXT_EMPTY;
	if (request.body_size <= MAILBOX_BODY_MAX) {
		request.body = unpack_text(&unpack, MAILBOX_BODY_MAX);
		unpack.failed |= request.body.length != request.body_size;
	}
	if (!unpack_end(&unpack) || request.body_size > INT64_MAX)
		return ERR_SYNTAX;
	*out_request = request;
	return OK;
}

size_t mailbox_answer_encode(const struct mailbox_answer *answer, char room[MAILBOX_MESSAGE_MAX])
{
	struct pack pack = { .room = room, .room_size = MAILBOX_MESSAGE_MAX };

	pack_number(&pack, KIND_ANSWER, 1);
	pack_number(&pack, answer->number, 8);
	pack_number(&pack, answer->verdict.code, 2);
	pack_number(&pack, answer->verdict.enhanced.class, 2);
	pack_number(&pack, answer->verdict.enhanced.subject, 2);
	pack_number(&pack, answer->verdict.enhanced.detail, 2);
	pack_text(&pack, answer->verdict.text, MAILBOX_TEXT_MAX);
	pack_text(&pack, answer->verdict.host, MAILBOX_TEXT_MAX);
	return pack.failed ? 0 : pack.length;
}

enum error mailbox_answer_decode(struct text bytes, struct mailbox_answer *out_answer)
{
	struct unpack unpack = { .rest = bytes };
	struct mailbox_answer answer = { 0 };

	if (unpack_number(&unpack, 1) != KIND_ANSWER)
		return ERR_SYNTAX;
	answer.number = unpack_number(&unpack, 8);
	answer.verdict.code = (uint16_t)unpack_number(&unpack, 2);
	answer.verdict.enhanced.class = (uint16_t)unpack_number(&unpack, 2);
	answer.verdict.enhanced.subject = (uint16_t)unpack_number(&unpack, 2);
	answer.verdict.enhanced.detail = (uint16_t)unpack_number(&unpack, 2);
	answer.verdict.text = unpack_line(&unpack, MAILBOX_TEXT_MAX);
	answer.verdict.host = unpack_line(&unpack, MAILBOX_TEXT_MAX);
	if (!unpack_end(&unpack) || answer.verdict.code < 200 || answer.verdict.code > 599)
		return ERR_SYNTAX;
	*out_answer = answer;
	return OK;
}
