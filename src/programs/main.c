/* postroad: one binary. The first word says what it does; under the names sendmail, mailq and newaliases it is those. */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "ctl/commands.h"
#include "ctl/offline.h"
#include "ctl/usage.h"
#include "programs/folders.h"
#include "programs/handed.h"
#include "programs/roles.h"
#include "programs/signing.h"
#include "programs/snapshot.h"
#include "programs/what_if.h"
#include "supervisor/note.h"
#include "supervisor/privilege.h"
#include "supervisor/supervisor.h"

static const char default_path[] = "/etc/postroad/postroad.conf";

struct invocation {
	const char *config;
	int count;    /* What stands behind the command, without -c FILE. */
	char **words;
};

static int help(FILE *out)
{
	fputs("usage: postroad COMMAND [-c FILE] ...\n\n"
	      "  quickstart DOMAIN           a first configuration, keys, and the DNS records to publish\n"
	      "  doctor                      is all well around the server: files, ports, disk, DNS, certificates?\n"
	      "  serve                       run in the foreground\n"
	      "  check                       is the configuration right? --replay: what would it change?\n"
	      "  send                        hand in a message: sendmail(1)\n"
	      "  queue list|show|destinations\n"
	      "                              what waits, where, and why\n"
	      "  queue retry|hold|release|expire|bounce|delete|reroute ID|all|FILTER ...\n"
	      "                              what is to become of it: by sender, recipient, domain, host, age, answer\n"
	      "  queue pause|resume|pauses   keep the mail for a domain, or of a sender or user\n"
	      "  trace ID|ADDRESS|FACT       the life of a message\n"
	      "  explain ADDRESS             where mail for it would go now, and why\n"
	      "  verify [spf|dkim|dmarc|arc] [FILE]\n"
	      "                              what is to be believed of a message, or of a client and its sender\n"
	      "  sign FILE --key PEM --domain D --selector S\n"
	      "                              the message with a DKIM signature\n"
	      "  dkim generate|list|record|check|rotate|remove\n"
	      "                              the keys that sign our mail, and their DNS records\n"
	      "  reports [list|send]         what is counted for the reports of a day, and sending them now\n"
	      "  reports FILE|MAILDIR ...    what the reports of others say about our domains\n"
	      "  stats                       what is in the spool, what works and what is in trouble, and counters\n"
	      "  webhooks                    how those fare who are told of deliveries\n"
	      "  top                         what the server does, on a terminal, from moment to moment\n"
	      "  tail [ID|ADDRESS] [FILTER ...]\n"
	      "                              events as they happen\n"
	      "  user add|remove|password NAME, user list\n"
	      "                              who has a mailbox here\n"
	      "  reload, upgrade, stop       the running server\n"
	      "  help [COMMAND]              all of this, or how a command is called (so does COMMAND --help)\n"
	      "  version                     of this program\n\n"
	      "What tells something takes --json, for programs.\n"
	      "FILE is /etc/postroad/postroad.conf unless -c, or POSTROAD_CONFIG, names another.\n"
	      "The manual: postroad(8), postroad.conf(5).\n",
	    out);
	return out == stdout ? EX_OK : EX_USAGE;
}

/* -- serve ------------------------------------------------------------------- */

static bool complain_user(const struct conf *conf, const char *option, const char *user)
{
	fprintf(stderr, "%s: %s = \"%s\": there is no such user (hint: make it with useradd --system %s, or %s = \"\")\n", conf->path,
	    option, user, user, option);
	return false;
}

static bool find_privileges(const struct conf *conf, struct privilege *out_mail, struct privilege *out_auth)
{
	struct privilege mail;

	if (!privilege_find(conf->run_as, &mail))
		return complain_user(conf, "run-as", conf->run_as);
	if (!privilege_find_auth(conf->run_as_auth, &mail, out_auth))
		return complain_user(conf, "run-as-auth", conf->run_as_auth);
	*out_mail = mail;
	return true;
}

static bool prepare(const struct conf *conf)
{
	struct privilege mail, auth;

	return find_privileges(conf, &mail, &auth) && folders_make(conf, &mail);
}

static int serve(const struct invocation *invocation)
{
	char program[PATH_MAX];
	struct privilege mail, auth;
	struct conf *conf = snapshot_load(invocation->config);
	const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

	if (conf == NULL || !find_privileges(conf, &mail, &auth)) {
		conf_free(conf);
		return EX_CONFIG;
	}
	if (length <= 0 || !prepare(conf)) {
		conf_free(conf);
		return EX_CANTCREAT;
	}
	program[length] = '\0';
	const struct supervisor_settings settings = { .program = program,
		.config_path = invocation->config,
		.lane_count = role_lane_count(conf),
		.load = snapshot_load,
		.prepare = prepare,
		.text = snapshot_text_fd,
		.names = snapshot_names_fd,
		.owners = snapshot_owners_fd,
		.passwords = snapshot_passwords_fd,
		.keys = snapshot_keys_fd,
		.signing = signing_fd,
		.files = handed_open,
		.web_files = handed_web_files,
		.look = handed_look,
		.tls_is_right = snapshot_tls_is_right };

	return supervisor_run(&settings, conf);
}

