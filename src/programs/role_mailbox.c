/* The mailbox role: wires the supervisor's notes to src/mailbox. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "mailbox/role.h"
#include "programs/roles.h"
#include "programs/snapshot.h"
#include "supervisor/note.h"

struct wiring {
	struct mailbox_role *role;
	struct conf *conf;
};

static void reload(struct wiring *wiring)
{
	struct conf *conf = snapshot_load_own(wiring->conf->path);

	/* The supervisor has checked the file; what cannot be read now changes nothing. */
	if (conf == NULL || mailbox_role_set_path(wiring->role, text_of(conf->mailbox.path)) != OK) {
		conf_free(conf);
		return;
	}
	conf_free(wiring->conf);
	wiring->conf = conf;
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
	if (strcmp(word, "channel") == 0 && fd >= 0)
		(void)!mailbox_role_add_channel(wiring->role, fd);
	else if (fd >= 0)
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
	mailbox_role_watch(wiring.role, NOTE_ROLE_FD, take_note, &wiring);
	mailbox_role_run(wiring.role);
	mailbox_role_free(wiring.role);
	conf_free(wiring.conf);
	return EX_OK;
}
