#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "queue/fate.h"

enum { HOUR_MS = 3600000 };
enum { NEVER = DSN_NOTIFY_NEVER, SUCCESS = DSN_NOTIFY_SUCCESS, FAILURE = DSN_NOTIFY_FAILURE, DELAY = DSN_NOTIFY_DELAY };
enum sender { PERSON, NOBODY };
enum hop { HOST_WITH_DSN, HOST_WITHOUT_DSN, MAILBOX };

static const int64_t gaps[] = { HOUR_MS };
static const struct retry_schedule schedule = { gaps, 1 };

/* One line of the truth table in fate.h each. */
static const struct {
	uint16_t code;
	enum hop hop;
	enum sender sender;
	uint8_t notify;
	uint8_t flags;
	int64_t age_ms, left_ms;
	enum fate_kind kind;
	bool told;
	enum dsn_action action;
} cases[] = {
	{ 250, HOST_WITH_DSN, PERSON, 0, 0, 0, HOUR_MS, FATE_DONE, false, DSN_RELAYED },
	{ 250, HOST_WITH_DSN, PERSON, SUCCESS, 0, 0, HOUR_MS, FATE_DONE, false, DSN_RELAYED },
	{ 250, HOST_WITHOUT_DSN, PERSON, SUCCESS, 0, 0, HOUR_MS, FATE_DONE, true, DSN_RELAYED },
	{ 250, HOST_WITHOUT_DSN, PERSON, FAILURE, 0, 0, HOUR_MS, FATE_DONE, false, DSN_RELAYED },
	{ 250, HOST_WITHOUT_DSN, PERSON, NEVER, 0, 0, HOUR_MS, FATE_DONE, false, DSN_RELAYED },
	{ 250, HOST_WITHOUT_DSN, NOBODY, SUCCESS, 0, 0, HOUR_MS, FATE_DONE, false, DSN_RELAYED },
	{ 250, MAILBOX, PERSON, SUCCESS | FAILURE, 0, 0, HOUR_MS, FATE_DONE, true, DSN_DELIVERED },
	{ 250, MAILBOX, PERSON, 0, 0, 0, HOUR_MS, FATE_DONE, false, DSN_DELIVERED },

	{ 550, MAILBOX, PERSON, 0, 0, 0, HOUR_MS, FATE_FAILED, true, DSN_FAILED },
	{ 550, MAILBOX, PERSON, FAILURE, 0, 0, HOUR_MS, FATE_FAILED, true, DSN_FAILED },
	{ 550, MAILBOX, PERSON, SUCCESS, 0, 0, HOUR_MS, FATE_FAILED, false, DSN_FAILED },
	{ 550, MAILBOX, PERSON, NEVER, 0, 0, HOUR_MS, FATE_FAILED, false, DSN_FAILED },
	{ 550, MAILBOX, NOBODY, 0, 0, 0, HOUR_MS, FATE_FAILED, true, DSN_FAILED },
	{ 550, MAILBOX, NOBODY, NEVER, 0, 0, HOUR_MS, FATE_FAILED, false, DSN_FAILED },

	{ 450, MAILBOX, PERSON, 0, 0, 0, HOUR_MS, FATE_WAITS, false, DSN_DELAYED },
	{ 450, MAILBOX, PERSON, 0, 0, 4 * HOUR_MS - 1, HOUR_MS, FATE_WAITS, false, DSN_DELAYED },
	{ 450, MAILBOX, PERSON, 0, 0, 4 * HOUR_MS, HOUR_MS, FATE_WAITS, true, DSN_DELAYED },
	{ 450, MAILBOX, PERSON, DELAY, 0, 5 * HOUR_MS, HOUR_MS, FATE_WAITS, true, DSN_DELAYED },
	{ 450, MAILBOX, PERSON, FAILURE, 0, 5 * HOUR_MS, HOUR_MS, FATE_WAITS, false, DSN_DELAYED },
	{ 450, MAILBOX, PERSON, NEVER, 0, 5 * HOUR_MS, HOUR_MS, FATE_WAITS, false, DSN_DELAYED },
	{ 450, MAILBOX, PERSON, 0, RECIPIENT_WARNED, 5 * HOUR_MS, HOUR_MS, FATE_WAITS, false, DSN_DELAYED },
	{ 450, MAILBOX, NOBODY, 0, 0, 5 * HOUR_MS, HOUR_MS, FATE_WAITS, false, DSN_DELAYED },
	{ 450, MAILBOX, PERSON, 0, 0, 5 * HOUR_MS, 0, FATE_FAILED, true, DSN_FAILED },
	{ 450, MAILBOX, PERSON, NEVER, 0, 5 * HOUR_MS, -1, FATE_FAILED, false, DSN_FAILED },
};

static void test_truth_table(void **state)
{
	(void)state;
	static const struct address senders[] = {
		[PERSON] = { { "alice", 5 }, { "example.org", 11 } },
		[NOBODY] = { { NULL, 0 }, { NULL, 0 } },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const int64_t now_ms = 1795494481000;
		const struct envelope envelope = { .id = 1,
			.arrived_ms = now_ms - cases[i].age_ms,
			.expires_ms = now_ms + cases[i].left_ms,
			.reverse_path = senders[cases[i].sender] };
		const struct recipient recipient = { .notify = cases[i].notify, .flags = cases[i].flags };
		const struct verdict verdict = { .code = cases[i].code };
		const struct fate fate = fate_decide(&(struct fate_question){
		    .envelope = &envelope,
		    .recipient = &recipient,
		    .verdict = &verdict,
		    .final = cases[i].hop == MAILBOX,
		    .relayed_without_dsn = cases[i].hop == HOST_WITHOUT_DSN,
		    .schedule = &schedule,
		    .warn_after_ms = 4 * HOUR_MS,
		    .now_ms = now_ms,
		});

		if (fate.kind != cases[i].kind || fate.told != cases[i].told || fate.action != cases[i].action)
			fail_msg("case %zu: fate %d, told %d, action %d", i, fate.kind, fate.told, fate.action);
		assert_int_equal(fate.expired, cases[i].kind == FATE_FAILED && cases[i].code == 450);
	}
}

