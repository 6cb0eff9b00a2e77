/* postroad check --replay: what a new configuration would do differently with the mail that waits and with that of late. */
#ifndef CTL_REPLAY_H
#define CTL_REPLAY_H

#include "admin/replay.h"
#include "ctl/commands.h"

/* Where the configuration in force is found: at the server, or, where none runs, in `side`, and its mail in the spool. */
struct ctl_replay_against {
	struct ctl_place place;
	const struct replay_side *side; /* NULL: only a server tells. */
};

/* `words`: --limit N, --json. EX_OK: nothing would change; 1: something would; or another code of sysexits(3). */
int ctl_replay(const struct replay_side *fresh, const struct ctl_replay_against *against, int count, char **words);

#endif
