/* postroad verify: what would be found about a message, or about a client and its sender. */
#include "ctl/verify.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "auth/domain.h"
#include "ctl/offline.h"
#include "ctl/usage.h"
#include "mail/address.h"

enum { ARENA_BYTES = 64 << 20, HOSTNAME_SIZE = 256 };

/* -- words ------------------------------------------------------------------- */

static bool read_domain(struct text text, struct arena *arena, struct text *out_domain)
{
	if (address_domain_to_ascii(domain_without_dot(text), arena, out_domain) == OK &&
	    domain_is_name(*out_domain))
		return true;
	fprintf(stderr, "postroad: %.*s is no domain\n", TEXT_FORMAT(text));
	return false;
}

static bool add_dkim_domain(struct verify_request *request, struct text value, struct arena *arena)
{
	if (request->dkim_pass_count < DMARC_IDENTIFIERS_MAX)
		return read_domain(value, arena, &request->dkim_pass_domains[request->dkim_pass_count++]);
	fprintf(stderr, "postroad: at most %d --dkim-pass-domain\n", DMARC_IDENTIFIERS_MAX);
	return false;
}

static bool set_mail_from(struct verify_request *request, struct text value)
{
	if (text_starts(value, TEXT("<")) && text_ends(value, TEXT(">")))
		value = text_part(value, 1, value.length - 2);
	request->mail_from = value;
	request->has_mail_from = true;
	return true;
}

static bool set_time(struct verify_request *request, struct text value)
{
	uint64_t seconds;

	if (text_to_u64(value, &seconds) && seconds <= INT64_MAX / 1000) {
		request->now_s = (int64_t)seconds;
		return true;
	}
	fprintf(stderr, "postroad: --time %.*s: seconds since 1970 are wanted\n", TEXT_FORMAT(value));
	return false;
}

static bool set_client(struct verify_request *request, struct text value)
{
	if (endpoint_parse_ip(value, &request->client))
		return true;
	fprintf(stderr, "postroad: --ip %.*s is no IP address\n", TEXT_FORMAT(value));
	return false;
}

/* An option with its value. False: it was said what is wrong. */
static bool set_option(
    struct verify_request *request, struct text name, const char *value, struct arena *arena)
{
	const struct text text = text_of(value);

	if (text_equal(name, TEXT("ip")))
		return set_client(request, text);
	if (text_equal(name, TEXT("mail-from")))
		return set_mail_from(request, text);
	if (text_equal(name, TEXT("time")))
		return set_time(request, text);
	if (text_equal(name, TEXT("dkim-pass-domain")))
		return add_dkim_domain(request, text, arena);
	if (text_equal(name, TEXT("from-domain")))
		return read_domain(text, arena, &request->from_domain);
	if (text_equal(name, TEXT("spf-pass-domain")))
		return read_domain(text, arena, &request->spf_pass_domain);
	if (text_equal(name, TEXT("helo")))
		request->helo = text;
	else if (text_equal(name, TEXT("zone")))
		request->zone = value;
	else {
		fprintf(stderr, "postroad: --%.*s is no option of this command\n", TEXT_FORMAT(name));
		return false;
	}
	return true;
}

/* A word that is no option: first the method, then the file. */
static bool take_word(struct verify_request *request, const char *text)
{
	bool *methods[] = { &request->spf, &request->dkim, &request->arc, &request->dmarc };
	static const char *const names[] = { "spf", "dkim", "arc", "dmarc" };

	for (size_t i = 0; request->everything && request->file == NULL && i < 4; i++) {
		if (strcmp(text, names[i]) == 0) {
			request->everything = request->spf = request->dkim = request->arc = request->dmarc =
			    false;
			*methods[i] = true;
			return true;
		}
	}
	if (request->file != NULL) {
		fprintf(stderr, "postroad: one word too many: %s\n", text);
		return false;
	}
	request->file = text;
	return true;
}

static bool read_words(struct verify_request *request, int count, char **words, struct arena *arena)
{
	for (int i = 0; i < count; i++) {
		if (strncmp(words[i], "--", 2) != 0) {
			if (!take_word(request, words[i]))
				return false;
			continue;
		}
		const struct text whole = text_of(words[i] + 2);
		const size_t equals = text_find_byte(whole, '=');

		if (text_equal(whole, TEXT("json"))) {
			request->json = true;
		} else if (equals == whole.length && i + 1 == count) {
			fprintf(stderr, "postroad: %s needs a value\n", words[i]);
			return false;
		} else {
			const char *value = equals < whole.length ? whole.bytes + equals + 1 : words[++i];

			if (!set_option(request, text_part(whole, 0, equals), value, arena))
				return false;
		}
	}
	return true;
}

/* Do the words belong together? */
static bool is_complete(struct verify_request *request)
{
	const bool has_client = request->client.family != ENDPOINT_NONE;
	const bool only_spf = request->spf && !request->everything;
	const bool needs_sender = only_spf || (has_client && request->everything);

	if (only_spf && (!has_client || request->file != NULL))
		return false;
	if (needs_sender && !request->has_mail_from && request->helo.length == 0)
		return false;
	request->has_message = !only_spf && (request->from_domain.length == 0 || request->file != NULL);
	return true;
}

int ctl_verify(const struct conf *conf, int count, char **words)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	char hostname[HOSTNAME_SIZE] = "localhost";
	struct verify_request request = { .spf = true,
		.dkim = true,
		.arc = true,
		.dmarc = true,
		.everything = true,
		.zone = "",
		.now_s = time(NULL),
		.conf = conf };
	struct verify_findings findings = { 0 };
	int code = EX_OSERR;

	if (arena == NULL)
		return EX_OSERR;
	if (conf == NULL)
		(void)!gethostname(hostname, sizeof hostname - 1);
	request.hostname = conf ? conf->hostname : text_of(hostname);
	if (!read_words(&request, count, words, arena))
		code = EX_USAGE;
	else if (!is_complete(&request))
		code = ctl_usage("verify");
	else
		code = verify_run(&request, arena, &findings);
	if (code == EX_OK)
		code = verify_report(&request, &findings);
	json_decref(findings.queries);
	arena_free(arena);
	return code;
}