/* The configuration that the supervisor's first note brings, which stays open in *out_fd. NULL: it is gone, or speaks otherwise. */
static struct conf *role_conf(const char *path, int *out_fd)
{
	char word[NOTE_LENGTH_MAX];

	return note_receive(NOTE_ROLE_FD, word, out_fd) && strcmp(word, "conf") == 0 ? handed_conf(*out_fd, path, NULL) : NULL;
}

static int role(const struct invocation *invocation)
{
	const char *name = invocation->count > 1 ? invocation->words[0] : "";
	const unsigned lanes = invocation->count > 1 ? (unsigned)strtoul(invocation->words[1], NULL, 10) : 0;
	int text;
	struct conf *conf = role_conf(invocation->config, &text);
	struct privilege mail, auth;

	if (conf == NULL || !find_privileges(conf, &mail, &auth)) {
		conf_free(conf);
		return EX_CONFIG;
	}
	crypto_prepare();
	if (strcmp(name, "mail") == 0 && lanes >= 1 && lanes <= ROLE_LANES_MAX)
		return role_mail(conf, text, &mail, lanes);
	close(text);
	if (strcmp(name, "mailbox") == 0)
		return role_mailbox(conf, &mail);
	if (strcmp(name, "pipe") == 0)
		return role_pipe(conf);
	if (strcmp(name, "auth") == 0)
		return role_auth(conf, &auth);
	if (strcmp(name, "web") == 0)
		return role_web(conf, &mail);
	conf_free(conf);
	return EX_USAGE;
}

/* -- the rest ---------------------------------------------------------------- */

/* Who the roles would be. Only for root are they somebody else. */
static void print_users(const struct conf *conf)
{
	struct privilege mail, auth;

	if (geteuid() != 0 || !find_privileges(conf, &mail, &auth) || !mail.drop)
		return;
	printf("  runs as       %s; passwords are compared by %s\n", conf->run_as,
	    auth.uid != mail.uid ? conf->run_as_auth : "the same (hint: useradd --system " PRIVILEGE_AUTH_USER ")");
}

/* For programs: {"right", "file", "complaints": a line each}. */
static void print_check(const char *path, bool right, struct text complaints)
{
	json_t *lines = json_array();
	struct text line;

	while (!right && complaints.length > 0 && text_cut(&complaints, '\n', &line))
		json_array_append_new(lines, json_stringn(line.bytes, line.length));
	json_t *told = json_pack("{s:b, s:s, s:o}", "right", right, "file", path, "complaints", lines);

	json_dumpf(told, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(told);
}

static int check(const struct invocation *invocation)
{
	struct buffer out;
	struct conf *conf;
	bool right;

	if (what_if_is_asked(invocation->count, invocation->words))
		return what_if(invocation->config, invocation->count, invocation->words);
	const bool json = invocation->count == 1 && strcmp(invocation->words[0], "--json") == 0;

	if (invocation->count > 0 && !json)
		return ctl_usage("check");
	buffer_init(&out, COMPLAINTS_BYTES_MAX);
	conf = snapshot_conf(invocation->config, &out);
	right = conf != NULL && snapshot_users_exist(conf, &out) && conf_summary(conf, &out);
	if (json)
		print_check(invocation->config, right, buffer_text(&out));
	else
		fprintf(right ? stdout : stderr, "%.*s", TEXT_FORMAT(buffer_text(&out)));
	if (right && !json)
		print_users(conf);
	buffer_done(&out);
	conf_free(conf);
	return right ? EX_OK : 1;
}

static int doctor(const struct invocation *invocation)
{
	struct doctor_patient patient = { .complaints = "" };
	struct arena *arena = arena_new(SNAPSHOT_NAMES_BYTES_MAX);
	struct router *router = NULL;
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX + 1);
	struct conf *conf = snapshot_conf(invocation->config, &complaints);

	if (buffer_append(&complaints, (struct text){ "", 1 }))
		patient.complaints = buffer_text(&complaints).bytes;
	patient.conf = conf;
	if (conf != NULL && arena != NULL)
		patient.router = router = snapshot_router_alone(conf, arena, &patient.names, &complaints);
	const int code = ctl_doctor(&patient, invocation->count, invocation->words);

	router_unref(router);
	arena_free(arena);
	conf_free(conf);
	buffer_done(&complaints);
	return code;
}

/* Without a configuration only where none is named and none is installed. */
static int verify(const struct invocation *invocation)
{
	const bool has_none = invocation->config == default_path && access(default_path, F_OK) != 0;
	struct buffer complaints;
	struct conf *conf = NULL;
	int code = EX_CONFIG;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (!has_none)
		conf = conf_load(invocation->config, &complaints);
	if (conf == NULL && !has_none)
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	else
		code = ctl_verify(conf, invocation->count, invocation->words);
	conf_free(conf);
	buffer_done(&complaints);
	return code;
}

