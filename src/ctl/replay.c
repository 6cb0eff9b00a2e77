#include "ctl/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/progress.h"
#include "ctl/replay_changes.h"
#include "ctl/usage.h"

enum { CODE_DIFFERS = 1 };

struct source {
	const struct ctl_replay_against *against;
	struct spool *spool; /* NULL: the server is asked. */
};

static json_t *request_of(const char *verb)
{
	return json_pack("{s:s}", "do", verb);
}

/* Whether a server runs decides once, so that all answers are of one source. False: neither can be had, and why was told. */
static bool source_open(struct source *source, int *out_code)
{
	const struct spool_lmdb_settings settings = { .path = source->against->place.spool, .read_only = true };
	struct ctl_client *client = NULL;
	const enum error error = ctl_client_open(source->against->place.control, &client);

	ctl_client_close(client);
	if (error == OK)
		return true;
	if (error == ERR_DENIED || source->against->side == NULL) {
		json_t *request = request_of("replay list");

		json_decref(ctl_ask(&source->against->place, request, false, out_code)); /* It says why. */
		json_decref(request);
		if (error != ERR_DENIED)
			fputs("postroad: where no server runs, --against FILE names the configuration to compare with\n", stderr);
		return false;
	}
	if (spool_lmdb_open(&settings, &source->spool) == OK)
		return true;
	fprintf(stderr, "postroad: %s: the spool cannot be read\n", settings.path);
	*out_code = EX_IOERR;
	return false;
}

/* As ctl_ask, but from the spool where that is the source. */
static json_t *source_ask(const struct source *source, const json_t *request, bool list, int *out_code)
{
	json_t *answer;

	if (source->spool == NULL)
		return ctl_ask(&source->against->place, request, false, out_code);
	answer = list ? admin_replay_list(source->spool, request) : admin_replay(source->spool, source->against->side, request);
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	fprintf(stderr, "postroad: %s\n", ctl_string(answer, "error", "refused"));
	*out_code = (int)ctl_number(answer, "exit");
	json_decref(answer);
	return NULL;
}

/* -- which messages ---------------------------------------------------------------- */

static size_t read_ids(const json_t *list, queue_id *ids)
{
	const json_t *id;
	size_t i, count = 0;

	json_array_foreach (list, i, id)
		count += json_is_string(id) && queue_id_parse(text_of(json_string_value(id)), &ids[count]);
	return count;
}

static int compare_ids(const void *a, const void *b)
{
	const queue_id one = *(const queue_id *)a, other = *(const queue_id *)b;

	return one < other ? -1 : one > other;
}

/* Both lists in the order of arrival, which limits want, and none twice. Gives; NULL: no memory. */
static queue_id *join(const json_t *answer, size_t *out_count)
{
	const json_t *waiting = json_object_get(answer, "waiting"), *history = json_object_get(answer, "history");
	queue_id *ids = calloc(json_array_size(waiting) + json_array_size(history) + 1, sizeof *ids);
	size_t count, kept = 0;

	if (ids == NULL)
		return NULL;
	count = read_ids(waiting, ids);
	count += read_ids(history, ids + count);
	qsort(ids, count, sizeof *ids, compare_ids);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	*out_count = kept;
	return ids;
}

/* -- one page after the other ------------------------------------------------------- */

static json_t *page_request(const queue_id *ids, size_t count)
{
	char room[QUEUE_ID_TEXT_SIZE];
	json_t *request = request_of("replay"), *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(queue_id_print(ids[i], room).bytes));
	json_object_set_new(request, "ids", list);
	return request;
}

/* How many IDs of a page an answer is for; at least one, or nothing would ever end. */
static size_t answered(const json_t *answer)
{
	const long long done = ctl_number(answer, "done");

	return done > 1 ? (size_t)done : 1;
}

static int replay_all(const struct source *source, const struct replay_side *fresh, const queue_id *ids, size_t count, struct changes *changes)
{
	struct progress progress = progress_begin("messages", count);
	int code = EX_OK;

	for (size_t at = 0; code == EX_OK && at < count;) {
		json_t *request = page_request(ids + at, count - at < REPLAY_IDS_MAX ? count - at : REPLAY_IDS_MAX), *one;
		json_t *answer = source_ask(source, request, false, &code);
		size_t i;

		json_array_foreach (json_object_get(answer, "cases"), i, one) {
			const json_t *facts = json_object_get(one, "facts");
			json_t *judged = replay_judge(fresh, facts);

			changes_add(changes, facts, json_object_get(one, "judged"), judged);
			json_decref(judged);
		}
		at += answered(answer);
		json_decref(answer);
		json_decref(request);
		progress_show(&progress, at);
	}
	progress_end(&progress);
	return code;
}

static void tell(struct changes *changes, const json_t *list, bool from_server, bool as_json)
{
	json_t *told = changes_json(changes);
	const bool complete = !json_is_true(json_object_get(list, "more_waiting"));

	if (as_json) {
		json_object_set_new(told, "all_waiting", json_boolean(complete));
		json_object_set_new(told, "against", json_string(from_server ? "server" : "file"));
		ctl_print_json(told);
	} else {
		changes_print(changes);
		if (!complete)
			puts("More mail waits than was looked at (--limit).");
	}
	json_decref(told);
}

static int replay(const struct source *source, const struct replay_side *fresh, const struct ctl_words *words, struct changes *changes)
{
	int code = EX_OK;
	json_t *list = source_ask(source, words->request, true, &code);
	size_t count = 0;
	queue_id *ids = list ? join(list, &count) : NULL;

	if (list != NULL && ids == NULL)
		code = EX_OSERR;
	if (code == EX_OK)
		code = replay_all(source, fresh, ids, count, changes);
	if (code == EX_OK) {
		changes_sort(changes);
		tell(changes, list, source->spool == NULL, words->json);
		code = changes_none(changes) ? EX_OK : CODE_DIFFERS;
	}
	free(ids);
	json_decref(list);
	return code;
}

static bool read_limit(json_t *request)
{
	const char *given = ctl_string(request, "limit", NULL);
	uint64_t limit;

	if (given == NULL)
		return true;
	if (!text_to_u64(text_of(given), &limit) || limit == 0 || limit > REPLAY_LIMIT_MAX) {
		fprintf(stderr, "postroad: --limit is a number from 1 to %d\n", REPLAY_LIMIT_MAX);
		return false;
	}
	json_object_set_new(request, "limit", json_integer((json_int_t)limit));
	return true;
}

int ctl_replay(const struct replay_side *fresh, const struct ctl_replay_against *against, int count, char **words_given)
{
	static const char *const options[] = { "limit", NULL };
	struct source source = { .against = against };
	struct changes *changes = calloc(1, sizeof *changes);
	struct ctl_words words = { 0 };
	int code = EX_USAGE;

	if (changes == NULL || !changes_begin(changes))
		code = EX_OSERR;
	else if (!ctl_words_read("replay list", options, count, words_given, &words) || words.first != NULL || !read_limit(words.request))
		ctl_usage("check");
	else if (source_open(&source, &code))
		code = replay(&source, fresh, &words, changes);
	if (source.spool != NULL)
		spool_close(source.spool);
	if (changes != NULL)
		changes_done(changes);
	free(changes);
	ctl_words_done(&words);
	return code;
}
