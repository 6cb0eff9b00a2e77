/* What roles are given: their configuration, files, sockets, and channels to each other. */
#include <stdio.h>
#include <unistd.h>

#include "io/channel.h"
#include "supervisor/supervisor_private.h"

/* Keys of session tickets are made anew with each reading: a stolen one opens the sessions of its whole time. */
enum { TICKET_KEY_AGE_MS = 12 * 60 * 60 * 1000 };

/* A send that fails means that the role died: its SIGCHLD follows. */
static void send_note(const struct role *role, const char *word, int fd)
{
	(void)!note_send(role->channel, word, fd);
}

/* A descriptor that was opened for a role goes to it, and is not kept. */
static void give(const struct role *role, const char *word, int fd)
{
	if (fd < 0)
		return;
	send_note(role, word, fd);
	close(fd);
}

/* A socket pair for each lane: one end to mail, one to a role that serves it. */
static void join_role(struct supervisor *supervisor, enum role_name name)
{
	for (unsigned i = 0; i < supervisor->settings.lane_count; i++) {
		int pair[2];

		if (channel_pair(pair) != OK)
			return;
		give(&supervisor->roles[ROLE_MAIL], role_word(name), pair[0]);
		give(&supervisor->roles[name], "channel", pair[1]);
	}
}

/* The note says what the socket is for: the file may have changed by the time that mail reads it. */
static void send_listener(const struct role *mail, const struct bound *bound)
{
	static const char *const roles[] = {
		[CONF_ROLE_MX] = "mx", [CONF_ROLE_SUBMISSION] = "submission", [CONF_ROLE_LMTP] = "lmtp"
	};
	static const char *const tls[] = { [CONF_TLS_NONE] = "none", [CONF_TLS_STARTTLS] = "starttls",
		[CONF_TLS_REQUIRED] = "required", [CONF_TLS_IMPLICIT] = "implicit" };
	char word[NOTE_LENGTH_MAX];

	snprintf(word, sizeof word, "listen %s %s %s", roles[bound->role], tls[bound->tls], bound->proxied ? "proxied" : "direct");
	send_note(mail, word, bound->fd);
}

static void send_listeners(struct supervisor *supervisor, const char *word)
{
	const struct role *mail = &supervisor->roles[ROLE_MAIL];

	for (size_t i = 0; i < supervisor->bound_count; i++)
		if (!supervisor->bound[i].web)
			send_listener(mail, &supervisor->bound[i]);
	send_note(mail, word, -1);
}

/* What the roles make of it is the same everywhere: no role reads the file, which may change under its hands. */
static void send_conf(struct supervisor *supervisor, enum role_name name)
{
	give(&supervisor->roles[name], "conf", supervisor->settings.text(supervisor->conf));
}

