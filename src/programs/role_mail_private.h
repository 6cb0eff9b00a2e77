/* What the files of the mail role share: role_mail.c opens and runs, _notes.c obeys the supervisor, _tls.c reads
 * certificates, _operators.c serves the control socket. */
#ifndef PROGRAMS_ROLE_MAIL_PRIVATE_H
#define PROGRAMS_ROLE_MAIL_PRIVATE_H

#include <pthread.h>

#include "admin/admin.h"
#include "ctl/server.h"
#include "programs/lane.h"
#include "programs/roles.h"
#include "programs/snapshot.h"
#include "programs/surveyor.h"
#include "programs/tls_watch.h"
#include "supervisor/note.h"

enum { LANES_MAX = ROLE_LANES_MAX, SOCKETS_MAX = 64 };

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

/* On stderr; false, for the caller to give back. */
bool mail_fail(const char *what, const char *why);

/* -- role_mail_tls.c ------------------------------------------------------------- */

/* Whatever is wrong with what is new, what was right stays in force. */
bool mail_tls_read(struct mail *mail, const struct conf *conf, struct buffer *complaints);

/* What was read goes to all lanes. */
void mail_tls_spread(struct mail *mail);

/* At the start, and when the files change: see tls_watch. */
bool mail_tls_open(struct mail *mail);
bool mail_tls_watch(struct mail *mail);

/* -- role_mail_notes.c ----------------------------------------------------------- */

/* Notes until this is true. False: the supervisor is gone, or wants us to stop. */
bool mail_wait_until(struct mail *mail, bool (*is_true)(const struct mail *mail));

/* From the loop of lane 0, as long as it runs. */
void mail_notes_watch(struct mail *mail);

/* The router of this configuration and of the names that the supervisor sent. NULL: complaints tell. */
struct router *mail_make_router(const struct mail *mail, const struct conf *conf, struct buffer *complaints);

/* Every lane accepts from every socket that came in. */
void mail_open_gates(struct mail *mail);
void mail_close_sockets(struct mail *mail);

/* -- role_mail_operators.c --------------------------------------------------------- */

/* Serve the control socket on lane 0. */
bool mail_control_open(struct mail *mail);

#endif
