#include "sasl/message.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_request_comes_back(void **state)
{
	const struct sasl_request request = { .kind = SASL_BEGIN,
		.number = 0x1122334455667788,
		.mechanism = SASL_LOGIN,
		.binding = TEXT("\0\1binding"),
		.client = TEXT("192.0.2.1"),
		.response = TEXT("\0alice\0pencil") };
	struct sasl_request got;
	char room[SASL_MESSAGE_MAX];
	const size_t length = sasl_request_encode(&request, room);

	(void)state;
	assert_int_equal(sasl_request_decode((struct text){ room, length }, &got), OK);
	assert_int_equal(got.kind, SASL_BEGIN);
	assert_true(got.number == request.number);
	assert_int_equal(got.mechanism, SASL_LOGIN);
	assert_true(text_equal(got.binding, request.binding) && text_equal(got.response, request.response));
	assert_true(text_equal(got.client, request.client));
	for (size_t cut = 0; cut < length; cut++)
		assert_int_equal(sasl_request_decode((struct text){ room, cut }, &got), ERR_SYNTAX);
	room[0] = 77;
	assert_int_equal(sasl_request_decode((struct text){ room, length }, &got), ERR_SYNTAX);
}

static void an_answer_comes_back(void **state)
{
	const struct sasl_answer answers[] = {
		{ .number = 9, .result = SASL_SUCCESS, .challenge = TEXT("v=x"), .user = TEXT("alice") },
		{ .number = 9, .result = SASL_CONTINUE, .challenge = TEXT("r=x") },
		{ .number = 9, .result = SASL_FAILURE, .reason = TEXT("why") },
		{ .number = 0, .result = SASL_CONTINUE, .mechanisms = 1u << SASL_PLAIN },
	};
	struct sasl_answer got;
	char room[SASL_MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		const size_t length = sasl_answer_encode(&answers[i], room);

		assert_int_equal(sasl_answer_decode((struct text){ room, length }, &got), OK);
		assert_true(got.number == answers[i].number && got.result == answers[i].result);
		assert_int_equal(got.mechanisms, answers[i].mechanisms);
		assert_true(text_equal(got.challenge, answers[i].challenge) && text_equal(got.user, answers[i].user));
		assert_true(text_equal(got.reason, answers[i].reason));
		for (size_t cut = 0; cut < length; cut++)
			assert_int_equal(sasl_answer_decode((struct text){ room, cut }, &got), ERR_SYNTAX);
	}
}

/* Whoever is not said to be somebody is nobody. */
static void success_without_a_name_is_none(void **state)
{
	const struct sasl_answer answer = { .number = 9, .result = SASL_SUCCESS };
	struct sasl_answer got;
	char room[SASL_MESSAGE_MAX];

	(void)state;
	assert_int_equal(sasl_answer_decode((struct text){ room, sasl_answer_encode(&answer, room) }, &got), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_comes_back),
		cmocka_unit_test(an_answer_comes_back),
		cmocka_unit_test(success_without_a_name_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