/* RFC 2852 §4.1.4 */
static void test_wanted_by(void **state)
{
	enum { R = ENVELOPE_BY_RETURN, T = ENVELOPE_BY_TRACE };
	static const struct {
		uint16_t code;
		uint16_t flags;
		int64_t by_in_ms;
		uint8_t notify;
		bool known;      /* The next server knows DELIVERBY. */
		bool told;
		int64_t due_in_ms; /* 0: no matter. */
	} times[] = {
		{ 250, R, HOUR_MS, 0, true, false, 0 },        /* Goes on with its wish. */
		{ 250, R, HOUR_MS, 0, false, true, 0 },        /* The wish ends here. */
		{ 250, R, HOUR_MS, NEVER, false, false, 0 },
		{ 250, 0, HOUR_MS, 0, false, false, 0 },
		{ 250, T, HOUR_MS, 0, true, true, 0 },
		{ 450, 0, HOUR_MS / 2, 0, true, false, HOUR_MS / 2 }, /* Not late; looked at when it is. */
		{ 450, 0, -1, 0, true, true, 0 },
		{ 450, 0, -1, FAILURE, true, false, 0 },
		{ 450, R, 2 * HOUR_MS, 0, true, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		const int64_t now_ms = 1795494481000;
		const struct envelope envelope = { .id = 1,
			.flags = times[i].flags,
			.arrived_ms = now_ms - HOUR_MS,
			.expires_ms = now_ms + 24 * HOUR_MS,
			.deliver_by_ms = now_ms + times[i].by_in_ms,
			.reverse_path = { TEXT("alice"), TEXT("example.org") } };
		const struct recipient recipient = { .notify = times[i].notify };
		const struct verdict verdict = { .code = times[i].code };
		const struct fate fate = fate_decide(&(struct fate_question){ .envelope = &envelope,
		    .recipient = &recipient,
		    .verdict = &verdict,
		    .relayed_without_deliverby = !times[i].known,
		    .schedule = &schedule,
		    .warn_after_ms = 4 * HOUR_MS,
		    .now_ms = now_ms });

		if (fate.told != times[i].told || (times[i].due_in_ms != 0 && fate.due_ms != now_ms + times[i].due_in_ms))
			fail_msg("case %zu: told %d, due in %lld ms", i, fate.told, (long long)(fate.due_ms - now_ms));
	}
}

/* The warning waits for as long as the message was held. */
static void test_held(void **state)
{
	const int64_t now_ms = 1795494481000;
	const struct envelope envelope = { .id = 1,
		.arrived_ms = now_ms - 10 * HOUR_MS,
		.held_until_ms = now_ms - HOUR_MS,
		.expires_ms = now_ms + 24 * HOUR_MS,
		.reverse_path = { TEXT("alice"), TEXT("example.org") } };
	const struct recipient recipient = { 0 };
	const struct verdict verdict = { .code = 450 };
	struct fate_question question = { .envelope = &envelope,
		.recipient = &recipient,
		.verdict = &verdict,
		.schedule = &schedule,
		.warn_after_ms = 4 * HOUR_MS,
		.now_ms = now_ms };

	(void)state;
	assert_false(fate_decide(&question).told);
	question.now_ms += 3 * HOUR_MS;
	assert_true(fate_decide(&question).told);
}

/* What the other server says moves the next attempt; the same words of ours do not. */
static void test_the_reply_moves_the_next_attempt(void **state)
{
	static const int64_t gap_ms = 30 * 60 * 1000;
	const struct retry_schedule half_hours = { &gap_ms, 1 };
	const int64_t now_ms = 1795494481000;
	const struct envelope envelope = { .id = 1, .arrived_ms = now_ms, .expires_ms = now_ms + 24 * HOUR_MS };
	const struct recipient recipient = { .notify = NEVER };
	struct verdict verdict = VERDICT(450, 4, 7, 1, "greylisted");
	struct fate_question question = { .envelope = &envelope,
		.recipient = &recipient,
		.verdict = &verdict,
		.schedule = &half_hours,
		.now_ms = now_ms };

	(void)state;
	verdict.host = TEXT("/var/mail/example.net/alice");
	assert_in_range(fate_decide(&question).due_ms - now_ms, gap_ms * 7 / 8 - 1, gap_ms);
	verdict.host = TEXT("mx.example.net[192.0.2.1]");
	question.by_host = true;
	assert_in_range(fate_decide(&question).due_ms - now_ms, 1, RETRY_GREYLIST_MS_MAX);
	verdict.enhanced = (struct enhanced_code){ 4, 2, 2 };
	assert_in_range(fate_decide(&question).due_ms - now_ms, RETRY_FULL_MS_MIN * 7 / 8 - 1, RETRY_FULL_MS_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_truth_table), cmocka_unit_test(test_wanted_by),
		cmocka_unit_test(test_held), cmocka_unit_test(test_the_reply_moves_the_next_attempt) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
