/* postroad reports FILE|MAILDIR ...: what the reports of others say about our domains. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buffer.h"
#include "ctl/ask.h"
#include "ctl/offline.h"
#include "ctl/progress.h"
#include "ctl/usage.h"
#include "mail/date.h"
#include "reports/findings.h"

enum { FILE_BYTES_MAX = 64 << 20, PIECE = 64 << 10, PATH_BYTES = 4096, ORGANIZATIONS_SHOWN = 5, ROWS_SHOWN = 50 };

/* -- Files ---------------------------------------------------------------------------------------------- */

struct reader {
	struct findings *findings;
	unsigned long files, others; /* The latter hold no report. */
	struct progress progress;
	bool failed;
};

static bool fail(struct reader *reader, const char *path, const char *why)
{
	progress_end(&reader->progress);
	fprintf(stderr, "postroad: %s: %s\n", path, why);
	reader->failed = true;
	return false;
}

/* All of it. A stranger's mail may lie there: a pipe or a device is none. */
static bool slurp(struct reader *reader, int fd, const char *path, struct buffer *out)
{
	struct stat status;
	ssize_t got = 1;

	if (fd < 0 || fstat(fd, &status) != 0)
		return fail(reader, path, strerror(errno));
	if (fd != STDIN_FILENO && !S_ISREG(status.st_mode))
		return fail(reader, path, "no file");
	while (got > 0) {
		char *room = buffer_reserve(out, PIECE);

		if (room == NULL)
			return fail(reader, path, "too large");
		got = read(fd, room, PIECE);
		if (got > 0)
			buffer_added(out, (size_t)got);
	}
	return got == 0 || fail(reader, path, strerror(errno));
}

static bool read_file(struct reader *reader, const char *path, bool must_hold_one)
{
	const bool is_stdin = strcmp(path, "-") == 0;
	const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const struct text name = text_is_utf8(text_of(path)) ? text_of(path) : TEXT("(a name that is not UTF-8)");
	struct buffer bytes;
	size_t found = 0;
	bool ok;

	buffer_init(&bytes, FILE_BYTES_MAX);
	ok = slurp(reader, fd, path, &bytes);
	if (ok && !findings_file(reader->findings, name, buffer_text(&bytes), &found))
		ok = fail(reader, path, "out of memory");
	else if (ok && found == 0 && must_hold_one)
		ok = fail(reader, path, "it holds no report");
	reader->files++;
	progress_show(&reader->progress, reader->files);
	reader->others += ok && found == 0;
	buffer_done(&bytes);
	if (fd >= 0 && !is_stdin)
		close(fd);
	return ok;
}

/* Every file in it; false if there is no such folder. */
static bool read_folder(struct reader *reader, const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	char name[PATH_BYTES];

	if (folder == NULL)
		return false;
	while ((entry = readdir(folder)) != NULL) {
		struct stat status;

		if (entry->d_name[0] == '.' || snprintf(name, sizeof name, "%s/%s", path, entry->d_name) >= (int)sizeof name)
			continue;
		if (stat(name, &status) == 0 && S_ISREG(status.st_mode))
			(void)read_file(reader, name, false);
	}
	closedir(folder);
	return true;
}

/* A Maildir, or a folder with files. */
static void read_path(struct reader *reader, const char *path)
{
	char part[PATH_BYTES];
	struct stat status;
	bool is_maildir = false;

	if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
		(void)read_file(reader, path, true);
		return;
	}
	snprintf(part, sizeof part, "%s/new", path);
	is_maildir |= read_folder(reader, part);
	snprintf(part, sizeof part, "%s/cur", path);
	is_maildir |= read_folder(reader, part);
	if (!is_maildir && !read_folder(reader, path))
		(void)fail(reader, path, strerror(errno));
}

/* -- What they say ------------------------------------------------------------------------------------------ */

/* ", "-separated; at most so many. */
static void print_names(const json_t *list, size_t most)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (i == most) {
			printf(" and %zu more", json_array_size(list) - most);
			return;
		}
		printf("%s%s", i > 0 ? ", " : "", json_string_value(item));
	}
}

/* "3 reports of google.com, 2026-11-24 to 2026-11-25" */
static void print_title(const char *what, const json_t *domain)
{
	const long long reports = ctl_number(domain, "reports");

	printf("%s %s: %lld report%s of ", what, ctl_string(domain, "domain", "?"), reports, reports == 1 ? "" : "s");
	print_names(json_object_get(domain, "organizations"), ORGANIZATIONS_SHOWN);
	printf(", %.10s to %.10s\n", ctl_string(domain, "begin", "?"), ctl_string(domain, "end", "?"));
}

static void print_more(const json_t *list)
{
	if (json_array_size(list) > ROWS_SHOWN)
		printf("  and %zu more (--json shows all)\n", json_array_size(list) - ROWS_SHOWN);
}

static void print_source(const json_t *source, const char *ip)
{
	const json_t *reasons = json_object_get(source, "reasons");

	printf("  %9lld %9lld %9lld %9lld %10lld %9lld  %s", ctl_number(source, "messages"), ctl_number(source, "passed"),
	    ctl_number(source, "spf_aligned"), ctl_number(source, "dkim_aligned"), ctl_number(source, "quarantine"), ctl_number(source, "reject"), ip);
	if (json_array_size(reasons) > 0) {
		fputs(" (", stdout);
		print_names(reasons, ORGANIZATIONS_SHOWN);
		putchar(')');
	}
	putchar('\n');
}

