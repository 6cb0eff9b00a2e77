#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "supervisor/backoff.h"
#include "supervisor/confine.h"
#include "supervisor/sockets.h"
#include "supervisor/supervisor_private.h"

/* The manager is told three times in the time after which it loses patience. */
enum { WATCH_TIMES = 3 };

enum { LANES_MAX = 64, STOP_PATIENCE_MS = 60000 };

int64_t supervisor_now_ms(void)
{
	return clock_monotonic_ms();
}

void supervisor_report(const char *format, ...)
{
	char line[512];
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	fprintf(stderr, "postroad: %s\n", line);
}

const char *role_word(enum role_name name)
{
	static const char *const words[ROLE_COUNT] = {
		[ROLE_MAILBOX] = "mailbox", [ROLE_PIPE] = "pipe", [ROLE_AUTH] = "auth", [ROLE_WEB] = "web", [ROLE_MAIL] = "mail"
	};

	return words[name];
}

bool role_is_wanted(const struct supervisor *supervisor, enum role_name name)
{
	return (name != ROLE_PIPE || supervisor->conf->pipe_count > 0) && (name != ROLE_WEB || supervisor->conf->web.enabled);
}

/* -- roles ------------------------------------------------------------------- */

_Noreturn static void become_role(const struct supervisor *supervisor, enum role_name name, int channel)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group; the supervisor decides. */
	signal(SIGHUP, SIG_IGN);
	/* dup2 to itself would leave close-on-exec set. */
	if (channel == NOTE_ROLE_FD ? fcntl(channel, F_SETFD, 0) != 0 : dup2(channel, NOTE_ROLE_FD) < 0)
		_exit(EX_OSERR);
	/* Nothing of what we were started with: not what we read, nor what somebody forgot to close. */
	const int nothing = open("/dev/null", O_RDONLY);

	if (nothing >= 0)
		(void)dup2(nothing, STDIN_FILENO);
	(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	(void)close_range(NOTE_ROLE_FD + 1, ~0U, 0);
	char lanes[16];

	snprintf(lanes, sizeof lanes, "%u", supervisor->settings.lane_count);
	/* Ours, even if another stands in its place by now: the notes must be understood. */
	execl("/proc/self/exe", "postroad", "role", role_word(name), lanes, "-c", supervisor->conf->path, (char *)NULL);
	_exit(EX_OSERR);
}

static bool start_role(struct supervisor *supervisor, enum role_name name)
{
	struct role *role = &supervisor->roles[name];
	int pair[2];

	must(role->pid == 0);
	role->started_ms = supervisor_now_ms();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	role->pid = fork();
	if (role->pid == 0)
		become_role(supervisor, name, pair[1]);
	close(pair[1]);
	if (role->pid < 0) {
		role->pid = 0;
		close(pair[0]);
		return false;
	}
	role->channel = pair[0];
	role->fresh = true;
	return true;
}

/* Start what is due. */
static void start_due(struct supervisor *supervisor)
{
	for (unsigned name = 0; name < ROLE_COUNT; name++) {
		struct role *role = &supervisor->roles[name];

		if (role->pid != 0 || supervisor_now_ms() < role->due_ms || !role_is_wanted(supervisor, (enum role_name)name))
			continue;
		if (!start_role(supervisor, (enum role_name)name)) {
			supervisor_report("cannot start role %s: %s", role_word(name), strerror(errno));
			role->due_ms = supervisor_now_ms() + 1000;
		}
	}
	giving_supply(supervisor);
}

/* No more roles are started. Mail is told, and then left alone: one that is still starting up
 * reads the end of its channel where it waits for what it works with. */
static void stop(struct supervisor *supervisor)
{
	struct role *mail = &supervisor->roles[ROLE_MAIL];

	if (supervisor->stopping) {
		supervisor->upgrading = false; /* Whoever asks again wants an end. */
		return;
	}
	supervisor->stopping = true;
	supervisor->stop_by_ms = supervisor_now_ms() + STOP_PATIENCE_MS;
	if (!supervisor->upgrading)
		service_tell(&supervisor->service, "STOPPING=1\nSTATUS=Ends what is open");
	if (mail->channel < 0)
		return;
	(void)!note_send(mail->channel, "stop", -1);
	close(mail->channel);
	mail->channel = -1;
}

