/* postroad dkim check: what DNS has of our keys; and the moment at which new ones were seen there. */
#include <stdio.h>
#include <sysexits.h>

#include "auth/key_record.h"
#include "ctl/ask.h"
#include "ctl/dkim.h"
#include "ctl/verify.h"
#include "io/loop.h"
#include "lookup/lookup.h"

struct checking {
	const struct dkim_request *request;
	struct keys_folder folder;
	struct loop *loop;
	struct dns *dns; /* NULL with --trust. */
	json_t *report;
	size_t news;    /* Seen for the first time. */
	bool missing;   /* What DNS should have, it has not. */
};

static bool asks(const void *check, struct question *out_question)
{
	return key_check_question((const struct key_check *)check, out_question);
}

static void hears(void *check, const struct answer *answer)
{
	key_check_answer((struct key_check *)check, answer);
}

static void ended(void *context)
{
	loop_stop(context);
}

static enum key_published look_up(struct checking *checking, struct text name, struct text record)
{
	static const struct lookup_kind kind = { asks, hears };
	const struct lookup_listener listener = { .done = ended, .context = checking->loop };
	struct key_check check = { .name = name, .record = record, .published = KEY_UNKNOWN };

	if (checking->dns == NULL)
		return KEY_PUBLISHED;
	if (lookup_start(checking->dns, &kind, &check, &listener) != NULL)
		loop_run(checking->loop);
	return check.published;
}

static void report(struct checking *checking, const struct planned_key *key, struct text name, enum key_published published)
{
	static const char *const words[] = { [KEY_PUBLISHED] = "published",
		[KEY_ABSENT] = "missing",
		[KEY_DIFFERS] = "different",
		[KEY_UNKNOWN] = "unknown" };
	static const char *const sentences[] = { [KEY_PUBLISHED] = "is there",
		[KEY_ABSENT] = "is missing",
		[KEY_DIFFERS] = "has another key",
		[KEY_UNKNOWN] = "cannot be asked for now" };
	const char *state = key_state_word(key_state_at(key, checking->request->now_s));

	if (checking->request->json)
		json_array_append_new(checking->report,
		    json_pack("{s:s%, s:s, s:s}", "name", name.bytes, name.length, "record", words[published], "state", state));
	else
		printf("%.*s %s: %s\n", TEXT_FORMAT(name), sentences[published], state);
}

static int check_key(struct checking *checking, struct planned_key *key)
{
	const int64_t now_s = checking->request->now_s;
	struct text name, record;

	if (!dkim_record_of(&checking->folder, key, &name, &record))
		return EX_DATAERR;
	const enum key_published published = look_up(checking, name, record);

	if (published != KEY_PUBLISHED)
		checking->missing = true;
	if (published == KEY_PUBLISHED && key_state_at(key, now_s) == KEY_NEW) {
		key_plan_seen(&checking->folder.plan, key, &checking->request->settings, now_s);
		checking->news++;
	}
	report(checking, key, name, published);
	return EX_OK;
}

static int check_keys(struct checking *checking)
{
	struct key_plan *plan = &checking->folder.plan;
	int code = EX_OK;

	for (size_t i = 0; i < plan->count && code == EX_OK; i++)
		if (dkim_means(checking->request, &plan->keys[i]) &&
		    key_state_at(&plan->keys[i], checking->request->now_s) != KEY_RETIRED)
			code = check_key(checking, &plan->keys[i]);
	if (code == EX_OK && checking->news > 0)
		code = dkim_save(checking->request, &checking->folder);
	if (code == EX_OK && checking->request->json)
		ctl_print_json(checking->report);
	return code == EX_OK && checking->missing ? EX_UNAVAILABLE : code;
}

int dkim_check(const struct dkim_request *request)
{
	struct checking checking = { .request = request, .report = json_array() };
	const char *reason = "out of memory";
	int code = dkim_open(request, true, &checking.folder);

	if (code != EX_OK) {
		json_decref(checking.report);
		return code;
	}
	checking.loop = loop_new();
	if (checking.loop != NULL && !request->trust)
		checking.dns = verify_resolver(request->conf, request->zone, checking.loop, &reason);
	if (checking.dns != NULL || request->trust) {
		code = check_keys(&checking);
	} else {
		fprintf(stderr, "postroad: DNS cannot be asked: %s\n", reason);
		code = EX_OSERR;
	}
	if (checking.dns != NULL)
		dns_free(checking.dns);
	if (checking.loop != NULL)
		loop_free(checking.loop);
	json_decref(checking.report);
	keys_folder_close(&checking.folder);
	return code;
}
