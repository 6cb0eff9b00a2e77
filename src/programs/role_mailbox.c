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
#include "supervisor/confine.h"
#include "supervisor/note.h"

/* A batch has two for each message and one for its body; more are channels. */
enum { DESCRIPTORS_MAX = 1024 };

struct wiring {
	struct mailbox_role *role;
	struct conf *conf, *next; /* In force; to be so by the next reload. */
	char root[PATH_MAX];      /* Where mailboxes are. */
};

static void take_conf(struct wiring *wiring, int fd)
{
	conf_free(wiring->next);
	wiring->next = handed_conf(fd, wiring->conf->path, NULL);
}

/* Where its mailboxes are, and nothing else. */
static bool confine_mailbox(const char *root)
{
	const struct confine_path paths[] = { { root[0] != '\0' ? root : "/", CONFINE_CHANGE } };
	const struct confine_rules rules = { .role = "mailbox",
		.groups = CONFINE_FILES,
		.paths = paths,
		.path_count = sizeof paths / sizeof *paths,
		.descriptors = DESCRIPTORS_MAX };

	return confine(&rules);
}

/* Another root is out of reach: then the role ends, and the supervisor starts one that is confined to it. */
static void reload(struct wiring *wiring)
{
	char root[PATH_MAX];

	if (wiring->next != NULL && (!folders_parent(wiring->next->mailbox.path, root) || strcmp(root, wiring->root) != 0)) {
		mailbox_role_stop(wiring->role);
		return;
	}
	if (wiring->next == NULL || mailbox_role_set_path(wiring->role, text_of(wiring->next->mailbox.path)) != OK)
		return;
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
	if (fd >= 0)
		close(fd);
}

int role_mailbox(struct conf *conf, const struct privilege *privilege)
{
	struct wiring wiring = { .conf = conf };
	enum error error;

	signal(SIGPIPE, SIG_IGN);
	error = mailbox_role_new(text_of(conf->mailbox.path), conf->hostname, &wiring.role);
	if (error != OK || !privilege_drop(privilege)) {
		fprintf(stderr, "postroad: the mailbox role cannot start: %s\n", error != OK ? error_text(error) : "cannot change user");
		conf_free(wiring.conf);
		return EX_OSERR;
	}
	if (!folders_parent(conf->mailbox.path, wiring.root) || !confine_mailbox(wiring.root)) {
		mailbox_role_free(wiring.role);
		conf_free(wiring.conf);
		return EX_OSERR;
	}
	mailbox_role_watch(wiring.role, NOTE_ROLE_FD, take_note, &wiring);
	mailbox_role_run(wiring.role);
	mailbox_role_free(wiring.role);
	conf_free(wiring.conf);
	conf_free(wiring.next);
	return EX_OK;
}
