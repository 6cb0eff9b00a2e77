/* The mailbox role: wires the supervisor's notes to src/mailbox. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mailbox/role.h"
#include "programs/folders.h"
#include "programs/handed.h"
#include "programs/roles.h"
#include "programs/snapshot.h"
#include "supervisor/confine.h"
#include "supervisor/note.h"

/* A batch has two for each message and one for its body; more are channels. */
enum { DESCRIPTORS_MAX = 1024, OWNERS_BYTES_MAX = 128 << 20 };

struct wiring {
	struct mailbox_role *role;
	struct conf *conf, *next; /* In force; to be so by the next reload. */
	struct owners *next_owners;
	struct owner others;      /* To whom mailboxes belong that are no one's in particular. */
	bool from_root;           /* It was started as root, */
	bool as_root;             /* and stays it, because mailboxes have owners. */
	bool rights_changed;      /* It should not be what it is, by the next reload. */
	char root[PATH_MAX];      /* Where mailboxes are. */
};

/* What the supervisor says of owners; NULL: nothing that can be used. *out_any: of some it says something. */
static struct owners *read_owners(int fd, const struct owner *others, bool *out_any)
{
	struct arena *arena = arena_new(OWNERS_BYTES_MAX);
	struct owners *owners = NULL;
	struct text lines;

	if (arena == NULL || fd < 0 || !snapshot_read_fd(fd, arena, &lines) || owners_new(lines, others, &owners) != OK)
		fprintf(stderr, "postroad: the owners of mailboxes cannot be read\n");
	else
		*out_any = lines.length > 0;
	arena_free(arena);
	return owners;
}

static void take_conf(struct wiring *wiring, int fd)
{
	conf_free(wiring->next);
	wiring->next = handed_conf(fd, wiring->conf->path, NULL);
}

/* As root it may write as anybody, where the mailboxes are. */
static bool confine_mailbox(const struct wiring *wiring)
{
	const struct confine_path paths[] = { { wiring->root[0] != '\0' ? wiring->root : "/", CONFINE_CHANGE } };
	const struct confine_rules rules = { .role = "mailbox",
		.groups = CONFINE_FILES | (wiring->as_root ? CONFINE_OWNERS : 0),
		.paths = paths,
		.path_count = sizeof paths / sizeof *paths,
		.descriptors = DESCRIPTORS_MAX };

	return confine(&rules);
}

static void take_owners(struct wiring *wiring, int fd)
{
	bool any = false;

	owners_free(wiring->next_owners);
	wiring->next_owners = read_owners(fd, &wiring->others, &any);
	wiring->rights_changed = wiring->from_root && any != wiring->as_root;
}

/* Another root, or other rights, are out of reach: then the role ends, and the supervisor starts one that has them. */
static void reload(struct wiring *wiring)
{
	char root[PATH_MAX];

	if (wiring->next == NULL || wiring->next_owners == NULL)
		return;
	if (!folders_parent(wiring->next->mailbox.path, root) || strcmp(root, wiring->root) != 0 || wiring->rights_changed) {
		mailbox_role_stop(wiring->role);
		return;
	}
	if (mailbox_role_set_path(wiring->role, text_of(wiring->next->mailbox.path)) != OK)
		return;
	if (wiring->as_root)
		mailbox_role_set_owners(wiring->role, take(wiring->next_owners));
	conf_free(wiring->conf);
	wiring->conf = take(wiring->next);
}

static void take_note(void *context)
{
	struct wiring *wiring = context;
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd)) {
		mailbox_role_stop(wiring->role); /* The supervisor is gone. */
		return;
	}
	if (strcmp(word, "reload") == 0)
		reload(wiring);
	if (strcmp(word, "channel") == 0 && fd >= 0) {
		(void)!mailbox_role_add_channel(wiring->role, fd);
		return;
	}
	if (strcmp(word, "conf") == 0 && fd >= 0)
		take_conf(wiring, fd);
	if (strcmp(word, "owners") == 0)
		take_owners(wiring, fd);
	if (fd >= 0)
		close(fd);
}

/* The note that follows the configuration. */
static bool await_owners(struct wiring *wiring, struct owners **out_owners)
{
	char word[NOTE_LENGTH_MAX];
	bool any = false;
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd))
		return false;
	*out_owners = strcmp(word, "owners") == 0 ? read_owners(fd, &wiring->others, &any) : NULL;
	wiring->as_root = any && wiring->from_root;
	if (fd >= 0)
		close(fd);
	return *out_owners != NULL;
}

static bool prepare(struct wiring *wiring, const struct privilege *privilege)
{
	struct owners *owners = NULL;

	if (!folders_parent(wiring->conf->mailbox.path, wiring->root) || !await_owners(wiring, &owners))
		return false;
	if (wiring->as_root)
		mailbox_role_set_owners(wiring->role, take(owners));
	owners_free(owners);
	if (wiring->as_root ? !privilege_keep_owners() : !privilege_drop(privilege)) {
		fprintf(stderr, "postroad: the mailbox role cannot change user\n");
		return false;
	}
	return confine_mailbox(wiring);
}

int role_mailbox(struct conf *conf, const struct privilege *privilege)
{
	struct wiring wiring = { .conf = conf,
		.from_root = geteuid() == 0,
		.others = { .differs = privilege->drop, .uid = privilege->uid, .gid = privilege->gid } };
	const enum error error = mailbox_role_new(text_of(conf->mailbox.path), conf->hostname, &wiring.role);

	signal(SIGPIPE, SIG_IGN);
	if (error != OK)
		fprintf(stderr, "postroad: the mailbox role cannot start: %s\n", error_text(error));

	const bool ready = error == OK && prepare(&wiring, privilege);

	if (ready) {
		mailbox_role_watch(wiring.role, NOTE_ROLE_FD, take_note, &wiring);
		mailbox_role_run(wiring.role);
	}
	mailbox_role_free(wiring.role);
	owners_free(wiring.next_owners);
	conf_free(wiring.conf);
	conf_free(wiring.next);
	return ready ? EX_OK : EX_OSERR;
}
