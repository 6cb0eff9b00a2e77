#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "web/metrics.h"

static void numbers_become_metrics(void **state)
{
	json_t *stats = json_loads("{\"ok\": true, \"version\": \"1\\\"\\\\\", \"spool\": {\"messages\": 3}, \"counters\": {\"tls-in\": 7}}", 0, NULL);
	struct buffer out;

	(void)state;
	buffer_init(&out, 1 << 20);
	assert_true(web_metrics_print(stats, &out));
	const struct text text = buffer_text(&out);

	assert_true(text_find(text, TEXT("postroad_build_info{version=\"1\\\"\\\\\"} 1\n")) < text.length);
	assert_true(text_find(text, TEXT("\n# TYPE postroad_queue_messages gauge\npostroad_queue_messages 3\n")) < text.length);
	assert_true(text_find(text, TEXT("\n# TYPE postroad_tls_in_total counter\npostroad_tls_in_total 7\n")) < text.length);
	assert_true(text_find(text, TEXT("\npostroad_received_total 0\n")) < text.length);
	assert_true(text_find(text, TEXT("queue_recipients")) == text.length);
	assert_true(text_ends(text, TEXT("\n")));
	buffer_done(&out);
	json_decref(stats);
}

static void names_become_labels(void **state)
{
	json_t *stats = json_loads("{\"version\": \"1\", \"busiest\": ["
		"{\"destination\": \"a\\\"b.test\", \"delivered\": 5, \"deferred\": 2, \"failed\": 1},"
		"{\"destination\": null, \"delivered\": 9, \"deferred\": 0, \"failed\": 0}],"
		"\"certificates\": [{\"name\": \"mx.test\", \"not_after_s\": 12}, {\"name\": \"mx.test\", \"not_after_s\": 13}],"
		"\"webhooks\": [{\"name\": \"billing\", \"waiting\": 3, \"oldest_age_ms\": 1500, \"dropped\": 2},"
		"{\"name\": \"shop\", \"waiting\": 0, \"oldest_age_ms\": 0, \"dropped\": 0}]}", 0, NULL);
	struct buffer out;

	(void)state;
	assert_non_null(stats);
	buffer_init(&out, 1 << 20);
	assert_true(web_metrics_print(stats, &out));
	const struct text text = buffer_text(&out);

	assert_true(text_find(text, TEXT("\npostroad_outcomes_total{destination=\"a\\\"b.test\",outcome=\"deferred\"} 2\n")) < text.length);
	assert_true(text_find(text, TEXT("\npostroad_outcomes_total{destination=\"other\",outcome=\"delivered\"} 9\n")) < text.length);
	assert_true(text_find(text, TEXT("\npostroad_certificate_expiry_timestamp_seconds{certificate=\"2\",name=\"mx.test\"} 13\n")) < text.length);
	assert_true(text_find(text, TEXT("\n# TYPE postroad_webhook_waiting_events gauge\npostroad_webhook_waiting_events{webhook=\"billing\"} 3\n"
		"postroad_webhook_waiting_events{webhook=\"shop\"} 0\n")) < text.length);
	assert_true(text_find(text, TEXT("\npostroad_webhook_oldest_age_seconds{webhook=\"billing\"} 1.5")) < text.length);
	assert_true(text_find(text, TEXT("\n# TYPE postroad_webhook_dropped_events_total counter\n")) < text.length);
	assert_true(text_find(text, TEXT("\npostroad_webhook_dropped_events_total{webhook=\"billing\"} 2\n")) < text.length);
	buffer_done(&out);
	json_decref(stats);
}

static void keys_become_gauges(void **state)
{
	json_t *stats = json_loads("{\"version\": \"1\", \"dkim\": {\"new\": 1, \"active\": 1, \"keys\": ["
		"{\"domain\": \"a.test\", \"selector\": \"s1\", \"algorithm\": \"rsa\", \"state\": \"active\", \"next-at-s\": 12},"
		"{\"domain\": \"b.test\", \"selector\": \"s2\", \"algorithm\": \"ed25519\", \"state\": \"new\", \"next-at-s\": null}]}}", 0, NULL);
	struct buffer out;

	(void)state;
	assert_non_null(stats);
	buffer_init(&out, 1 << 20);
	assert_true(web_metrics_print(stats, &out));
	const struct text text = buffer_text(&out);

	assert_true(text_find(text, TEXT("\npostroad_dkim_keys{state=\"active\"} 1\n")) < text.length);
	assert_true(text_find(text, TEXT("\npostroad_dkim_key_state{domain=\"b.test\",selector=\"s2\",algorithm=\"ed25519\",state=\"new\"} 1\n")) < text.length);
	assert_true(text_find(text, TEXT("\npostroad_dkim_key_next_timestamp_seconds{domain=\"a.test\",selector=\"s1\"} 12\n")) < text.length);
	assert_true(text_find(text, TEXT("next_timestamp_seconds{domain=\"b.test\"")) == text.length);
	json_object_set_new(stats, "dkim", json_null());
	buffer_clear(&out);
	assert_true(web_metrics_print(stats, &out));
	assert_true(text_find(buffer_text(&out), TEXT("dkim_key")) == out.length);
	buffer_done(&out);
	json_decref(stats);
}

static void too_little_room_is_told(void **state)
{
	json_t *stats = json_object();
	struct buffer out;

	(void)state;
	buffer_init(&out, 1000);
	assert_false(web_metrics_print(stats, &out));
	buffer_done(&out);
	json_decref(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_become_metrics),
		cmocka_unit_test(names_become_labels),
		cmocka_unit_test(keys_become_gauges),
		cmocka_unit_test(too_little_room_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
