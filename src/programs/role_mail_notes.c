/* What the supervisor says to the mail role: sockets and channels, reload, stop. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "programs/role_mail_private.h"

enum { NAMES_BYTES_MAX = 128 << 20 };

/* -- jobs for lanes ------------------------------------------------------------ */

struct listen_job {
	int fd;
	struct door door;
};

static void job_listen(struct lane *lane, void *context)
{
	struct listen_job *job = context;

	(void)!lane_listen(lane, job->fd, job->door);
	free(job);
}

static void job_close_listeners(struct lane *lane, void *context)
{
	(void)context;
	lane_close_listeners(lane);
}

static void job_mailbox(struct lane *lane, void *context)
{
	lane_set_mailbox(lane, (int)(intptr_t)context);
}

static void job_pipe(struct lane *lane, void *context)
{
	lane_set_pipe(lane, (int)(intptr_t)context);
}

static void job_auth(struct lane *lane, void *context)
{
	lane_set_auth(lane, (int)(intptr_t)context);
}

struct reload_job {
	const struct conf *conf;
	struct router *router;
	struct logins *logins;
	struct handed *handed; /* Where the paths of conf lead. */
};

static void job_reload(struct lane *lane, void *context)
{
	struct reload_job *job = context;

	lane_reload(lane, job->conf, job->router, job->logins);
	router_unref(job->router);
	logins_unref(job->logins);
	handed_unref(job->handed);
	free(job);
}

static void job_drain(struct lane *lane, void *context)
{
	(void)context;
	lane_drain(lane);
}

/* -- listening ------------------------------------------------------------------ */

/* Position of a word among some, their count if it is not there. */
static unsigned position_of(struct text word, const char *const words[], unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (text_equal(word, text_of(words[i])))
			return i;
	return count;
}

/* What stands behind "listen ": role, TLS, and who calls. */
static bool read_door(const char *words, struct door *out_door)
{
	static const char *const roles[] = { [SESSION_MX] = "mx", [SESSION_SUBMISSION] = "submission", [SESSION_LMTP] = "lmtp" };
	static const char *const tls[] = { [SESSION_TLS_NONE] = "none", [SESSION_TLS_OFFERED] = "starttls",
		[SESSION_TLS_REQUIRED] = "required", [SESSION_TLS_IMPLICIT] = "implicit" };
	enum { ROLES = sizeof roles / sizeof *roles, TLS = sizeof tls / sizeof *tls };
	struct text rest = text_of(words), word;
	const unsigned role = text_cut(&rest, ' ', &word) ? position_of(word, roles, ROLES) : ROLES;
	const unsigned how = text_cut(&rest, ' ', &word) ? position_of(word, tls, TLS) : TLS;

	*out_door = (struct door){ (enum session_role)role, (enum session_tls)how, text_equal(rest, TEXT("proxied")) };
	return role < ROLES && how < TLS;
}

static void close_sockets(struct mail *mail)
{
	while (mail->socket_count > 0)
		close(mail->sockets[--mail->socket_count].fd);
}

void mail_close_incoming(struct mail *mail)
{
	close_sockets(mail);
	while (mail->file_count > 0)
		if (mail->files[--mail->file_count] >= 0)
			close(mail->files[mail->file_count]);
}

/* Every lane accepts from every socket: each has a descriptor of its own for it. */
void mail_open_gates(struct mail *mail)
{
	for (unsigned s = 0; s < mail->socket_count; s++) {
		for (unsigned i = 0; i < mail->lane_count; i++) {
			struct listen_job *job = calloc(1, sizeof *job);

			if (job == NULL)
				continue;
			job->fd = fcntl(mail->sockets[s].fd, F_DUPFD_CLOEXEC, 0);
			job->door = mail->sockets[s].door;
			if (job->fd >= 0 && lane_post(mail->lanes[i], job_listen, job))
				continue;
			if (job->fd >= 0)
				close(job->fd);
			free(job);
		}
	}
	close_sockets(mail);
}

