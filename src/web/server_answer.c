/* What is said: each answer is made in the thread of its connection, which may wait for the control socket. */
#include <stdlib.h>

#include "base/clock.h"
#include "ctl/client.h"
#include "web/hand_in.h"
#include "web/metrics.h"
#include "web/page.h"
#include "web/server_private.h"

enum { RATE_OF_MESSAGES, RATE_OF_RECIPIENTS };

static const char type_json[] = "application/json", type_text[] = "text/plain; charset=utf-8";

static void put_json(struct web_exchange *exchange, unsigned status, json_t *value)
{
	char *line = value ? json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	buffer_clear(&exchange->answer);
	exchange->status = status;
	exchange->type = type_json;
	if (line == NULL || !buffer_append(&exchange->answer, text_of(line)) || !buffer_append(&exchange->answer, TEXT("\n"))) {
		buffer_clear(&exchange->answer);
		exchange->status = 500;
	}
	free(line);
	json_decref(value);
}

void web_answer_failure(struct web_exchange *exchange, unsigned status, const char *why)
{
	put_json(exchange, status, web_api_failure(why));
}

static void put_words(struct web_exchange *exchange, unsigned status, const char *words)
{
	exchange->status = status;
	exchange->type = type_text;
	if (!buffer_append(&exchange->answer, text_of(words)))
		exchange->status = 500;
}

static void put_file(struct web_exchange *exchange, const char *type, const unsigned char *bytes, size_t size)
{
	exchange->status = 200;
	exchange->type = type;
	if (!buffer_append(&exchange->answer, (struct text){ (const char *)bytes, size }))
		exchange->status = 500;
}

/* One question to the control socket; NULL: nobody answers there. */
static json_t *ask(struct ctl_client *client, const json_t *request)
{
	return client ? ctl_client_ask(client, request) : NULL;
}

static json_t *ask_stats(const char *control)
{
	struct ctl_client *client = NULL;
	json_t *request = json_pack("{s:s}", "do", "stats");
	json_t *answer = ctl_client_open(control, &client) == OK ? ask(client, request) : NULL;

	ctl_client_close(client);
	json_decref(request);
	return answer;
}

static void put_ready(struct web_exchange *exchange)
{
	json_t *stats = ask_stats(exchange->control);
	const bool ready = json_is_true(json_object_get(stats, "ok"));

	put_words(exchange, ready ? 200 : 503, ready ? "ready\n" : "the server does not answer\n");
	json_decref(stats);
}

static void put_metrics(struct web_exchange *exchange)
{
	json_t *stats = ask_stats(exchange->control);

	if (!json_is_true(json_object_get(stats, "ok"))) {
		put_words(exchange, 503, "the server does not answer\n");
	} else {
		exchange->status = 200;
		exchange->type = "text/plain; version=0.0.4; charset=utf-8";
		if (!web_metrics_print(stats, &exchange->answer))
			exchange->status = 500;
	}
	json_decref(stats);
}

/* A change is made page by page, and told as one. The request is used up. */
static json_t *ask_all(struct ctl_client *client, json_t *request)
{
	json_int_t messages = 0, recipients = 0;
	json_t *answer, *next;

	for (;;) {
		answer = ask(client, request);
		if (!json_is_true(json_object_get(answer, "ok")))
			return answer;
		messages += json_integer_value(json_object_get(answer, "messages"));
		recipients += json_integer_value(json_object_get(answer, "recipients"));
		next = json_object_get(answer, "next");
		if (!json_is_string(next))
			break;
		json_object_set(request, "after", next);
		json_decref(answer);
	}
	json_object_set_new(answer, "messages", json_integer(messages));
	json_object_set_new(answer, "recipients", json_integer(recipients));
	return answer;
}

/* A change of one message that is not there, or is as it would become. */
static bool found_nothing(const struct web_call *call, const json_t *request, const json_t *answer)
{
	const bool of_one = call->target.second.length > 0 || text_equal(text_of(call->target.endpoint->method), TEXT("DELETE"));

	return of_one && web_api_is_change(request) && json_object_get(request, "id") != NULL &&
	    json_is_true(json_object_get(answer, "ok")) && json_integer_value(json_object_get(answer, "messages")) == 0;
}

static void put_api(struct web_exchange *exchange)
{
	struct ctl_client *client = NULL;
	const char *wrong = NULL;
	json_t *request, *answer = NULL;

	exchange->call.body = buffer_text(&exchange->body);
	request = web_api_request(&exchange->call, &wrong);
	if (request == NULL) {
		web_answer_failure(exchange, 400, wrong);
		return;
	}
	if (ctl_client_open(exchange->control, &client) == OK)
		answer = web_api_is_change(request) ? ask_all(client, request) : ask(client, request);
	ctl_client_close(client);
	if (answer == NULL)
		web_answer_failure(exchange, 503, "the server does not answer");
	else if (found_nothing(&exchange->call, request, answer))
		web_answer_failure(exchange, 404, "nothing to do for it (not in the queue, or in that state already)");
	else
		put_json(exchange, web_api_status(answer), json_incref(answer));
	json_decref(answer);
	json_decref(request);
}

