/* The pipe role: wires the supervisor's notes to src/mailbox. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mailbox/pipe_role.h"
#include "programs/commands.h"
#include "programs/handed.h"
#include "programs/roles.h"
#include "supervisor/note.h"

enum { COMMANDS_BYTES_MAX = 4 << 20, DESCRIPTORS_MAX = 1024 };

struct wiring {
	struct pipe_role *role;
	struct conf *conf, *next; /* In force; to be so by the next reload. */
	struct arena *arena;      /* Of the commands in force. */
};

static bool use_commands(struct wiring *wiring, const struct conf *conf)
{
	struct arena *arena = arena_new(COMMANDS_BYTES_MAX);
	size_t count;
	struct program *programs = arena ? commands_make(conf, arena, &count) : NULL;

	if (programs == NULL) {
		fprintf(stderr, "postroad: the pipe role has no memory\n");
		arena_free(arena);
		return false;
	}
	pipe_role_set_programs(wiring->role, programs, count);
	arena_free(wiring->arena);
	wiring->arena = arena;
	return true;
}

/* Without commands there is nothing for us to do. */
static void reload(struct wiring *wiring)
{
	if (wiring->next == NULL || !use_commands(wiring, wiring->next))
		return;
	conf_free(wiring->conf);
	wiring->conf = take(wiring->next);
	if (wiring->conf->pipe_count == 0)
		pipe_role_stop(wiring->role);
}

static void take_note(void *context)
{
	struct wiring *wiring = context;
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd)) {
		pipe_role_stop(wiring->role); /* The supervisor is gone. */
		return;
	}
	if (strcmp(word, "reload") == 0)
		reload(wiring);
	if (strcmp(word, "channel") == 0 && fd >= 0) {
		(void)!pipe_role_add_channel(wiring->role, fd);
		return;
	}
	if (strcmp(word, "conf") == 0 && fd >= 0) {
		conf_free(wiring->next);
		wiring->next = handed_conf(fd, wiring->conf->path, NULL);
	}
	if (fd >= 0)
		close(fd);
}

/* Its commands inherit what it may do, so that no list of calls and no folders can be kept from it that they need: what
 * bounds them is their user. The role itself keeps three powers of root. */
static bool confine_pipe(void)
{
	const struct rlimit none = { 0 }, descriptors = { DESCRIPTORS_MAX, DESCRIPTORS_MAX };

	return prctl(PR_SET_NAME, "postroad-pipe", 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
	    setrlimit(RLIMIT_NOFILE, &descriptors) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    (geteuid() != 0 || privilege_keep_commands());
}

int role_pipe(struct conf *conf)
{
	struct wiring wiring = { .conf = conf, .role = pipe_role_new() };
	const bool ready = wiring.role != NULL && use_commands(&wiring, conf) && confine_pipe();

	signal(SIGPIPE, SIG_IGN);
	if (ready) {
		pipe_role_watch(wiring.role, NOTE_ROLE_FD, take_note, &wiring);
		pipe_role_run(wiring.role);
	} else {
		fprintf(stderr, "postroad: the pipe role cannot start\n");
	}
	pipe_role_free(wiring.role);
	arena_free(wiring.arena);
	conf_free(wiring.conf);
	conf_free(wiring.next);
	return ready ? EX_OK : EX_OSERR;
}