typedef int ctl_command(const struct ctl_place *place, int count, char **words);

static int ask_server(const char *name, const struct invocation *invocation)
{
	static const struct {
		const char *name;
		ctl_command *command;
	} commands[] = {
		{ "queue", ctl_queue }, { "trace", ctl_trace }, { "explain", ctl_explain }, { "reports", ctl_reports },
		{ "stats", ctl_stats }, { "webhooks", ctl_webhooks }, { "top", ctl_top }, { "tail", ctl_tail },
		{ "reload", ctl_reload }, { "upgrade", ctl_upgrade }, { "stop", ctl_stop },
	};
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	struct conf *conf = conf_load(invocation->config, &complaints);
	int code = EX_USAGE;

	if (conf == NULL) {
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
		code = EX_CONFIG;
	} else {
		const struct ctl_place place = { .control = conf->control, .spool = conf->spool.path };

		if (strcmp(name, "send") == 0)
			code = ctl_send(&place, conf->hostname.bytes, invocation->count, invocation->words);
		if (strcmp(name, "user") == 0)
			code = ctl_user(&place, conf->users, invocation->count, invocation->words);
		if (strcmp(name, "dkim") == 0)
			code = ctl_dkim(conf, invocation->count, invocation->words);
		for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
			if (strcmp(name, commands[i].name) == 0)
				code = commands[i].command(&place, invocation->count, invocation->words);
	}
	conf_free(conf);
	buffer_done(&complaints);
	return code;
}

/* -- how it is called ---------------------------------------------------------- */

static int no_such_command(const char *name)
{
	const char *guess = ctl_usage_guess(name);

	fprintf(stderr, "postroad: no such command: %s%s%s (hint: postroad help)\n", name, guess != NULL ? "; is it " : "", guess != NULL ? guess : "");
	return EX_USAGE;
}

static int help_with(const char *command)
{
	return ctl_usage_print(command, stdout) ? EX_OK : no_such_command(command);
}

/* sendmail(1) has a -h of its own. */
static bool asks_for_help(const char *command, const struct invocation *invocation)
{
	for (int i = 0; i < invocation->count; i++)
		if (strcmp(invocation->words[i], "--help") == 0 ||
		    (i == 0 && strcmp(invocation->words[i], "-h") == 0 && strcmp(command, "send") != 0))
			return true;
	return false;
}

/* One of the commands of operators. */
static int run(const char *command, const struct invocation *invocation)
{
	if (asks_for_help(command, invocation))
		return help_with(command);
	if (strcmp(command, "serve") == 0)
		return invocation->count > 0 ? ctl_usage("serve") : serve(invocation);
	if (strcmp(command, "check") == 0)
		return check(invocation);
	if (strcmp(command, "quickstart") == 0)
		return ctl_quickstart(invocation->config, default_path, invocation->count, invocation->words);
	if (strcmp(command, "doctor") == 0)
		return doctor(invocation);
	if (strcmp(command, "verify") == 0)
		return verify(invocation);
	if (strcmp(command, "reports") == 0 && ctl_reports_reads(invocation->count, invocation->words))
		return ctl_reports_read(invocation->count, invocation->words);
	if (strcmp(command, "sign") == 0)
		return ctl_sign(invocation->count, invocation->words);
	return ctl_usage_known(command) ? ask_server(command, invocation) : no_such_command(command);
}

/* sendmail's own words for other programs: -bp is mailq, -bi is newaliases. */
static const char *sendmail_command(int count, char **words)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(words[i], "-bp") == 0)
			return "queue";
		if (strcmp(words[i], "-bi") == 0)
			return "reload";
	}
	return "send";
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
	const char *config = getenv("POSTROAD_CONFIG");
	struct invocation invocation = { .config = config ? config : default_path };
	const char *command;

	if (strcmp(name, "mailq") == 0) {
		command = "queue";
	} else if (strcmp(name, "newaliases") == 0) {
		command = "reload"; /* The file of aliases is read as it is. */
	} else if (strcmp(name, "sendmail") == 0) {
		command = sendmail_command(argc - 1, argv + 1);
		invocation.count = strcmp(command, "send") == 0 ? argc - 1 : 0;
		invocation.words = argv + 1;
	} else if (argc < 2) {
		return help(stderr);
	} else {
		command = argv[1];
		invocation.words = argv + 2;
		/* Take -c FILE out, wherever it stands; sendmail has no -c. */
		for (int i = 2; i < argc; i++) {
			if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
				invocation.config = argv[++i];
			else
				invocation.words[invocation.count++] = argv[i];
		}
	}
	if (strcmp(command, "role") == 0)
		return role(&invocation);
	if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0)
		return invocation.count > 0 ? help_with(invocation.words[0]) : help(stdout);
	if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0)
		return printf("postroad %s\n", POSTROAD_VERSION) > 0 ? EX_OK : EX_IOERR;
	return run(command, &invocation);
}