/* RFC 8461 §3.2 */
static void put_policy(struct web_exchange *exchange)
{
	const struct text policy = web_rules_policy(exchange->rules, exchange->host);

	if (policy.length == 0)
		web_answer_failure(exchange, 404, "there is no policy of such a domain");
	else
		put_file(exchange, "text/plain; charset=us-ascii", (const unsigned char *)policy.bytes, policy.length);
}

/* 0: he may hand in so much now. */
static unsigned limit(struct web_exchange *exchange, const struct web_letter *letter, const char **out_why)
{
	const struct web_rates rates = web_rules_rates(exchange->rules);
	const struct rate_taking takings[] = { { RATE_OF_MESSAGES, exchange->name, &rates.messages, 1 },
		{ RATE_OF_RECIPIENTS, exchange->name, &rates.recipients, (uint32_t)letter->recipient_count } };
	const int64_t wait_ms =
	    rate_table_take_all(exchange->rates, takings, sizeof takings / sizeof *takings, clock_monotonic_ms());

	if (wait_ms == 0)
		return 0;
	*out_why = wait_ms == INT64_MAX ? "more recipients than are allowed at all" : "more than is allowed now, come again later";
	exchange->retry_after_s = wait_ms / 1000 + 1;
	return wait_ms == INT64_MAX ? 422 : 429;
}

static bool make_claim(const struct web_exchange *exchange, struct web_claim *out_claim)
{
	char *query = json_dumps(exchange->call.query, JSON_SORT_KEYS);
	const struct text content[] = { exchange->call.body, exchange->content_type, text_of(query) };
	const bool made = query != NULL &&
	    web_claim_make(exchange->name, exchange->key, content, sizeof content / sizeof *content, out_claim);

	free(query);
	return made;
}

/* A key that is shown, and what was handed in under it. A status, or 0: go on. */
static unsigned look_for_claim(struct web_exchange *exchange, struct arena *arena, struct web_claim *out_claim,
    struct web_receipt *out_receipt, const char **out_why)
{
	*out_claim = (struct web_claim){ 0 };
	if (exchange->key.bytes == NULL)
		return 0;
	if (!web_claim_key_is_right(exchange->key)) {
		*out_why = "an Idempotency-Key has 1 to 255 printable characters";
		return 400;
	}
	if (!make_claim(exchange, out_claim))
		return 503;
	web_find_claim(exchange->control, out_claim, arena, out_receipt);
	return out_receipt->status;
}

static void put_mail(struct web_exchange *exchange)
{
	struct arena *arena = arena_new(LETTER_ARENA_BYTES + 2 * buffer_text(&exchange->body).length);
	struct web_letter letter = { .hostname = exchange->hostname };
	struct web_receipt receipt = { 0 };
	struct web_claim claim;
	const char *wrong = "out of memory";
	unsigned status = arena == NULL ? 503 : 0;

	exchange->call.body = buffer_text(&exchange->body);
	if (status == 0 && !web_letter_read(&exchange->call, exchange->content_type, arena, &letter, &wrong))
		status = 400;
	if (status == 0)
		status = look_for_claim(exchange, arena, &claim, &receipt, &wrong);
	if (status == 0)
		status = limit(exchange, &letter, &wrong);
	if (status == 0)
		web_hand_in(exchange->control, &letter, claim.key[0] != '\0' ? &claim : NULL, arena, &receipt);
	if (receipt.status != 0) {
		status = receipt.status;
		wrong = receipt.words;
	}
	exchange->replayed = receipt.replayed;
	if (status == 202)
		put_json(exchange, status, json_pack("{s:b, s:s, s:s}", "ok", 1, "id", receipt.id, "said", receipt.words));
	else
		web_answer_failure(exchange, status, wrong);
	arena_free(arena);
}

void web_answer(struct web_exchange *exchange)
{
	switch (exchange->call.target.endpoint->answer) {
	case WEB_ANSWER_HEALTH:
		put_words(exchange, 200, "ok\n");
		break;
	case WEB_ANSWER_READY:
		put_ready(exchange);
		break;
	case WEB_ANSWER_METRICS:
		put_metrics(exchange);
		break;
	case WEB_ANSWER_PAGE:
		put_file(exchange, "text/html; charset=utf-8", web_page_html, web_page_html_size);
		break;
	case WEB_ANSWER_STYLE:
		put_file(exchange, "text/css; charset=utf-8", web_page_css, web_page_css_size);
		break;
	case WEB_ANSWER_SCRIPT:
		put_file(exchange, "text/javascript; charset=utf-8", web_page_js, web_page_js_size);
		break;
	case WEB_ANSWER_STS:
		put_policy(exchange);
		break;
	case WEB_ANSWER_MAIL:
		put_mail(exchange);
		break;
	case WEB_ANSWER_API:
		put_api(exchange);
		break;
	}
}
