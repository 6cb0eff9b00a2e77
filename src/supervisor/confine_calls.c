/* F3: a list of what may be called; all else is refused, and told. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

#include "supervisor/confine_private.h"

/* -- What may be called -------------------------------------------------------------- */

/* Names that a machine's kernel does not know are passed over. */
static const char *const base_calls[] = { /* Memory, threads, clocks, signals to itself. */
	"brk", "munmap", "mremap", "madvise", "mlock", "munlock", "membarrier", "msync", "mincore", "futex", "set_robust_list",
	"get_robust_list", "rseq", "sched_yield", "sched_getaffinity", "getcpu", "exit", "exit_group", "restart_syscall", "rt_sigaction",
	"rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack", "gettid", "getpid", "getppid", "getuid", "geteuid",
	"getgid", "getegid", "getresuid", "getresgid", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
	"gettimeofday", "time", "getrandom", "uname", "sysinfo", "getrusage", "times", "set_tid_address", "arch_prctl",
	/* The descriptors that it has. */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "close", "close_range", "dup",
	"dup2", "dup3", "fstat", "pipe", "pipe2", "eventfd", "eventfd2", "timerfd_create", "timerfd_settime", "memfd_create",
	"poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"epoll_pwait2", "sendmsg", "recvmsg", "sendto", "recvfrom", "shutdown", "getsockname", "getpeername", "getsockopt",
	"setsockopt", "ftruncate", "fallocate"
};
static const char *const file_calls[] = { "open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getdents64", "mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "rename",
	"renameat", "renameat2", "fsync", "fdatasync", "syncfs", "sync_file_range", "flock", "fstatfs", "statfs", "fchmod",
	"fadvise64", "getcwd", "umask" };
static const char *const network_calls[] = { "accept", "accept4", "bind", "connect", "listen", "sendmmsg", "recvmmsg",
	"socketpair" };
static const char *const client_calls[] = { "connect" };
static const char *const accept_calls[] = { "accept", "accept4" };
/* To act as the owner of a mailbox, not to become the owner. */
static const char *const owner_calls[] = { "setfsuid", "setfsgid", "fchownat" };
/* Leak detection stops all threads and looks at them. */
static const char *const sanitizer_calls[] = { "ptrace", "wait4", "kill", "tgkill", "process_vm_readv", "personality", "open",
	"openat", "readlink", "readlinkat", "stat", "newfstatat", "getdents", "getdents64", "sched_getscheduler", "setitimer", "mprotect",
	"mmap", "clone", "prctl", "prlimit64", "getrlimit", "setrlimit", "fork", "vfork", "gettid", "pkey_alloc", "uname", "ioctl",
	"rt_tgsigqueueinfo", "sched_setaffinity" };

/* Calls that are harmless with some arguments only. */
struct narrow_call {
	int number;
	struct scmp_arg_cmp argument;
};

#define MASKED(place, mask, value) { place, SCMP_CMP_MASKED_EQ, mask, value }
#define EQUAL(place, value) { place, SCMP_CMP_EQ, value, 0 }

static const struct narrow_call narrow_calls[] = {
	/* No memory is both written and executed, and what was written is not executed later. */
	{ SCMP_SYS(mmap), MASKED(2, PROT_WRITE | PROT_EXEC, PROT_WRITE) },
	{ SCMP_SYS(mmap), MASKED(2, PROT_WRITE, 0) },
	{ SCMP_SYS(mprotect), MASKED(2, PROT_EXEC, 0) },
	/* This is fstat. */
	{ SCMP_SYS(newfstatat), MASKED(3, AT_EMPTY_PATH, AT_EMPTY_PATH) },
	/* Threads, but no processes. (clone3 hides its flags in memory.) */
	{ SCMP_SYS(clone), MASKED(0, CLONE_THREAD, CLONE_THREAD) },
	{ SCMP_SYS(ioctl), EQUAL(1, FIONBIO) },
	{ SCMP_SYS(ioctl), EQUAL(1, FIONREAD) },
	{ SCMP_SYS(ioctl), EQUAL(1, FIOCLEX) },
	{ SCMP_SYS(ioctl), EQUAL(1, TCGETS) },
	{ SCMP_SYS(prctl), EQUAL(0, PR_GET_NAME) },
	{ SCMP_SYS(prlimit64), EQUAL(2, 0) }, /* To read a limit, not to set one. */
	{ SCMP_SYS(fcntl), EQUAL(1, F_GETFD) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_SETFD) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_GETFL) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_SETFL) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_DUPFD) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_DUPFD_CLOEXEC) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_GETLK) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_SETLK) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_SETLKW) },
	{ SCMP_SYS(fcntl), EQUAL(1, F_OFD_SETLK) },
};
static const struct narrow_call network_sockets[] = {
	{ SCMP_SYS(socket), EQUAL(0, AF_INET) },
	{ SCMP_SYS(socket), EQUAL(0, AF_INET6) },
	{ SCMP_SYS(socket), EQUAL(0, AF_UNIX) },
};
static const struct narrow_call client_sockets[] = { { SCMP_SYS(socket), EQUAL(0, AF_UNIX) } };

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* -- Telling of what was refused ------------------------------------------------------- */

