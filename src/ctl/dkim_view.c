/* postroad dkim list, record. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "auth/key_record.h"
#include "ctl/ask.h"
#include "ctl/dkim.h"
#include "mail/date.h"

/* -- list -------------------------------------------------------------------- */

struct line_time {
	char room[DATE_TEXT_SIZE];
};

/* "2026-11-25T19:00:00Z" */
static const char *print_time(int64_t moment_s, struct line_time *time)
{
	const time_t moment = (time_t)moment_s;
	struct tm parts;

	if (gmtime_r(&moment, &parts) == NULL || strftime(time->room, sizeof time->room, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		time->room[0] = '\0';
	return time->room;
}

/* What an operator does next about this key. */
static bool print_next(const struct dkim_request *request, const struct keys_folder *folder, const struct planned_key *key,
    struct text *out_next)
{
	struct line_time time;

	switch (key_state_at(key, request->now_s)) {
	case KEY_NEW:
		return arena_print(request->arena, out_next,
		    "publish its record (postroad dkim record %.*s), then postroad dkim check", TEXT_FORMAT(key->domain));
	case KEY_WAITING:
		return arena_print(request->arena, out_next, "signs from %s", print_time(key->active_s, &time));
	case KEY_ACTIVE:
		if (key->until_s != 0)
			return arena_print(request->arena, out_next, "signs until %s", print_time(key->until_s, &time));
		if (key_plan_is_due(&folder->plan, key, &request->settings, request->now_s))
			return arena_print(request->arena, out_next, "due: postroad dkim rotate %.*s", TEXT_FORMAT(key->domain));
		return arena_print(request->arena, out_next, "-");
	case KEY_RETIRING:
		return arena_print(request->arena, out_next, "keep its record until %s", print_time(key->removed_s, &time));
	default:
		return arena_print(request->arena, out_next,
		    "remove its record, then postroad dkim remove %.*s --selector %.*s", TEXT_FORMAT(key->domain),
		    TEXT_FORMAT(key->selector));
	}
}

static json_t *moment(int64_t moment_s)
{
	struct line_time time;

	return moment_s == 0 ? json_null() : json_string(print_time(moment_s, &time));
}

static json_t *describe(const struct dkim_request *request, const struct planned_key *key, struct text next)
{
	const struct text name[] = { key->domain, key->selector };

	return json_pack("{s:s%, s:s%, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s%}", "domain", name[0].bytes, name[0].length,
	    "selector", name[1].bytes, name[1].length, "algorithm", key->kind == KEY_RSA ? "rsa" : "ed25519", "state",
	    key_state_word(key_state_at(key, request->now_s)), "since", moment(key_state_since(key, request->now_s)), "made",
	    moment(key->made_s), "seen", moment(key->seen_s), "signs-from", moment(key->active_s), "signs-until",
	    moment(key->until_s), "record-until", moment(key->removed_s), "next", next.bytes, next.length);
}

static void print_line(const struct dkim_request *request, const struct planned_key *key, struct text next)
{
	struct line_time since;

	printf("%-24.*s %-14.*s %-8s %-10s %-21s %.*s\n", TEXT_FORMAT(key->domain), TEXT_FORMAT(key->selector),
	    key->kind == KEY_RSA ? "rsa" : "ed25519", key_state_word(key_state_at(key, request->now_s)),
	    print_time(key_state_since(key, request->now_s), &since), TEXT_FORMAT(next));
}

int dkim_list(const struct dkim_request *request)
{
	struct keys_folder folder;
	int code = dkim_open(request, false, &folder);

	if (code != EX_OK)
		return code;
	json_t *array = json_array();

	if (!request->json)
		printf("%-24s %-14s %-8s %-10s %-21s %s\n", "DOMAIN", "SELECTOR", "KIND", "STATE", "SINCE", "NEXT");
	for (size_t i = 0; i < folder.plan.count && code == EX_OK; i++) {
		const struct planned_key *key = &folder.plan.keys[i];
		struct text next;

		if (!dkim_means(request, key))
			continue;
		if (!print_next(request, &folder, key, &next))
			code = EX_OSERR;
		else if (request->json)
			json_array_append_new(array, describe(request, key, next));
		else
			print_line(request, key, next);
	}
	if (request->json && code == EX_OK)
		ctl_print_json(array);
	json_decref(array);
	keys_folder_close(&folder);
	return code;
}

/* -- record -------------------------------------------------------------------- */

bool dkim_print_record(const struct keys_folder *folder, const struct planned_key *key)
{
	struct text name, record;

	if (!dkim_record_of(folder, key, &name, &record))
		return false;
	printf("%.*s. IN TXT (", TEXT_FORMAT(name));
	/* RFC 6376 §3.6.2.2: readers join the strings without a blank. */
	for (size_t at = 0; at < record.length; at += KEY_RECORD_STRING_MAX)
		printf(" \"%.*s\"%s", TEXT_FORMAT(text_part(record, at, KEY_RECORD_STRING_MAX)),
		    at + KEY_RECORD_STRING_MAX < record.length ? "\n\t" : "");
	puts(" )");
	return true;
}

int dkim_record(const struct dkim_request *request)
{
	struct keys_folder folder;
	size_t printed = 0;

	if (request->domain.length == 0) {
		fputs("postroad: dkim record needs a domain\n", stderr);
		return EX_USAGE;
	}
	int code = dkim_open(request, false, &folder);

	if (code != EX_OK)
		return code;
	for (size_t i = 0; i < folder.plan.count && code == EX_OK; i++) {
		const struct planned_key *key = &folder.plan.keys[i];

		if (!dkim_means(request, key) || key_state_at(key, request->now_s) == KEY_RETIRED)
			continue;
		if (!dkim_print_record(&folder, key))
			code = EX_DATAERR;
		printed++;
	}
	if (code == EX_OK && printed == 0) {
		fprintf(stderr, "postroad: %.*s has no such key (hint: postroad dkim generate %.*s)\n", TEXT_FORMAT(request->domain),
		    TEXT_FORMAT(request->domain));
		code = EX_DATAERR;
	}
	keys_folder_close(&folder);
	return code;
}
