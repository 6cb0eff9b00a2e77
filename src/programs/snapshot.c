#include "programs/snapshot.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/users.h"
#include "dns/dns.h"
#include "mailbox/path.h"

enum {
	FILE_BYTES_MAX = 64 << 20,
	ROUTER_ARENA_BYTES = 512 << 20,
	SYSTEM_USERS_MAX = 65536,
	PEOPLE_UID_MIN = 1000, /* Below are the system's own accounts; above, those without a person. */
	PEOPLE_UID_MAX = 60000
};

/* The whole file in the arena; an empty path is an empty text. */
static bool read_text(const char *path, struct arena *arena, struct text *out_text, struct buffer *complaints)
{
	*out_text = TEXT("");
	if (path[0] == '\0')
		return true;

	FILE *file = fopen(path, "re");
	bool ok = file != NULL && fseek(file, 0, SEEK_END) == 0;
	const long size = ok ? ftell(file) : -1;

	ok = size >= 0 && size <= FILE_BYTES_MAX && fseek(file, 0, SEEK_SET) == 0;
	char *bytes = ok ? arena_alloc(arena, (size_t)size + 1) : NULL;

	ok = bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size;
	if (!ok)
		(void)!buffer_print(complaints, "%s: cannot be read: %s\n", path, file ? "too large or changing" : strerror(errno));
	if (file != NULL)
		fclose(file);
	if (ok)
		*out_text = (struct text){ bytes, (size_t)size };
	return ok;
}

/* The accounts of this system that belong to people. */
static bool system_users(struct arena *arena, const struct text **out_names, size_t *out_count)
{
	struct text *names = arena_array(arena, SYSTEM_USERS_MAX, sizeof *names);
	FILE *file = fopen("/etc/passwd", "re");
	size_t count = 0;
	bool ok = names != NULL && file != NULL;

	for (const struct passwd *entry; ok && count < SYSTEM_USERS_MAX && (entry = fgetpwent(file)) != NULL;)
		if ((entry->pw_uid >= PEOPLE_UID_MIN && entry->pw_uid < PEOPLE_UID_MAX) || entry->pw_uid == 0)
			ok = arena_copy(arena, text_of(entry->pw_name), &names[count++]);
	if (file != NULL)
		fclose(file);
	*out_names = names;
	*out_count = count;
	return ok;
}

static bool find_users(const struct conf *conf, struct arena *arena, struct router_settings *settings, struct buffer *complaints)
{
	struct text text;

	settings->users_known = true;
	if (conf->users[0] == '\0')
		return system_users(arena, &settings->users, &settings->user_count);
	return read_text(conf->users, arena, &text, complaints) &&
	    users_read(text, conf->users, arena, &settings->users, &settings->user_count, complaints);
}

static struct tls_demand demand_of(enum conf_tls tls)
{
	static const struct tls_demand demands[] = {
		[CONF_TLS_NONE] = { .level = TLS_UNUSED },
		[CONF_TLS_STARTTLS] = { .level = TLS_OPPORTUNISTIC },
		[CONF_TLS_REQUIRED] = { .level = TLS_VERIFIED },
		[CONF_TLS_IMPLICIT] = { .level = TLS_VERIFIED, .implicit = true },
	};

	return demands[tls];
}

static bool copy_rules(const struct conf *conf, struct arena *arena, struct router_settings *settings)
{
	struct router_rule *rules = arena_array(arena, conf->route_count, sizeof *rules);

	for (size_t i = 0; rules != NULL && i < conf->route_count; i++)
		rules[i] = (struct router_rule){ .pattern = conf->routes[i].pattern,
			.via = conf->routes[i].via,
			.via_count = conf->routes[i].via_count,
			.lmtp = conf->routes[i].lmtp,
			.tls = demand_of(conf->routes[i].tls) };
	settings->rules = rules;
	settings->rule_count = conf->route_count;
	return rules != NULL;
}

