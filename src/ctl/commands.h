/* The commands of the command line that speak with a server, or look at its spool.
 *
 * Each takes what stands behind its name and returns an exit code of sysexits(3). */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include <stdbool.h>

/* Where the server is found; from the configuration. */
struct ctl_place {
	const char *control; /* Path of the control socket. */
	const char *spool;   /* Folder of the spool, read directly when no server runs. */
};

/* postroad queue, trace, explain, reports, stats, webhooks, top, tail, reload, upgrade, stop. */
int ctl_queue(const struct ctl_place *place, int count, char **words);
int ctl_trace(const struct ctl_place *place, int count, char **words);
int ctl_explain(const struct ctl_place *place, int count, char **words);
int ctl_reports(const struct ctl_place *place, int count, char **words);
int ctl_stats(const struct ctl_place *place, int count, char **words);
int ctl_webhooks(const struct ctl_place *place, int count, char **words);
int ctl_top(const struct ctl_place *place, int count, char **words);
int ctl_tail(const struct ctl_place *place, int count, char **words);
int ctl_reload(const struct ctl_place *place, int count, char **words);
int ctl_upgrade(const struct ctl_place *place, int count, char **words);
int ctl_stop(const struct ctl_place *place, int count, char **words);

/* postroad user add|remove|password|list. `path`: the users file; empty: there is none. */
int ctl_user(const struct ctl_place *place, const char *path, int count, char **words);

/* sendmail(1). `hostname` completes addresses without a domain. */
int ctl_send(const struct ctl_place *place, const char *hostname, int count, char **words);

#endif
