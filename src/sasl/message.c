#include "sasl/message.h"

#include "base/must.h"

struct putter {
	char *room;
	size_t length;
};

static void put_number(struct putter *putter, uint64_t value, size_t size)
{
	must(putter->length + size <= SASL_MESSAGE_MAX);
	for (size_t i = 0; i < size; i++)
		putter->room[putter->length++] = (char)(value >> 8 * i);
}

static void put_text(struct putter *putter, struct text text, size_t length_max)
{
	must(text.length <= length_max);
	put_number(putter, text.length, 2);
	must(putter->length + text.length <= SASL_MESSAGE_MAX);
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

static struct text get_text(struct getter *getter, size_t length_max)
{
	const uint64_t length = get_number(getter, 2);

	if (getter->failed || length > length_max || length > getter->rest.length) {
		getter->failed = true;
		return TEXT_EMPTY;
	}
	const struct text text = text_part(getter->rest, 0, (size_t)length);

	getter->rest = text_from(getter->rest, (size_t)length);
	return text;
}

size_t sasl_request_encode(const struct sasl_request *request, char room[SASL_MESSAGE_MAX])
{
	struct putter putter = { .room = room };

	must(request->number > 0);
	put_number(&putter, request->kind, 1);
	put_number(&putter, request->number, 8);
	put_number(&putter, request->mechanism, 1);
	put_text(&putter, request->binding, SASL_BINDING_MAX);
	put_text(&putter, request->response, SASL_BYTES_MAX);
	return putter.length;
}

enum error sasl_request_decode(struct text bytes, struct sasl_request *out_request)
{
	struct getter getter = { .rest = bytes };
	const struct sasl_request request = {
		.kind = (enum sasl_request_kind)get_number(&getter, 1),
		.number = get_number(&getter, 8),
		.mechanism = (enum sasl_mechanism)get_number(&getter, 1),
		.binding = get_text(&getter, SASL_BINDING_MAX),
		.response = get_text(&getter, SASL_BYTES_MAX),
	};

	if (getter.failed || getter.rest.length > 0 || request.kind > SASL_ABORT || request.number == 0 ||
	    request.mechanism >= SASL_MECHANISM_COUNT)
		return ERR_SYNTAX;
	*out_request = request;
	return OK;
}

size_t sasl_answer_encode(const struct sasl_answer *answer, char room[SASL_MESSAGE_MAX])
{
	struct putter putter = { .room = room };

	put_number(&putter, answer->number, 8);
	put_number(&putter, answer->result, 1);
	put_number(&putter, answer->mechanisms, 4);
	put_text(&putter, answer->challenge, SASL_BYTES_MAX);
	put_text(&putter, answer->user, SASL_NAME_MAX);
	return putter.length;
}

enum error sasl_answer_decode(struct text bytes, struct sasl_answer *out_answer)
{
	struct getter getter = { .rest = bytes };
	const struct sasl_answer answer = {
		.number = get_number(&getter, 8),
		.result = (enum sasl_result)get_number(&getter, 1),
		.mechanisms = (unsigned)get_number(&getter, 4),
		.challenge = get_text(&getter, SASL_BYTES_MAX),
		.user = get_text(&getter, SASL_NAME_MAX),
	};

	if (getter.failed || getter.rest.length > 0 || answer.result > SASL_TROUBLE ||
	    answer.mechanisms >= 1u << SASL_MECHANISM_COUNT || (answer.result == SASL_SUCCESS && answer.number > 0) != (answer.user.length > 0))
		return ERR_SYNTAX;
	*out_answer = answer;
	return OK;
}
