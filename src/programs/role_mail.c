/* The mail role: opens spool and log, runs the lanes, and listens to supervisor and operators on lane 0. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/cleanup.h"
#include "base/must.h"
#include "ctl/server.h"
#include "programs/lane.h"
#include "programs/roles.h"
#include "programs/snapshot.h"
#include "programs/surveyor.h"
#include "programs/tls_watch.h"
#include "supervisor/note.h"

enum { LANES_MAX = ROLE_LANES_MAX, SOCKETS_MAX = 64, SPOOL_TRY_MS = 100, SPOOL_TRIES = 300, NAMES_BYTES_MAX = 128 << 20 };

struct mail {
	struct conf *conf;             /* In force. */
	struct conf **old;             /* Replaced; sessions and deliveries may still look at them. */
	size_t old_count;
	struct router *router;
	struct snapshot_tls tls;
	struct tls_watch *tls_watch;
	struct spool *spool;
	struct in_doubt *in_doubt;
	struct suspects *suspects;
	struct log_writer *log;
	struct troubles troubles;
	_Atomic bool spool_trouble;
	struct lane *lanes[LANES_MAX];
	pthread_t threads[LANES_MAX];
	unsigned wanted_lanes, lane_count; /* lane_count: made so far. */
	struct surveyor *surveyor;
	struct admin *admin;
	struct ctl_server *ctl;
	struct loop_watch *notes;
	int control;
	struct {
		int fd;
		struct door door;
	} sockets[SOCKETS_MAX];        /* Listeners as they come in, until start or reload. */
	unsigned socket_count;
	unsigned next_mailbox, next_auth; /* The lanes that the next channels are for. */
	int names;                     /* What the users are called: a memory file; -1: not here yet. */
	bool started, stopping;
	bool predecessor_died;         /* Of its own making (suspects.h U2). */
};

unsigned role_lane_count(const struct conf *conf)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	const unsigned wanted = conf->lanes > 0 ? conf->lanes : processors > 0 ? (unsigned)processors : 1;

	return wanted > LANES_MAX ? LANES_MAX : wanted;
}

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

static void job_auth(struct lane *lane, void *context)
{
	lane_set_auth(lane, (int)(intptr_t)context);
}

struct reload_job {
	const struct conf *conf;
	struct router *router;
};

static void job_reload(struct lane *lane, void *context)
{
	struct reload_job *job = context;

	lane_reload(lane, job->conf, job->router);
	router_unref(job->router);
	free(job);
}

static void job_tls(struct lane *lane, void *context)
{
	struct snapshot_tls *tls = context;

	lane_set_tls(lane, tls->server, tls->client);
	snapshot_tls_done(tls);
	free(tls);
}

static void job_drain(struct lane *lane, void *context)
{
	(void)context;
	lane_drain(lane);
}

static void job_in_doubt(struct lane *lane, void *context)
{
	(void)context;
	lane_report_in_doubt(lane);
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

/* Every lane accepts from every socket: each has a descriptor of its own for it. */
static void open_gates(struct mail *mail)
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
	struct conf **grown = realloc(mail->old, (mail->old_count + 1) * sizeof *grown);

	if (grown == NULL)
		return false;
	mail->old = grown;
	mail->old[mail->old_count++] = mail->conf;
	return true;
}

/* -- TLS --------------------------------------------------------------------- */

static void spread_tls(struct mail *mail)
{
	for (unsigned i = 0; i < mail->lane_count; i++) {
		struct snapshot_tls *tls = calloc(1, sizeof *tls);

		if (tls == NULL)
			continue; /* The lane goes on with what it has. */
		*tls = (struct snapshot_tls){ tls_server_ref(mail->tls.server), tls_client_ref(mail->tls.client) };
		if (!lane_post(mail->lanes[i], job_tls, tls)) {
			snapshot_tls_done(tls);
			free(tls);
		}
	}
}

