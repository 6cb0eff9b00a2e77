/* MTA-STS as others see it (RFC 8461): the record, the policy that they fetch, and whether mail comes here by it. */
#include <stdio.h>
#include <string.h>

#include "ctl/doctor.h"
#include "route/sts_check.h"

enum { FETCH_MS = 10000, DAY_S = 86400, POLICY_BYTES_MAX = 32 << 10 };

struct fetching {
	struct doctor *doctor;
	struct sts_check *check;
};

static void fetched(void *context, const struct https_response *response)
{
	const struct fetching *fetching = context;

	sts_check_policy(fetching->check, response);
	loop_stop(fetching->doctor->loop);
}

static void fetch(struct doctor *doctor, struct sts_check *check, const char *url)
{
	const struct https_order order = { .url = text_of(url), .response_bytes_max = STS_POLICY_BYTES_MAX, .time_ms_max = FETCH_MS };
	const struct https_response none = { .end = HTTPS_UNREACHABLE, .trouble = TEXT("nothing can be fetched here") };
	struct fetching fetching = { doctor, check };

	if (doctor->web != NULL && web_ask(doctor->web, &order, fetched, &fetching) != NULL)
		loop_run(doctor->loop);
	else
		sts_check_policy(check, &none);
}

/* Of what web serves; with CONF_STS_OFF of what it is best to begin with. */
static const char *id_of_ours(struct doctor *doctor)
{
	struct conf_sts sts = conf_sts_of(doctor->conf);
	char room[CONF_STS_ID_SIZE] = "1";
	struct buffer policy;

	buffer_init(&policy, POLICY_BYTES_MAX);
	if (sts.mode == CONF_STS_OFF)
		sts.mode = CONF_STS_TESTING;
	if (conf_sts_print(&sts, &policy))
		conf_sts_id(buffer_text(&policy), room);
	buffer_done(&policy);
	return doctor_print(doctor, "%s", room);
}

/* An id that we make of a policy tells which one it is of. */
static bool is_made_of_a_policy(struct text id)
{
	size_t digits = 0;

	while (digits < id.length && strchr("0123456789abcdef", id.bytes[digits]) != NULL)
		digits++;
	return digits == id.length && digits == CONF_STS_ID_SIZE - 1;
}

/* The first mail host that the policy keeps mail from; empty: none. */
static struct text find_left_out(struct doctor *doctor, const struct sts_policy *policy, struct text domain)
{
	const struct dns_answer answer = doctor_ask(doctor, domain, DNS_MX);

	for (uint32_t i = 0; i < answer.record_count; i++)
		if (!sts_policy_allows(policy, answer.records[i].name))
			return answer.records[i].name;
	return TEXT_EMPTY;
}

/* Is what is fetched what web serves? */
static bool is_ours(struct doctor *doctor, const struct sts_policy *policy)
{
	const struct conf_sts sts = conf_sts_of(doctor->conf);
	struct sts_policy ours;
	struct buffer text;
	const char *why;

	buffer_init(&text, POLICY_BYTES_MAX);
	const bool same = conf_sts_print(&sts, &text) && sts_policy_parse(buffer_text(&text), doctor->arena, &ours, &why) == OK &&
	    sts_policy_equal(policy, &ours);

	buffer_done(&text);
	return same;
}

