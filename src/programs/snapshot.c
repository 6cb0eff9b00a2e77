#include "programs/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/strays.h"
#include "conf/users.h"
#include "dns/dns.h"
#include "mailbox/path.h"
#include "programs/commands.h"
#include "programs/handed.h"
#include "programs/host_logins.h"
#include "programs/lane_webhooks.h"
#include "programs/signing.h"
#include "programs/srs_secret.h"
#include "web/tokens.h"

enum {
	FILE_BYTES_MAX = 64 << 20,
	KEYS_BYTES_MAX = 1 << 20,
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

static bool is_person(const struct passwd *entry)
{
	return (entry->pw_uid >= PEOPLE_UID_MIN && entry->pw_uid < PEOPLE_UID_MAX) || entry->pw_uid == 0;
}

/* The accounts of this system that belong to people. */
static bool system_users(struct arena *arena, const struct text **out_names, size_t *out_count)
{
	struct text *names = arena_array(arena, SYSTEM_USERS_MAX, sizeof *names);
	FILE *file = fopen("/etc/passwd", "re");
	size_t count = 0;
	bool ok = names != NULL && file != NULL;

	for (const struct passwd *entry; ok && count < SYSTEM_USERS_MAX && (entry = fgetpwent(file)) != NULL;)
		if (is_person(entry))
			ok = arena_copy(arena, text_of(entry->pw_name), &names[count++]);
	if (file != NULL)
		fclose(file);
	*out_names = names;
	*out_count = count;
	return ok;
}

static bool find_users(
    const struct conf *conf, struct arena *arena, const struct text **out_names, size_t *out_count, struct buffer *complaints)
{
	struct text text;

	if (conf->users[0] == '\0')
		return system_users(arena, out_names, out_count);
	return read_text(conf->users, arena, &text, complaints) &&
	    users_read(text, conf->users, arena, out_names, out_count, complaints);
}

/* Cut what snapshot_names_fd joined. */
static bool split_names(struct text lines, struct arena *arena, struct router_settings *settings)
{
	size_t count = 0;

	for (size_t i = 0; i < lines.length; i++)
		count += lines.bytes[i] == '\n';

	struct text *names = arena_array(arena, count + 1, sizeof *names);

	for (size_t i = 0; names != NULL && i < count; i++)
		(void)text_cut(&lines, '\n', &names[i]);
	settings->users_known = true;
	settings->users = names;
	settings->user_count = count;
	return names != NULL;
}

static struct tls_demand demand_of(enum conf_tls tls)
{
	static const struct tls_demand demands[] = {
		[CONF_TLS_NONE] = { .level = TLS_UNUSED },
		[CONF_TLS_STARTTLS] = { .level = TLS_OPPORTUNISTIC },
		[CONF_TLS_REQUIRED] = { .level = TLS_VERIFIED },
		[CONF_TLS_IMPLICIT] = { .level = TLS_VERIFIED, .implicit = true },
		[CONF_TLS_DANE] = { .level = TLS_VERIFIED, .dane = true },
	};