static void role_died(struct supervisor *supervisor, enum role_name name, int status)
{
	struct role *role = &supervisor->roles[name];
	const int64_t life_ms = supervisor_now_ms() - role->started_ms;

	role->pid = 0;
	role->fresh = false;
	/* SIGKILL comes from outside, from an operator or a kernel without memory: the role did nothing wrong. */
	role->died |= WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0;
	if (role->channel >= 0)
		close(role->channel);
	role->channel = -1;
	if (supervisor->stopping || !role_is_wanted(supervisor, name))
		return;
	/* Without web mail flows all the same. */
	if (!supervisor->ready && WIFEXITED(status) && name != ROLE_WEB) {
		/* It never worked: the reason is on stderr, and trying again would not mend it. */
		supervisor->exit_code = WEXITSTATUS(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
		stop(supervisor);
		return;
	}
	role->wait_ms = backoff_next(role->wait_ms, life_ms);
	role->due_ms = supervisor_now_ms() + role->wait_ms;
	supervisor_report("role %s %s %d; started again in %lld ms", role_word(name),
	    WIFSIGNALED(status) ? "was ended by signal" : "ended with code",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (long long)role->wait_ms);
	/* The others live on: they get new channels when this one is there again. */
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (upgrade_judge(supervisor, pid, status) && supervisor->upgrading)
			stop(supervisor);
		for (unsigned name = 0; name < ROLE_COUNT; name++)
			if (supervisor->roles[name].pid == pid)
				role_died(supervisor, (enum role_name)name, status);
	}
}

/* -- what operators ask ------------------------------------------------------- */

static void tell_ready(const struct supervisor *supervisor)
{
	service_tell(&supervisor->service, "READY=1\nSTATUS=At work");
}

/* Who asked may have renamed the log before; whatever the configuration says now, lines must not follow it for ever. */
static void refuse_reload(struct supervisor *supervisor)
{
	const int mail = supervisor->roles[ROLE_MAIL].channel;

	supervisor_report("reload refused: the configuration in force stays");
	if (mail >= 0 && supervisor->settings.prepare(supervisor->conf))
		(void)!note_send(mail, "log", -1);
	service_tell(&supervisor->service, "READY=1\nSTATUS=At work; the last reload was refused");
}

static void reload(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return;
	service_tell(&supervisor->service, "RELOADING=1");

	struct conf *conf = supervisor->settings.load(supervisor->settings.config_path);

	if (conf == NULL || !supervisor->settings.prepare(conf) || !bound_listen(supervisor, conf)) {
		refuse_reload(supervisor);
		conf_free(conf);
		return;
	}
	conf_free(supervisor->conf);
	supervisor->conf = conf;
	giving_reload(supervisor);
	if (strcmp(conf->control, supervisor->control_path) != 0)
		supervisor_report("the control socket stays at %s until the next start", supervisor->control_path);
	supervisor_report("configuration reloaded");
	tell_ready(supervisor);
}

static void take_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(supervisor);
		else if (info.ssi_signo == SIGHUP)
			reload(supervisor);
		else
			stop(supervisor);
	}
}

static void take_note(struct supervisor *supervisor)
{
	char word[NOTE_LENGTH_MAX];
	int fd;

	if (!note_receive(supervisor->roles[ROLE_MAIL].channel, word, &fd))
		return;
	if (fd >= 0)
		close(fd);
	if (strcmp(word, "ready") == 0) {
		if (!supervisor->ready)
			supervisor_report(supervisor->inherited ? "upgraded" : "ready");
		supervisor->ready = true;
		tell_ready(supervisor);
	} else if (strcmp(word, "well") == 0) {
		service_tell(&supervisor->service, "WATCHDOG=1");
	} else if (strcmp(word, "reload") == 0) {
		reload(supervisor);
	} else if (strcmp(word, "upgrade") == 0) {
		upgrade_try(supervisor);
	} else if (strcmp(word, "stop") == 0) {
		stop(supervisor);
	}
}

/* -- the loop ----------------------------------------------------------------- */

/* The manager ends us when it hears nothing for too long: all lanes of mail are asked whether they still turn. Without mail we
 * speak for ourselves. */
static void watch(struct supervisor *supervisor)
{
	const struct role *mail = &supervisor->roles[ROLE_MAIL];

	if (supervisor->service.watch_ms == 0 || supervisor_now_ms() < supervisor->watch_ms)
		return;
	supervisor->watch_ms = supervisor_now_ms() + supervisor->service.watch_ms / WATCH_TIMES;
	if (mail->pid == 0 || mail->channel < 0 || !supervisor->ready || !note_send(mail->channel, "watch", -1))
		service_tell(&supervisor->service, "WATCHDOG=1");
}

