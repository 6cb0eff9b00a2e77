#include "ctl/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/buffer.h"
#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/offline.h"
#include "ctl/usage.h"
#include "ctl/verify.h"

enum { ARENA_BYTES_MAX = 64 << 20, PRINTED_MAX = 4096 };

static const char *const severity_words[] = { [DOCTOR_FINE] = "fine", [DOCTOR_NOTE] = "note", [DOCTOR_WARNING] = "warning",
	[DOCTOR_ERROR] = "error" };

/* -- Findings ---------------------------------------------------------------------------- */

const char *doctor_print(struct doctor *doctor, const char *format, ...)
{
	char room[PRINTED_MAX];
	struct text text;
	va_list list;

	va_start(list, format);
	vsnprintf(room, sizeof room, format, list);
	va_end(list);
	return arena_print(doctor->arena, &text, "%s", room) ? text.bytes : "";
}

void doctor_find(struct doctor *doctor, enum severity severity, const char *subject, const char *meaning, const char *mend)
{
	json_t *finding = json_pack("{s:s, s:s, s:s}", "severity", severity_words[severity], "about", subject, "finding", meaning);

	if (mend != NULL)
		json_object_set_new(finding, "mend", json_string(mend));
	json_array_append_new(doctor->findings, finding);
	if (severity > doctor->worst)
		doctor->worst = severity;
}

static void print_findings(const struct doctor *doctor)
{
	const json_t *finding;
	size_t i, counts[4] = { 0 };

	json_array_foreach (doctor->findings, i, finding) {
		const char *word = ctl_string(finding, "severity", "");
		const char *mend = ctl_string(finding, "mend", NULL);

		for (size_t k = 0; k < 4; k++)
			counts[k] += strcmp(word, severity_words[k]) == 0;
		printf("%-8s %s: %s\n", word, ctl_string(finding, "about", ""), ctl_string(finding, "finding", ""));
		if (mend != NULL)
			printf("         %s\n", mend);
	}
	printf("%zu fine, %zu notes, %zu warnings, %zu errors\n", counts[DOCTOR_FINE], counts[DOCTOR_NOTE], counts[DOCTOR_WARNING],
	    counts[DOCTOR_ERROR]);
}

/* -- The DNS ------------------------------------------------------------------------------- */

struct asking {
	struct doctor *doctor;
	struct dns_answer answer;
};

static void keep(void *context, const struct dns_answer *answer)
{
	struct asking *asking = context;
	struct dns_record *records = arena_array(asking->doctor->arena, answer->record_count, sizeof *records);

	asking->answer = *answer;
	asking->answer.canonical = TEXT_EMPTY;
	asking->answer.record_count = 0;
	for (uint32_t i = 0; records != NULL && i < answer->record_count; i++) {
		records[i] = answer->records[i];
		if (!arena_copy(asking->doctor->arena, answer->records[i].name, &records[i].name) ||
		    !arena_copy(asking->doctor->arena, answer->records[i].data, &records[i].data))
			break;
		asking->answer.record_count = i + 1;
	}
	asking->answer.records = records;
	loop_stop(asking->doctor->loop);
}

struct dns_answer doctor_ask(struct doctor *doctor, struct text name, enum dns_type type)
{
	struct asking asking = { .doctor = doctor, .answer = { .status = DNS_SERVFAIL } };

	if (dns_ask(doctor->dns, name, type, keep, &asking) != NULL)
		loop_run(doctor->loop);
	return asking.answer;
}

/* -- All of it -------------------------------------------------------------------------------- */

static bool server_runs(const struct conf *conf)
{
	struct ctl_client *client;

	if (ctl_client_open(conf->control, &client) != OK)
		return false;
	ctl_client_close(client);
	return true;
}

static void look(struct doctor *doctor)
{
	doctor_look_at_files(doctor);
	doctor_look_at_ports(doctor);
	doctor_look_at_certificates(doctor);
	doctor_look_at_disk(doctor);
	doctor_look_at_clock(doctor);
	doctor_look_at_names(doctor);
	doctor_look_at_pools(doctor);
	doctor_look_at_webhooks(doctor);
	if (doctor->dns == NULL)
		return;
	doctor_look_at_host(doctor);
	doctor_look_at_domains(doctor);
	doctor_look_at_keys(doctor);
	doctor_look_at_reach(doctor);
}

/* Policies are fetched as a server fetches them. NULL: nothing can be. */
static struct web *open_web(struct doctor *doctor)
{
	struct tls_client *client = NULL;
	struct text complaint;
	struct web *web = doctor->dns != NULL ? web_new(doctor->loop) : NULL;

	if (web == NULL)
		return NULL;
	web_set_dns(web, doctor->dns);
	if (tls_client_new(doctor->conf->tls.authorities, doctor->arena, &client, &complaint) == OK)
		web_set_tls(web, client);
	tls_client_unref(client);
	return web;
}

static void examine(struct doctor *doctor, const struct doctor_patient *patient)
{
	const char *reason = "out of memory";

	if (patient->conf == NULL) {
		doctor_find(doctor, DOCTOR_ERROR, "configuration", patient->complaints, "postroad check tells the same; see postroad.conf(5)");
		return;
	}
	doctor_find(doctor, DOCTOR_FINE, "configuration", doctor_print(doctor, "%s is right", patient->conf->path), NULL);
	doctor->runs = server_runs(patient->conf);
	if (doctor->runs)
		doctor_find(doctor, DOCTOR_FINE, "server", "it runs", NULL);
	else
		doctor_find(doctor, DOCTOR_WARNING, "server", "nobody answers at the control socket: it does not run, or you may not ask it",
		    "systemctl start postroad, or postroad serve; ask as root");
	doctor->dns = verify_resolver(patient->conf, "", doctor->loop, &reason);
	if (doctor->dns == NULL)
		doctor_find(doctor, DOCTOR_ERROR, "DNS", doctor_print(doctor, "it cannot be asked: %s", reason), "see dns in postroad.conf(5)");
	doctor->web = open_web(doctor);
	look(doctor);
}

static bool read_words(struct doctor *doctor, int count, char **words, bool *out_json)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(words[i], "--json") == 0)
			*out_json = true;
		else if (strcmp(words[i], "--reach") == 0 && i + 1 < count)
			doctor->reach = words[++i];
		else
			return false;
	}
	return true;
}

int ctl_doctor(const struct doctor_patient *patient, int count, char **words)
{
	struct doctor doctor = { .conf = patient->conf, .router = patient->router, .names = patient->names, .arena = arena_new(ARENA_BYTES_MAX), .loop = loop_new(), .now_s = time(NULL),
		.findings = json_array() };
	bool as_json = false, right = read_words(&doctor, count, words, &as_json);
	int code = EX_OSERR;

	if (!right)
		code = ctl_usage("doctor");
	if (right && doctor.arena != NULL && doctor.loop != NULL) {
		examine(&doctor, patient);
		ctl_make_printable(doctor.findings);
		if (as_json)
			ctl_print_json(doctor.findings);
		else
			print_findings(&doctor);
		code = doctor.worst == DOCTOR_ERROR ? 2 : doctor.worst == DOCTOR_WARNING ? 1 : 0;
	}
	if (doctor.web != NULL)
		web_free(doctor.web);
	if (doctor.dns != NULL)
		dns_free(doctor.dns);
	if (doctor.loop != NULL)
		loop_free(doctor.loop);
	arena_free(doctor.arena);
	json_decref(doctor.findings);
	return code;
}
