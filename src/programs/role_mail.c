/* The mail role: opens spool and log, runs the lanes, and listens to supervisor and operators on lane 0. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "programs/folders.h"
#include "programs/role_mail_private.h"
#include "supervisor/confine.h"

enum { SPOOL_TRY_MS = 100, SPOOL_TRIES = 300, RATE_ENTRIES = 1 << 16 };

unsigned role_lane_count(const struct conf *conf)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	const unsigned wanted = conf->lanes > 0 ? conf->lanes : processors > 0 ? (unsigned)processors : 1;

	return wanted > LANES_MAX ? LANES_MAX : wanted;
}

bool mail_fail(const char *what, const char *why)
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

	mail->feed = feed_new();
	return error == OK ? mail->feed != NULL || mail_fail("the feed of events", error_text(ERR_NO_MEMORY)) : mail_fail(to, error_text(error));
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
		return mail_fail(settings.path, error == ERR_BUSY ? "another server works on this spool" : error_text(error));
	snprintf(path, sizeof path, "%s/in-doubt", settings.path);
	error = in_doubt_open(path, &mail->in_doubt);
	if (error != OK)
		return mail_fail(path, error_text(error));
	snprintf(path, sizeof path, "%s/suspects", settings.path);
	error = suspects_open(path, &mail->suspects);
	return error == OK || mail_fail(path, error_text(error));
}

/* What strangers must not foresee: where in a table they stand. */
static bool draw_seed(const char *subject, uint64_t *out_seed)
{
	return getrandom(out_seed, sizeof *out_seed, 0) == (ssize_t)sizeof *out_seed ||
	    mail_fail(subject, "no randomness to be had");
}

static bool make_rates(struct mail *mail)
{
	uint64_t seed;

	if (!draw_seed("limits", &seed))
		return false;
	mail->rates = rate_table_new(RATE_ENTRIES, seed);
	return mail->rates != NULL || mail_fail("limits", error_text(ERR_NO_MEMORY));
}

static bool make_clients(struct mail *mail)
{
	uint64_t seed;

	if (!draw_seed("limits", &seed))
		return false;
	mail->clients = clients_new(mail->conf->limits.connections, seed);
	return mail->clients != NULL || mail_fail("limits", error_text(ERR_NO_MEMORY));
}

/* It is there even if nobody is put off: the next configuration may want it. */
static bool open_greylist(struct mail *mail)
{
	char path[4096];
	uint64_t seed;

	if (!draw_seed("greylist", &seed))
		return false;
	snprintf(path, sizeof path, "%s/greylist", mail->conf->spool.path);
	const enum error error = greylist_open(path, seed, &mail->greylist);

	return error == OK || mail_fail(path, error_text(error));
}

/* There whether it is used or not, like the greylist. */
static bool open_policies(struct mail *mail)
{
	char path[4096];
	uint64_t seed;

	if (!draw_seed("policies", &seed))
		return false;
	snprintf(path, sizeof path, "%s/policies", mail->conf->spool.path);
	const enum error error = policy_store_open(path, seed, &mail->policies);

	return error == OK || mail_fail(path, error_text(error));
}

static bool open_journal(struct mail *mail)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/webhooks", mail->conf->spool.path);
	const enum error error = journal_open(path, &mail->journal);

	return error == OK || mail_fail(path, error_text(error));
}

static bool make_lanes(struct mail *mail)
{
	const struct lane_common common = { .conf = mail->conf,
		.router = mail->router,
		.tls_server = mail->tls.server,
		.tls_client = mail->tls.client,
		.logins = mail->logins,
		.spool = mail->spool,
		.in_doubt = mail->in_doubt,
		.signing = mail->signing,
		.rates = mail->rates,
		.suspects = mail->suspects,
		.log = mail->log,
		.feed = mail->feed,
		.troubles = &mail->troubles,
		.spool_trouble = &mail->spool_trouble,
		.held_bytes = &mail->held_bytes,
		.clients = mail->clients,
		.greylist = mail->greylist,
		.policies = mail->policies,
		.journal = mail->journal,
		.lane_count = mail->wanted_lanes };

	for (unsigned i = 0; i < common.lane_count; i++) {
		const char *reason;

		mail->lanes[i] = lane_new(&common, i, &reason);
		if (mail->lanes[i] == NULL)
			return mail_fail("a lane cannot start", reason);
		mail->lane_count++;
	}
	return true;
}

