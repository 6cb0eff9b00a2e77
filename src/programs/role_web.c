/* The web role: wires the supervisor's notes to src/web. It opens no file; the control socket is all that it connects to. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "programs/handed.h"
#include "programs/roles.h"
#include "programs/snapshot.h"
#include "supervisor/confine.h"
#include "supervisor/note.h"
#include "web/server.h"

enum { DESCRIPTORS_MAX = 256, FILES_BYTES_MAX = 64 << 20, POLICY_BYTES_MAX = 32 << 10 };

struct wiring {
	struct conf *conf;
	struct web_server *server;
	struct endpoint endpoint;  /* That it serves, */
	struct text certificate, key; /* with these. */
	struct arena *arena;       /* Of these two. */
	int fds[4];                /* What came since the last start or reload; -1: it did not. */
};

enum { CERTIFICATE, KEY, TOKENS, SOCKET, INCOMING_COUNT };

static void drop_incoming(struct wiring *wiring)
{
	for (size_t i = 0; i < INCOMING_COUNT; i++) {
		if (wiring->fds[i] >= 0)
			close(wiring->fds[i]);
		wiring->fds[i] = -1;
	}
}

static struct text read_incoming(const struct wiring *wiring, size_t which, struct arena *arena)
{
	struct text text = TEXT_EMPTY;

	return wiring->fds[which] >= 0 && snapshot_read_fd(wiring->fds[which], arena, &text) ? text : TEXT_EMPTY;
}

/* NULL: complaints are on stderr. */
static struct web_rules *make_rules(const struct wiring *wiring, struct arena *arena)
{
	const struct conf_sts sts = conf_sts_of(wiring->conf);
	struct buffer policy;
	struct web_rules_settings settings = { .name = wiring->conf->web.tokens,
		.messages = wiring->conf->web.messages,
		.recipients = wiring->conf->web.recipients,
		.tokens = read_incoming(wiring, TOKENS, arena),
		.has_tokens = wiring->conf->web.tokens[0] != '\0',
		.domains = wiring->conf->domains,
		.domain_count = wiring->conf->domain_count };
	struct buffer complaints;
	struct web_rules *rules;

	buffer_init(&policy, POLICY_BYTES_MAX);
	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (!conf_sts_print(&sts, &policy))
		fprintf(stderr, "postroad: the MTA-STS policy names too many hosts, and is not served\n");
	else
		settings.policy = buffer_text(&policy);
	rules = web_rules_new(&settings, &complaints);
	buffer_done(&policy);
	fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return rules;
}

/* The one that serves can go on. */
static bool is_same(const struct wiring *wiring, struct text certificate, struct text key)
{
	return wiring->server != NULL && endpoint_equal(&wiring->endpoint, &wiring->conf->web.endpoint) &&
	    text_equal(certificate, wiring->certificate) && text_equal(key, wiring->key);
}

static bool serve(struct wiring *wiring, struct web_rules *rules, struct text certificate, struct text key)
{
	const struct web_server_settings settings = { .fd = wiring->fds[SOCKET],
		.control = wiring->conf->control,
		.hostname = wiring->conf->hostname.bytes,
		.message_bytes_max = wiring->conf->limits.message_size,
		.certificate = certificate,
		.key = key,
		.rules = rules };

	wiring->fds[SOCKET] = -1; /* Taken. */
	web_server_free(take(wiring->server));
	wiring->server = web_server_new(&settings);
	if (wiring->server == NULL)
		fprintf(stderr, "postroad: the web interface cannot be served%s\n",
		    certificate.length > 0 ? ": are certificate and key right?" : "");
	return wiring->server != NULL;
}

/* Start, or go on, by what came. False: it cannot. */
static bool take_all(struct wiring *wiring)
{
	struct arena *arena = arena_new(FILES_BYTES_MAX);
	struct web_rules *rules = arena ? make_rules(wiring, arena) : NULL;
	const bool wants_tls = wiring->conf->web.tls;
	const struct text certificate = arena ? read_incoming(wiring, CERTIFICATE, arena) : TEXT_EMPTY;
	const struct text key = arena ? read_incoming(wiring, KEY, arena) : TEXT_EMPTY;
	bool done = rules != NULL && (!wants_tls || (certificate.length > 0 && key.length > 0));

	if (!done) {
		fprintf(stderr, "postroad: the web interface %s\n", wiring->server ? "goes on as it was" : "cannot be served");
		done = wiring->server != NULL;
	} else if (is_same(wiring, certificate, key)) {
		web_server_set_rules(wiring->server, rules);
	} else {
		done = serve(wiring, rules, certificate, key);
		arena_free(wiring->arena);
		wiring->arena = take(arena);
		wiring->endpoint = wiring->conf->web.endpoint;
		wiring->certificate = certificate;
		wiring->key = key;
	}
	web_rules_unref(rules);
	arena_free(arena);
	drop_incoming(wiring);
	return done;
}

static void take_conf(struct wiring *wiring, int fd)
{
	struct conf *fresh = handed_conf(fd, wiring->conf->path, NULL);

	close(fd);
	if (fresh == NULL || !fresh->web.enabled) {
		conf_free(fresh); /* Not wanted any more: the end of the channel follows. */
		return;
	}
	conf_free(wiring->conf);
	wiring->conf = fresh;
}

/* False: the supervisor is gone or wants it to end, or it cannot go on. */
static bool take_note(struct wiring *wiring, bool *out_right)
{
	static const char *const words[INCOMING_COUNT] = { "certificate", "key", "tokens", "listen" };
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(NOTE_ROLE_FD, word, &fd))
		return false;
	if (strcmp(word, "start") == 0 || strcmp(word, "reload") == 0) {
		*out_right = take_all(wiring);
		return *out_right;
	}
	if (strcmp(word, "conf") == 0 && fd >= 0) {
		take_conf(wiring, fd);
		return true;
	}
	for (size_t i = 0; i < INCOMING_COUNT; i++)
		if (strcmp(word, words[i]) == 0) {
			if (wiring->fds[i] >= 0)
				close(wiring->fds[i]);
			wiring->fds[i] = fd;
			return true;
		}
	if (fd >= 0)
		close(fd);
	return true;
}

static bool confine_web(void)
{
	const struct confine_rules rules = {
		.role = "web", .groups = CONFINE_CLIENT | CONFINE_ACCEPT, .descriptors = DESCRIPTORS_MAX
	};

	return confine(&rules);
}

int role_web(struct conf *conf, const struct privilege *privilege)
{
	struct wiring wiring = { .conf = conf, .fds = { -1, -1, -1, -1 } };
	bool right = true;

	signal(SIGPIPE, SIG_IGN);
	if (!privilege_drop(privilege)) {
		fprintf(stderr, "postroad: the web role cannot change user\n");
		right = false;
	}
	right = right && confine_web();
	while (right && take_note(&wiring, &right))
		continue;
	web_server_free(wiring.server);
	drop_incoming(&wiring);
	arena_free(wiring.arena);
	conf_free(wiring.conf);
	return right ? EX_OK : EX_OSERR;
}