/* The configuration in force becomes an old one; false: no memory. */
static bool keep_old_conf(struct mail *mail)
{
	struct conf **grown = realloc(mail->old, (mail->old_count + 1) * sizeof(struct conf *));

	if (grown == NULL)
		return false;
	mail->old = grown;
	mail->old[mail->old_count++] = mail->conf;
	return true;
}

/* -- reloading ---------------------------------------------------------------- */

/* The users come from the supervisor, the rest from the files that the configuration names. */
struct router *mail_make_router(const struct mail *mail, const struct conf *conf, struct buffer *complaints)
{
	struct arena *arena = arena_new(NAMES_BYTES_MAX);
	struct router *router = NULL;
	struct text names;

	if (arena != NULL && snapshot_read_fd(mail->names, arena, &names))
		router = snapshot_router(conf, names, complaints);
	else
		(void)!buffer_print(complaints, "postroad: the names of the users cannot be read\n");
	arena_free(arena);
	return router;
}

void mail_logins_read(struct mail *mail, const struct conf *conf)
{
	struct logins *fresh = host_logins_read(conf, mail->logins);

	if (fresh == NULL)
		return;
	logins_unref(mail->logins);
	mail->logins = fresh;
}

struct conf *mail_take_conf(struct mail *mail, struct handed **out_handed)
{
	struct handed *handed = handed_new(mail->files, mail->file_count);

	mail->file_count = 0; /* Taken, or closed. */
	struct conf *conf = handed ? handed_conf(mail->text, mail->conf->path, handed) : NULL;

	if (conf != NULL)
		*out_handed = handed;
	else
		handed_unref(handed);
	return conf;
}

/* What was made of the new configuration goes into force. */
static void spread(struct mail *mail, struct conf *conf, struct router *router, struct handed *handed)
{
	mail->conf = conf;
	router_unref(mail->router);
	mail->router = router;
	admin_set_router(mail->admin, router);
	mail_tls_spread(mail);
	for (unsigned i = 0; i < mail->lane_count; i++) {
		struct reload_job *job = calloc(1, sizeof *job);

		if (job == NULL)
			continue;
		*job = (struct reload_job){ conf, router_ref(router), logins_ref(mail->logins), handed_ref(handed) };
		(void)!lane_post(mail->lanes[i], job_reload, job);
		(void)!lane_post(mail->lanes[i], job_close_listeners, NULL);
	}
	mail_open_gates(mail);
	log_writer_reopen(mail->log);
}

static void reload(struct mail *mail)
{
	struct buffer complaints;
	struct handed *handed = NULL;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	/* The supervisor has checked it; but a file that it names may have changed again. */
	struct conf *conf = mail->admin ? mail_take_conf(mail, &handed) : NULL;
	struct router *router = conf ? mail_make_router(mail, conf, &complaints) : NULL;

	if (router == NULL || !mail_tls_read(mail, conf, &complaints) || !keep_old_conf(mail)) {
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
		router_unref(router);
		conf_free(conf);
		mail_close_incoming(mail);
	} else {
		mail_logins_read(mail, conf);
		mail_signing_read(mail, conf);
		mail_signing_spread(mail);
		spread(mail, conf, router, handed);
	}
	handed_unref(handed);
	buffer_done(&complaints);
}

/* The question goes from lane to lane: who hangs, does not hand it on. */
struct watch_job {
	struct mail *mail;
	unsigned next;
};

static void job_watch(struct lane *lane, void *context)
{
	struct watch_job *job = context;
	struct mail *mail = job->mail;

	(void)lane;
	if (job->next < mail->lane_count) {
		if (!lane_post(mail->lanes[job->next++], job_watch, job))
			free(job);
		return;
	}
	(void)!note_send(NOTE_ROLE_FD, "well", -1);
	free(job);
}

static void watch(struct mail *mail)
{
	struct watch_job *job = calloc(1, sizeof *job);

	if (job == NULL)
		return;
	job->mail = mail;
	job_watch(mail->lanes[0], job);
}