static void *run_lane(void *context)
{
	lane_run(context);
	return NULL;
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
	mail->router = mail_make_router(mail, mail->conf, &complaints);
	if (mail->router == NULL)
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return mail->router != NULL;
}

/* The configuration again, now with the files that came behind it. */
static bool open_conf(struct mail *mail)
{
	struct conf *conf = mail_take_conf(mail, &mail->handed);

	if (conf == NULL)
		return false;
	conf_free(mail->conf);
	mail->conf = conf;
	return true;
}

/* Spool and log are all it opens; libraries read what the system offers to everybody. */
static bool confine_mail(const struct conf *conf)
{
	char log[PATH_MAX] = "", dns[PATH_MAX] = "";

	if ((conf->log.to[0] == '/' && !folders_parent(conf->log.to, log)) || !folders_parent(conf->dns.config, dns))
		return mail_fail("mail", "a path is too long");
	const struct confine_path paths[] = {
		{ conf->spool.path, CONFINE_CHANGE },
		{ log, CONFINE_APPEND },
		{ dns, CONFINE_READ }, /* What a file for libunbound includes. */
		{ "/usr", CONFINE_READ }, /* Libraries, time zones. */
		{ "/lib", CONFINE_READ },
		{ "/etc/ssl/certs", CONFINE_READ },
	};
	const struct confine_rules rules = { .role = "mail",
		.groups = CONFINE_FILES | CONFINE_NETWORK,
		.paths = paths,
		.path_count = sizeof paths / sizeof *paths };

	return confine(&rules);
}

static bool prepare(struct mail *mail, const struct privilege *privilege)
{
	if (!privilege_drop(privilege))
		return mail_fail("mail", "cannot change user");
	if (!confine_mail(mail->conf))
		return false;
	if (!mail_wait_until(mail, knows_names) || !open_conf(mail) || !mail_tls_open(mail) || !open_log(mail))
		return false;
	mail_logins_read(mail, mail->conf);
	mail_signing_read(mail, mail->conf);
	if (!open_spool(mail) || !open_router(mail) || !make_rates(mail) || !make_clients(mail) ||
	    !open_greylist(mail) || !open_policies(mail) || !open_journal(mail) || !make_lanes(mail))
		return false;
	handed_unref(take(mail->handed)); /* What it named is read. */
	if (!mail_wait_until(mail, is_started))
		return false;
	suspects_judge(mail->suspects, mail->predecessor_died);
	return (mail->control >= 0 && mail_control_open(mail)) || mail_fail("the control socket", "cannot be served");
}

static void run(struct mail *mail)
{
	/* Before any lane delivers: what has been settled by then was settled before the crash. We are lane 0's thread. */
	lane_report_in_doubt(mail->lanes[0]);
	mail_open_gates(mail);
	mail_notes_watch(mail);
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
	ctl_server_free(mail->ctl);
	admin_free(mail->admin);
	for (unsigned i = 0; i < mail->lane_count; i++)
		lane_free(mail->lanes[i]);
	clients_free(mail->clients);
	surveyor_free(mail->surveyor); /* What a stopped lane had not answered lies with that lane. */
	in_doubt_close(mail->in_doubt);
	suspects_close(mail->suspects);
	greylist_close(mail->greylist);
	policy_store_close(mail->policies);
	journal_close(mail->journal);
	rate_table_free(mail->rates);
	if (mail->spool != NULL)
		spool_close(mail->spool);
	router_unref(mail->router);
	signing_keys_unref(mail->signing);
	arena_free(mail->key_plan.arena);
	snapshot_tls_done(&mail->tls);
	logins_unref(mail->logins);
	log_writer_close(mail->log);
	feed_free(mail->feed);
	while (mail->old_count > 0)
		conf_free(mail->old[--mail->old_count]);
	conf_free(mail->conf);
	free(mail->old);
	if (mail->names >= 0)
		close(mail->names);
	if (mail->text >= 0)
		close(mail->text);
	if (mail->signing_fd >= 0)
		close(mail->signing_fd);
	handed_unref(mail->handed);
	mail_close_incoming(mail);
}

int role_mail(struct conf *conf, int text, const struct privilege *privilege, unsigned lane_count)
{
	struct mail mail = { .conf = conf, .text = text, .control = -1, .signing_fd = -1, .names = -1, .wanted_lanes = lane_count };
	bool ready;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* The supervisor's note stops it in order. */
	ready = prepare(&mail, privilege);
	if (ready)
		run(&mail);
	finish(&mail);
	return ready ? EX_OK : EX_UNAVAILABLE;
}
