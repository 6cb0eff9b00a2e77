#include "supervisor/confine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "supervisor/confine_private.h"

static bool set_limit(int resource, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
		return false;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

static bool name_threads(const char *role)
{
	char name[16]; /* The kernel keeps no more. */

	snprintf(name, sizeof name, "postroad-%s", role);
	return prctl(PR_SET_NAME, name, 0, 0, 0) == 0;
}

bool confine(const struct confine_rules *rules)
{
	const char *step = "limits";
	bool done = name_threads(rules->role) && set_limit(RLIMIT_CORE, 0) &&
	    (rules->descriptors == 0 || set_limit(RLIMIT_NOFILE, rules->descriptors)) &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

	if (done) {
		step = "Landlock";
		done = confine_paths(rules->paths, rules->path_count);
	}
	if (done) {
		step = "seccomp";
		done = confine_calls(rules->groups);
	}
	if (!done)
		fprintf(stderr, "postroad: role %s cannot be confined: %s: %s\n", rules->role, step, strerror(errno));
	return done;
}
