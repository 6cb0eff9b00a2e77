#include "sasl/message.h"

#include "base/endpoint.h"
#include "base/must.h"
#include "base/pack.h"

size_t sasl_request_encode(const struct sasl_request *request, char room[SASL_MESSAGE_MAX])
{
	struct pack pack = { .room = room, .room_size = SASL_MESSAGE_MAX };

	must(request->number > 0);
	pack_number(&pack, request->kind, 1);
	pack_number(&pack, request->number, 8);
	pack_number(&pack, request->mechanism, 1);
	pack_text(&pack, request->binding, SASL_BINDING_MAX);
	pack_text(&pack, request->client, ENDPOINT_TEXT_MAX);
	pack_text(&pack, request->response, SASL_BYTES_MAX);
	must(!pack.failed);
	return pack.length;
}

enum error sasl_request_decode(struct text bytes, struct sasl_request *out_request)
{
	struct unpack unpack = { .rest = bytes };
	struct sasl_request request;

	request.kind = (enum sasl_request_kind)unpack_number(&unpack, 1);
	request.number = unpack_number(&unpack, 8);
	request.mechanism = (enum sasl_mechanism)unpack_number(&unpack, 1);
	request.binding = unpack_text(&unpack, SASL_BINDING_MAX);
	request.client = unpack_line(&unpack, ENDPOINT_TEXT_MAX);
	request.response = unpack_text(&unpack, SASL_BYTES_MAX);
	if (!unpack_end(&unpack) || request.kind > SASL_ABORT || request.number == 0 ||
	    request.mechanism >= SASL_MECHANISM_COUNT)
		return ERR_SYNTAX;
	*out_request = request;
	return OK;
}

size_t sasl_answer_encode(const struct sasl_answer *answer, char room[SASL_MESSAGE_MAX])
{
	struct pack pack = { .room = room, .room_size = SASL_MESSAGE_MAX };

	pack_number(&pack, answer->number, 8);
	pack_number(&pack, answer->result, 1);
	pack_number(&pack, answer->mechanisms, 4);
	pack_text(&pack, answer->challenge, SASL_BYTES_MAX);
	pack_text(&pack, answer->user, SASL_NAME_MAX);
	pack_text(&pack, answer->reason, SASL_REASON_MAX);
	must(!pack.failed);
	return pack.length;
}

enum error sasl_answer_decode(struct text bytes, struct sasl_answer *out_answer)
{
	struct unpack unpack = { .rest = bytes };
	struct sasl_answer answer;

	answer.number = unpack_number(&unpack, 8);
	answer.result = (enum sasl_result)unpack_number(&unpack, 1);
	answer.mechanisms = (unsigned)unpack_number(&unpack, 4);
	answer.challenge = unpack_text(&unpack, SASL_BYTES_MAX);
	answer.user = unpack_text(&unpack, SASL_NAME_MAX);
	answer.reason = unpack_line(&unpack, SASL_REASON_MAX);
	if (!unpack_end(&unpack) || answer.result > SASL_TROUBLE ||
	    answer.mechanisms >= 1u << SASL_MECHANISM_COUNT || (answer.result == SASL_SUCCESS && answer.number > 0) != (answer.user.length > 0))
		return ERR_SYNTAX;
	*out_answer = answer;
	return OK;
}
