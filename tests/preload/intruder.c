/* Somebody who has taken over a role: at SIGUSR1 it tries what a role must not do, and writes what came of it, a line each,
 * into the file of its role in the folder that INTRUDER names.
 *
 * For tests, by LD_PRELOAD. The file is opened before the role is confined. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int report = -1;

static void told(const char *what, long result)
{
	char line[128];
	const int number = result < 0 ? errno : 0;
	const int length = snprintf(line, sizeof line, "%s %s\n", what, number ? strerrorname_np(number) : "done");

	(void)!write(report, line, (size_t)length);
}

static void try_files(void)
{
	told("read-passwd", open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	told("read-shadow", open("/etc/shadow", O_RDONLY | O_CLOEXEC));
	told("read-environment", open("/proc/self/environ", O_RDONLY | O_CLOEXEC));
	told("write-tmp", open("/tmp/postroad-intruder", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	told("link", symlink("/etc/passwd", "/tmp/postroad-intruder-link"));
}

static void try_processes(void)
{
	char *const words[] = { "true", NULL };
	struct rlimit limit = { 4096, 4096 };

	told("fork", syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
	told("exec", execve("/bin/true", words, words));
	told("ptrace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	told("kill", kill(getppid(), 0));
	told("setuid", syscall(SYS_setuid, 0));
	told("unshare", unshare(CLONE_NEWUSER));
	told("limit", setrlimit(RLIMIT_CORE, &limit));
	told("dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static void try_memory(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	told("execute-written", mprotect(page, 4096, PROT_READ | PROT_EXEC));
	told("write-and-execute", (long)mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void intrude(int number)
{
	const int saved = errno;

	(void)number;
	try_files();
	try_processes();
	try_memory();
	told("internet", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	told("unix", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	told("packet", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	(void)!write(report, "end\n", 4);
	errno = saved;
}

__attribute__((constructor)) static void prepare(void)
{
	const char *folder = getenv("INTRUDER");
	char words[256] = "", path[512];
	const int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	const ssize_t length = read(file, words, sizeof words - 1);
	const char *role = length > 0 ? memmem(words, (size_t)length, "role\0", 5) : NULL;

	close(file);
	if (folder == NULL || role == NULL)
		return;
	snprintf(path, sizeof path, "%s/%s", folder, role + 5);
	report = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	signal(SIGUSR1, intrude);
}
