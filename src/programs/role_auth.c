/* The auth role: wires the supervisor's notes to src/sasl. It opens no file itself: the supervisor
 * sends it, the one with the passwords, and that with the keys of tokens, at the start and with each reload. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "programs/handed.h"
#include "programs/roles.h"
#include "programs/snapshot.h"
#include "sasl/role.h"
#include "supervisor/confine.h"
#include "supervisor/note.h"

enum { PASSWORDS_BYTES_MAX = 128 << 20, DESCRIPTORS_MAX = 256 };

struct auth {
	struct sasl_role *role;
	struct conf *conf;
	int keys_fd;            /* That came last; -1: none since the last passwords. */
};

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

/* What makes tokens good; NULL: none are, since none are wanted, or because of a trouble that was complained of. */
static struct token_rules *tokens_in(int fd, const struct conf *conf)
{
	struct arena *arena = arena_new(PASSWORDS_BYTES_MAX);
	struct token_rules *rules = NULL;
	struct buffer complaints;
	struct text file;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (conf->oauth.keys[0] != '\0' &&
	    (fd < 0 || arena == NULL || !snapshot_read_fd(fd, arena, &file) ||
	        !snapshot_tokens(conf, file, &rules, &complaints)))
		fprintf(stderr, "%.*spostroad: the keys of tokens cannot be read; nobody logs in by a token\n",
		    TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	arena_free(arena);
	return rules;
}

static void take_passwords(struct auth *auth, int fd)
{
	const struct conf *conf = auth->conf;
	struct sasl_sources sources = { .accounts = accounts_in(fd, conf) };

	if (sources.accounts != NULL) {
		if (conf->auth.dovecot.length > 0)
			snprintf(sources.dovecot, sizeof sources.dovecot, "%s", conf->auth.dovecot.bytes + strlen("unix:"));
		sources.tokens = tokens_in(auth->keys_fd, conf);
		sasl_role_set_sources(auth->role, &sources);
	}
	accounts_unref(sources.accounts);
	token_rules_unref(sources.tokens);
}

static void take_conf(struct auth *auth, int fd)
{
	struct conf *fresh = handed_conf(fd, auth->conf->path, NULL);

	if (fresh == NULL)
		return;
	conf_free(auth->conf);
	auth->conf = fresh;
}

static void keep_keys(struct auth *auth, int fd)
{
	if (auth->keys_fd >= 0)
		close(auth->keys_fd);
	auth->keys_fd = fd;
}

static void take_descriptor(struct auth *auth, const char *word, int fd)
{
	if (strcmp(word, "channel") == 0) {
		(void)!sasl_role_add_channel(auth->role, fd);
	} else if (strcmp(word, "keys") == 0) {
		keep_keys(auth, fd);
	} else {
		if (strcmp(word, "passwords") == 0) {
			take_passwords(auth, fd);
			keep_keys(auth, -1);
		} else if (strcmp(word, "conf") == 0) {
			take_conf(auth, fd);
		}
		close(fd);
	}
}

/* False: the supervisor is gone. */
static bool take_note(struct auth *auth)
{
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd))
		return false;
	if (fd >= 0)
		take_descriptor(auth, word, fd);
	return true;
}

/* It opens nothing, and connects to nothing but the socket of a Dovecot, which a reload may name. */
static bool confine_auth(void)
{
	const struct confine_rules rules = { .role = "auth", .groups = CONFINE_CLIENT, .descriptors = DESCRIPTORS_MAX };

	return confine(&rules);
}

int role_auth(struct conf *conf, const struct privilege *privilege)
{
	struct sasl_sources nobody = { 0 };
	struct auth auth = { .conf = conf, .keys_fd = -1 };

	signal(SIGPIPE, SIG_IGN);
	/* Libraries free passwords as they are: whatever is freed is filled (R3 of sasl/role.h). */
	mallopt(M_PERTURB, 0xa5);
	if (accounts_new(TEXT_EMPTY, NULL, 0, &nobody.accounts) == OK)
		auth.role = sasl_role_new(&nobody);
	accounts_unref(nobody.accounts);
	if (auth.role == NULL || !privilege_drop(privilege)) {
		fprintf(stderr, "postroad: the auth role cannot start: %s\n", auth.role ? "cannot change user" : "out of memory");
		sasl_role_free(auth.role);
		conf_free(conf);
		return EX_OSERR;
	}
	if (!confine_auth()) {
		sasl_role_free(auth.role);
		conf_free(conf);
		return EX_OSERR;
	}
	while (take_note(&auth))
		continue;
	keep_keys(&auth, -1);
	sasl_role_free(auth.role);
	conf_free(auth.conf);
	return EX_OK;
}
