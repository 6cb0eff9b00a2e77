#include "programs/what_if.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "crypto/crypto.h"
#include "ctl/replay.h"
#include "programs/signing.h"
#include "programs/snapshot.h"

/* All that a configuration says of where mail goes. */
struct side {
	struct conf *conf;
	struct router *router;
	struct signing_keys *signing;
};

bool what_if_is_asked(int count, char **words)
{
	for (int i = 0; i < count; i++)
		if (strcmp(words[i], "--replay") == 0)
			return true;
	return false;
}

static struct router *router_of(const struct conf *conf, struct buffer *complaints)
{
	struct arena *arena = arena_new(SNAPSHOT_NAMES_BYTES_MAX);
	struct text names;
	struct router *router = arena != NULL ? snapshot_router_alone(conf, arena, &names, complaints) : NULL;

	arena_free(arena);
	return router;
}

static void side_close(struct side *side)
{
	router_unref(side->router);
	signing_keys_unref(side->signing);
	conf_free(side->conf);
}

/* False: it cannot be used, and why was told. Its paths are from the root, as those of a server are that a service manager starts. */
static bool side_open(const char *path, struct side *out_side)
{
	char whole[PATH_MAX];
	struct buffer complaints;
	struct side side = { 0 };

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	side.conf = snapshot_conf(realpath(path, whole) != NULL ? whole : path, &complaints);
	if (side.conf != NULL)
		side.router = router_of(side.conf, &complaints);
	if (side.router != NULL)
		side.signing = signing_read(signing_fd(side.conf), side.conf, NULL);
	else
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	if (side.router == NULL) {
		side_close(&side);
		return false;
	}
	*out_side = side;
	return true;
}

static struct replay_side replay_side_of(const struct side *side)
{
	return (struct replay_side){ .conf = side->conf, .router = side->router, .signing = side->signing, .now_ms = time(NULL) * 1000LL };
}

static int compare(const struct side *fresh, const struct side *old, int count, char **words)
{
	const struct replay_side fresh_side = replay_side_of(fresh), old_side = replay_side_of(old != NULL ? old : fresh);
	const struct conf *conf = old_side.conf;
	const struct ctl_replay_against against = { .place = { .control = conf->control, .spool = conf->spool.path },
		.side = old != NULL ? &old_side : NULL };

	return ctl_replay(&fresh_side, &against, count, words);
}

/* Takes --replay and --against FILE out. NULL: there is no such file named. */
static const char *take_words(int *count, char **words)
{
	const char *against = NULL;
	int kept = 0;

	for (int i = 0; i < *count; i++) {
		if (strcmp(words[i], "--against") == 0 && i + 1 < *count)
			against = words[++i];
		else if (strncmp(words[i], "--against=", 10) == 0)
			against = words[i] + 10;
		else if (strcmp(words[i], "--replay") != 0)
			words[kept++] = words[i];
	}
	*count = kept;
	return against;
}

int what_if(const char *config, int count, char **words)
{
	const char *against = take_words(&count, words);
	struct side fresh, old;
	int code = EX_CONFIG;

	crypto_prepare();
	if (!side_open(config, &fresh))
		return EX_CONFIG;
	if (against == NULL) {
		code = compare(&fresh, NULL, count, words);
	} else if (side_open(against, &old)) {
		code = compare(&fresh, &old, count, words);
		side_close(&old);
	}
	side_close(&fresh);
	return code;
}