static void print_dmarc(const json_t *domain)
{
	const json_t *sources = json_object_get(domain, "sources"), *source;
	size_t i;

	print_title("DMARC of", domain);
	printf("  policy p=%s%s%s\n", ctl_string(domain, "p", "?"), ctl_string(domain, "sp", "")[0] ? " sp=" : "",
	    ctl_string(domain, "sp", ""));
	puts("   messages    passed       SPF      DKIM quarantine    reject  from");
	json_array_foreach (sources, i, source)
		if (i < ROWS_SHOWN)
			print_source(source, ctl_string(source, "ip", "?"));
	print_more(sources);
	print_source(domain, "all");
}

static void print_failure(const json_t *failure)
{
	static const char *const words[] = { "result", "mx", "mx_ip", "reason" };

	printf("  %9lld", ctl_number(failure, "sessions"));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (ctl_string(failure, words[i], "")[0] != '\0')
			printf(" %s", ctl_string(failure, words[i], ""));
	putchar('\n');
}

static void print_tls(const json_t *domain)
{
	const json_t *policy, *failure, *failures;
	size_t i, k;

	print_title("TLS with the mail hosts of", domain);
	json_array_foreach (json_object_get(domain, "policies"), i, policy) {
		printf("  policy %s: %lld sessions succeeded, %lld failed\n", ctl_string(policy, "type", "?"), ctl_number(policy, "succeeded"),
		    ctl_number(policy, "failed"));
		failures = json_object_get(policy, "failures");
		json_array_foreach (failures, k, failure) {
			if (k == ROWS_SHOWN)
				break;
			print_failure(failure);
		}
		print_more(failures);
	}
}

static void print_sum(const json_t *sum, const struct reader *reader)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(sum, "dmarc"), i, item)
		print_dmarc(item);
	json_array_foreach (json_object_get(sum, "tls"), i, item)
		print_tls(item);
	printf("%lld reports in %lu files, %lld copies of them, %lu files without a report\n", ctl_number(sum, "reports"), reader->files,
	    ctl_number(sum, "repeated"), reader->others);
	if (ctl_number(sum, "left_out") > 0)
		printf("%lld others are left out\n", ctl_number(sum, "left_out"));
	if (ctl_number(sum, "overflow") > 0)
		printf("%lld sources or failures had no room\n", ctl_number(sum, "overflow"));
	json_array_foreach (json_object_get(sum, "unreadable"), i, item)
		fprintf(stderr, "postroad: %s: %s\n", ctl_string(item, "file", "?"), ctl_string(item, "reason", "?"));
}

static int finish(struct reader *reader, json_t *sum, bool as_json)
{
	const bool unreadable = json_array_size(json_object_get(sum, "unreadable")) > 0;

	if (sum == NULL) {
		fputs("postroad: out of memory\n", stderr);
		return EX_OSERR;
	}
	if (as_json) {
		ctl_print_json(sum);
	} else {
		ctl_make_printable(sum);
		print_sum(sum, reader);
	}
	return reader->failed ? EX_NOINPUT : unreadable ? EX_DATAERR : EX_OK;
}

bool ctl_reports_reads(int count, char **words)
{
	const bool is_other = count > 0 && (strcmp(words[0], "list") == 0 || strcmp(words[0], "send") == 0);

	for (int i = 0; i < count; i++) {
		if (strncmp(words[i], "--", 2) != 0)
			return !is_other;
		i += strcmp(words[i], "--domain") == 0 || strcmp(words[i], "--since") == 0;
	}
	return false;
}

/* "2026-11-25", in UTC. */
static bool read_day(const char *word, int64_t *out_s)
{
	char moment[sizeof "2026-11-25T00:00:00Z"];
	int64_t ms;

	if (strlen(word) != strlen("2026-11-25"))
		return false;
	snprintf(moment, sizeof moment, "%sT00:00:00Z", word);
	if (!date_parse_rfc3339(text_of(moment), &ms))
		return false;
	*out_s = ms / 1000;
	return true;
}

struct options {
	bool json;
	const char *domain;
	int64_t since_s;
	int path_count;
};

/* The words that are paths come first then. False: one is no option. */
static bool read_options(int count, char **words, struct options *options)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(words[i], "--json") == 0)
			options->json = true;
		else if (strcmp(words[i], "--domain") == 0 && i + 1 < count)
			options->domain = words[++i];
		else if (strcmp(words[i], "--since") == 0 && i + 1 < count && read_day(words[i + 1], &options->since_s))
			i++;
		else if (strncmp(words[i], "--", 2) == 0)
			return false;
		else
			words[options->path_count++] = words[i];
	}
	return true;
}

int ctl_reports_read(int count, char **words)
{
	struct options options = { .domain = "" };
	struct reader reader = { .findings = findings_new(), .progress = progress_begin("files", 0) };
	json_t *sum;
	int code;

	if (!read_options(count, words, &options)) {
		ctl_usage("reports");
		findings_free(reader.findings);
		return EX_USAGE;
	}
	if (reader.findings == NULL) {
		fputs("postroad: out of memory\n", stderr);
		return EX_OSERR;
	}
	findings_limit(reader.findings, text_of(options.domain), options.since_s);
	for (int i = 0; i < options.path_count; i++)
		read_path(&reader, words[i]);
	progress_end(&reader.progress);
	sum = findings_sum(reader.findings);
	code = finish(&reader, sum, options.json);
	json_decref(sum);
	findings_free(reader.findings);
	return code;
}
