/* "explain": where mail for an address would go now, and why. */
#include <stdlib.h>
#include <sysexits.h>
#include <utlist.h>

#include "admin/admin_private.h"
#include "base/must.h"

struct explanation {
	struct admin_pending pending;
	struct admin *admin;
	struct search *searches;
	struct arena *arena;
	json_t *answer;
	json_t *destinations; /* Inside the answer. */
	struct address sender;
	bool has_sender;      /* Else only routes for all senders hold. */
	size_t open;          /* Searches and surveys not yet answered, and one for the request itself. */
	admin_answered *answered;
	void *context;
};

/* One next hop, whose hosts are looked up. */
struct search {
	struct search *prev, *next; /* utlist */
	struct explanation *explanation;
	json_t *destination; /* Inside the answer. */
	const struct next_hop *hop; /* In the arena. */
	struct hosts_search *hosts;
};

static void explanation_free(struct explanation *explanation)
{
	arena_free(explanation->arena);
	free(explanation);
}

static void explanation_step(struct explanation *explanation)
{
	if (--explanation->open > 0)
		return;
	DL_DELETE(explanation->admin->pending, &explanation->pending);
	explanation->answered(explanation->context, explanation->answer);
	explanation_free(explanation);
}

static void explanation_give_up(struct admin_pending *pending)
{
	struct explanation *explanation = (struct explanation *)pending;
	struct search *search;

	DL_FOREACH(explanation->searches, search)
		hosts_cancel(search->hosts);
	json_decref(explanation->answer);
	explanation->answered(explanation->context, admin_stopping());
	explanation_free(explanation);
}

/* The records that say whom to believe there. */
static json_t *tlsa_json(const struct host_tlsa *tlsa)
{
	json_t *list = json_array();
	char room[TLSA_PRINTED_SIZE];

	for (size_t i = 0; i < tlsa->usable.count; i++)
		json_array_append_new(list, admin_string(tlsa_print(tlsa->usable.records[i], room)));
	return list;
}

/* What it takes for mail to go there, and what demands it. */
static void add_demand(json_t *object, const struct host *host, struct tls_demand demand, bool policy_enforced)
{
	static const char *const words[] = { [TLS_UNUSED] = "not used", [TLS_OPPORTUNISTIC] = "if offered",
		[TLS_ENCRYPTED] = "encrypted", [TLS_VERIFIED] = "verified" };
	const bool of_host = host->tls_least > TLS_UNUSED && host->tls_least >= demand.level;
	const char *by = host->tlsa.finding != TLSA_ABSENT       ? "DANE"
	    : policy_enforced                                ? "MTA-STS"
	    : host->fallback && host->tls_least > demand.level ? "DANE of the domain"
							       : "configuration";

	json_object_set_new(object, "tls", json_string(words[of_host ? host->tls_least : demand.level]));
	if (of_host || demand.level != TLS_OPPORTUNISTIC)
		json_object_set_new(object, "tls_by", json_string(of_host || demand.dane ? by : "configuration"));
	if (host->tlsa.finding != TLSA_ABSENT) {
		json_object_set_new(object, "tlsa_base", admin_string(host->tlsa.base));
		json_object_set_new(object, "tlsa", tlsa_json(&host->tlsa));
	}
}

static json_t *host_json(const struct host *host, const struct next_hop *hop, bool policy_enforced)
{
	char room[ENDPOINT_TEXT_MAX];
	json_t *object = json_pack("{s:o, s:i, s:s, s:b}", "name", admin_string(host->name), "preference", host->preference,
	    "endpoint", endpoint_print(&host->endpoint, room).bytes, "dnssec", host->secure);

	if (host->fallback)
		json_object_set_new(object, "fallback", json_true());
	add_demand(object, host, host->fallback ? hop->fallback_tls : hop->tls, policy_enforced);
	return object;
}

static json_t *patterns_json(struct text patterns)
{
	json_t *list = json_array();
	struct text rest = patterns, pattern;

	while (sts_pattern_cut(&rest, &pattern))
		json_array_append_new(list, admin_string(pattern));
	return list;
}

/* Of a domain that has an MTA-STS policy, or should have. */
static json_t *policy_json(const struct host_policy *policy)
{
	json_t *object = json_object();

	if (policy->holds) {
		json_object_set_new(object, "mode", json_string(sts_mode_word(policy->sts.mode)));
		json_object_set_new(object, "mx", patterns_json(policy->sts.patterns));
		json_object_set_new(object, "max_age", json_integer(policy->sts.max_age_s));
		json_object_set_new(object, "fetched", admin_time(policy->fetched_ms));
		json_object_set_new(object, "renewed", admin_time(policy->renewed_ms));
		json_object_set_new(object, "ends", admin_time(policy->ends_ms));
	}
	if (policy->trouble.length > 0)
		json_object_set_new(object, "trouble", admin_string(policy->trouble));
	return object;
}

