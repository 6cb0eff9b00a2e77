/* The roles that the supervisor starts: `postroad role NAME -c FILE`, with notes at NOTE_ROLE_FD. */
#ifndef PROGRAMS_ROLES_H
#define PROGRAMS_ROLES_H

#include "conf/conf.h"
#include "supervisor/privilege.h"

enum { ROLE_LANES_MAX = 16 };

/* Each takes conf (and mail the memory file that it came from), runs until it is told to stop or its supervisor is gone, and returns an exit code. */
int role_mail(struct conf *conf, int text, const struct privilege *privilege, unsigned lane_count);
int role_mailbox(struct conf *conf, const struct privilege *privilege);
int role_pipe(struct conf *conf);
int role_auth(struct conf *conf, const struct privilege *privilege);
int role_web(struct conf *conf, const struct privilege *privilege);

/* How many lanes the mail role is to run: what the supervisor started with, however often the configuration changes. */
unsigned role_lane_count(const struct conf *conf);

#endif