static void stop(struct mail *mail)
{
	if (mail->stopping)
		return;
	mail->stopping = true;
	loop_watch_free(take(mail->notes));
	ctl_server_free(take(mail->ctl));
	for (unsigned i = 0; i < mail->lane_count; i++)
		(void)!lane_post(mail->lanes[i], job_drain, NULL);
}

/* -- the supervisor -------------------------------------------------------------- */

/* To the lane whose turn it is. Before they run it is there at once: mail that waits must not find that nobody writes
 * mailboxes yet. */
static bool give_channel(struct mail *mail, unsigned *next, lane_job *job, int fd)
{
	struct lane *lane = mail->lanes[(*next)++ % mail->lane_count];

	if (mail->started)
		return lane_post(lane, job, (void *)(intptr_t)fd);
	job(lane, (void *)(intptr_t)fd);
	return true;
}

static void replace(int *held, int fd)
{
	if (*held >= 0)
		close(*held);
	*held = fd;
}

/* False: there is no use for it. */
static bool use_descriptor(struct mail *mail, const char *word, int fd)
{
	if (strcmp(word, "mailbox") == 0)
		return mail->lane_count > 0 && give_channel(mail, &mail->next_mailbox, job_mailbox, fd);
	if (strcmp(word, "pipe") == 0)
		return mail->lane_count > 0 && give_channel(mail, &mail->next_pipe, job_pipe, fd);
	if (strcmp(word, "auth") == 0)
		return mail->lane_count > 0 && give_channel(mail, &mail->next_auth, job_auth, fd);
	if (strcmp(word, "conf") == 0) {
		replace(&mail->text, fd);
	} else if (strcmp(word, "signing") == 0) {
		replace(&mail->signing_fd, fd);
	} else if (strcmp(word, "names") == 0) {
		replace(&mail->names, fd);
	} else if (strcmp(word, "control") == 0 && mail->control < 0) {
		mail->control = fd;
	} else if (strncmp(word, "listen ", 7) == 0 && mail->socket_count < SOCKETS_MAX &&
	    read_door(word + 7, &mail->sockets[mail->socket_count].door)) {
		mail->sockets[mail->socket_count++].fd = fd;
	} else {
		return false;
	}
	return true;
}

/* Also without a descriptor a file has its place. */
static void take_file(struct mail *mail, int fd)
{
	if (mail->file_count < CONF_FILES_MAX)
		mail->files[mail->file_count++] = fd;
	else if (fd >= 0)
		close(fd);
}

/* False: the supervisor is gone. */
static bool take_note(struct mail *mail)
{
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd))
		return false;
	if (strcmp(word, "file") == 0)
		take_file(mail, fd);
	else if (fd >= 0 && !use_descriptor(mail, word, fd))
		close(fd);
	else if (strcmp(word, "died") == 0)
		mail->predecessor_died = true;
	else if (strcmp(word, "start") == 0)
		mail->started = true;
	else if (strcmp(word, "reload") == 0)
		reload(mail);
	else if (strcmp(word, "tls") == 0)
		mail_tls_changed(mail);
	else if (strcmp(word, "log") == 0 && mail->started)
		log_writer_reopen(mail->log);
	else if (strcmp(word, "watch") == 0 && mail->started && !mail->stopping)
		watch(mail);
	else if (strcmp(word, "stop") == 0)
		stop(mail);
	return true;
}

static void supervisor_speaks(void *context)
{
	struct mail *mail = context;

	if (!take_note(mail))
		stop(mail);
}

bool mail_wait_until(struct mail *mail, bool (*is_true)(const struct mail *mail))
{
	while (!is_true(mail) && !mail->stopping)
		if (!take_note(mail))
			return false;
	return !mail->stopping;
}

void mail_notes_watch(struct mail *mail)
{
	mail->notes = loop_watch_new(lane_loop(mail->lanes[0]), NOTE_ROLE_FD, supervisor_speaks, mail);
}
