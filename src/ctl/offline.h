/* The commands that need neither a server nor its spool.
 *
 * Each takes what stands behind its name and returns an exit code of sysexits(3): EX_OK when it could be found out, whatever was
 * found. `conf` may be NULL: then there is no configuration, and the system's resolver is asked. */
#ifndef CTL_OFFLINE_H
#define CTL_OFFLINE_H

#include "conf/conf.h"
#include "route/router.h"

/* postroad verify, postroad sign. */
int ctl_verify(const struct conf *conf, int count, char **words);
int ctl_sign(int count, char **words);

/* postroad reports with files; are there any among the words? */
bool ctl_reports_reads(int count, char **words);
int ctl_reports_read(int count, char **words);

/* postroad dkim. Needs a configuration; a running server is told of changes. */
int ctl_dkim(const struct conf *conf, int count, char **words);

/* postroad quickstart. `config`: the file to write; `installed_path`: where the system has it. */
int ctl_quickstart(const char *config, const char *installed_path, int count, char **words);

/* postroad doctor. Its exit code is 0, 1 or 2. */
struct doctor_patient {
	const struct conf *conf; /* NULL: it is wrong, */
	const char *complaints;  /* and these say how. */
	const struct router *router; /* Of the configuration; NULL: there is none. */
	struct text names;       /* Of its users, one a line; empty where the system has them. */
};
int ctl_doctor(const struct doctor_patient *patient, int count, char **words);

#endif
