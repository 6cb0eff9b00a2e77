#include "target.h"

#include "sasl/message.h"

void target(struct text input, [[maybe_unused]] unsigned choice, [[maybe_unused]] struct arena *arena)
{
	static char room[SASL_MESSAGE_MAX];
	struct sasl_request request;
	struct sasl_answer answer;

	if (sasl_request_decode(input, &request) == OK)
		must(text_equal((struct text){ room, sasl_request_encode(&request, room) }, input));
	if (sasl_answer_decode(input, &answer) == OK)
		must(text_equal((struct text){ room, sasl_answer_encode(&answer, room) }, input));
}
