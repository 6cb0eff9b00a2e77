#include <stdio.h>
#include <string.h>

#include "auth/iprev.h"
#include "auth/key_record.h"
#include "auth/spf.h"
#include "ctl/doctor.h"
#include "keys/folder.h"
#include "lookup/lookup.h"
#include "tls/about.h"

enum { COMPLAINTS_BYTES_MAX = 64 << 10 };

bool doctor_has_failed(const struct dns_answer *answer)
{
	return answer->status == DNS_SERVFAIL || answer->status == DNS_TIMEOUT || answer->status == DNS_BOGUS;
}

static struct text name_under(struct doctor *doctor, const char *prefix, struct text domain)
{
	return text_of(doctor_print(doctor, "%s%.*s", prefix, TEXT_FORMAT(domain)));
}

/* The TXT record that begins like this; empty: there is none. *out_failed: the DNS does not say. */
static struct text find_text(struct doctor *doctor, struct text name, struct text beginning, bool *out_failed)
{
	const struct dns_answer answer = doctor_ask(doctor, name, DNS_TXT);

	*out_failed = doctor_has_failed(&answer);
	for (uint32_t i = 0; i < answer.record_count; i++)
		if (text_starts_nocase(answer.records[i].data, beginning))
			return answer.records[i].data;
	return TEXT_EMPTY;
}

void doctor_complain_of_dns(struct doctor *doctor, const char *subject)
{
	doctor_find(doctor, DOCTOR_WARNING, subject, "the DNS does not answer, or gives a broken answer", "try again; see dns in postroad.conf(5)");
}

static bool key_asks(const void *check, struct question *out_question)
{
	return key_check_question((const struct key_check *)check, out_question);
}

static void key_hears(void *check, const struct answer *answer)
{
	key_check_answer((struct key_check *)check, answer);
}

static void ended(void *context)
{
	loop_stop(context);
}

/* Until the evaluator knows. False: no memory. */
static bool run_lookup(struct doctor *doctor, const struct lookup_kind *kind, void *evaluator)
{
	const struct lookup_listener listener = { .done = ended, .context = doctor->loop };
	struct question question;

	if (!kind->question(evaluator, &question))
		return true;
	if (lookup_start(doctor->dns, kind, evaluator, &listener) == NULL)
		return false;
	loop_run(doctor->loop);
	return true;
}

/* -- This host ----------------------------------------------------------------------------- */

void doctor_look_at_reverse(struct doctor *doctor, const struct endpoint *address, struct text hostname, const char *whose)
{
	char room[ENDPOINT_TEXT_MAX];
	const char *printed = doctor_print(doctor, "%.*s", TEXT_FORMAT(endpoint_print_ip(address, room)));
	const char *subject = doctor_print(doctor, "reverse name of %s%s", printed, whose);
	const char *host = hostname.bytes;
	struct iprev iprev;

	iprev_start(&iprev, address, doctor->arena);
	if (!run_lookup(doctor, &lookup_iprev, &iprev))
		return;
	const enum auth_result result = iprev_result(&iprev);
	const struct text name = iprev_name(&iprev);

	if (result == AUTH_TEMPERROR)
		doctor_complain_of_dns(doctor, subject);
	else if (result != AUTH_PASS)
		doctor_find(doctor, DOCTOR_ERROR, subject, "it does not lead back to the address: many servers refuse mail from there",
		    doctor_print(doctor, "ask the owner of the network for PTR %s.", host));
	else if (!text_equal_nocase(name, hostname))
		doctor_find(doctor, DOCTOR_WARNING, subject, doctor_print(doctor, "it is %.*s, and we say %s", TEXT_FORMAT(name), host),
		    "let both be the same: hostname in the configuration, or PTR");
	else
		doctor_find(doctor, DOCTOR_FINE, subject, "it is the hostname, and leads back", NULL);
}

/* Whether what we would send from there is ours by SPF. */
static void look_at_spf(
    struct doctor *doctor, const struct endpoint *address, struct text hostname, const char *whose, struct text domain)
{
	char room[ENDPOINT_TEXT_MAX];
	const struct spf_request request = { .client = *address, .helo = hostname,
		.sender = text_of(doctor_print(doctor, "postmaster@%.*s", TEXT_FORMAT(domain))), .receiver = doctor->conf->hostname,
		.now_s = doctor->now_s };
	const char *subject =
	    doctor_print(doctor, "SPF of %.*s for %.*s%s", TEXT_FORMAT(domain), TEXT_FORMAT(endpoint_print_ip(address, room)), whose);
	struct spf *spf = spf_new(&request, doctor->arena);

	if (spf == NULL || !run_lookup(doctor, &lookup_spf, spf))
		return;
	const enum auth_result result = spf_verdict(spf)->result;

