#include "programs/commands.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is wrong with it, or NULL. Whether its user may execute it he will find out himself. */
static const char *wrong_with(const struct conf_pipe *pipe)
{
	const struct passwd *entry = getpwnam(pipe->user.bytes);
	struct stat about;

	if (entry == NULL)
		return "its user does not exist (hint: make it with useradd --system)";
	if (entry->pw_uid == 0 || entry->pw_gid == 0)
		return "its user has the rights of root (hint: one of its own, from useradd --system)";
	if (stat(pipe->words[0].bytes, &about) != 0)
		return strerror(errno);
	if (!S_ISREG(about.st_mode) || (about.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		return "its command is not to be executed (hint: chmod +x FILE)";
	return (about.st_mode & S_IWOTH) != 0 ? "everybody on this machine may change its command (hint: chmod o-w FILE)" : NULL;
}

bool commands_are_right(const struct conf *conf, struct buffer *complaints)
{
	bool right = true;

	for (size_t i = 0; i < conf->pipe_count; i++) {
		const char *wrong = wrong_with(&conf->pipes[i]);

		if (wrong == NULL)
			continue;
		right = false;
		(void)!buffer_print(complaints, "%s:%d: pipe \"%s\" with command \"%s\" as \"%s\": %s\n", conf->path, conf->pipes[i].line,
		    conf->pipes[i].name.bytes, conf->pipes[i].words[0].bytes, conf->pipes[i].user.bytes, wrong);
	}
	return right;
}

static char *copy_string(struct arena *arena, const char *text)
{
	const size_t size = strlen(text) + 1;
	char *copy = arena_alloc(arena, size);

	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}

static char *const *copy_words(const struct conf_pipe *pipe, struct arena *arena)
{
	char **words = arena_array(arena, pipe->word_count + 1, sizeof *words);

	for (size_t i = 0; words != NULL && i < pipe->word_count; i++)
		if ((words[i] = copy_string(arena, pipe->words[i].bytes)) == NULL)
			return NULL;
	return words;
}

/* False: no memory. A program without words is not to be used. */
static bool make(const struct conf_pipe *pipe, struct arena *arena, struct program *program)
{
	const struct passwd *entry = getpwnam(pipe->user.bytes);
	int count = PROGRAM_GROUPS_MAX;

	if (entry == NULL || entry->pw_uid == 0 || entry->pw_gid == 0) {
		fprintf(stderr, "postroad: pipe \"%s\": its user \"%s\" is gone\n", pipe->name.bytes, pipe->user.bytes);
		return true;
	}
	*program = (struct program){ .name = pipe->name,
		.changes_user = geteuid() == 0,
		.uid = entry->pw_uid,
		.gid = entry->pw_gid,
		.limit_ms = pipe->limit_ms,
		.user = copy_string(arena, entry->pw_name),
		.home = copy_string(arena, entry->pw_dir) };
	if (getgrouplist(entry->pw_name, entry->pw_gid, program->groups, &count) < 0)
		count = PROGRAM_GROUPS_MAX; /* The first of them. */
	program->group_count = (size_t)count;
	program->words = copy_words(pipe, arena);
	return program->user != NULL && program->home != NULL && program->words != NULL;
}

struct program *commands_make(const struct conf *conf, struct arena *arena, size_t *out_count)
{
	struct program *programs = arena_array(arena, conf->pipe_count + 1, sizeof *programs);
	size_t count = 0;

	for (size_t i = 0; programs != NULL && i < conf->pipe_count; i++) {
		if (!make(&conf->pipes[i], arena, &programs[count]))
			return NULL;
		count += programs[count].words != NULL;
	}
	*out_count = count;
	return programs;
}