/* What the lane that delivers there has learned; "state" is absent when it has had no mail for it lately. */
static void state_found(void *context, const struct queue_survey *survey)
{
	struct search *search = context;

	if (survey->found_count > 0)
		json_object_set_new(search->destination, "state", admin_destination(&survey->found[0].destination));
	if (survey->host_count > 0)
		json_object_set_new(search->destination, "known_hosts", admin_known_hosts(survey));
	explanation_step(search->explanation);
}

static void hosts_found(void *context, const struct host_list *list)
{
	struct search *search = context;
	const bool enforced = list->policy.holds && list->policy.sts.mode == STS_ENFORCE;
	json_t *hosts = json_array();

	for (size_t i = 0; i < list->host_count; i++)
		json_array_append_new(hosts, host_json(&list->hosts[i], search->hop, enforced));
	json_object_set_new(search->destination, "hosts", hosts);
	json_object_set_new(search->destination, "mx_dnssec", json_boolean(list->mx_secure));
	json_object_set_new(search->destination, "lookup", admin_string(list->explanation));
	json_object_set_new(search->destination, "verdict", admin_verdict(&list->verdict));
	if (list->policy.holds || list->policy.wanted)
		json_object_set_new(search->destination, "mta-sts", policy_json(&list->policy));
	DL_DELETE(search->explanation->searches, search);
	explanation_step(search->explanation);
}

/* What waits for a domain: how many (up to a page) and when the next attempt is. */
static void add_waiting(struct spool *spool, struct text domain, struct arena *arena, json_t *destination)
{
	struct spool_position *positions;
	size_t count;

	if (spool_scan_domain(spool, domain, INT64_MAX, ADMIN_PAGE_MAX, arena, &positions, &count) != OK)
		return;
	json_object_set_new(destination, "waiting", json_integer((json_int_t)count));
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < count; i++)
		if (positions[i].due_ms < next_ms)
			next_ms = positions[i].due_ms;
	if (count > 0)
		json_object_set_new(destination, "next", admin_time(next_ms));
}

static void add_pool(const struct admin_settings *settings, struct text pool, json_t *destination)
{
	struct endpoint proxy;
	char room[ENDPOINT_TEXT_MAX];

	json_object_set_new(destination, "pool", admin_string(pool));
	if (settings->pool_proxy != NULL && settings->pool_proxy(settings->context, pool, &proxy))
		json_object_set_new(destination, "socks5", admin_string(endpoint_print(&proxy, room)));
}

/* Two questions at once: to DNS, and to the queue that delivers the domain's mail. */
static void explain_hop(struct admin *admin, struct explanation *explanation, const struct address *address,
    const struct next_hop *hop, json_t *destination)
{
	const struct admin_settings *settings = &admin->settings;
	const struct admin_question question = { .domain = address->domain, .destination = hop->destination };
	struct search *search = arena_alloc(explanation->arena, sizeof *search);

	json_object_set_new(destination, "kind", json_string(hop->lmtp ? "lmtp" : "smtp"));
	json_object_set_new(destination, "destination", admin_string(hop->destination));
	if (hop->user.length > 0)
		json_object_set_new(destination, "login", admin_string(hop->user));
	if (hop->pool.length > 0)
		add_pool(settings, hop->pool, destination);
	add_waiting(settings->spool, address->domain, explanation->arena, destination);
	if (search == NULL)
		return;
	*search = (struct search){ .explanation = explanation, .destination = destination, .hop = hop };
	search->hosts = hosts_find(settings->loop, settings->hosts, hop, hosts_found, search);
	if (search->hosts != NULL) {
		DL_APPEND(explanation->searches, search);
		explanation->open++;
	}
	explanation->open++;
	if (!settings->survey(settings->context, &question, state_found, search))
		explanation->open--;
}

static void explain_address(struct admin *admin, struct explanation *explanation, const struct address *address,
    bool expanded);

static void explain_targets(struct admin *admin, struct explanation *explanation, const struct route_decision *decision)
{
	const size_t count = decision->target_count < ADMIN_EXPLAIN_MAX ? decision->target_count : ADMIN_EXPLAIN_MAX;

	for (size_t i = 0; i < count; i++)
		explain_address(admin, explanation, &decision->targets[i], true);
	if (count < decision->target_count)
		json_object_set_new(explanation->answer, "omitted", json_integer((json_int_t)(decision->target_count - count)));
}

