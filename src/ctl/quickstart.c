#include "ctl/quickstart.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "conf/users.h"
#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/doctor.h"
#include "ctl/offline.h"
#include "ctl/usage.h"
#include "mail/address.h"

enum { WEB_PORT = 8025, HTTPS_PORT = 443 };
enum { ARENA_BYTES_MAX = 1 << 20, FILE_BYTES_MAX = 64 << 10, ANSWER_MAX = 300 };

static const char users_head[] = "# NAME:PASSWORD, a user each; postroad user add NAME writes them (Dovecot's passwd-file format).\n";

static const char tokens_head[] = "# NAME:SHA256:SCOPE,SCOPE, a token each; see postroad.web-tokens(5). Without any, web serves the MTA-STS policy alone.\n";

struct task {
	struct quickstart quickstart;
	struct arena *arena;
	const char *config;
	char folder[PATH_MAX];
};

/* -- Words ----------------------------------------------------------------------------- */

static int read_domain(struct task *task, const char *value, struct text *out_domain)
{
	struct text ascii;

	if (address_domain_to_ascii(text_of(value), task->arena, &ascii) != OK || !address_domain_valid(ascii, false) ||
	    ascii.bytes[0] == '[' || text_find_byte(ascii, '.') == ascii.length)
		return ctl_complain(EX_USAGE, "%s is no domain (hint: example.org)", value);
	*out_domain = ascii;
	return EX_OK;
}

static int read_user(struct task *task, const char *value)
{
	if (!users_name_is_valid(text_of(value), task->arena))
		return ctl_complain(EX_USAGE, "%s cannot be a user (hint: alice)", value);
	task->quickstart.user = text_of(value);
	return EX_OK;
}

static int read_address(struct task *task, const char *value)
{
	struct quickstart *quickstart = &task->quickstart;

	if (quickstart->address_count == QUICKSTART_ADDRESSES_MAX ||
	    !endpoint_parse_ip(text_of(value), &quickstart->addresses[quickstart->address_count]))
		return ctl_complain(EX_USAGE, "--ip %s is no address, or one too many", value);
	quickstart->address_count++;
	return EX_OK;
}

static int read_web(struct task *task, const char *value)
{
	struct endpoint *web = &task->quickstart.web;

	if (!endpoint_parse(text_of(value), WEB_PORT, web) || web->family == ENDPOINT_UNIX || web->port == 0)
		return ctl_complain(EX_USAGE, "--web %s is no address (hint: 127.0.0.1:8025)", value);
	return EX_OK;
}

static int read_option(struct task *task, const char *name, const char *value)
{
	if (strcmp(name, "--hostname") == 0)
		return read_domain(task, value, &task->quickstart.hostname);
	if (strcmp(name, "--user") == 0)
		return read_user(task, value);
	if (strcmp(name, "--ip") == 0)
		return read_address(task, value);
	if (strcmp(name, "--web") == 0)
		return read_web(task, value);
	if (strcmp(name, "--certificate") == 0)
		task->quickstart.certificate = value;
	else if (strcmp(name, "--key") == 0)
		task->quickstart.key = value;
	else
		return ctl_usage("quickstart");
	return EX_OK;
}

static int read_words(struct task *task, int count, char **words)
{
	int code = EX_OK;

	for (int i = 0; i < count && code == EX_OK; i++) {
		if (strncmp(words[i], "--", 2) != 0)
			code = task->quickstart.domain.length > 0 ? ctl_usage("quickstart") : read_domain(task, words[i], &task->quickstart.domain);
		else if (i + 1 == count)
			code = ctl_usage("quickstart");
		else
			code = read_option(task, words[i], words[i + 1]), i++;
	}
	if (code == EX_OK && (task->quickstart.domain.length == 0 ||
		(task->quickstart.certificate == NULL) != (task->quickstart.key == NULL)))
		code = ctl_usage("quickstart");
	return code;
}

/* Another answer than the usual one, on a terminal. */
static const char *ask(struct task *task, const char *question, const char *usual)
{
	char room[ANSWER_MAX];
	struct text answer;

	if (!isatty(STDIN_FILENO))
		return usual;
	fprintf(stderr, "%s [%s]: ", question, usual);
	if (fgets(room, sizeof room, stdin) == NULL)
		return usual;
	answer = text_trim(text_of(room));
	if (answer.length == 0 || !arena_print(task->arena, &answer, "%.*s", TEXT_FORMAT(answer)))
		return usual;
	return answer.bytes;
}

