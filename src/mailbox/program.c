#include "mailbox/program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/must.h"

enum {
	VARIABLE_MAX = 16,
	ENVIRONMENT_BYTES_MAX = 16 << 10,
	COMMAND_DESCRIPTORS_MAX = 1024,
	PIECE_BYTES = 4 << 10,
	PIECES_AT_ONCE = 16 /* Of one that never stops talking, so that the others have their turn. */
};

/* -- The environment ---------------------------------------------------------------- */

struct environment {
	char *variables[VARIABLE_MAX + 1];
	size_t count, used;
	char room[ENVIRONMENT_BYTES_MAX];
};

static void put_variable(struct environment *environment, const char *name, struct text value)
{
	char *here = environment->room + environment->used;
	const size_t left = sizeof environment->room - environment->used;
	const int length = snprintf(here, left, "%s=%.*s", name, TEXT_FORMAT(value));

	must(environment->count < VARIABLE_MAX && length > 0 && (size_t)length < left); /* Texts of a request are bounded. */
	environment->variables[environment->count++] = here;
	environment->used += (size_t)length + 1;
}

static void fill_environment(
    struct environment *environment, const struct program *program, const struct program_call *call)
{
	environment->count = environment->used = 0;
	put_variable(environment, "PATH", TEXT("/usr/local/bin:/usr/bin:/bin"));
	put_variable(environment, "HOME", text_of(program->home));
	put_variable(environment, "USER", text_of(program->user));
	put_variable(environment, "LOGNAME", text_of(program->user));
	put_variable(environment, "SHELL", TEXT("/bin/sh"));
	put_variable(environment, "LC_ALL", TEXT("C.UTF-8"));
	put_variable(environment, "SENDER", call->sender);
	put_variable(environment, "RECIPIENT", call->recipient);
	put_variable(environment, "ORIGINAL_RECIPIENT", call->original);
	put_variable(environment, "LOCAL", call->local);
	put_variable(environment, "EXTENSION", call->extension);
	put_variable(environment, "DOMAIN", call->domain);
	environment->variables[environment->count] = NULL;
}

/* -- The child ------------------------------------------------------------------------- */

_Noreturn static void give_up(const char *step)
{
	dprintf(STDOUT_FILENO, "%s: %s\n", step, strerror(errno));
	_exit(EX_TEMPFAIL);
}

static void take_descriptors(const struct program_call *call, int output_fd)
{
	/* From above the three, so that none is lost under another. */
	const int message = fcntl(call->message_fd, F_DUPFD, STDERR_FILENO + 1);
	const int output = fcntl(output_fd, F_DUPFD, STDERR_FILENO + 1);

	if (message < 0 || output < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 ||
	    dup2(message, STDIN_FILENO) < 0 || lseek(STDIN_FILENO, 0, SEEK_SET) != 0 ||
	    close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
		_exit(EX_TEMPFAIL);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* Some cannot be set, and need not. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void limit(int resource, rlim_t most)
{
	struct rlimit limits;

	if (getrlimit((__rlimit_resource_t)resource, &limits) != 0 || limits.rlim_max <= most)
		return;
	limits = (struct rlimit){ .rlim_cur = most, .rlim_max = most };
	if (setrlimit((__rlimit_resource_t)resource, &limits) != 0)
		give_up("its limits cannot be set");
}

/* P1. What we may as root is gone with the user. */
static void become(const struct program *program)
{
	if (program->changes_user) {
		must(program->uid != 0 && program->gid != 0);
		if (setgroups(program->group_count, program->groups) != 0 ||
		    setresgid(program->gid, program->gid, program->gid) != 0 ||
		    setresuid(program->uid, program->uid, program->uid) != 0)
			give_up("it cannot run as its user");
	}
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, COMMAND_DESCRIPTORS_MAX);
	/* Behind the change of users, which takes the second away. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		give_up("it cannot be confined");
	umask(077);
	if (chdir(program->home) != 0 && chdir("/") != 0)
		give_up("it has no folder");
}

_Noreturn static void run_child(const struct program *program, const struct program_call *call, int output_fd,
    struct environment *environment, pid_t parent)
{
	setsid();
	reset_signals();
	take_descriptors(call, output_fd);
	become(program);
	if (getppid() != parent) /* It died before it could be missed. */
		_exit(EX_TEMPFAIL);
	execve(program->words[0], program->words, environment->variables);
	dprintf(STDOUT_FILENO, "%s cannot be executed: %s\n", program->words[0], strerror(errno));
	_exit(127);
}

/* -- Its life ----------------------------------------------------------------------------- */

static void close_all(struct program_run *run)
{
	if (run->output_fd >= 0)
		close(run->output_fd);
	if (run->pid_fd >= 0)
		close(run->pid_fd);
	run->output_fd = run->pid_fd = -1;
}

enum error program_start(
    const struct program *program, const struct program_call *call, int64_t now_ms, struct program_run *out_run)
{
	struct program_run run = { .pid_fd = -1, .output_fd = -1, .end_ms = now_ms + program->limit_ms };
	struct environment environment;
	const pid_t parent = getpid();
	int ends[2];

	fill_environment(&environment, program, call);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return ERR_DESCRIPTORS;
	run.output_fd = ends[0];
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
		run.pid = fork();
	else
		run.pid = -1;
	if (run.pid == 0)
		run_child(program, call, ends[1], &environment, parent);
	close(ends[1]);
	if (run.pid > 0)
		run.pid_fd = pidfd_open(run.pid, 0);
	if (run.pid > 0 && run.pid_fd < 0) {
		program_abandon(&run);
		return ERR_DESCRIPTORS;
	}
	if (run.pid < 0) {
		close_all(&run);
		return ERR_NO_MEMORY;
	}
	*out_run = run;
	return OK;
}

/* What is no ASCII letter stands in a report and a log as a question mark. */
static void keep_line(struct program_run *run, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length && !run->line_over; i++) {
		if (bytes[i] == '\n' && run->line_length == 0)
			continue; /* An empty line says nothing. */
		run->line_over = bytes[i] == '\n' || run->line_length == sizeof run->line;
		if (!run->line_over && bytes[i] != '\r')
			run->line[run->line_length++] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
	}
}

void program_hear(struct program_run *run)
{
	char piece[PIECE_BYTES];
	ssize_t length = -1;

	for (int i = 0; i < PIECES_AT_ONCE && (length = read(run->output_fd, piece, sizeof piece)) > 0; i++)
		keep_line(run, piece, (size_t)length);
	if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) {
		close(run->output_fd);
		run->output_fd = -1;
	}
}

/* Its leader is still there, dead or not, so that the number is nobody else's. */
static void kill_group(const struct program_run *run)
{
	(void)kill(-run->pid, SIGKILL);
	(void)kill(run->pid, SIGKILL); /* It may not have made its group yet. */
}

void program_expire(struct program_run *run)
{
	run->timed_out = true;
	kill_group(run);
}

bool program_ended(struct program_run *run, int *out_status)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)run->pid_fd, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
		return false;
	kill_group(run); /* P4 */
	if (waitpid(run->pid, out_status, 0) != run->pid)
		*out_status = EX_TEMPFAIL << 8;
	if (run->output_fd >= 0)
		program_hear(run);
	close_all(run);
	return true;
}

void program_abandon(struct program_run *run)
{
	kill_group(run);
	(void)waitpid(run->pid, NULL, 0);
	close_all(run);
}
