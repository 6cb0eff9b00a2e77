/* Whether those who want to be told of deliveries are: what the server that runs tells of its webhooks. */
#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/doctor.h"

enum {
	MINUTE_MS = 60 * 1000,
	HOUR_MS = 60 * MINUTE_MS,
	LAG_MS = 10 * MINUTE_MS, /* Behind by this, it is slower than its events. */
	LONG_MS = HOUR_MS        /* Away for so long, it does not come back by itself. */
};

static const char *print_span(struct doctor *doctor, long long ms)
{
	if (ms < MINUTE_MS)
		return doctor_print(doctor, "%lld s", ms / 1000);
	if (ms < 2 * HOUR_MS)
		return doctor_print(doctor, "%lld min", ms / MINUTE_MS);
	return doctor_print(doctor, "%lld h", ms / HOUR_MS);
}

/* ": 12 events wait for it, the oldest for 3 h", or nothing. */
static const char *print_waiting(struct doctor *doctor, const json_t *webhook)
{
	const long long waiting = ctl_number(webhook, "waiting");

	if (waiting == 0)
		return "";
	return doctor_print(doctor, ": %lld %s for it, the oldest for %s", waiting, waiting == 1 ? "event waits" : "events wait",
	    print_span(doctor, ctl_number(webhook, "oldest_age_ms")));
}

/* Since the start of the server it may not have failed for long; what waits may be older. */
static void judge_failing(struct doctor *doctor, const char *subject, const json_t *webhook)
{
	const long long failing_ms = ctl_number(webhook, "failing_age_ms"), oldest_ms = ctl_number(webhook, "oldest_age_ms");
	const long long ms = failing_ms > oldest_ms ? failing_ms : oldest_ms;
	const char *error = ctl_string(json_object_get(webhook, "last"), "error", "?"), *url = ctl_string(webhook, "url", "its url");

	doctor_find(doctor, ms >= LONG_MS ? DOCTOR_ERROR : DOCTOR_WARNING, subject,
	    doctor_print(doctor, "it has taken nothing for %s (%s)%s", print_span(doctor, ms), error, print_waiting(doctor, webhook)),
	    doctor_print(doctor, "see to %s: it is to answer 2xx; postroad reload tries at once", url));
}

static void judge_working(struct doctor *doctor, const char *subject, const json_t *webhook)
{
	if (ctl_number(webhook, "oldest_age_ms") >= LAG_MS)
		doctor_find(doctor, DOCTOR_WARNING, subject,
		    doctor_print(doctor, "it takes events later than they come%s", print_waiting(doctor, webhook)),
		    "let it answer before it works on them, or want fewer events");
	else if (ctl_string(webhook, "worked", NULL) == NULL)
		doctor_find(doctor, DOCTOR_FINE, subject, "nothing was told since the start", NULL);
	else
		doctor_find(doctor, DOCTOR_FINE, subject, "it takes what it is told", NULL);
}

void doctor_judge_webhook(struct doctor *doctor, const json_t *webhook)
{
	const char *name = ctl_string(webhook, "name", "?"), *subject = doctor_print(doctor, "webhook %s", name);
	const struct text state = text_of(ctl_string(webhook, "state", ""));
	const long long dropped = ctl_number(webhook, "dropped");

	if (text_equal(state, TEXT("unusable")))
		doctor_find(doctor, DOCTOR_ERROR, subject,
		    doctor_print(doctor, "it is told nothing, for its secret cannot be read: %s", ctl_string(webhook, "problem", "?")),
		    "see to its secret-file, then postroad reload");
	else if (text_equal(state, TEXT("stopped")))
		doctor_find(doctor, DOCTOR_WARNING, subject,
		    doctor_print(doctor, "it has answered 410 (gone), and is told nothing until a reload%s", print_waiting(doctor, webhook)),
		    "take it out of the configuration, or let it answer 2xx, then postroad reload");
	else if (text_equal(state, TEXT("fails")))
		judge_failing(doctor, subject, webhook);
	else
		judge_working(doctor, subject, webhook);
	if (dropped > 0)
		doctor_find(doctor, DOCTOR_WARNING, doctor_print(doctor, "events for webhook %s", name),
		    doctor_print(doctor, "%lld gave way to newer ones since the start, and it is never told of them", dropped),
		    "postroad trace tells what became of a message; let its receiver be away less long, or want fewer events");
}

void doctor_look_at_webhooks(struct doctor *doctor)
{
	struct ctl_client *client;
	json_t *request, *answer, *webhook;
	size_t i;

	if (!doctor->runs || ctl_client_open(doctor->conf->control, &client) != OK)
		return;
	request = json_pack("{s:s}", "do", "webhooks");
	answer = ctl_client_ask(client, request);
	json_array_foreach (json_object_get(answer, "webhooks"), i, webhook)
		doctor_judge_webhook(doctor, webhook);
	json_decref(answer);
	json_decref(request);
	ctl_client_close(client);
}
