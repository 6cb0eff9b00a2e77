/* postroad dkim list, record. */
#include <stdio.h>
#include <sysexits.h>

#include "admin/admin.h"
#include "auth/key_record.h"
#include "ctl/ask.h"
#include "ctl/dkim.h"

/* -- list -------------------------------------------------------------------- */

static void print_line(const struct dkim_request *request, const struct planned_key *key, struct text next)
{
	char since[KEY_TIME_SIZE];

	printf("%-24.*s %-14.*s %-8s %-10s %-21s %.*s\n", TEXT_FORMAT(key->domain), TEXT_FORMAT(key->selector),
	    key->kind == KEY_RSA ? "rsa" : "ed25519", key_state_word(key_state_at(key, request->now_s)),
	    key_time_print(key_state_since(key, request->now_s), since), TEXT_FORMAT(next));
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
		if (!key_plan_next(&folder.plan, key, &request->settings, request->now_s, request->arena, &next))
			code = EX_OSERR;
		else if (request->json)
			json_array_append_new(array, admin_key(key, &request->settings, request->now_s, next));
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
