/* Another program in our place, without a client refused:
 *
 *     the new program checks the configuration ──► wrong: all stays as it is
 *       │
 *     mail ends its sessions and deliveries, as when we stop; the sockets stay open, and who connects waits in the backlog
 *       │
 *     we become the new program, which finds the sockets by a variable of the environment and starts its roles
 *
 * Never do two mail roles work on one spool: its marks (in-doubt, suspects) and the numbers of messages have one owner each. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buffer.h"
#include "supervisor/supervisor_private.h"

static const char variable[] = "POSTROAD_SOCKETS";

enum { LIST_BYTES_MAX = 64 << 10 };

_Noreturn static void try_program(const struct supervisor *supervisor)
{
	const int nothing = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)dup2(nothing, STDIN_FILENO);
	(void)dup2(nothing, STDOUT_FILENO); /* What is right is not told, what is wrong is. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	execl(supervisor->settings.program, "postroad", "check", "-c", supervisor->settings.config_path, (char *)NULL);
	_exit(EX_UNAVAILABLE);
}

void upgrade_try(struct supervisor *supervisor)
{
	if (supervisor->stopping || supervisor->trial != 0)
		return;

	const pid_t pid = fork();

	if (pid == 0)
		try_program(supervisor);
	if (pid > 0)
		supervisor->trial = pid;
	else
		supervisor_report("upgrade refused: %s", strerror(errno));
}

bool upgrade_judge(struct supervisor *supervisor, pid_t pid, int status)
{
	if (supervisor->trial == 0 || pid != supervisor->trial)
		return false;
	supervisor->trial = 0;
	supervisor->upgrading = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !supervisor->stopping;
	if (supervisor->upgrading)
		supervisor_report("upgrade: sessions and deliveries come to their end first");
	else
		supervisor_report("upgrade refused: %s does not take the configuration; the program that runs stays",
		    supervisor->settings.program);
	return true;
}

static bool hand_down(int fd, bool handed)
{
	return fcntl(fd, F_SETFD, handed ? 0 : FD_CLOEXEC) == 0;
}

/* The control socket first. */
static bool hand_down_all(const struct supervisor *supervisor, bool handed, struct buffer *list)
{
	bool right = hand_down(supervisor->control, handed) && buffer_print(list, "%d", supervisor->control);

	for (size_t i = 0; right && i < supervisor->bound_count; i++)
		right = hand_down(supervisor->bound[i].fd, handed) && buffer_print(list, ",%d", supervisor->bound[i].fd);
	return right && buffer_append(list, (struct text){ "", 1 });
}

void upgrade_become(struct supervisor *supervisor)
{
	struct buffer list;

	buffer_init(&list, LIST_BYTES_MAX);
	service_hand_down(&supervisor->service);
	if (hand_down_all(supervisor, true, &list) && setenv(variable, buffer_text(&list).bytes, 1) == 0)
		execl(supervisor->settings.program, "postroad", "serve", "-c", supervisor->settings.config_path, (char *)NULL);
	supervisor_report("upgrade failed: %s: %s; the program that runs goes on", supervisor->settings.program, strerror(errno));
	buffer_clear(&list);
	(void)!hand_down_all(supervisor, false, &list);
	unsetenv(variable);
	service_hide();
	buffer_done(&list);
}

void upgrade_inherit(struct supervisor *supervisor)
{
	const char *list = getenv(variable);

	if (list == NULL)
		return;
	supervisor->inherited = true;
	bound_adopt(supervisor, list);
	unsetenv(variable); /* Not for the roles. */
}
