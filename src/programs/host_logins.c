#include "programs/host_logins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "sasl/secret_file.h"

enum { LOGINS_MAX = CONF_LOGINS_MAX + CONF_POOL_LOGINS_MAX };

struct login_source {
	const char *section, *path;
	int line;
	struct login_rule rule; /* Without the password. */
};

/* Of routes at their hosts, and of pools at their proxies. */
static size_t list_sources(const struct conf *conf, struct login_source sources[LOGINS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < conf->route_count; i++) {
		const struct conf_route *route = &conf->routes[i];

		if (route->user.length == 0)
			continue;
		must(count < LOGINS_MAX);
		sources[count++] = (struct login_source){ "route", route->password_file, route->line,
			{ { .user = route->user }, route->via, route->via_count } };
	}
	for (size_t i = 0; i < conf->pool_count; i++) {
		const struct conf_pool *pool = &conf->pools[i];

		if (pool->user.length == 0)
			continue;
		must(count < LOGINS_MAX);
		sources[count++] =
		    (struct login_source){ "pool", pool->password_file, pool->line, { { .user = pool->user }, &pool->login_place, 1 } };
	}
	return count;
}

bool host_logins_are_right(const struct conf *conf, struct buffer *complaints)
{
	struct login_source sources[LOGINS_MAX];
	const size_t count = list_sources(conf, sources);
	bool right = true;

	for (size_t i = 0; i < count; i++) {
		char room[SECRET_ROOM_BYTES];
		struct text password;
		const char *problem = secret_file_read(sources[i].path, true, room, &password);

		explicit_bzero(room, sizeof room);
		if (problem == NULL)
			continue;
		right = false;
		(void)!buffer_print(complaints, "%s:%d: %s password-file \"%s\" cannot be used: %s\n", conf->path, sources[i].line,
		    sources[i].section, sources[i].path, problem);
	}
	return right;
}

/* The rooms of all passwords, to be wiped together. */
typedef char password_room[SECRET_ROOM_BYTES];

static size_t read_all(const struct conf *conf, password_room *rooms, struct login_rule *rules)
{
	struct login_source sources[LOGINS_MAX];
	const size_t source_count = list_sources(conf, sources);
	size_t count = 0;

	for (size_t i = 0; i < source_count; i++) {
		struct login_rule *rule = &rules[count];

		*rule = sources[i].rule;
		const char *problem = secret_file_read(sources[i].path, false, rooms[count], &rule->login.password);

		if (problem == NULL)
			count++;
		else
			fprintf(stderr, "postroad: %s:%d: %s password-file cannot be used: %s\n", conf->path, sources[i].line, sources[i].section,
			    problem);
	}
	return count;
}

struct logins *host_logins_read(const struct conf *conf, const struct logins *before)
{
	struct login_rule rules[LOGINS_MAX];
	password_room *rooms = calloc(LOGINS_MAX, sizeof *rooms);
	struct logins *logins;

	if (rooms == NULL)
		return NULL;
	logins = logins_new(rules, read_all(conf, rooms, rules), before);
	explicit_bzero(rooms, LOGINS_MAX * sizeof *rooms);
	free(rooms);
	return logins;
}