static void judge(struct doctor *doctor, const struct sts_policy *policy, struct text id, struct text domain, const char *subject)
{
	const bool serves = conf_sts_of(doctor->conf).mode != CONF_STS_OFF;
	const enum severity severity = policy->mode == STS_ENFORCE ? DOCTOR_ERROR : DOCTOR_WARNING;
	const struct text left_out = find_left_out(doctor, policy, domain);
	const char *our_id = id_of_ours(doctor);

	if (policy->mode != STS_NONE && left_out.length > 0)
		doctor_find(doctor, severity, subject,
		    doctor_print(doctor, "it does not name %.*s, which is in the MX records: %s", TEXT_FORMAT(left_out),
			policy->mode == STS_ENFORCE ? "who follows it sends nothing there" : "once it is enforced nothing is sent there"),
		    "let it name all hosts of the MX records (mta-sts-mx of web), and give the record another id");
	else if (policy->mode != STS_NONE && doctor->conf->tls.certificate_count == 0)
		doctor_find(doctor, severity, subject, "it demands TLS, and this server has no certificate", "see tls in postroad.conf(5)");
	else if (serves && !is_ours(doctor, policy))
		doctor_find(doctor, DOCTOR_WARNING, subject, "it is not the one that this server has in its configuration",
		    doctor_print(doctor, "let mta-sts.%.*s lead to web of this server; postroad reload", TEXT_FORMAT(domain)));
	else if (serves && is_made_of_a_policy(id) && !text_equal(id, text_of(our_id)))
		doctor_find(doctor, DOCTOR_WARNING, subject, "it has changed since its record was published: who knows the older one keeps to that",
		    doctor_print(doctor, "publish: _mta-sts.%.*s. IN TXT \"v=STSv1; id=%s\"", TEXT_FORMAT(domain), our_id));
	else
		doctor_find(doctor, DOCTOR_FINE, subject,
		    doctor_print(doctor, "%s for %.*s, kept for %u days", sts_mode_word(policy->mode),
			TEXT_FORMAT(policy->patterns.length > 0 ? policy->patterns : TEXT("no host")), policy->max_age_s / DAY_S), NULL);
}

static void look_at_policy(struct doctor *doctor, const struct text *records, size_t count, struct text domain)
{
	const char *url = doctor_print(doctor, "https://mta-sts.%.*s/.well-known/mta-sts.txt", TEXT_FORMAT(domain));
	const char *subject = doctor_print(doctor, "policy %s", url);
	struct sts_check check;

	sts_check_begin(&check, NULL, STS_FOR_MAIL, doctor->now_s * 1000, doctor->arena);
	sts_check_record(&check, records, count);
	if (check.question == STS_ASK_POLICY)
		fetch(doctor, &check, url);
	const struct sts_policy *policy = sts_check_result(&check);

	if (policy != NULL)
		judge(doctor, policy, check.id, domain, subject);
	else
		doctor_find(doctor, DOCTOR_WARNING, subject,
		    doctor_print(doctor, "it is announced, and cannot be had: %.*s", TEXT_FORMAT(check.memory.trouble)),
		    doctor_print(doctor,
			"let mta-sts.%.*s lead to port 443 of who serves it, with a certificate for that name; web of this server does with mta-sts = testing",
			TEXT_FORMAT(domain)));
}

void doctor_look_at_sts(struct doctor *doctor, struct text domain)
{
	const char *name = doctor_print(doctor, "_mta-sts.%.*s", TEXT_FORMAT(domain));
	const char *subject = doctor_print(doctor, "MTA-STS %s", name);
	const char *mend = doctor_print(doctor, "publish: %s. IN TXT \"v=STSv1; id=%s\"", name, id_of_ours(doctor));
	const struct dns_answer answer = doctor_ask(doctor, text_of(name), DNS_TXT);
	struct text *records = arena_array(doctor->arena, answer.record_count + 1, sizeof *records), id;

	if (doctor_has_failed(&answer) || records == NULL) {
		doctor_complain_of_dns(doctor, subject);
		return;
	}
	for (uint32_t i = 0; i < answer.record_count; i++)
		records[i] = answer.records[i].data;
	switch (sts_record_choose(records, answer.record_count, &id)) {
	case OK:
		doctor_find(doctor, DOCTOR_FINE, subject, doctor_print(doctor, "there is a policy, with the id %.*s", TEXT_FORMAT(id)), NULL);
		look_at_policy(doctor, records, answer.record_count, domain);
		break;
	case ERR_NOT_FOUND:
		doctor_find(doctor, conf_sts_of(doctor->conf).mode != CONF_STS_OFF ? DOCTOR_WARNING : DOCTOR_NOTE, subject,
		    "there is no record: others may send in clear text when TLS is kept from them", mend);
		break;
	default:
		doctor_find(doctor, DOCTOR_WARNING, subject, "there are two, or it is not well-formed: nobody asks for the policy", mend);
	}
}