	return demands[tls];
}

/* Those of outbound are for all that goes to MX hosts. */
static const struct conf_relays *relays_of(const struct conf *conf, const struct conf_route *route)
{
	return route->relays.count == 0 && route->via_count == 0 ? &conf->outbound.relays : &route->relays;
}

/* LMTP is spoken at home. */
static struct text pool_of(const struct conf *conf, const struct conf_route *route)
{
	return route->pool.length > 0 || route->lmtp ? route->pool : conf->outbound.pool;
}

static bool copy_rules(const struct conf *conf, struct arena *arena, struct router_settings *settings)
{
	struct router_rule *rules = arena_array(arena, conf->route_count, sizeof *rules);

	for (size_t i = 0; rules != NULL && i < conf->route_count; i++) {
		const struct conf_relays *relays = relays_of(conf, &conf->routes[i]);

		rules[i] = (struct router_rule){ .pattern = conf->routes[i].pattern,
			.from = conf->routes[i].from,
			.from_count = conf->routes[i].from_count,
			.via = conf->routes[i].via,
			.via_count = conf->routes[i].via_count,
			.lmtp = conf->routes[i].lmtp,
			.tls = demand_of(conf->routes[i].tls),
			.user = conf->routes[i].user,
			.pool = pool_of(conf, &conf->routes[i]),
			.fallback = relays->hosts,
			.fallback_count = relays->count,
			.fallback_tls = demand_of(relays->tls) };
	}
	settings->fallback = conf->outbound.relays.hosts;
	settings->fallback_count = conf->outbound.relays.count;
	settings->fallback_tls = demand_of(conf->outbound.relays.tls);
	settings->rules = rules;
	settings->rule_count = conf->route_count;
	return rules != NULL;
}

static bool copy_pipes(const struct conf *conf, struct arena *arena, struct router_settings *settings)
{
	struct router_pipe *pipes = arena_array(arena, conf->pipe_count + 1, sizeof *pipes);

	for (size_t i = 0; pipes != NULL && i < conf->pipe_count; i++)
		pipes[i] = (struct router_pipe){ .name = conf->pipes[i].name,
			.recipients = conf->pipes[i].recipients,
			.recipient_count = conf->pipes[i].recipient_count };
	settings->pipes = pipes;
	settings->pipe_count = conf->pipe_count;
	return pipes != NULL;
}

static bool copy_permissions(const struct conf *conf, struct arena *arena, struct router_settings *settings)
{
	struct router_permission *permissions = arena_array(arena, conf->named_user_count + 1, sizeof *permissions);

	for (size_t i = 0; permissions != NULL && i < conf->named_user_count; i++)
		permissions[i] = (struct router_permission){ .user = conf->named_users[i].name,
			.send_as = conf->named_users[i].send_as,
			.send_as_count = conf->named_users[i].send_as_count };
	settings->permissions = permissions;
	settings->permission_count = conf->named_user_count;
	return permissions != NULL;
}

/* One that is missing is made when the server starts. */
static bool read_secrets(const struct conf *conf, struct arena *arena, struct router_settings *settings, struct buffer *complaints)
{
	struct stat about;

	settings->srs_domain = conf->srs.domain;
	settings->srs_secrets_name = text_of(conf->srs.secret_file);
	if (stat(conf->srs.secret_file, &about) != 0 && errno == ENOENT)
		return true;
	if (!read_text(conf->srs.secret_file, arena, &settings->srs_secrets, complaints))
		return false;
	if (settings->srs_secrets.length == 0) /* An empty file is a mistake, not a wish to have none. */
		settings->srs_secrets = TEXT("\n");
	return true;
}

struct router *snapshot_router(const struct conf *conf, struct text names, struct buffer *complaints)
{
	struct arena *arena = arena_new(ROUTER_ARENA_BYTES);
	struct router_settings settings = { .hostname = conf->hostname,
		.domains = conf->domains,
		.domain_count = conf->domain_count,
		.aliases_name = text_of(conf->aliases),
		.separator = conf->separator,
		.tls = demand_of(conf->outbound.tls),
		.pool = conf->outbound.pool,
		.mailbox_lmtp = conf->mailbox.lmtp };
	struct router *router = NULL;
	struct text complaint = TEXT_EMPTY;