/* Those that somebody who has taken over a role would try; the others are told by number. */
static const char *call_name(int number)
{
	switch (number) {
#define CALL(name) case SYS_##name: return #name
	CALL(execve);
	CALL(execveat);
	CALL(ptrace);
	CALL(socket);
	CALL(connect);
	CALL(bind);
	CALL(openat);
	CALL(clone);
	CALL(mprotect);
	CALL(mmap);
	CALL(ioctl);
	CALL(fcntl);
	CALL(prctl);
	CALL(kill);
	CALL(tkill);
	CALL(tgkill);
	CALL(setuid);
	CALL(setresuid);
	CALL(setsid);
	CALL(mount);
	CALL(chroot);
	CALL(unshare);
	CALL(setns);
	CALL(bpf);
	CALL(keyctl);
	CALL(process_vm_readv);
	CALL(process_vm_writev);
	CALL(pidfd_getfd);
	CALL(io_uring_setup);
	CALL(userfaultfd);
	CALL(perf_event_open);
#ifdef SYS_open
	CALL(open);
	CALL(fork);
	CALL(vfork);
#endif
#undef CALL
	default:
		return "system call";
	}
}

enum { CALLS_MAX = 512 };

/* A handler of signals has no context but this. */
static _Atomic uint64_t confine_told[CALLS_MAX / 64];

static bool is_first(int number)
{
	if (number < 0 || number >= CALLS_MAX)
		return true;
	const uint64_t bit = UINT64_C(1) << number % 64;

	return (atomic_fetch_or(&confine_told[number / 64], bit) & bit) == 0;
}

/* Only with functions that a handler may use: no stdio. */
static void tell(int number)
{
	char line[128] = "postroad: role ", name[16] = "", digits[12];
	size_t place = sizeof digits;

	(void)prctl(PR_GET_NAME, name, 0, 0, 0);
	digits[--place] = '\0';
	for (int rest = number; place > 0 && (rest > 0 || place == sizeof digits - 1); rest /= 10)
		digits[--place] = (char)('0' + rest % 10);

	const char *const words[] = { strchr(name, '-') ? strchr(name, '-') + 1 : name, " may not call ", call_name(number),
		" (", digits + place, "): refused\n" };
	size_t length = strlen(line);

	for (size_t i = 0; i < COUNT(words); i++) {
		const size_t size = strlen(words[i]);

		memcpy(line + length, words[i], size);
		length += size;
	}
	(void)!write(STDERR_FILENO, line, length);
}

/* The call was not made. Its answer is EPERM, as if the kernel had given it. */
static void refused(int signal, siginfo_t *info, void *opaque)
{
	const int saved = errno;

	(void)signal;
#if defined(__x86_64__)
	((ucontext_t *)opaque)->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	((ucontext_t *)opaque)->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
	(void)opaque;
#endif
	if (is_first(info->si_syscall))
		tell(info->si_syscall);
	errno = saved;
}

/* On machines whose registers are not known here the kernel answers EPERM by itself, and nothing is told. */
static uint32_t refusal(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	const struct sigaction action = { .sa_sigaction = refused, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART };

	if (sigaction(SIGSYS, &action, NULL) == 0)
		return SCMP_ACT_TRAP;
#endif
	return SCMP_ACT_ERRNO(EPERM);
}

/* -- The filter ---------------------------------------------------------------------------- */

static bool succeed(int code)
{
	if (code < 0)
		errno = -code;
	return code == 0;
}

static bool allow_named(scmp_filter_ctx filter, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int number = seccomp_syscall_resolve_name(names[i]);

		if (number != __NR_SCMP_ERROR && !succeed(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0)))
			return false;
	}
	return true;
}

static bool allow_narrow(scmp_filter_ctx filter, const struct narrow_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!succeed(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, calls[i].number, 1, &calls[i].argument)))
			return false;
	return true;
}

/* abort() signals the process itself, and nobody else is to be signalled. */
static bool allow_abort(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp self = EQUAL(0, (scmp_datum_t)getpid());

	return succeed(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self));
}

static bool allow_groups(scmp_filter_ctx filter, unsigned groups)
{
	return (!(groups & CONFINE_FILES) || allow_named(filter, file_calls, COUNT(file_calls))) &&
	    (!(groups & CONFINE_NETWORK) || (allow_named(filter, network_calls, COUNT(network_calls)) &&
	                                        allow_narrow(filter, network_sockets, COUNT(network_sockets)))) &&
	    (!(groups & CONFINE_CLIENT) || (allow_named(filter, client_calls, COUNT(client_calls)) &&
	                                       allow_narrow(filter, client_sockets, COUNT(client_sockets)))) &&
	    (!(groups & CONFINE_ACCEPT) || allow_named(filter, accept_calls, COUNT(accept_calls))) &&
	    (!(groups & CONFINE_OWNERS) || allow_named(filter, owner_calls, COUNT(owner_calls)));
}

/* The C library makes threads by clone3 and goes back to clone where the kernel knows no clone3. */
static bool hide_clone3(scmp_filter_ctx filter)
{
	return succeed(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
}

/* libmicrohttpd gives its threads names, by prctl and by a file of /proc. It goes on without, and nobody needs to be told. */
static bool refuse_names(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp set_name = EQUAL(0, PR_SET_NAME);

	return CONFINE_SANITIZED ||
	    (succeed(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1, &set_name)) &&
	        succeed(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 0)));
}

bool confine_calls(unsigned groups)
{
	scmp_filter_ctx filter = seccomp_init(refusal());

	if (filter == NULL) {
		errno = ENOMEM;
		return false;
	}
	const bool done = succeed(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2)) &&
	    (!CONFINE_SANITIZED || allow_named(filter, sanitizer_calls, COUNT(sanitizer_calls))) &&
	    allow_named(filter, base_calls, COUNT(base_calls)) && allow_narrow(filter, narrow_calls, COUNT(narrow_calls)) &&
	    allow_abort(filter) && hide_clone3(filter) && allow_groups(filter, groups) &&
	    (!(groups & CONFINE_ACCEPT) || refuse_names(filter)) && succeed(seccomp_load(filter));

	seccomp_release(filter);
	return done;
}
