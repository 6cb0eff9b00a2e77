/* What the files of the supervisor share: supervisor.c starts and ends processes, bound.c keeps the sockets, giving.c tells
 * roles what they work with, upgrade.c makes place for another program. */
#ifndef SUPERVISOR_PRIVATE_H
#define SUPERVISOR_PRIVATE_H

#include <sys/types.h>

#include "base/endpoint.h"
#include "supervisor/note.h"
#include "supervisor/service.h"
#include "supervisor/supervisor.h"

/* Mail comes last: it is given what leads to the others. */
enum role_name { ROLE_MAILBOX, ROLE_PIPE, ROLE_AUTH, ROLE_WEB, ROLE_MAIL, ROLE_COUNT };

struct role {
	pid_t pid;            /* 0: not running. */
	int channel;          /* Our end; -1: none. */
	int64_t started_ms, due_ms; /* due_ms: when to start it again. */
	int64_t wait_ms;
	bool died;            /* The last one ended of its own making. */
	bool fresh;           /* Started, and not yet given what it works with. */
};

struct bound {
	enum conf_role role;
	enum conf_tls tls;
	bool proxied;
	bool web;             /* Not for mail: the one that the web role serves. */
	struct endpoint endpoint;
	int fd;
};

struct supervisor {
	struct supervisor_settings settings;
	struct conf *conf;
	struct role roles[ROLE_COUNT];
	struct bound *bound;
	size_t bound_count;
	int control;
	char control_path[ENDPOINT_PATH_MAX + 1]; /* Where it is, whatever a reload says. */
	int signals;
	struct service service;
	int64_t watch_ms;     /* When the service manager hears next that we are well. */
	uint64_t look;        /* Of the files of TLS when they were read last, */
	int64_t read_ms, look_ms; /* when that was, and when they are looked at again. */
	pid_t trial;          /* The new program is tried; 0: it is not. */
	bool inherited;       /* We took the place of one before us. */
	bool upgrading;       /* When all roles have ended, it takes our place. */
	bool ready;           /* The mail role has worked once. */
	bool stopping;
	int64_t stop_by_ms;
	int exit_code;
};

/* One line on stderr. */
[[gnu::format(printf, 1, 2)]] void supervisor_report(const char *format, ...);

/* Of a clock that only goes forward. */
int64_t supervisor_now_ms(void);

const char *role_word(enum role_name name);

/* Is there work for it? Else it is not started, and ends by itself on the reload that takes its work away. */
bool role_is_wanted(const struct supervisor *supervisor, enum role_name name);

/* -- bound.c ------------------------------------------------------------------ */

/* Listen on what `conf` names, keeping the sockets that stay. False, with nothing changed, when one cannot be bound (V2). */
bool bound_listen(struct supervisor *supervisor, const struct conf *conf);
void bound_close(struct bound *bound, size_t count);

/* Sockets of the one before us, in a list of descriptors that begins with that of the control socket. */
void bound_adopt(struct supervisor *supervisor, const char *descriptors);

/* Sockets that the service manager opened for us. */
void bound_take_given(struct supervisor *supervisor);

/* -- upgrade.c ---------------------------------------------------------------- */

/* Let the program that now stands where ours stood look at the configuration. */
void upgrade_try(struct supervisor *supervisor);

/* A child has ended. False: it was not the trial. True: it was; supervisor->upgrading says whether to go on. */
bool upgrade_judge(struct supervisor *supervisor, pid_t pid, int status);

/* All roles have ended: become the new program, with our sockets. Comes back if that fails. */
void upgrade_become(struct supervisor *supervisor);

/* At the start: take what one before us left. */
void upgrade_inherit(struct supervisor *supervisor);

/* -- giving.c ----------------------------------------------------------------- */

/* Give fresh roles what they work with. One that is missing is joined when it is there again: mail does
 * without it until then. */
void giving_supply(struct supervisor *supervisor);

/* All roles are to go on with supervisor->conf. */
void giving_reload(struct supervisor *supervisor);

/* When it is time, look whether the files of TLS have changed or were read long ago: then mail is to read them again. A
 * change by rename, a link that leads elsewhere and a file system without notices are all seen alike. */
enum { GIVING_LOOK_EVERY_MS = 5000 };
void giving_look(struct supervisor *supervisor);

#endif
