/* The auth role: wires the supervisor's notes to src/sasl. It opens no file itself: the supervisor sends the one
 * with the passwords, at the start and with each reload. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "programs/roles.h"
#include "programs/snapshot.h"
#include "sasl/role.h"
#include "supervisor/note.h"

enum { PASSWORDS_BYTES_MAX = 128 << 20 };

/* What is in the file; NULL: it cannot be read. */
static struct accounts *accounts_in(int fd, const struct conf *conf)
{
	struct arena *arena = arena_new(PASSWORDS_BYTES_MAX);
	struct accounts *accounts = NULL;
	struct text file;

	if (arena == NULL || !snapshot_read_fd(fd, arena, &file) ||
	    accounts_new(file, conf->domains, conf->domain_count, &accounts) != OK)
		fprintf(stderr, "postroad: the passwords cannot be read; those in use stay\n");
	arena_free(arena);
	return accounts;
}

static void take_passwords(struct sasl_role *role, int fd, const char *path)
{
	struct conf *conf = snapshot_load_own(path);
	struct accounts *accounts = conf ? accounts_in(fd, conf) : NULL;

	if (accounts != NULL)
		sasl_role_set_accounts(role, accounts);
	accounts_unref(accounts);
	conf_free(conf);
}

/* False: the supervisor is gone. */
static bool take_note(struct sasl_role *role, const char *path)
{
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd))
		return false;
	if (fd >= 0 && strcmp(word, "channel") == 0) {
		(void)!sasl_role_add_channel(role, fd);
		return true;
	}
	if (fd >= 0 && strcmp(word, "passwords") == 0)
		take_passwords(role, fd, path);
	if (fd >= 0)
		close(fd);
	return true;
}

int role_auth(struct conf *conf, const struct privilege *privilege)
{
	struct accounts *nobody = NULL;
	struct sasl_role *role = NULL;

	signal(SIGPIPE, SIG_IGN);
	if (accounts_new(TEXT_EMPTY, NULL, 0, &nobody) == OK)
		role = sasl_role_new(nobody);
	accounts_unref(nobody);
	if (role == NULL || !privilege_drop(privilege)) {
		fprintf(stderr, "postroad: the auth role cannot start: %s\n", role ? "cannot change user" : "out of memory");
		sasl_role_free(role);
		conf_free(conf);
		return EX_OSERR;
	}
	while (take_note(role, conf->path))
		continue;
	sasl_role_free(role);
	conf_free(conf);
	return EX_OK;
}