	if (result == AUTH_PASS)
		doctor_find(doctor, DOCTOR_FINE, subject, "pass", NULL);
	else if (result == AUTH_TEMPERROR)
		doctor_complain_of_dns(doctor, subject);
	else if (result == AUTH_NONE)
		doctor_find(doctor, DOCTOR_WARNING, subject, "there is no record: others cannot tell our mail from forged mail",
		    doctor_print(doctor, "publish: %.*s. IN TXT \"v=spf1 mx -all\"", TEXT_FORMAT(domain)));
	else
		doctor_find(doctor, DOCTOR_ERROR, subject, doctor_print(doctor, "%s: our own mail does not pass", auth_result_word(result)),
		    "let the record name this server, as in \"v=spf1 mx -all\"");
}

void doctor_look_at_spf(struct doctor *doctor, const struct endpoint *address, struct text hostname, const char *whose)
{
	for (size_t k = 0; k < doctor->conf->domain_count; k++)
		look_at_spf(doctor, address, hostname, whose, doctor->conf->domains[k]);
}

static void look_at_addresses(struct doctor *doctor, enum dns_type type, size_t *count)
{
	const struct dns_answer answer = doctor_ask(doctor, doctor->conf->hostname, type);

	for (uint32_t i = 0; i < answer.record_count; i++) {
		doctor_look_at_reverse(doctor, &answer.records[i].address, doctor->conf->hostname, "");
		doctor_look_at_spf(doctor, &answer.records[i].address, doctor->conf->hostname, "");
	}
	*count += answer.record_count;
}

/* A certificate that is changed without its records keeps away the mail of everybody who believes them (RFC 7672). */
static void look_at_tlsa(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	const struct dns_answer answer = doctor_ask(doctor, name_under(doctor, "_25._tcp.", conf->hostname), DNS_TLSA);
	const char *subject = doctor_print(doctor, "TLSA (DANE) of %s", conf->hostname.bytes);
	size_t matches = 0, others = 0;

	for (uint32_t i = 0; i < answer.record_count; i++) {
		others += answer.records[i].data.length == 0 || answer.records[i].data.bytes[0] != 3;
		for (size_t k = 0; k < conf->tls.certificate_count; k++)
			matches += tls_certificate_compare(conf->tls.certificates[k].bytes, answer.records[i].data) == OK;
	}
	if (answer.record_count == 0)
		doctor_find(doctor, DOCTOR_NOTE, subject, "there are none, and need not be", NULL);
	else if (matches > 0)
		doctor_find(doctor, DOCTOR_FINE, subject, "one means our certificate", NULL);
	else if (others > 0)
		doctor_find(doctor, DOCTOR_NOTE, subject, "some name an authority, which is not looked at here", NULL);
	else
		doctor_find(doctor, DOCTOR_ERROR, subject, "none means our certificate: who believes them sends us nothing",
		    "publish 3 1 1 with the digest of its key, or take the records away");
}

void doctor_look_at_host(struct doctor *doctor)
{
	const char *subject = doctor_print(doctor, "addresses of %s", doctor->conf->hostname.bytes);
	size_t count = 0;

	look_at_addresses(doctor, DNS_A, &count);
	look_at_addresses(doctor, DNS_AAAA, &count);
	if (count == 0)
		doctor_find(doctor, DOCTOR_ERROR, subject, "it has none in the DNS",
		    doctor_print(doctor, "publish: %s. IN A and AAAA with the addresses of this server", doctor->conf->hostname.bytes));
	look_at_tlsa(doctor);
}

/* -- Our domains ---------------------------------------------------------------------------- */

static void look_at_mx(struct doctor *doctor, struct text domain)
{
	const struct dns_answer answer = doctor_ask(doctor, domain, DNS_MX);
	const char *subject = doctor_print(doctor, "MX of %.*s", TEXT_FORMAT(domain));
	const struct text host = doctor->conf->hostname;
	bool named = false;

	for (uint32_t i = 0; i < answer.record_count; i++)
		named |= text_equal_nocase(answer.records[i].name, host);
	if (doctor_has_failed(&answer))
		doctor_complain_of_dns(doctor, subject);
	else if (answer.record_count == 0)
		doctor_find(doctor, DOCTOR_ERROR, subject, "there is none: nobody knows where its mail goes",
		    doctor_print(doctor, "publish: %.*s. IN MX 10 %.*s.", TEXT_FORMAT(domain), TEXT_FORMAT(host)));
	else if (!named)
		doctor_find(doctor, DOCTOR_WARNING, subject, doctor_print(doctor, "%.*s is not among them", TEXT_FORMAT(host)),
		    doctor_print(doctor, "if its mail is to come here, publish: %.*s. IN MX 10 %.*s.", TEXT_FORMAT(domain), TEXT_FORMAT(host)));
	else
		doctor_find(doctor, DOCTOR_FINE, subject, "it names this server", NULL);
}

static void look_at_text(struct doctor *doctor, const char *what, struct text name, const char *beginning,
    enum severity absence, const char *why, const char *record)
{
	const char *subject = doctor_print(doctor, "%s %.*s", what, TEXT_FORMAT(name));
	bool failed;
	const struct text found = find_text(doctor, name, text_of(beginning), &failed);