/* In their order: one that cannot be read has its place as well. */
static void send_files(struct supervisor *supervisor)
{
	const struct role *mail = &supervisor->roles[ROLE_MAIL];
	int fds[CONF_FILES_MAX];
	const size_t count = supervisor->settings.files(supervisor->conf, fds);

	for (size_t i = 0; i < count; i++) {
		send_note(mail, "file", fds[i]);
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

/* Mail reads no file with passwords, and gets the names out of it by us; auth gets the file. Nor may it read the keys
 * that sign. */
static void send_names(struct supervisor *supervisor)
{
	give(&supervisor->roles[ROLE_MAIL], "signing", supervisor->settings.signing(supervisor->conf));
	give(&supervisor->roles[ROLE_MAIL], "names", supervisor->settings.names(supervisor->conf));
}

static void send_passwords(struct supervisor *supervisor)
{
	give(&supervisor->roles[ROLE_AUTH], "keys", supervisor->settings.keys(supervisor->conf));
	give(&supervisor->roles[ROLE_AUTH], "passwords", supervisor->settings.passwords(supervisor->conf));
}

static void send_owners(struct supervisor *supervisor)
{
	give(&supervisor->roles[ROLE_MAILBOX], "owners", supervisor->settings.owners(supervisor->conf));
}

/* All that web works with but its configuration; `word` says what it is to make of it. */
static void send_web(struct supervisor *supervisor, const char *word)
{
	static const char *const words[SUPERVISOR_WEB_FILES] = { "certificate", "key", "tokens" };
	const struct role *web = &supervisor->roles[ROLE_WEB];
	int fds[SUPERVISOR_WEB_FILES];

	supervisor->settings.web_files(supervisor->conf, fds);
	for (size_t i = 0; i < SUPERVISOR_WEB_FILES; i++)
		give(web, words[i], fds[i]);
	for (size_t i = 0; i < supervisor->bound_count; i++)
		if (supervisor->bound[i].web)
			send_note(web, "listen", supervisor->bound[i].fd);
	send_note(web, word, -1);
}

/* It ends by itself when it is not wanted any more. */
static void reload_web(struct supervisor *supervisor)
{
	struct role *web = &supervisor->roles[ROLE_WEB];

	if (web->pid == 0 || web->fresh || web->channel < 0)
		return;
	if (role_is_wanted(supervisor, ROLE_WEB)) {
		send_web(supervisor, "reload");
	} else {
		close(web->channel);
		web->channel = -1;
	}
}

static void supply_mail(struct supervisor *supervisor)
{
	send_conf(supervisor, ROLE_MAIL);
	send_files(supervisor);
	send_names(supervisor);
	send_note(&supervisor->roles[ROLE_MAIL], "control", supervisor->control);
	supervisor->look = supervisor->settings.look(supervisor->conf);
	supervisor->read_ms = supervisor_now_ms();
}

static void supply_other(struct supervisor *supervisor, enum role_name name)
{
	send_conf(supervisor, name);
	if (name == ROLE_AUTH)
		send_passwords(supervisor);
	else if (name == ROLE_MAILBOX)
		send_owners(supervisor);
	else
		send_web(supervisor, "start");
}

void giving_supply(struct supervisor *supervisor)
{
	struct role *mail = &supervisor->roles[ROLE_MAIL];
	const bool mail_fresh = mail->fresh;

	if (mail->pid == 0)
		return;
	if (mail_fresh)
		supply_mail(supervisor);
	for (unsigned name = 0; name < ROLE_MAIL; name++) {
		struct role *role = &supervisor->roles[name];

		if (role->pid != 0 && role->fresh)
			supply_other(supervisor, (enum role_name)name);
		if (role->pid != 0 && (mail_fresh || role->fresh) && name != ROLE_WEB)
			join_role(supervisor, (enum role_name)name);
		role->fresh = false;
	}
	if (mail_fresh && mail->died)
		send_note(mail, "died", -1);
	if (mail_fresh)
		send_listeners(supervisor, "start");
	mail->died = mail->fresh = false;
}

void giving_reload(struct supervisor *supervisor)
{
	for (unsigned name = 0; name < ROLE_COUNT; name++)
		if (supervisor->roles[name].pid != 0 && !supervisor->roles[name].fresh)
			send_conf(supervisor, (enum role_name)name);
	send_files(supervisor);
	send_names(supervisor);
	send_listeners(supervisor, "reload");
	if (supervisor->roles[ROLE_MAILBOX].pid != 0 && !supervisor->roles[ROLE_MAILBOX].fresh) {
		send_owners(supervisor);
		send_note(&supervisor->roles[ROLE_MAILBOX], "reload", -1);
	}
	if (supervisor->roles[ROLE_PIPE].pid != 0 && !supervisor->roles[ROLE_PIPE].fresh)
		send_note(&supervisor->roles[ROLE_PIPE], "reload", -1);
	send_passwords(supervisor);
	reload_web(supervisor);
	supervisor->look = supervisor->settings.look(supervisor->conf);
	supervisor->read_ms = supervisor_now_ms();
}

void giving_look(struct supervisor *supervisor)
{
	const int64_t now_ms = supervisor_now_ms();

	if (now_ms < supervisor->look_ms)
		return;
	supervisor->look_ms = now_ms + GIVING_LOOK_EVERY_MS;
	if (supervisor->roles[ROLE_MAIL].pid == 0)
		return;
	const uint64_t look = supervisor->settings.look(supervisor->conf);
	const bool old = now_ms - supervisor->read_ms > TICKET_KEY_AGE_MS;

	if (look == supervisor->look && !old)
		return;
	/* Also when they turn out to be wrong: that is said once, and the next change is looked at. */
	supervisor->look = look;
	supervisor->read_ms = now_ms;
	if (!supervisor->settings.tls_is_right(supervisor->conf))
		return;
	send_files(supervisor);
	send_note(&supervisor->roles[ROLE_MAIL], "tls", -1);
	reload_web(supervisor);
}
