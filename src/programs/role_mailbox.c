/* The mailbox role: wires the supervisor's notes to src/mailbox. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "mailbox/role.h"
#include "programs/roles.h"
#include "supervisor/note.h"

static void take_note(void *context)
{
	struct mailbox_role *role = context;
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd)) {
		mailbox_role_stop(role); /* The supervisor is gone. */
		return;
	}
	if (strcmp(word, "channel") == 0 && fd >= 0)
		(void)!mailbox_role_add_channel(role, fd);
	else if (fd >= 0)
		close(fd);
}

int role_mailbox(struct conf *conf, const struct privilege *privilege)
{
	struct mailbox_role *role;
	enum error error;

	signal(SIGPIPE, SIG_IGN);
	error = mailbox_role_new(text_of(conf->mailbox.path), conf->hostname, &role);
	conf_free(conf);
	if (error != OK || !privilege_drop(privilege)) {
		fprintf(stderr, "postroad: the mailbox role cannot start: %s\n", error != OK ? error_text(error) : "cannot change user");
		return EX_OSERR;
	}
	mailbox_role_watch(role, NOTE_ROLE_FD, take_note, role);
	mailbox_role_run(role);
	mailbox_role_free(role);
	return EX_OK;
}
