/* The libunbound engine against a real name server: NSD on a free loopback port, with a plain zone, a
 * signed one, and one whose signatures are missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "dns/dns.h"

struct world {
	char folder[64];
	unsigned port;
	pid_t nsd;
	struct loop *loop;
	char server[64], anchor[128], config[128];
};

/* -- Files and children --------------------------------------------------------- */

static FILE *create(const struct world *world, const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", world->folder, name);
	FILE *file = fopen(path, "w");

	must(file != NULL);
	return file;
}

/* A child in the test's folder, whose stdout and stderr come through *out_fd. */
static pid_t spawn(const char *folder, char *const argv[], int *out_fd)
{
	int fds[2];

	must(pipe2(fds, O_CLOEXEC) == 0);
	const pid_t child = fork();

	must(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* No server outlives a test that crashed. */
		if (chdir(folder) == 0 && dup2(fds[1], STDOUT_FILENO) >= 0 && dup2(fds[1], STDERR_FILENO) >= 0)
			execvp(argv[0], argv);
		_exit(127);
	}
	close(fds[1]);
	*out_fd = fds[0];
	return child;
}

/* Run to the end; its output, without the last newline, into `room`. */
static void run(const struct world *world, char *const argv[], char room[512])
{
	int fd, status;
	const pid_t child = spawn(world->folder, argv, &fd);
	FILE *output = fdopen(fd, "r");
	const size_t length = fread(room, 1, 511, output);

	room[length] = '\0';
	if (length > 0 && room[length - 1] == '\n')
		room[length - 1] = '\0';
	fclose(output);
	must(waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fprintf(stderr, "%s: %s\n", argv[0], room);
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static unsigned free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
	must(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* -- Zones ---------------------------------------------------------------------------- */

static const char soa[] = "$TTL 600\n@ SOA ns.plain.test. root.plain.test. 1 3600 600 86400 300\n@ NS ns.plain.test.\n";

static void write_zones(const struct world *world)
{
	FILE *zone = create(world, "plain.zone");

	fprintf(zone,
	    "%sns A 127.0.0.1\n"
	    "@ MX 10 Mx1\n@ MX 20 mx2.plain.test.\n"
	    "@ TXT \"v=spf1 \" \"-all\"\n@ TXT \"other\"\n"
	    "mx1 A 192.0.2.1\nmx1 AAAA 2001:db8::1\nmx2 A 192.0.2.2\n"
	    "null MX 0 .\n"
	    "www CNAME Web\nweb CNAME mx1\nlost CNAME absent\n"
	    "under_score._x TXT \"yes\"\n",
	    soa);
	for (int i = 1; i <= 120; i++)
		fprintf(zone, "many A 198.51.100.%d\n", i);
	fclose(zone);

	zone = create(world, "reverse.zone");
	fprintf(zone, "%s1 PTR mx1.plain.test.\n", soa);
	fclose(zone);

	for (int i = 0; i < 2; i++) {
		zone = create(world, i == 0 ? "signed.zone" : "bogus.zone");
		fprintf(zone, "%s@ MX 10 mx\nmx A 192.0.2.3\n_25._tcp.mx TLSA 3 1 1 %s\n", soa,
		    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
		fclose(zone);
	}
}

/* Signs signed.test, and makes a trust anchor for it, and of the same key for bogus.test. */
static void sign(const struct world *world)
{
	char key[512], path[600], line[1024], quiet[512];
	char *const keygen[] = { "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "signed.test", NULL };

	run(world, keygen, key);
	char *const signzone[] = { "ldns-signzone", "-o", "signed.test", "-f", "signed.zone", "signed.zone", key, NULL };

	run(world, signzone, quiet);
	snprintf(path, sizeof path, "%s/%s.key", world->folder, key);
	FILE *from = fopen(path, "r");

	must(from != NULL && fgets(line, sizeof line, from) != NULL);
	fclose(from);
	const char *rest = strchr(line, '.'); /* "signed.test. IN DNSKEY ..." */
	FILE *to = create(world, "anchors");

	must(rest != NULL);
	fprintf(to, "%sbogus%s", line, rest);
	fclose(to);
}

static void write_config(const struct world *world)
{
	static const char *const zones[][2] = { { "plain.test", "plain.zone" }, { "signed.test", "signed.zone" },
		{ "bogus.test", "bogus.zone" }, { "2.0.192.in-addr.arpa", "reverse.zone" } };
	FILE *config = create(world, "nsd.conf");

	fprintf(config,
	    "server:\n ip-address: 127.0.0.1\n port: %u\n username: \"\"\n chroot: \"\"\n server-count: 1\n"
	    " zonesdir: \"%s\"\n pidfile: \"nsd.pid\"\n xfrdfile: \"xfrd.state\"\n xfrdir: \"%s\"\n"
	    " zonelistfile: \"zone.list\"\n database: \"\"\n rrl-ratelimit: 0\n"
	    "remote-control:\n control-enable: no\n",
	    world->port, world->folder, world->folder);
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		fprintf(config, "zone:\n name: \"%s\"\n zonefile: \"%s\"\n", zones[i][0], zones[i][1]);
	fclose(config);

	config = create(world, "unbound.conf");
	fprintf(config,
	    "server:\n do-not-query-localhost: no\n local-zone: \"test.\" nodefault\n trust-anchor-file: \"%s\"\n"
	    "forward-zone:\n name: \".\"\n forward-addr: %s\n",
	    world->anchor, world->server);
	fclose(config);
}

/* Until it says that it has its sockets; then what comes from its pipe is left unread. */
static void await_start(int fd)
{
	char line[512];
	FILE *output = fdopen(dup(fd), "r");

	bool started = false;

	while (!started && fgets(line, sizeof line, output) != NULL)
		started = strstr(line, "nsd started") != NULL;
	fclose(output);
	must(started);
}

static int set_up(void **state)
{
	static struct world world;
	char *const nsd[] = { "nsd", "-d", "-c", "nsd.conf", NULL };
	int fd;

	snprintf(world.folder, sizeof world.folder, "/tmp/postroad-dns-XXXXXX");
	must(mkdtemp(world.folder) != NULL);
	world.port = free_port();
	snprintf(world.server, sizeof world.server, "127.0.0.1@%u", world.port);
	snprintf(world.anchor, sizeof world.anchor, "%s/anchors", world.folder);
	snprintf(world.config, sizeof world.config, "%s/unbound.conf", world.folder);
	write_zones(&world);
	sign(&world);
	write_config(&world);
	world.nsd = spawn(world.folder, nsd, &fd);
	await_start(fd);
	world.loop = loop_new();
	must(world.loop != NULL);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	char quiet[512];
	char *const remove[] = { "rm", "-rf", world->folder, NULL };

	kill(world->nsd, SIGTERM);
	waitpid(world->nsd, NULL, 0);
	run(&(struct world){ .folder = "/" }, remove, quiet);
	loop_free(world->loop);
	return 0;
}

/* -- Questions ------------------------------------------------------------------------------ */

static const struct row {
	const char *name;
	enum dns_type type;
	const char *want;
} rows[] = {
	{ "Plain.test", DNS_MX, "found plain.test 10/mx1.plain.test 20/mx2.plain.test" },
	{ "plain.test.", DNS_TXT, "found plain.test 'other' 'v=spf1 -all'" },
	{ "plain.test", DNS_A, "nodata plain.test" },
	{ "absent.plain.test", DNS_MX, "nxdomain absent.plain.test" },
	{ "mx1.plain.test", DNS_AAAA, "found mx1.plain.test 2001:db8::1" },
	{ "www.plain.test", DNS_A, "found mx1.plain.test 192.0.2.1" },
	{ "null.plain.test", DNS_MX, "found null.plain.test 0/" },
	{ "under_score._x.plain.test", DNS_TXT, "found under_score._x.plain.test 'yes'" },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, "found 1.2.0.192.in-addr.arpa mx1.plain.test" },
	{ "signed.test", DNS_MX, "found secure signed.test 10/mx.signed.test" },
	{ "_25._tcp.mx.signed.test", DNS_TLSA, "found secure _25._tcp.mx.signed.test 35 bytes" },
	{ "_25._tcp.absent.signed.test", DNS_TLSA, "nxdomain secure _25._tcp.absent.signed.test" },
	{ "mx.signed.test", DNS_AAAA, "nodata secure mx.signed.test" },
	{ "mx.bogus.test", DNS_A, "bogus" },
	{ "refused.example", DNS_A, "servfail refused.example" },
	{ "a\tlabel\tthat\tis\tnot\tone", DNS_A, "nxdomain " },
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

struct question {
	struct loop *loop;
	struct dns_query *query;
	const struct row *row;
	char parts[8][128];
	char got[1024];
	uint32_t record_count, ttl_s;
	int *open;
	bool asking;
};

static void describe_record(struct question *question, const struct dns_record *record, char part[128])
{
	char ip[ENDPOINT_TEXT_MAX];

	switch (question->row->type) {
	case DNS_A:
	case DNS_AAAA:
		snprintf(part, 128, " %s", endpoint_print_ip(&record->address, ip).bytes);
		break;
	case DNS_MX:
		snprintf(part, 128, " %u/%.*s", record->preference, TEXT_FORMAT(record->name));
		break;
	case DNS_PTR:
		snprintf(part, 128, " %.*s", TEXT_FORMAT(record->name));
		break;
	case DNS_TXT:
		snprintf(part, 128, " '%.*s'", TEXT_FORMAT(record->data));
		break;
	case DNS_TLSA:
		snprintf(part, 128, " %zu bytes", record->data.length);
		break;
	}
}

static int compare_parts(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Records sorted, since servers turn them round. */
static void answered(void *context, const struct dns_answer *answer)
{
	static const char *const words[] = { "found", "nodata", "nxdomain", "servfail", "timeout", "bogus" };
	struct question *question = context;
	const size_t count = answer->record_count < 8 ? answer->record_count : 8;

	assert_false(question->asking);
	for (size_t i = 0; i < count; i++)
		describe_record(question, &answer->records[i], question->parts[i]);
	qsort(question->parts, count, sizeof *question->parts, compare_parts);
	int used = snprintf(question->got, sizeof question->got, "%s", words[answer->status]);

	if (answer->status != DNS_BOGUS)
		used += snprintf(question->got + used, 600, "%s %.*s", answer->secure ? " secure" : "",
		    TEXT_FORMAT(answer->canonical));
	for (size_t i = 0; i < count && count < 8; i++)
		used += snprintf(question->got + used, 128, "%s", question->parts[i]);
	question->record_count = answer->record_count;
	question->ttl_s = answer->ttl_s;
	question->query = NULL;
	if (--*question->open == 0)
		loop_stop(question->loop);
}

static void ask(struct question *question, struct dns *dns, struct loop *loop, const struct row *row, int *open)
{
	*question = (struct question){ .loop = loop, .row = row, .open = open, .asking = true };
	question->query = dns_ask(dns, text_of(row->name), row->type, answered, question);
	question->asking = false;
	assert_non_null(question->query);
}

static struct dns *resolver(const struct world *world, bool by_config)
{
	const struct text server = text_of(world->server);
	const struct dns_settings by_server = {
		.servers = &server, .server_count = 1, .trust_anchor = text_of(world->anchor)
	};
	const struct dns_settings by_file = { .config = text_of(world->config) };
	const char *reason = "";
	struct dns *dns = dns_unbound_new(world->loop, by_config ? &by_file : &by_server, &reason);

	if (dns == NULL)
		fprintf(stderr, "%s\n", reason);
	must(dns != NULL);
	return dns;
}

static void every_row_is_answered(void **state)
{
	const struct world *world = *state;
	struct dns *dns = resolver(world, false);
	static struct question questions[ROW_COUNT];
	int open = ROW_COUNT;

	for (size_t i = 0; i < ROW_COUNT; i++)
		ask(&questions[i], dns, world->loop, &rows[i], &open);
	loop_run(world->loop);
	for (size_t i = 0; i < ROW_COUNT; i++)
		assert_string_equal(questions[i].got, rows[i].want);
	assert_in_range(questions[0].ttl_s, 1, 600);
	dns_free(dns);
}

static void a_config_file_alone_will_do(void **state)
{
	const struct world *world = *state;
	struct dns *dns = resolver(world, true);
	static struct question questions[2];
	int open = 2;

	ask(&questions[0], dns, world->loop, &rows[0], &open);
	ask(&questions[1], dns, world->loop, &rows[9], &open);
	loop_run(world->loop);
	assert_string_equal(questions[0].got, rows[0].want);
	assert_string_equal(questions[1].got, rows[9].want);
	dns_free(dns);
}

static void records_are_bounded(void **state)
{
	static const struct row row = { "many.plain.test", DNS_A, "" };
	const struct world *world = *state;
	struct dns *dns = resolver(world, false);
	static struct question question;
	int open = 1;

	ask(&question, dns, world->loop, &row, &open);
	loop_run(world->loop);
	assert_int_equal(question.record_count, DNS_RECORD_MAX); /* Of 120, which came by TCP. */
	dns_free(dns);
}

static void cancelled_questions_stay_silent(void **state)
{
	const struct world *world = *state;
	struct dns *dns = resolver(world, false);
	static struct question questions[4];
	int open = 2;

	for (size_t i = 0; i < 4; i++)
		ask(&questions[i], dns, world->loop, &rows[i], &open);
	dns_cancel(questions[0].query);
	dns_cancel(questions[2].query);
	loop_run(world->loop);
	assert_string_equal(questions[0].got, "");
	assert_string_equal(questions[1].got, rows[1].want);
	assert_string_equal(questions[2].got, "");
	assert_string_equal(questions[3].got, rows[3].want);
	dns_free(dns);
}

static void open_questions_end_with_their_resolver(void **state)
{
	const struct world *world = *state;
	struct dns *dns = resolver(world, false);
	static struct question questions[2];
	int open = 2;

	ask(&questions[0], dns, world->loop, &rows[0], &open);
	ask(&questions[1], dns, world->loop, &rows[15], &open);
	dns_free(dns);
	assert_int_equal(open, 2);
}

static void bad_settings_are_refused(void **state)
{
	const struct world *world = *state;
	const struct text name = TEXT("localhost"), port = TEXT("127.0.0.1@0"), odd = TEXT("127.0.0.1:53");
	const struct text nothing = TEXT("/nonexistent"), server = text_of(world->server);
	const struct text zone = TEXT("/etc/passwd");
	const struct dns_settings bad[] = {
		{ .servers = &name, .server_count = 1 },
		{ .servers = &port, .server_count = 1 },
		{ .servers = &odd, .server_count = 1 },
		{ .servers = &server, .server_count = 1, .trust_anchor = nothing },
		{ .servers = &server, .server_count = 1, .trust_anchor = zone },
		{ .config = nothing },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *reason = NULL;

		assert_null(dns_unbound_new(world->loop, &bad[i], &reason));
		assert_non_null(reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_answered),
		cmocka_unit_test(a_config_file_alone_will_do),
		cmocka_unit_test(records_are_bounded),
		cmocka_unit_test(cancelled_questions_stay_silent),
		cmocka_unit_test(open_questions_end_with_their_resolver),
		cmocka_unit_test(bad_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