	if (arena != NULL && split_names(names, arena, &settings) &&
	    read_text(conf->aliases, arena, &settings.aliases, complaints) && copy_rules(conf, arena, &settings) &&
	    copy_pipes(conf, arena, &settings) && copy_permissions(conf, arena, &settings) && read_secrets(conf, arena, &settings, complaints) &&
	    router_new(&settings, arena, &router, &complaint) != OK) {
		router = NULL;
		(void)!buffer_print(complaints, "%.*s\n", TEXT_FORMAT(complaint.length > 0 ? complaint : TEXT("out of memory")));
	}
	arena_free(arena);
	return router;
}

/* With authorities only where they are asked for: those of the system are a hundred certificates to parse, and nothing of
 * the configuration can be wrong about them. */
static bool take_tls(const struct conf *conf, bool authorities, struct snapshot_tls *out_tls, struct buffer *complaints)
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
	if (error == OK && authorities)
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

bool snapshot_tls(const struct conf *conf, struct snapshot_tls *out_tls, struct buffer *complaints)
{
	return take_tls(conf, true, out_tls, complaints);
}

static bool tls_is_right(const struct conf *conf, struct buffer *complaints)
{
	struct snapshot_tls tls = { NULL, NULL };
	const bool right = take_tls(conf, conf->tls.authorities[0] != '\0', &tls, complaints);

	snapshot_tls_done(&tls);
	return right;
}

void snapshot_tls_done(struct snapshot_tls *tls)
{
	tls_server_unref(tls->server);
	tls_client_unref(tls->client);
	*tls = (struct snapshot_tls){ NULL, NULL };
}

bool snapshot_tls_is_right(const struct conf *conf)
{
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	const bool right = tls_is_right(conf, &complaints);

	if (!right)
		fprintf(stderr, "postroad: the certificates in use stay: %.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return right;
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

/* -- Names and passwords ---------------------------------------------------------------- */

/* The names of the users, one a line. */
static bool print_names(const struct conf *conf, struct buffer *out, struct buffer *complaints)
{
	struct arena *arena = arena_new(ROUTER_ARENA_BYTES);
	const struct text *names;
	size_t count;
	bool printed = arena != NULL && find_users(conf, arena, &names, &count, complaints);

	for (size_t i = 0; printed && i < count; i++)
		printed = buffer_append(out, names[i]) && buffer_append(out, TEXT("\n"));
	arena_free(arena);
	return printed;
}

bool snapshot_users_exist(const struct conf *conf, struct buffer *complaints)
{
	struct arena *arena = arena_new(ROUTER_ARENA_BYTES);
	const struct text *names;
	size_t count;
	const bool exist = !conf_knows_its_users(conf) || conf->named_user_count == 0 ||
	    (arena != NULL && find_users(conf, arena, &names, &count, complaints) &&
	        conf_users_exist(conf, names, count, complaints));

	arena_free(arena);
	return exist;
}

int snapshot_text_fd(const struct conf *conf)
{
	return handed_text("conf", conf->source);
}

static bool print_system_owners(struct buffer *out)
{
	FILE *file = fopen("/etc/passwd", "re");
	bool printed = file != NULL;

	for (const struct passwd *entry; printed && (entry = fgetpwent(file)) != NULL;)
		if (is_person(entry))
			printed = buffer_print(out, "%s %u %u\n", entry->pw_name, entry->pw_uid, entry->pw_gid);
	if (file != NULL)
		fclose(file);
	return printed;
}

static bool print_owners(const struct conf *conf, struct buffer *out, struct buffer *complaints)
{
	struct arena *arena = arena_new(ROUTER_ARENA_BYTES);
	struct text users;
	const bool printed = arena != NULL &&
	    (conf->users[0] == '\0' ? print_system_owners(out)
	                            : read_text(conf->users, arena, &users, complaints) && users_print_owners(users, out));

	arena_free(arena);
	return printed;
}

/* What is printed into a memory file; -1: nothing could be. */
static int printed_fd(const struct conf *conf, const char *name,
    bool (*print)(const struct conf *conf, struct buffer *out, struct buffer *complaints))
{
	struct buffer lines, complaints;
	int fd = -1;

	buffer_init(&lines, FILE_BYTES_MAX);
	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (print(conf, &lines, &complaints))
		fd = handed_text(name, buffer_text(&lines));
	buffer_done(&complaints);
	buffer_done(&lines);
	return fd;
}

int snapshot_names_fd(const struct conf *conf)
{
	return printed_fd(conf, "names", print_names);
}

struct router *snapshot_router_alone(
    const struct conf *conf, struct arena *arena, struct text *out_names, struct buffer *complaints)
{
	const int fd = snapshot_names_fd(conf);
	struct router *router = NULL;

	if (fd >= 0 && snapshot_read_fd(fd, arena, out_names))
		router = snapshot_router(conf, *out_names, complaints);
	if (fd >= 0)
		close(fd);
	return router;
}

int snapshot_owners_fd(const struct conf *conf)
{
	return printed_fd(conf, "owners", print_owners);
}

int snapshot_passwords_fd(const struct conf *conf)
{
	if (conf->auth.dovecot.length > 0) /* Then it checks all passwords, and names are enough. */
		return snapshot_names_fd(conf);
	return open(conf->users[0] != '\0' ? conf->users : "/etc/shadow", O_RDONLY | O_CLOEXEC);
}

int snapshot_keys_fd(const struct conf *conf)
{
	return conf->oauth.keys[0] != '\0' ? open(conf->oauth.keys, O_RDONLY | O_CLOEXEC) : -1;
}

bool snapshot_tokens(const struct conf *conf, struct text keys, struct token_rules **out_rules, struct buffer *complaints)
{
	const struct token_settings settings = { .keys = keys,
		.issuer = conf->oauth.issuer,
		.audiences = conf->oauth.audiences,
		.audience_count = conf->oauth.audience_count,
		.claim = conf->oauth.claim,
		.scope = conf->oauth.scope };
	const char *complaint = "out of memory";
	const bool right = token_rules_new(&settings, out_rules, &complaint) == OK;

	if (!right)
		(void)!buffer_print(complaints, "%s: %s (hint: what the provider has at its jwks_uri)\n", conf->oauth.keys, complaint);
	return right;
}

static bool tokens_are_right(const struct conf *conf, struct buffer *complaints)
{
	struct arena *arena = arena_new(KEYS_BYTES_MAX);
	struct token_rules *rules = NULL;
	struct text keys;
	const bool right = conf->oauth.keys[0] == '\0' ||
	    (arena != NULL && read_text(conf->oauth.keys, arena, &keys, complaints) &&
	        snapshot_tokens(conf, keys, &rules, complaints));

	token_rules_unref(rules);
	arena_free(arena);
	return right;
}

static bool web_is_right(const struct conf *conf, struct buffer *complaints)
{
	struct arena *arena = arena_new(KEYS_BYTES_MAX);
	struct web_tokens *tokens = NULL;
	struct text file;
	const bool right = !conf->web.enabled || conf->web.tokens[0] == '\0' ||
	    (arena != NULL && read_text(conf->web.tokens, arena, &file, complaints) &&
	        (tokens = web_tokens_new(conf->web.tokens, file, complaints)) != NULL);

	web_tokens_free(tokens);
	arena_free(arena);
	return right;
}

bool snapshot_read_fd(int fd, struct arena *arena, struct text *out_text)
{
	struct stat stat;
	const bool known = fstat(fd, &stat) == 0 && stat.st_size >= 0 && stat.st_size <= FILE_BYTES_MAX;
	char *bytes = known ? arena_alloc(arena, (size_t)stat.st_size + 1) : NULL;

	if (bytes == NULL || pread(fd, bytes, (size_t)stat.st_size, 0) != stat.st_size)
		return false;
	*out_text = (struct text){ bytes, (size_t)stat.st_size };
	return true;
}

/* -- The whole ---------------------------------------------------------------------------- */

struct conf *snapshot_conf(const char *path, struct buffer *complaints)
{
	struct conf *conf = conf_load(path, complaints);

	if (conf == NULL)
		return NULL;

	struct buffer names;

	buffer_init(&names, FILE_BYTES_MAX);
	/* Each looks, so that all complaints are told at once. */
	const bool names_right = print_names(conf, &names, complaints);
	struct router *router = snapshot_router(conf, buffer_text(&names), complaints);
	const bool mailbox_right = mailbox_is_right(conf, complaints);
	const bool zone_right = zone_is_right(conf, complaints);
	const bool tokens_right = tokens_are_right(conf, complaints);
	const bool tls_right = tls_is_right(conf, complaints);
	const bool keys_right = signing_is_right(conf, complaints);
	const bool web_right = web_is_right(conf, complaints);
	const bool webhooks_right = lane_webhooks_are_right(conf, complaints);
	const bool logins_right = host_logins_are_right(conf, complaints);
	const bool commands_right = commands_are_right(conf, complaints);
	const bool secrets_kept = srs_secret_is_kept(conf, complaints);

	if (!names_right || !keys_right || router == NULL || !mailbox_right || !zone_right || !tokens_right || !tls_right ||
	    !webhooks_right || !logins_right || !commands_right || !secrets_kept || !web_right) {
		conf_free(conf);
		conf = NULL;
	}
	router_unref(router);
	buffer_done(&names);
	return conf;
}

struct conf *snapshot_load(const char *path)
{
	struct buffer complaints;
	struct conf *conf;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	conf = snapshot_conf(path, &complaints);
	if (conf != NULL && !srs_secret_make(conf, &complaints)) {
		conf_free(conf);
		conf = NULL;
	}
	if (conf != NULL)
		(void)!snapshot_users_exist(conf, &complaints);
	fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return conf;
}
