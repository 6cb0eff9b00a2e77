/* postroad explain ADDRESS [--from SENDER]: where mail for it would go now, and why. */
#include <stdio.h>
#include <sysexits.h>

#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/usage.h"

/* Its source is always the web: what it says, how old it is, and whether it could be fetched. */
static void print_policy(const json_t *policy)
{
	const json_t *pattern;
	size_t i;

	if (policy == NULL)
		return;
	printf("      policy: MTA-STS %s", ctl_string(policy, "mode", "cannot be fetched"));
	json_array_foreach (json_object_get(policy, "mx"), i, pattern)
		printf("%s%s", i > 0 ? " " : ": ", json_string_value(pattern));
	putchar('\n');
	if (json_object_get(policy, "mode") != NULL)
		printf("              fetched %s, to be renewed %s, good until %s\n", ctl_string(policy, "fetched", "?"),
		    ctl_string(policy, "renewed", "?"), ctl_string(policy, "ends", "?"));
	if (json_object_get(policy, "trouble") != NULL)
		printf("              the last fetch failed: %s\n", ctl_string(policy, "trouble", "?"));
}

static void print_host(const json_t *host)
{
	const char *by = ctl_string(host, "tls_by", "");
	const json_t *record;
	size_t i;

	printf("      %s %s %s%s, TLS %s%s%s%s\n",
	    json_is_true(json_object_get(host, "fallback")) ? "else:  " : "host:  ", ctl_string(host, "name", "?"), ctl_string(host, "endpoint", "?"),
	    json_is_true(json_object_get(host, "dnssec")) ? " (DNSSEC)" : "", ctl_string(host, "tls", "?"),
	    by[0] != '\0' ? " (" : "", by, by[0] != '\0' ? ")" : "");
	json_array_foreach (json_object_get(host, "tlsa"), i, record)
		printf("              TLSA %s\n", json_string_value(record));
	if (json_object_get(host, "tlsa") != NULL && i == 0)
		puts("              TLSA records, none of which can be used");
}

static void print_known_host(const json_t *host)
{
	const json_t *offers = json_object_get(host, "offers"), *word;
	size_t i;

	printf("      known:  %s", ctl_string(host, "endpoint", "?"));
	if (json_object_get(host, "heard") != NULL)
		printf(" offered at %s%s:", ctl_string(host, "heard", "?"), json_is_true(json_object_get(host, "tls")) ? "" : ", without TLS");
	json_array_foreach (offers, i, word)
		printf(" %s", json_string_value(word));
	if (json_object_get(host, "size") != NULL)
		printf(" (%lld bytes)", ctl_number(host, "size"));
	if (json_object_get(host, "trouble") != NULL)
		printf(", %s", ctl_string(host, "trouble", "?"));
	if (json_object_get(host, "rests_until") != NULL)
		printf(", rests until %s", ctl_string(host, "rests_until", "?"));
	putchar('\n');
}

static void print_destination(const json_t *destination)
{
	const json_t *host;
	size_t i;

	printf("  %s: %s\n", ctl_string(destination, "address", "?"), ctl_string(destination, "kind", "?"));
	printf("      why:    %s\n", ctl_string(destination, "rule", "?"));
	if (json_object_get(destination, "pool") != NULL)
		printf("      pool:   %s%s%s\n", ctl_string(destination, "pool", "?"),
		    json_object_get(destination, "socks5") != NULL ? ", by the SOCKS5 proxy " : "", ctl_string(destination, "socks5", ""));
	if (json_object_get(destination, "rewriting") != NULL)
		printf("      sender: %s%s%s\n", ctl_string(destination, "rewriting", ""),
		    json_object_get(destination, "sent_as") ? ": " : "", ctl_string(destination, "sent_as", ""));
	if (ctl_string(destination, "lookup", "")[0] != '\0')
		printf("      lookup: %s\n", ctl_string(destination, "lookup", ""));
	print_policy(json_object_get(destination, "mta-sts"));
	if (ctl_string(destination, "verdict", NULL) != NULL)
		printf("      answer: %s\n", ctl_string(destination, "verdict", ""));
	json_array_foreach (json_object_get(destination, "hosts"), i, host)
		print_host(host);
	json_array_foreach (json_object_get(destination, "known_hosts"), i, host)
		print_known_host(host);
	if (json_object_get(destination, "state") != NULL) {
		fputs("      state:  ", stdout);
		ctl_print_state(json_object_get(destination, "state"), "              ");
	}
	if (ctl_number(destination, "waiting") > 0)
		printf("      queue:  %lld waiting for this domain, next try %s\n",
		    ctl_number(destination, "waiting"), ctl_string(destination, "next", "?"));
}

int ctl_explain(const struct ctl_place *place, int count, char **rest)
{
	static const char *const options[] = { "from", NULL };
	struct ctl_words words;
	json_t *answer = NULL, *destination;
	size_t i;
	int code = EX_USAGE;

	if (!ctl_words_read("explain", options, count, rest, &words) || words.first == NULL) {
		ctl_usage("explain");
		goto done;
	}
	json_object_set_new(words.request, "address", json_string(words.first));
	answer = ctl_ask(place, words.request, false, &code);
	if (answer == NULL)
		goto done;
	if (words.json) {
		json_object_del(answer, "ok");
		ctl_print_json(answer);
		goto done;
	}
	ctl_make_printable(answer);
	printf("%s\n  a stranger who sends to it hears: %s\n", words.first, ctl_string(answer, "from_anyone", "?"));
	json_array_foreach (json_object_get(answer, "destinations"), i, destination)
		print_destination(destination);
	if (ctl_number(answer, "omitted") > 0)
		printf("  and %lld more\n", ctl_number(answer, "omitted"));
done:
	json_decref(answer);
	ctl_words_done(&words);
	return code;
}