struct router *snapshot_router(const struct conf *conf, struct buffer *complaints)
{
	struct arena *arena = arena_new(ROUTER_ARENA_BYTES);
	struct router_settings settings = { .hostname = conf->hostname,
		.domains = conf->domains,
		.domain_count = conf->domain_count,
		.aliases_name = text_of(conf->aliases),
		.separator = conf->separator,
		.tls = demand_of(conf->outbound.tls),
		.mailbox_lmtp = conf->mailbox.lmtp };
	struct router *router = NULL;
	struct text complaint = TEXT_EMPTY;

	if (arena != NULL && find_users(conf, arena, &settings, complaints) &&
	    read_text(conf->aliases, arena, &settings.aliases, complaints) && copy_rules(conf, arena, &settings) &&
	    router_new(&settings, arena, &router, &complaint) != OK) {
		router = NULL;
		(void)!buffer_print(complaints, "%.*s\n", TEXT_FORMAT(complaint.length > 0 ? complaint : TEXT("out of memory")));
	}
	arena_free(arena);
	return router;
}

bool snapshot_tls(const struct conf *conf, struct snapshot_tls *out_tls, struct buffer *complaints)
{
	const struct tls_server_settings settings = { .certificates = conf->tls.certificates,
		.keys = conf->tls.keys,
		.count = conf->tls.certificate_count,
		.client_authorities = conf->tls.client_authorities };
	struct arena *arena = arena_new(COMPLAINTS_BYTES_MAX);
	struct text complaint = TEXT("out of memory");
	struct snapshot_tls tls = { NULL, NULL };
	enum error error = arena ? OK : ERR_NO_MEMORY;

	if (error == OK && settings.count > 0)
		error = tls_server_new(&settings, arena, &tls.server, &complaint);
	if (error == OK)
		error = tls_client_new(conf->tls.authorities, arena, &tls.client, &complaint);
	if (error == OK) {
		*out_tls = tls;
	} else {
		tls_server_unref(tls.server);
		(void)!buffer_print(complaints, "%.*s\n", TEXT_FORMAT(complaint));
	}
	arena_free(arena);
	return error == OK;
}

void snapshot_tls_done(struct snapshot_tls *tls)
{
	tls_server_unref(tls->server);
	tls_client_unref(tls->client);
	*tls = (struct snapshot_tls){ NULL, NULL };
}

static bool zone_is_right(const struct conf *conf, struct buffer *complaints)
{
	struct arena *arena = arena_new(ROUTER_ARENA_BYTES);
	struct text json, complaint = TEXT("out of memory");
	bool right = arena != NULL;

	if (right && conf->dns.zone[0] != '\0' && (right = read_text(conf->dns.zone, arena, &json, complaints)) &&
	    dns_zone_check(json, arena, &complaint) != OK) {
		(void)!buffer_print(complaints, "%s: %.*s\n", conf->dns.zone, TEXT_FORMAT(complaint));
		right = false;
	}
	arena_free(arena);
	return right;
}

static bool mailbox_is_right(const struct conf *conf, struct buffer *complaints)
{
	const char *wrong = mailbox_template_complaint(text_of(conf->mailbox.path));

	if (wrong != NULL)
		(void)!buffer_print(complaints, "%s: mailbox path \"%s\": %s\n", conf->path, conf->mailbox.path, wrong);
	return wrong == NULL;
}

struct conf *snapshot_conf(const char *path, struct buffer *complaints)
{
	struct conf *conf = conf_load(path, complaints);

	if (conf == NULL)
		return NULL;

	/* Each looks, so that all complaints are told at once. */
	struct router *router = snapshot_router(conf, complaints);
	const bool mailbox_right = mailbox_is_right(conf, complaints);
	const bool zone_right = zone_is_right(conf, complaints);
	struct snapshot_tls tls = { NULL, NULL };
	const bool tls_right = snapshot_tls(conf, &tls, complaints);

	snapshot_tls_done(&tls);
	if (router == NULL || !mailbox_right || !zone_right || !tls_right) {
		conf_free(conf);
		conf = NULL;
	}
	router_unref(router);
	return conf;
}

struct conf *snapshot_load(const char *path)
{
	struct buffer complaints;
	struct conf *conf;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	conf = snapshot_conf(path, &complaints);
	if (conf == NULL)
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return conf;
}