/* A web server that is there already keeps the port of HTTPS. Who may not bind to it finds out when the server starts. */
static void choose_web(struct task *task)
{
	struct endpoint *web = &task->quickstart.web;
	const struct endpoint all = { .family = ENDPOINT_IP4, .port = HTTPS_PORT };

	if (web->family == ENDPOINT_NONE)
		*web = doctor_listen(&all) == EADDRINUSE
		    ? (struct endpoint){ .family = ENDPOINT_IP4, .port = WEB_PORT, .ip = { 127, 0, 0, 1 } }
		    : all;
}

static int ask_for_the_rest(struct task *task)
{
	struct quickstart *quickstart = &task->quickstart;
	struct text usual;
	int code = EX_OK;

	choose_web(task);
	if (!arena_print(task->arena, &usual, "mail.%.*s", TEXT_FORMAT(quickstart->domain)))
		return ctl_complain(EX_OSERR, "out of memory");
	if (quickstart->hostname.length == 0)
		code = read_domain(task, ask(task, "The name of this server", usual.bytes), &quickstart->hostname);
	if (code == EX_OK && quickstart->user.length == 0 && isatty(STDIN_FILENO))
		code = read_user(task, ask(task, "The first user, who reads the mail for postmaster", "postmaster"));
	return code;
}

/* -- Files ----------------------------------------------------------------------------- */

static bool place_of(const struct task *task, const char *name, char room[PATH_MAX])
{
	const int length = snprintf(room, PATH_MAX, "%s/%s", task->folder, name);

	return length > 0 && length < PATH_MAX;
}

/* Nothing is written while there is something that it would take the place of. */
static int look_around(const struct task *task)
{
	static const char *const names[] = { "users", "aliases", "web-tokens" };
	char path[PATH_MAX];

	if (access(task->config, F_OK) == 0)
		return ctl_complain(EX_CANTCREAT, "%s is there already, and stays as it is (hint: postroad check; or another place with -c FILE)",
		    task->config);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!place_of(task, names[i], path) || access(path, F_OK) == 0)
			return ctl_complain(EX_CANTCREAT, "%s is there already, and stays as it is (hint: move it away)", path);
	if (mkdir(task->folder, 0755) != 0 && errno != EEXIST)
		return ctl_complain(EX_CANTCREAT, "%s: %s", task->folder, strerror(errno));
	return EX_OK;
}

/* Durable, and never over another. */
static int write_file(const char *path, mode_t mode, struct text text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, mode);
	const bool written = fd >= 0 && write(fd, text.bytes, text.length) == (ssize_t)text.length && fsync(fd) == 0;
	const int reason = errno;

	if (fd >= 0)
		close(fd);
	return written ? EX_OK : ctl_complain(EX_CANTCREAT, "%s: %s", path, strerror(reason));
}

static int write_printed(const struct task *task, const char *path, mode_t mode,
    bool (*print)(const struct quickstart *quickstart, struct buffer *out))
{
	struct buffer text;

	buffer_init(&text, FILE_BYTES_MAX);
	const int code =
	    print(&task->quickstart, &text) ? write_file(path, mode, buffer_text(&text)) : ctl_complain(EX_OSERR, "out of memory");

	buffer_done(&text);
	return code;
}

/* The configuration last: without it nothing else is of use to anybody. */
static int write_files(const struct task *task)
{
	char path[PATH_MAX];
	int code = EX_OSERR;

	if (place_of(task, "users", path))
		code = write_file(path, 0600, text_of(users_head));
	if (code == EX_OK && place_of(task, "aliases", path))
		code = write_printed(task, path, 0644, quickstart_print_aliases);
	if (code == EX_OK && quickstart_web_is_public(&task->quickstart) && place_of(task, "web-tokens", path))
		code = write_file(path, 0600, text_of(tokens_head));
	return code == EX_OK ? write_printed(task, task->config, 0644, quickstart_print_conf) : code;
}

/* -- The rest -------------------------------------------------------------------------- */

static int print_part(const struct task *task, bool (*print)(const struct quickstart *quickstart, struct buffer *out))
{
	struct buffer text;

	buffer_init(&text, FILE_BYTES_MAX);
	const bool printed =
	    print(&task->quickstart, &text) && printf("%.*s", TEXT_FORMAT(buffer_text(&text))) >= 0 && fflush(stdout) == 0;

	buffer_done(&text);
	return printed ? EX_OK : EX_IOERR;
}

