/* What the files of the mail role share: role_mail.c opens and runs, _notes.c obeys the supervisor, _tls.c takes
 * certificates, _operators.c serves the control socket. */
#ifndef PROGRAMS_ROLE_MAIL_PRIVATE_H
#define PROGRAMS_ROLE_MAIL_PRIVATE_H

#include <pthread.h>

#include "admin/admin.h"
#include "ctl/server.h"
#include "programs/handed.h"
#include "programs/host_logins.h"
#include "programs/lane.h"
#include "programs/roles.h"
#include "programs/snapshot.h"
#include "programs/surveyor.h"
#include "supervisor/note.h"

enum { LANES_MAX = ROLE_LANES_MAX, SOCKETS_MAX = 64 };

struct mail {
	struct conf *conf;             /* In force. */
	struct conf **old;             /* Replaced; sessions and deliveries may still look at them. */
	size_t old_count;
	struct router *router;
	struct snapshot_tls tls;
	struct logins *logins;         /* At other servers. */
	struct spool *spool;
	struct in_doubt *in_doubt;
	struct suspects *suspects;
	struct rate_table *rates;
	struct clients *clients;
	struct greylist *greylist;
	struct policy_store *policies;
	struct webhook_journal *journal;
	_Atomic int64_t held_bytes;
	struct log_writer *log;
	struct feed *feed;
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
	unsigned next_mailbox, next_pipe, next_auth; /* The lanes that the next channels are for. */
	int text;                      /* The configuration that came last: a memory file. */
	int files[CONF_FILES_MAX];     /* What it names, as they come in; until they are taken. */
	unsigned file_count;
	struct handed *handed;         /* At the start: what the paths of conf lead to. */
	int signing_fd;                /* What signs: a memory file, until it is read; -1: none came. */
	struct signing_keys *signing;  /* NULL: nothing is signed. */
	struct key_plan key_plan;      /* Of these keys, and of those that sign no more or not yet; for operators. */
	int names;                     /* What the users are called: a memory file; -1: not here yet. */
	bool started, stopping;
	bool predecessor_died;         /* Of its own making (suspects.h U2). */
};

/* On stderr; false, for the caller to give back. */
bool mail_fail(const char *what, const char *why);

/* -- role_mail_tls.c ------------------------------------------------------------- */

/* Whatever is wrong with what is new, what was right stays in force. */
bool mail_tls_read(struct mail *mail, const struct conf *conf, struct buffer *complaints);

/* What was read goes to all lanes. */
void mail_tls_spread(struct mail *mail);

/* At the start; and when the supervisor sent files because they have changed or are old. */
bool mail_tls_open(struct mail *mail);
void mail_tls_changed(struct mail *mail);

/* -- role_mail_signing.c ---------------------------------------------------------- */

/* What came from the supervisor since the last time; nothing means that nothing is to be signed. */
void mail_signing_read(struct mail *mail, const struct conf *conf);

/* What was read goes to all lanes. */
void mail_signing_spread(struct mail *mail);

/* -- role_mail_notes.c ----------------------------------------------------------- */

/* Notes until this is true. False: the supervisor is gone, or wants us to stop. */
bool mail_wait_until(struct mail *mail, bool (*is_true)(const struct mail *mail));

/* From the loop of lane 0, as long as it runs. */
void mail_notes_watch(struct mail *mail);

/* The router of this configuration and of the names that the supervisor sent. NULL: complaints tell. */
struct router *mail_make_router(const struct mail *mail, const struct conf *conf, struct buffer *complaints);

/* The passwords of the routes; without memory what was known stays. */
void mail_logins_read(struct mail *mail, const struct conf *conf);

/* The configuration that came last and its files, which are there as long as *out_handed is. NULL: stderr tells. */
struct conf *mail_take_conf(struct mail *mail, struct handed **out_handed);

/* Every lane accepts from every socket that came in. */
void mail_open_gates(struct mail *mail);
void mail_close_incoming(struct mail *mail);

/* -- role_mail_operators.c --------------------------------------------------------- */

/* Serve the control socket on lane 0. */
bool mail_control_open(struct mail *mail);

#endif