/* Milliseconds until something is to be done without being asked. */
static int next_wait_ms(const struct supervisor *supervisor)
{
	int64_t next = supervisor->stopping ? supervisor->stop_by_ms : supervisor->look_ms;

	for (unsigned name = 0; name < ROLE_COUNT && !supervisor->stopping; name++)
		if (supervisor->roles[name].pid == 0 && supervisor->roles[name].due_ms < next &&
		    role_is_wanted(supervisor, (enum role_name)name))
			next = supervisor->roles[name].due_ms;
	if (supervisor->service.watch_ms > 0 && supervisor->watch_ms < next)
		next = supervisor->watch_ms;
	const int64_t wait = next - supervisor_now_ms();

	return wait < 0 ? 0 : wait > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : (int)wait;
}

/* Mail ends first; the others go on until mail has no more for them. True when all are gone. */
static bool stopped(struct supervisor *supervisor)
{
	const pid_t mail = supervisor->roles[ROLE_MAIL].pid;
	const bool late = supervisor_now_ms() >= supervisor->stop_by_ms;
	bool all_gone = mail == 0;

	if (mail != 0 && late)
		kill(mail, SIGKILL);
	for (unsigned name = 0; name < ROLE_MAIL; name++) {
		const pid_t pid = supervisor->roles[name].pid;

		if (mail == 0 && pid != 0)
			kill(pid, late ? SIGKILL : SIGTERM);
		all_gone &= pid == 0;
	}
	return all_gone;
}

/* All have ended. True: for good. */
static bool is_end(struct supervisor *supervisor)
{
	if (!supervisor->upgrading)
		return true;
	upgrade_become(supervisor);
	supervisor->upgrading = supervisor->stopping = false;
	for (unsigned name = 0; name < ROLE_COUNT; name++)
		supervisor->roles[name].due_ms = 0;
	return false;
}

static void run(struct supervisor *supervisor)
{
	while (!supervisor->stopping || !stopped(supervisor) || !is_end(supervisor)) {
		if (!supervisor->stopping) {
			start_due(supervisor);
			giving_look(supervisor);
		}
		watch(supervisor);

		struct pollfd watched[2] = {
			{ .fd = supervisor->signals, .events = POLLIN },
			{ .fd = supervisor->roles[ROLE_MAIL].channel, .events = POLLIN },
		};

		if (poll(watched, 2, next_wait_ms(supervisor)) < 0 && errno != EINTR)
			break;
		/* Notes first: a role that said why it stops is heard before its death is. */
		if (watched[1].revents & POLLIN)
			take_note(supervisor);
		if (watched[0].revents & POLLIN)
			take_signals(supervisor);
		else if (watched[1].revents & POLLHUP)
			reap(supervisor);
	}
}

static bool watch_signals(struct supervisor *supervisor)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return false;
	supervisor->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return supervisor->signals >= 0;
}

/* Shells and service managers start programs with 1024 descriptors, for the sake of those that use select(2), and
 * let them take more. The roles inherit this: a connection is a descriptor. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int start(struct supervisor *supervisor)
{
	const char *control = supervisor->conf->control;

	service_read(&supervisor->service);
	service_hide();
	upgrade_inherit(supervisor);
	bound_take_given(supervisor);
	const enum error error = supervisor->control < 0 ? sockets_control(control, &supervisor->control) : OK;

	if (error != OK) {
		supervisor_report("cannot open the control socket %s: %s%s", control, error_text(error),
		    error == ERR_BUSY ? " (a server is running there)" : "");
		return EX_CANTCREAT;
	}
	memcpy(supervisor->control_path, control, strlen(control) + 1);
	if (!bound_listen(supervisor, supervisor->conf))
		return EX_UNAVAILABLE;
	return watch_signals(supervisor) ? EX_OK : EX_OSERR;
}

int supervisor_run(const struct supervisor_settings *settings, struct conf *conf)
{
	struct supervisor supervisor = { .settings = *settings, .conf = conf, .control = -1, .signals = -1 };

	must(settings->lane_count >= 1 && settings->lane_count <= LANES_MAX);
	for (unsigned name = 0; name < ROLE_COUNT; name++)
		supervisor.roles[name].channel = -1;
	allow_descriptors();
	if (!confine_has_landlock())
		supervisor_report("this kernel cannot keep the roles from files of others (Landlock); the rights of their users do");
	supervisor.exit_code = start(&supervisor);
	if (supervisor.exit_code == EX_OK)
		run(&supervisor);
	bound_close(supervisor.bound, supervisor.bound_count);
	if (supervisor.control >= 0) {
		unlink(supervisor.control_path);
		close(supervisor.control);
	}
	if (supervisor.signals >= 0)
		close(supervisor.signals);
	conf_free(supervisor.conf);
	return supervisor.exit_code;
}
