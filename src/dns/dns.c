#include <stdlib.h>

#include "base/must.h"
#include "dns/engine.h"

/* libunbound gives up by itself, after as long as its servers' time-outs add up to, and calls that
 * SERVFAIL. This bound is for the question that it never answers at all. */
enum { QUERY_MS_MAX = 60 * 1000 };

static void list_append(struct dns_list *list, struct dns_query *query)
{
	query->next = NULL;
	query->previous = list->last;
	if (list->last != NULL)
		list->last->next = query;
	else
		list->first = query;
	list->last = query;
}

static void list_remove(struct dns_list *list, struct dns_query *query)
{
	if (query->previous != NULL)
		query->previous->next = query->next;
	else
		list->first = query->next;
	if (query->next != NULL)
		query->next->previous = query->previous;
	else
		list->last = query->previous;
	query->previous = query->next = NULL;
}

static struct dns_list *list_of(struct dns_query *query)
{
	return query->is_ready ? &query->dns->ready : &query->dns->waiting;
}

static void query_free(struct dns_query *query)
{
	struct dns *dns = query->dns;

	list_remove(list_of(query), query);
	if (query->is_started)
		dns->engine->forget(dns, query);
	free(query);
}

void dns_query_ready(struct dns_query *query)
{
	struct dns *dns = query->dns;

	must(!query->is_ready); /* E1 */
	list_remove(&dns->waiting, query);
	query->is_ready = true;
	query->turn = dns->turn;
	list_append(&dns->ready, query);
	loop_timer_set(dns->post, 0);
}

static struct dns_answer answer_of(struct dns *dns, struct dns_query *query)
{
	struct dns_answer answer = { .status = DNS_SERVFAIL, .canonical = query->name };

	arena_reset(dns->arena);
	if (query->failure != DNS_FOUND)
		answer.status = query->failure;
	else if (dns->engine->answer(dns, query, dns->arena, &answer) != OK)
		answer = (struct dns_answer){ .status = DNS_SERVFAIL, .canonical = query->name };
	must((answer.status == DNS_FOUND) == (answer.record_count > 0));
	must(answer.record_count <= DNS_RECORD_MAX);
	return answer;
}

static void tell(struct dns *dns, struct dns_query *query)
{
	const struct dns_answer answer = answer_of(dns, query);

	list_remove(&dns->ready, query);
	dns->told = query;
	query->callback(query->context, &answer);
	dns->told = NULL;
	if (query->is_started)
		dns->engine->forget(dns, query);
	free(query);
}

static bool is_over(const struct dns *dns)
{
	return dns->retired && !dns->telling && dns->waiting.first == NULL && dns->ready.first == NULL;
}

void dns_tell_ready(struct dns *dns)
{
	/* What becomes ready meanwhile waits for the next turn: a chain of questions answered at once
	 * must not starve the loop. */
	const uint64_t turn = dns->turn++;

	must(!dns->telling);
	dns->telling = true;
	while (dns->ready.first != NULL && dns->ready.first->turn <= turn)
		tell(dns, dns->ready.first);
	dns->telling = false;
	if (dns->doomed || is_over(dns))
		dns->engine->free(dns);
	else if (dns->ready.first != NULL)
		loop_timer_set(dns->post, 0);
}

static void post_due(void *context)
{
	dns_tell_ready(context);
}

static void patience_due(void *context)
{
	struct dns *dns = context;
	const int64_t now_ms = loop_now_ms(dns->loop);

	while (dns->waiting.first != NULL && dns->waiting.first->deadline_ms <= now_ms) {
		struct dns_query *query = dns->waiting.first;

		dns->engine->forget(dns, query);
		query->is_started = false;
		query->failure = DNS_TIMEOUT;
		dns_query_ready(query);
	}
	if (dns->waiting.first != NULL)
		loop_timer_set(dns->patience, dns->waiting.first->deadline_ms - now_ms);
}

bool dns_init(struct dns *dns, const struct dns_engine *engine, struct loop *loop)
{
	*dns = (struct dns){ .engine = engine, .loop = loop };
	dns->post = loop_timer_new(loop, post_due, dns);
	dns->patience = loop_timer_new(loop, patience_due, dns);
	dns->arena = arena_new(DNS_ANSWER_BYTES_MAX);
	if (dns->post != NULL && dns->patience != NULL && dns->arena != NULL)
		return true;
	dns_done(dns);
	return false;
}

void dns_done(struct dns *dns)
{
	if (dns->post != NULL)
		loop_timer_free(dns->post);
	if (dns->patience != NULL)
		loop_timer_free(dns->patience);
	arena_free(dns->arena);
}

void dns_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	while (dns->waiting.first != NULL)
		query_free(dns->waiting.first);
	while (dns->ready.first != NULL)
		query_free(dns->ready.first);
	dns->doomed = true;
	if (!dns->telling)
		dns->engine->free(dns);
}

void dns_retire(struct dns *dns)
{
	must(!dns->doomed);
	dns->retired = true;
	if (is_over(dns))
		dns->engine->free(dns);
}

struct dns_query *dns_ask(
    struct dns *dns, struct text name, enum dns_type type, dns_callback *callback, void *context)
{
	struct dns_query *query = calloc(1, sizeof *query);

	must(!dns->doomed && (!dns->retired || dns->telling));
	if (query == NULL)
		return NULL;
	query->dns = dns;
	query->type = type;
	query->failure = DNS_FOUND;
	query->callback = callback;
	query->context = context;
	query->deadline_ms = loop_now_ms(dns->loop) + QUERY_MS_MAX;
	if (dns->waiting.first == NULL)
		loop_timer_set(dns->patience, QUERY_MS_MAX);
	list_append(&dns->waiting, query);
	if (!dns_name_normalise(name, query->room, &query->name)) {
		query->failure = DNS_NXDOMAIN; /* No such name can exist. */
		dns_query_ready(query);
		return query;
	}
	if (!dns->engine->start(dns, query)) {
		query_free(query);
		return NULL;
	}
	query->is_started = true;
	return query;
}

void dns_cancel(struct dns_query *query)
{
	struct dns *dns = query ? query->dns : NULL;

	/* Inside its own callback it is as good as gone already. */
	if (query == NULL || query == dns->told)
		return;
	query_free(query);
	if (is_over(dns))
		dns->engine->free(dns);
}
