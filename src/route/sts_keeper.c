/*     find ─► TXT of _mta-sts.DOMAIN ─┬──────────────────────────────────────────┬─► remember, tell ─► callback
 *                                     └─► https://mta-sts.DOMAIN/.well-known/... ┘
 *
 * Renewing is the same search with another purpose, a few at a time, in the order of the store. */
#include "route/sts_keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"
#include "spool/spool.h"

enum {
	SEARCH_BYTES_MAX = 256 << 10,
	RENEW_LOOK_MS = 5 * 60 * 1000,
	RENEWALS_MAX = 4,
	EXPLANATION_PATTERNS_MAX = 300
};
static const int64_t STS_UNUSED_MS = (int64_t)90 * 24 * 3600 * 1000;

_Static_assert((int)STS_MEMORY_BYTES_MAX <= (int)POLICY_STORE_VALUE_MAX, "what is remembered has its place");

struct sts_keeper {
	struct sts_keeper_parts parts;
	struct dns *dns;
	struct sts_search *searches;  /* utlist; renewals among them. */
	struct loop_timer *timer;     /* For the next look at what is to be renewed. */
	bool renew;
	uint32_t renewed_to;          /* Where in the store the look has come; POLICY_STORE_ENTRIES: it is over. */
	unsigned renewal_count;       /* Under way. */
};

struct sts_search {
	struct sts_search *prev, *next;
	struct sts_keeper *keeper;
	struct arena *arena;
	struct text domain;           /* In the arena, NUL-terminated. */
	struct sts_check check;
	struct dns_query *query;
	struct web_request *request;
	struct loop_timer *timer;     /* For one that cannot ask. */
	sts_callback *callback;       /* NULL: a renewal. */
	void *context;
	char room[POLICY_STORE_VALUE_MAX]; /* What was remembered. */
};

static void renew_more(struct sts_keeper *keeper);

/* -- The end ------------------------------------------------------------------------------ */

static void search_free(struct sts_search *search)
{
	struct sts_keeper *keeper = search->keeper;

	DL_DELETE(keeper->searches, search);
	keeper->renewal_count -= search->callback == NULL;
	dns_cancel(search->query);
	web_cancel(search->request);
	loop_timer_free(search->timer);
	arena_free(search->arena);
	free(search);
}

static void remember(struct sts_search *search)
{
	const struct sts_check *check = &search->check;
	struct policy_store *store = search->keeper->parts.store;
	char room[STS_MEMORY_BYTES_MAX];
	const struct policy_entry entry = { .value = sts_memory_encode(&check->memory, room),
		.used_ms = check->memory.used_ms,
		.holds = sts_memory_holds(&check->memory, check->now_ms) };

	if (check->forget)
		policy_store_erase(store, search->domain);
	else if (check->remember)
		policy_store_put(store, search->domain, &entry);
}

/* "enforce, mx.example.net *.example.net, for 604800 s" */
static void describe(const struct sts_memory *memory, struct arena *arena, struct text *out_text)
{
	const struct text patterns = text_part(memory->policy.patterns, 0, EXPLANATION_PATTERNS_MAX);

	(void)!arena_print(arena, out_text, "MTA-STS %s, %.*s%s for %u s", sts_mode_word(memory->policy.mode),
	    TEXT_FORMAT(patterns), patterns.length > 0 ? "," : "", memory->policy.max_age_s);
}

static void tell(struct sts_search *search)
{
	static const enum event_kind kinds[] = {
		[STS_FETCHED] = EVENT_POLICY_FETCHED, [STS_CHANGED] = EVENT_POLICY_CHANGED, [STS_FAILED] = EVENT_POLICY_FAILED
	};
	const struct sts_check *check = &search->check;
	const struct event_sink *sink = &search->keeper->parts.sink;

	if (check->news == STS_NO_NEWS)
		return;
	struct event event = { .kind = kinds[check->news], .time_ms = check->now_ms };

	event.fields[EVENT_FIELD_DOMAIN] = search->domain;
	if (sts_check_result(check) != NULL)
		describe(&check->memory, search->arena, &event.fields[EVENT_FIELD_POLICY]);
	if (check->news == STS_FAILED)
		event.fields[EVENT_FIELD_REASON] = check->memory.trouble;
	sink->report(sink->context, &event);
}

static void finish(struct sts_search *search)
{
	struct sts_keeper *keeper = search->keeper;
	const struct sts_found found = { .policy = sts_check_result(&search->check),
		.memory = &search->check.memory,
		.wanted = search->check.wanted };
	const bool renewal = search->callback == NULL;

	remember(search);
	tell(search);
	if (!renewal)
		search->callback(search->context, &found);
	search_free(search);
	if (renewal)
		renew_more(keeper);
}

/* -- Web -------------------------------------------------------------------------------------- */

static void fetched(void *context, const struct https_response *response)
{
	struct sts_search *search = context;

	search->request = NULL;
	sts_check_policy(&search->check, response);
	finish(search);
}

static void fetch(struct sts_search *search)
{
	const struct https_response none = { .end = HTTPS_UNREACHABLE, .trouble = TEXT("out of memory") };
	struct https_order order = { .response_bytes_max = STS_POLICY_BYTES_MAX, .time_ms_max = STS_FETCH_MS_MAX };

	if (arena_print(search->arena, &order.url, "https://mta-sts.%s/.well-known/mta-sts.txt", search->domain.bytes))
		search->request = web_ask(search->keeper->parts.web, &order, fetched, search);
	if (search->request == NULL)
		fetched(search, &none);
}