	if (failed)
		doctor_complain_of_dns(doctor, subject);
	else if (found.length == 0)
		doctor_find(doctor, absence, subject, why, doctor_print(doctor, "publish: %.*s. IN TXT \"%s\"", TEXT_FORMAT(name), record));
	else
		doctor_find(doctor, DOCTOR_FINE, subject, doctor_print(doctor, "%.*s", TEXT_FORMAT(found)), NULL);
}

void doctor_look_at_domains(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->conf->domain_count; i++) {
		const struct text domain = doctor->conf->domains[i];

		look_at_mx(doctor, domain);
		look_at_text(doctor, "DMARC", name_under(doctor, "_dmarc.", domain), "v=DMARC1", DOCTOR_WARNING,
		    "there is no record: large providers want one",
		    doctor_print(doctor, "v=DMARC1; p=none; rua=mailto:postmaster@%.*s", TEXT_FORMAT(domain)));
		doctor_look_at_sts(doctor, domain);
		look_at_text(doctor, "TLS-RPT", name_under(doctor, "_smtp._tls.", domain), "v=TLSRPTv1", DOCTOR_NOTE,
		    "there is no record: nobody tells when TLS with us fails",
		    doctor_print(doctor, "v=TLSRPTv1; rua=mailto:postmaster@%.*s", TEXT_FORMAT(domain)));
	}
}

/* -- Keys that sign --------------------------------------------------------------------------- */

static void look_at_key(struct doctor *doctor, const struct keys_folder *folder, const struct planned_key *planned,
    struct buffer *complaints)
{
	const char *name =
	    doctor_print(doctor, "%.*s._domainkey.%.*s", TEXT_FORMAT(planned->selector), TEXT_FORMAT(planned->domain));
	const char *subject = doctor_print(doctor, "DKIM %s", name);
	const enum key_state state = key_state_at(planned, doctor->now_s);
	struct key_check check = { .name = text_of(name), .published = KEY_UNKNOWN };
	struct private_key *key = NULL;

	if (!keys_folder_read_key(folder, planned, &key, complaints) || !key_record_print(key, doctor->arena, &check.record)) {
		private_key_free(key);
		doctor_find(doctor, DOCTOR_ERROR, subject, "its key cannot be read", "postroad check tells why");
		return;
	}
	private_key_free(key);
	static const struct lookup_kind kind = { key_asks, key_hears };

	(void)!run_lookup(doctor, &kind, &check);
	if (check.published == KEY_UNKNOWN)
		doctor_complain_of_dns(doctor, subject);
	else if (check.published != KEY_PUBLISHED)
		doctor_find(doctor, state == KEY_NEW ? DOCTOR_WARNING : DOCTOR_ERROR, subject,
		    check.published == KEY_ABSENT ? "its record is missing" : "there is another key",
		    doctor_print(doctor, "publish what postroad dkim record %.*s prints; then postroad dkim check", TEXT_FORMAT(planned->domain)));
	else if (state == KEY_NEW)
		doctor_find(doctor, DOCTOR_WARNING, subject, "its record is there, but it does not sign yet", "postroad dkim check");
	else
		doctor_find(doctor, DOCTOR_FINE, subject, doctor_print(doctor, "published, %s", key_state_word(state)), NULL);
}

static bool signs(const struct doctor *doctor, const struct key_plan *plan, struct text domain)
{
	for (size_t i = 0; i < plan->count; i++)
		if (text_equal(plan->keys[i].domain, domain) && key_state_at(&plan->keys[i], doctor->now_s) <= KEY_ACTIVE)
			return true;
	return false;
}

void doctor_look_at_keys(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	struct keys_folder folder;
	struct buffer complaints;
	const bool named = conf->dkim.keys[0] != '\0';

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (named && !keys_folder_open(conf->dkim.keys, false, doctor->arena, &folder, &complaints)) {
		doctor_find(doctor, DOCTOR_WARNING, "DKIM", "the keys cannot be looked at", "ask as root; postroad dkim list");
		buffer_done(&complaints);
		return;
	}
	for (size_t i = 0; i < conf->domain_count; i++)
		if (!named || !signs(doctor, &folder.plan, conf->domains[i]))
			doctor_find(doctor, DOCTOR_WARNING, doctor_print(doctor, "DKIM of %s", conf->domains[i].bytes),
			    "it has no key: its mail is not signed",
			    doctor_print(doctor, "%spostroad dkim generate %s", named ? "" : "dkim { keys = \"dkim\" } in the configuration; ",
				conf->domains[i].bytes));
	for (size_t i = 0; named && i < folder.plan.count; i++)
		if (key_state_at(&folder.plan.keys[i], doctor->now_s) < KEY_RETIRED)
			look_at_key(doctor, &folder, &folder.plan.keys[i], &complaints);
	if (named)
		keys_folder_close(&folder);
	buffer_done(&complaints);
}