static int make_user(const struct task *task, const struct conf *conf)
{
	const struct ctl_place place = { .control = conf->control, .spool = conf->spool.path };
	char add[] = "add", name[ANSWER_MAX];
	char *words[] = { add, name };

	if (task->quickstart.user.length == 0)
		return EX_OK;
	snprintf(name, sizeof name, "%.*s", TEXT_FORMAT(task->quickstart.user));
	fprintf(stderr, "A password for %s.\n", name);
	return ctl_user(&place, conf->users, 2, words);
}

static int print_zone(const struct task *task, const struct conf *conf)
{
	char generate[] = "generate", domain[ANSWER_MAX];
	char *words[] = { generate, domain };
	int code = print_part(task, quickstart_print_records);

	snprintf(domain, sizeof domain, "%.*s", TEXT_FORMAT(task->quickstart.domain));
	if (code == EX_OK)
		code = ctl_dkim(conf, 2, words);
	return code == EX_OK ? print_part(task, quickstart_print_more_records) : code;
}

static void print_next_steps(const struct task *task)
{
	const struct quickstart *quickstart = &task->quickstart;
	const struct text host = quickstart->hostname;
	const bool public = quickstart_web_is_public(quickstart);
	char room[ENDPOINT_TEXT_MAX];
	int step = 1;

	fprintf(stderr, "\n%s is written. What is left to do:\n", task->config);
	fprintf(stderr, "%d. Publish the records above, and ask the owner of your network for the reverse names.\n", step++);
	if (quickstart->certificate == NULL)
		fprintf(stderr,
		    "%d. Get a certificate for %.*s, say by: certbot certonly --standalone -d %.*s%s%.*s\n"
		    "   and take the # away from the lines below listen in %s.\n",
		    step++, TEXT_FORMAT(host), TEXT_FORMAT(host), public ? " -d mta-sts." : "", TEXT_FORMAT(public ? quickstart->domain : TEXT_EMPTY),
		    task->config);
	else if (public)
		fprintf(stderr, "%d. See that the certificate is for mta-sts.%.*s as well, where the server has its policy at port %u.\n", step++,
		    TEXT_FORMAT(quickstart->domain), quickstart->web.port);
	if (!public)
		fprintf(stderr,
		    "%d. Let the web server of this machine pass https://mta-sts.%.*s/.well-known/mta-sts.txt to http://%s,\n"
		    "   with a certificate for that name.\n",
		    step++, TEXT_FORMAT(quickstart->domain), endpoint_print(&quickstart->web, room).bytes);
	if (quickstart->user.length == 0)
		fprintf(stderr, "%d. Make a user: postroad user add NAME -c %s; and let aliases lead postmaster to him.\n", step++, task->config);
	fprintf(stderr, "%d. Start the server: %s%s\n", step++,
	    quickstart->installed ? "systemctl start postroad, or postroad serve" : "postroad serve -c ",
	    quickstart->installed ? "" : task->config);
	fprintf(stderr, "%d. When the records are there: postroad dkim check -c %s, and mail is signed from then on.\n", step++, task->config);
	fprintf(stderr, "%d. See whether all is well: postroad doctor -c %s\n", step, task->config);
}

static int perform(struct task *task, const char *installed_path)
{
	struct buffer complaints;
	char path[PATH_MAX];
	int code;

	if (snprintf(path, sizeof path, "%s", task->config) >= (int)sizeof path)
		return ctl_complain(EX_USAGE, "%s: too long a path", task->config);
	snprintf(task->folder, sizeof task->folder, "%s", dirname(path));
	task->quickstart.installed = strcmp(task->config, installed_path) == 0;
	code = look_around(task);
	if (code == EX_OK)
		code = ask_for_the_rest(task);
	if (code == EX_OK)
		code = write_files(task);
	if (code != EX_OK)
		return code;
	buffer_init(&complaints, FILE_BYTES_MAX);
	struct conf *conf = conf_load(task->config, &complaints);

	if (conf == NULL)
		code = ctl_complain(EX_SOFTWARE, "what was written is wrong: %.*s", TEXT_FORMAT(buffer_text(&complaints)));
	else
		code = make_user(task, conf);
	if (code == EX_OK)
		code = print_zone(task, conf);
	if (code == EX_OK)
		print_next_steps(task);
	conf_free(conf);
	buffer_done(&complaints);
	return code;
}

int ctl_quickstart(const char *config, const char *installed_path, int count, char **words)
{
	struct task task = { .arena = arena_new(ARENA_BYTES_MAX), .config = config };
	int code = EX_OSERR;

	if (task.arena != NULL)
		code = read_words(&task, count, words);
	if (code == EX_OK)
		code = perform(&task, installed_path);
	arena_free(task.arena);
	return code;
}