/* -- DNS ---------------------------------------------------------------------------------------- */

static void go_on(struct sts_search *search)
{
	if (search->check.question == STS_ASK_POLICY)
		fetch(search);
	else
		finish(search);
}

static void record_answered(void *context, const struct dns_answer *answer)
{
	struct sts_search *search = context;
	struct text records[DNS_RECORD_MAX];

	search->query = NULL;
	for (uint32_t i = 0; i < answer->record_count; i++)
		records[i] = answer->records[i].data;
	if (answer->status == DNS_FOUND || answer->status == DNS_NODATA || answer->status == DNS_NXDOMAIN)
		sts_check_record(&search->check, records, answer->record_count);
	else
		sts_check_no_record(&search->check);
	go_on(search);
}

static void cannot_ask(void *context)
{
	struct sts_search *search = context;

	sts_check_no_record(&search->check);
	go_on(search);
}

static void ask(struct sts_search *search)
{
	struct dns *dns = search->keeper->dns;
	struct text name;

	if (dns != NULL && arena_print(search->arena, &name, "_mta-sts.%s", search->domain.bytes))
		search->query = dns_ask(dns, name, DNS_TXT, record_answered, search);
	if (search->query == NULL)
		loop_timer_set(search->timer, 0);
}

/* -- The start ------------------------------------------------------------------------------------ */

static void begin(struct sts_search *search, enum sts_purpose purpose)
{
	struct sts_keeper *keeper = search->keeper;
	struct sts_memory memory;
	struct text stored;
	const bool known = policy_store_get(keeper->parts.store, search->domain, search->room, &stored) &&
	    sts_memory_decode(stored, &memory);

	sts_check_begin(&search->check, known ? &memory : NULL, purpose, loop_unix_ms(keeper->parts.loop), search->arena);
	ask(search);
}

static struct sts_search *search_new(
    struct sts_keeper *keeper, struct text domain, sts_callback *callback, void *context)
{
	struct sts_search *search = calloc(1, sizeof *search);

	if (search == NULL)
		return NULL;
	search->keeper = keeper;
	search->callback = callback;
	search->context = context;
	keeper->renewal_count += callback == NULL;
	DL_APPEND(keeper->searches, search);
	search->arena = arena_new(SEARCH_BYTES_MAX);
	search->timer = loop_timer_new(keeper->parts.loop, cannot_ask, search);
	if (search->arena != NULL && search->timer != NULL && arena_copy(search->arena, domain, &search->domain))
		return search;
	search_free(search);
	return NULL;
}

struct sts_search *sts_find(struct sts_keeper *keeper, struct text domain, sts_callback *callback, void *context)
{
	struct sts_search *search = search_new(keeper, domain, callback, context);

	must(callback != NULL);
	if (search != NULL)
		begin(search, STS_FOR_MAIL);
	return search;
}

void sts_cancel(struct sts_search *search)
{
	if (search != NULL)
		search_free(search);
}

/* -- Renewing ---------------------------------------------------------------------------------------- */

static bool is_due(const struct sts_keeper *keeper, struct text domain, struct text stored)
{
	const int64_t now_ms = loop_unix_ms(keeper->parts.loop);
	struct sts_memory memory;

	return (keeper->parts.shards >> spool_shard_of(domain) & 1) != 0 && sts_memory_decode(stored, &memory) &&
	    sts_memory_is_believed(&memory, now_ms) && sts_memory_holds(&memory, now_ms) &&
	    sts_memory_refresh_ms(&memory) <= now_ms && now_ms - memory.used_ms < STS_UNUSED_MS; /* L2 */
}

static void renew_more(struct sts_keeper *keeper)
{
	char domain_room[POLICY_STORE_DOMAIN_MAX], room[POLICY_STORE_VALUE_MAX];
	struct text domain, stored;

	while (keeper->renew && keeper->renewal_count < RENEWALS_MAX &&
	    policy_store_next(keeper->parts.store, &keeper->renewed_to, domain_room, &domain, room, &stored)) {
		if (!is_due(keeper, domain, stored))
			continue;
		struct sts_search *search = search_new(keeper, domain, NULL, NULL);

		if (search == NULL)
			return; /* Another time. */
		begin(search, STS_FOR_REFRESH);
	}
}

static void look_for_due(void *context)
{
	struct sts_keeper *keeper = context;

	loop_timer_set(keeper->timer, RENEW_LOOK_MS);
	if (keeper->renewal_count == 0)
		keeper->renewed_to = 0;
	renew_more(keeper);
}

void sts_keeper_renew(struct sts_keeper *keeper, bool renew)
{
	keeper->renew = renew;
	if (renew)
		loop_timer_set(keeper->timer, 0);
	else
		loop_timer_stop(keeper->timer);
}

struct sts_keeper *sts_keeper_new(const struct sts_keeper_parts *parts)
{
	struct sts_keeper *keeper = calloc(1, sizeof *keeper);

	if (keeper == NULL)
		return NULL;
	keeper->parts = *parts;
	keeper->timer = loop_timer_new(parts->loop, look_for_due, keeper);
	if (keeper->timer == NULL) {
		free(keeper);
		return NULL;
	}
	return keeper;
}

void sts_keeper_set_dns(struct sts_keeper *keeper, struct dns *dns)
{
	keeper->dns = dns;
}

void sts_keeper_free(struct sts_keeper *keeper)
{
	if (keeper == NULL)
		return;
	while (keeper->searches != NULL)
		search_free(keeper->searches);
	loop_timer_free(keeper->timer);
	free(keeper);
}
