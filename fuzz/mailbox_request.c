#include "target.h"

#include "mailbox/request.h"

/* What one role hears of another that somebody has taken over: what is understood says the same when it is said again. */
void target(struct text input, unsigned choice, [[maybe_unused]] struct arena *arena)
{
	char room[MAILBOX_MESSAGE_MAX];
	struct mailbox_request request;
	struct mailbox_answer answer;
	size_t length = 0;

	if (choice & 1 && mailbox_request_decode(input, &request) == OK) {
		length = mailbox_request_encode(&request, room);
		must(length == input.length && mailbox_request_decode((struct text){ room, length }, &request) == OK);
		must(text_find_byte(request.return_path, '\n') == request.return_path.length);
		must(text_find_byte(request.delivered_to, '\n') == request.delivered_to.length);
	} else if (!(choice & 1) && mailbox_answer_decode(input, &answer) == OK) {
		length = mailbox_answer_encode(&answer, room);
		must(text_equal((struct text){ room, length }, input));
	}
}
