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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_truth_table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
