#include "admin/admin.h"

#include <stdlib.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"
#include "base/clock.h"
#include "base/must.h"
#include "io/loop.h"

enum { CLAIM_ARENA_BYTES = 64 << 10 };

struct admin *admin_new(const struct admin_settings *settings)
{
	struct admin *admin = calloc(1, sizeof *admin);

	if (admin == NULL)
		return NULL;
	admin->settings = *settings;
	admin->settings.router = router_ref(settings->router);
	admin->started_ms = clock_monotonic_ms();
	return admin;
}

void admin_free(struct admin *admin)
{
	if (admin == NULL)
		return;
	while (admin->pending != NULL) {
		struct admin_pending *pending = admin->pending;

		DL_DELETE(admin->pending, pending);
		pending->give_up(pending);
	}
	router_unref(admin->settings.router);
	free(admin);
}

json_t *admin_stopping(void)
{
	return admin_failure(EX_TEMPFAIL, "the server is stopping");
}

void admin_set_router(struct admin *admin, struct router *router)
{
	struct router *old = admin->settings.router;

	admin->settings.router = router_ref(router);
	router_unref(old);
}

json_t *admin_ask(struct spool *spool, const json_t *request)
{
	const struct text verb = admin_member(request, "do");

	if (text_equal(verb, TEXT("queue list")))
		return admin_queue_list(spool, request);
	if (text_equal(verb, TEXT("queue show")))
		return admin_queue_show(spool, request);
	if (text_equal(verb, TEXT("queue destinations")))
		return admin_queue_destinations(spool);
	if (text_equal(verb, TEXT("queue pauses")))
		return admin_queue_pauses(spool);
	if (text_equal(verb, TEXT("trace")))
		return admin_trace(spool, request);
	if (text_equal(verb, TEXT("reports")))
		return admin_reports(spool, request);
	if (text_equal(verb, TEXT("replay list")))
		return admin_replay_list(spool, request);
	return NULL;
}

static json_t *replay(const struct admin_settings *settings, const json_t *request)
{
	struct replay_side side = { .router = settings->router, .now_ms = loop_unix_ms(settings->loop) };

	if (settings->in_force == NULL)
		return admin_failure(EX_UNAVAILABLE, "this server does not tell what is in force");
	settings->in_force(settings->context, &side);
	return admin_replay(settings->spool, &side, request);
}

/* Which message has the key of its sender's own, and its mark; null: none. */
static json_t *claim(const struct admin_settings *settings, const json_t *request)
{
	const uint32_t day = tally_day(loop_unix_ms(settings->loop));
	struct arena *arena = arena_new(CLAIM_ARENA_BYTES);
	struct text value = TEXT_EMPTY;
	const enum error error =
	    arena ? spool_read_claim(settings->spool, day, admin_member(request, "key"), arena, &value) : ERR_NO_MEMORY;
	const struct text id = text_part(value, 0, text_find_byte(value, ' '));
	json_t *answer = error == OK ? json_pack("{s:b, s:o, s:o}", "ok", 1, "id", admin_string(id), "mark",
	                                   admin_string(text_from(value, id.length + 1)))
	    : error == ERR_NOT_FOUND ? json_pack("{s:b, s:n}", "ok", 1, "id")
	                             : admin_failure(EX_TEMPFAIL, "the spool: %s", error_text(error));

	arena_free(arena);
	return answer;
}

static json_t *ask_supervisor(bool (*ask)(void *), void *context)
{
	return ask(context) ? json_pack("{s:b}", "ok", 1)
			    : admin_failure(EX_TEMPFAIL, "the supervisor does not answer");
}

void admin_request(struct admin *admin, const json_t *request, uint32_t uid, admin_answered *answered, void *context)
{
	const struct admin_settings *settings = &admin->settings;
	const struct text verb = admin_member(request, "do");

	if (text_equal(verb, TEXT("queue destinations"))) {
		admin_destinations(admin, answered, context);
		return;
	}
	json_t *answer = admin_ask(settings->spool, request);

	if (answer == NULL && text_starts(verb, TEXT("queue ")) &&
	    admin_queue_change(admin, request, text_from(verb, 6), uid, answered, context))
		return;
	if (answer == NULL && text_equal(verb, TEXT("queue pause"))) {
		admin_queue_pause(admin, request, uid, answered, context);
		return;
	}
	if (answer == NULL && text_equal(verb, TEXT("reports send"))) {
		admin_reports_send(admin, request, answered, context);
		return;
	}
	if (answer == NULL && text_equal(verb, TEXT("explain"))) {
		admin_explain(admin, request, answered, context);
		return;
	}
	if (answer == NULL && text_equal(verb, TEXT("tail"))) {
		admin_tail(admin, request, answered, context);
		return;
	}
	if (answer == NULL && text_equal(verb, TEXT("stats"))) {
		admin_stats(admin, answered, context);
		return;
	}
	if (answer == NULL && text_equal(verb, TEXT("replay")))
		answer = replay(settings, request);
	if (answer == NULL && text_equal(verb, TEXT("webhooks")))
		answer = json_pack("{s:b, s:o}", "ok", 1, "webhooks", admin_webhooks(settings));
	if (answer == NULL && text_equal(verb, TEXT("claim")))
		answer = claim(settings, request);
	if (answer == NULL && text_equal(verb, TEXT("reload")))
		answer = ask_supervisor(settings->reload, settings->context);
	if (answer == NULL && text_equal(verb, TEXT("upgrade")))
		answer = ask_supervisor(settings->upgrade, settings->context);
	if (answer == NULL && text_equal(verb, TEXT("stop")))
		answer = ask_supervisor(settings->stop, settings->context);
	if (answer == NULL)
		answer = admin_failure(EX_USAGE, "no such request: \"%.*s\"", TEXT_FORMAT(verb));
	answered(context, answer);
}