/* As whom it goes on to other servers, when an alias sends it there. */
static void explain_rewriting(const struct admin *admin, struct explanation *explanation, json_t *destination)
{
	const struct admin_settings *settings = &admin->settings;
	const struct text domain = router_rewrites_into(settings->router);
	struct router_return_path path;
	struct text printed;

	if (domain.length == 0)
		return;
	if (!explanation->has_sender) {
		if (arena_print(explanation->arena, &printed, "senders who are not ours get an address in %.*s (SRS)", TEXT_FORMAT(domain)))
			json_object_set_new(destination, "rewriting", admin_string(printed));
		return;
	}
	if (router_return_path(settings->router, &explanation->sender, loop_unix_ms(settings->loop), explanation->arena, &path) != OK ||
	    !address_print(&path.address, explanation->arena, &printed))
		return;
	json_object_set_new(destination, "sent_as", admin_string(printed));
	json_object_set_new(destination, "rewriting", json_string(path.rewritten ? "the sender gets an address of ours (SRS)"
	        : path.too_long ? "none, for the address would be too long" : "none, for the sender is ours or nobody"));
}

static void explain_address(struct admin *admin, struct explanation *explanation, const struct address *address,
    bool expanded)
{
	const struct admin_settings *settings = &admin->settings;
	struct route_decision *decision = arena_alloc(explanation->arena, sizeof *decision);
	struct text printed = TEXT_EMPTY;

	if (decision == NULL || !address_print(address, explanation->arena, &printed) ||
	    router_decide(
	        settings->router, address, explanation->has_sender ? &explanation->sender : NULL, expanded,
	        explanation->arena, decision) != OK)
		return;

	json_t *destination = json_pack("{s:o, s:o}", "address", admin_string(printed), "rule",
	    admin_string(decision->explanation));

	json_array_append_new(explanation->destinations, destination);
	switch (decision->kind) {
	case ROUTE_EXPAND:
		json_object_set_new(destination, "kind", json_string("alias"));
		explain_targets(admin, explanation, decision);
		break;
	case ROUTE_MAILBOX:
		json_object_set_new(destination, "kind", json_string("mailbox"));
		json_object_set_new(destination, "user", admin_string(decision->user));
		break;
	case ROUTE_PIPE:
		json_object_set_new(destination, "kind", json_string("pipe"));
		json_object_set_new(destination, "pipe", admin_string(decision->user));
		break;
	case ROUTE_REFUSE:
		json_object_set_new(destination, "kind", json_string("refused"));
		json_object_set_new(destination, "verdict", admin_verdict(&decision->verdict));
		break;
	case ROUTE_HOSTS:
		if (expanded && !decision->next_hop.lmtp)
			explain_rewriting(admin, explanation, destination);
		explain_hop(admin, explanation, address, &decision->next_hop, destination);
		break;
	}
}

void admin_explain(struct admin *admin, const json_t *request, admin_answered *answered, void *context)
{
	const struct admin_settings *settings = &admin->settings;
	const struct text about = admin_member(request, "address"), sender = admin_member(request, "from");
	struct explanation *explanation = calloc(1, sizeof *explanation);
	struct address address;

	if (explanation != NULL)
		explanation->arena = arena_new(ADMIN_ARENA_BYTES);
	if (explanation == NULL || explanation->arena == NULL) {
		free(explanation);
		answered(context, admin_failure(EX_OSERR, "out of memory"));
		return;
	}
	if (address_parse(about, true, explanation->arena, &address) != OK || address_is_null(&address)) {
		answered(context, admin_failure(EX_USAGE, "%.*s is not an address", TEXT_FORMAT(about)));
		explanation_free(explanation);
		return;
	}
	if (sender.length > 0 && !text_equal(sender, TEXT("<>")) &&
	    address_parse(sender, true, explanation->arena, &explanation->sender) != OK) {
		answered(context, admin_failure(EX_USAGE, "%.*s is not an address", TEXT_FORMAT(sender)));
		explanation_free(explanation);
		return;
	}
	explanation->has_sender = sender.length > 0;
	explanation->pending.give_up = explanation_give_up;
	explanation->admin = admin;
	DL_APPEND(admin->pending, &explanation->pending);
	explanation->open = 1;
	explanation->answered = answered;
	explanation->context = context;
	explanation->destinations = json_array();

	const struct verdict anyone = router_judge(settings->router, &address, false, loop_unix_ms(settings->loop));

	explanation->answer = json_pack("{s:b, s:o, s:o, s:o}", "ok", 1, "address", admin_string(about), "from_anyone",
	    admin_verdict(&anyone), "destinations", explanation->destinations);
	explain_address(admin, explanation, &address, false);
	explanation_step(explanation);
}