/* Whatever is wrong with what is new, what was right stays in force. */
static bool read_tls(struct mail *mail, const struct conf *conf, struct buffer *complaints)
{
	struct snapshot_tls fresh;

	if (!snapshot_tls(conf, &fresh, complaints))
		return false;
	snapshot_tls_done(&mail->tls);
	mail->tls = fresh;
	return true;
}

static void tls_changed(void *context)
{
	struct mail *mail = context;
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (read_tls(mail, mail->conf, &complaints))
		spread_tls(mail);
	else
		fprintf(stderr, "postroad: the certificates in use stay: %.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
}

/* -- reloading ---------------------------------------------------------------- */

/* The users come from the supervisor, the rest from the files that the configuration names. */
static struct router *make_router(const struct mail *mail, const struct conf *conf, struct buffer *complaints)
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

static void reload(struct mail *mail)
{
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	/* The supervisor has checked it; but the file may have changed again. */
	struct conf *conf = mail->admin ? conf_load(mail->conf->path, &complaints) : NULL;
	struct router *router = conf ? make_router(mail, conf, &complaints) : NULL;

	if (router == NULL || !read_tls(mail, conf, &complaints) || !keep_old_conf(mail)) {
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
		router_unref(router);
		conf_free(conf);
		close_sockets(mail);
	} else {
		mail->conf = conf;
		router_unref(mail->router);
		mail->router = router;
		admin_set_router(mail->admin, router);
		tls_watch_reset(mail->tls_watch, conf);
		spread_tls(mail);
		for (unsigned i = 0; i < mail->lane_count; i++) {
			struct reload_job *job = calloc(1, sizeof *job);

			if (job == NULL)
				continue;
			*job = (struct reload_job){ conf, router_ref(router) };
			(void)!lane_post(mail->lanes[i], job_reload, job);
			(void)!lane_post(mail->lanes[i], job_close_listeners, NULL);
		}
		open_gates(mail);
		log_writer_reopen(mail->log);
	}
	buffer_done(&complaints);
}

static void stop(struct mail *mail)
{
	if (mail->stopping)
		return;
	mail->stopping = true;
	loop_watch_free(take(mail->notes));
	tls_watch_free(take(mail->tls_watch));
	ctl_server_free(take(mail->ctl));
	for (unsigned i = 0; i < mail->lane_count; i++)
		(void)!lane_post(mail->lanes[i], job_drain, NULL);
}

/* -- operators ------------------------------------------------------------------ */

static void hand_in(void *context, struct stream *stream)
{
	struct mail *mail = context;

	inbound_accept(lane_inbound(mail->lanes[0]), stream, SESSION_LOCAL, SESSION_TLS_NONE);
}

static void sum_counters(void *context, struct counters *out_sum)
{
	const struct mail *mail = context;

	for (unsigned i = 0; i < mail->lane_count; i++)
		counters_sum(out_sum, lane_counters(mail->lanes[i]));
	counters_add(out_sum, COUNTER_LOG_LINES_LOST, log_writer_lost(mail->log));
}

static bool survey(
    void *context, const struct admin_question *question, admin_surveyed *surveyed, void *surveyed_context)
{
	const struct mail *mail = context;

	return surveyor_ask(mail->surveyor, question, surveyed, surveyed_context);
}

static bool ask_reload(void *context)
{
	(void)context;
	return note_send(NOTE_ROLE_FD, "reload", -1);
}

static bool ask_stop(void *context)
{
	(void)context;
	return note_send(NOTE_ROLE_FD, "stop", -1);
}

static bool open_control(struct mail *mail)
{
	struct lane *lane = mail->lanes[0];
	const struct admin_settings settings = { .loop = lane_loop(lane),
		.spool = mail->spool,
		.port = lane_port(lane),
		.router = mail->router,
		.hosts = lane_hosts(lane),
		.sink = lane_sink(lane),
		.sum_counters = sum_counters,
		.survey = survey,
		.reload = ask_reload,
		.stop = ask_stop,
		.context = mail };

	mail->surveyor = surveyor_new(mail->lanes, mail->lane_count);
	mail->admin = mail->surveyor ? admin_new(&settings) : NULL;
	if (mail->admin == NULL)
		return false;
	const int control = mail->control;

	mail->control = -1;
	mail->ctl = ctl_server_new(lane_loop(lane), control, mail->admin, hand_in, mail);
	return mail->ctl != NULL;
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

static void take_descriptor(struct mail *mail, const char *word, int fd)
{
	if (strcmp(word, "mailbox") == 0 && mail->lane_count > 0) {
		if (give_channel(mail, &mail->next_mailbox, job_mailbox, fd))
			return;
	} else if (strcmp(word, "auth") == 0 && mail->lane_count > 0) {
		if (give_channel(mail, &mail->next_auth, job_auth, fd))
			return;
	} else if (strcmp(word, "names") == 0) {
		if (mail->names >= 0)
			close(mail->names);
		mail->names = fd;
		return;
	} else if (strncmp(word, "listen ", 7) == 0 && mail->socket_count < SOCKETS_MAX &&
	    read_door(word + 7, &mail->sockets[mail->socket_count].door)) {
		mail->sockets[mail->socket_count++].fd = fd;
		return;
	} else if (strcmp(word, "control") == 0 && mail->control < 0) {
		mail->control = fd;
		return;
	}
	close(fd);
}

/* False: the supervisor is gone. */
static bool take_note(struct mail *mail)
{
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd))
		return false;
	if (fd >= 0)
		take_descriptor(mail, word, fd);
	else if (strcmp(word, "died") == 0)
		mail->predecessor_died = true;
	else if (strcmp(word, "start") == 0)
		mail->started = true;
	else if (strcmp(word, "reload") == 0)
		reload(mail);
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

/* -- starting and ending ---------------------------------------------------------- */

static bool fail(const char *what, const char *why)
{
	fprintf(stderr, "postroad: %s: %s\n", what, why);
	return false;
}

static bool open_log(struct mail *mail)
{
	const char *to = mail->conf->log.to;
	const struct log_writer_settings settings = {
		.target = strcmp(to, "stderr") == 0 ? LOG_TO_STDERR : strcmp(to, "syslog") == 0 ? LOG_TO_SYSLOG : LOG_TO_PATH,
		.path = to,
		.name = "postroad",
		.json = mail->conf->log.json,
	};
	const enum error error = log_writer_open(&settings, &mail->log);

	return error == OK || fail(to, error_text(error));
}

static bool open_spool(struct mail *mail)
{
	const struct spool_lmdb_settings settings = { .path = mail->conf->spool.path,
		.size_bytes_max = mail->conf->spool.size,
		.history_max = mail->conf->history_messages };
	char path[4096];
	enum error error = spool_lmdb_open(&settings, &mail->spool);

	/* A mail role whose supervisor was killed still brings its sessions to their end. */
	for (int tries = 0; error == ERR_BUSY && tries < SPOOL_TRIES; tries++) {
		nanosleep(&(struct timespec){ .tv_nsec = SPOOL_TRY_MS * 1000000 }, NULL);
		error = spool_lmdb_open(&settings, &mail->spool);
	}
	if (error != OK)
		return fail(settings.path, error == ERR_BUSY ? "another server works on this spool" : error_text(error));
	snprintf(path, sizeof path, "%s/in-doubt", settings.path);
	error = in_doubt_open(path, &mail->in_doubt);
	if (error != OK)
		return fail(path, error_text(error));
	snprintf(path, sizeof path, "%s/suspects", settings.path);
	error = suspects_open(path, &mail->suspects);
	return error == OK || fail(path, error_text(error));
}

static bool make_lanes(struct mail *mail)
{
	const struct lane_common common = { .conf = mail->conf,
		.router = mail->router,
		.tls_server = mail->tls.server,
		.tls_client = mail->tls.client,
		.spool = mail->spool,
		.in_doubt = mail->in_doubt,
		.suspects = mail->suspects,
		.log = mail->log,
		.troubles = &mail->troubles,
		.spool_trouble = &mail->spool_trouble,
		.lane_count = mail->wanted_lanes };

	for (unsigned i = 0; i < common.lane_count; i++) {
		const char *reason;

		mail->lanes[i] = lane_new(&common, i, &reason);
		if (mail->lanes[i] == NULL)
			return fail("a lane cannot start", reason);
		mail->lane_count++;
	}
	return true;
}

static void *run_lane(void *context)
{
	lane_run(context);
	return NULL;
}

/* Notes until this is true. False: the supervisor is gone, or wants us to stop. */
static bool wait_until(struct mail *mail, bool (*is_true)(const struct mail *mail))
{
	while (!is_true(mail) && !mail->stopping)
		if (!take_note(mail))
			return false;
	return !mail->stopping;
}

static bool knows_names(const struct mail *mail)
{
	return mail->names >= 0;
}

static bool is_started(const struct mail *mail)
{
	return mail->started;
}

static bool open_router(struct mail *mail)
{
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	mail->router = make_router(mail, mail->conf, &complaints);
	if (mail->router == NULL)
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return mail->router != NULL;
}

/* While we still may read the keys. */
static bool open_tls(struct mail *mail)
{
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	const bool right = read_tls(mail, mail->conf, &complaints);

	if (!right)
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return right;
}

static bool prepare(struct mail *mail, const struct privilege *privilege)
{
	if (!open_tls(mail) || !open_log(mail))
		return false;
	if (mail->conf->log.to[0] == '/' && privilege->drop)
		(void)!chown(mail->conf->log.to, privilege->uid, privilege->gid);
	if (!privilege_drop(privilege))
		return fail("mail", "cannot change user");
	if (!open_spool(mail) || !wait_until(mail, knows_names) || !open_router(mail) || !make_lanes(mail))
		return false;
	if (!wait_until(mail, is_started))
		return false;
	mail->tls_watch = tls_watch_new(lane_loop(mail->lanes[0]), mail->conf, tls_changed, mail);
	if (mail->tls_watch == NULL)
		return fail("mail", "out of memory");
	suspects_judge(mail->suspects, mail->predecessor_died);
	return (mail->control >= 0 && open_control(mail)) || fail("the control socket", "cannot be served");
}

static void run(struct mail *mail)
{
	open_gates(mail);
	(void)!lane_post(mail->lanes[0], job_in_doubt, NULL);
	mail->notes = loop_watch_new(lane_loop(mail->lanes[0]), NOTE_ROLE_FD, supervisor_speaks, mail);
	for (unsigned i = 1; i < mail->lane_count; i++)
		must(pthread_create(&mail->threads[i], NULL, run_lane, mail->lanes[i]) == 0);
	(void)!note_send(NOTE_ROLE_FD, "ready", -1);
	lane_run(mail->lanes[0]);
	for (unsigned i = 1; i < mail->lane_count; i++)
		pthread_join(mail->threads[i], NULL);
}

static void finish(struct mail *mail)
{
	loop_watch_free(mail->notes);
	tls_watch_free(mail->tls_watch);
	ctl_server_free(mail->ctl);
	admin_free(mail->admin);
	for (unsigned i = 0; i < mail->lane_count; i++)
		lane_free(mail->lanes[i]);
	surveyor_free(mail->surveyor); /* What a stopped lane had not answered lies with that lane. */
	in_doubt_close(mail->in_doubt);
	suspects_close(mail->suspects);
	if (mail->spool != NULL)
		spool_close(mail->spool);
	router_unref(mail->router);
	snapshot_tls_done(&mail->tls);
	log_writer_close(mail->log);
	while (mail->old_count > 0)
		conf_free(mail->old[--mail->old_count]);
	conf_free(mail->conf);
	free(mail->old);
	if (mail->names >= 0)
		close(mail->names);
	close_sockets(mail);
}

int role_mail(struct conf *conf, const struct privilege *privilege, unsigned lane_count)
{
	struct mail mail = { .conf = conf, .control = -1, .names = -1, .wanted_lanes = lane_count };
	bool ready;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* The supervisor's note stops it in order. */
	ready = prepare(&mail, privilege);
	if (ready)
		run(&mail);
	finish(&mail);
	return ready ? EX_OK : EX_UNAVAILABLE;
}
