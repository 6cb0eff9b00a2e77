/*     asked ─► A? and AAAA? at once ─┬─► some address: the request ─► callback
 *                                    └─► none ──────────────────────► callback */
#include "route/web.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"

enum { REQUEST_BYTES_MAX = 1 << 20, FAMILIES = 2 };

struct web {
	struct loop *loop;
	struct dns *dns;
	struct tls_client *client;
	struct https *https;
	struct web_request *requests; /* utlist */
};

struct web_request {
	struct web_request *prev, *next;
	struct web *web;
	struct arena *arena;
	struct https_order order; /* In the arena. */
	struct loop_timer *timer; /* For one that failed before it could be asked. */
	struct dns_query *queries[FAMILIES]; /* NULL: answered. */
	struct {
		struct web_request *request;
		unsigned family;
	} asked[FAMILIES];
	unsigned open_count;
	bool failed;              /* The DNS did not say for one of the families. */
	struct endpoint addresses[HTTPS_ADDRESSES_MAX];
	struct https_request *https;
	https_callback *callback;
	void *context;
};

static void request_free(struct web_request *request)
{
	DL_DELETE(request->web->requests, request);
	for (unsigned i = 0; i < FAMILIES; i++)
		dns_cancel(request->queries[i]);
	https_cancel(request->https);
	loop_timer_free(request->timer);
	arena_free(request->arena);
	free(request);
}

static void finish(struct web_request *request, const struct https_response *response)
{
	request->callback(request->context, response);
	request_free(request);
}

static void answered(void *context, const struct https_response *response)
{
	struct web_request *request = context;

	request->https = NULL;
	finish(request, response);
}

static void fail(void *context)
{
	struct web_request *request = context;
	struct https_response response = { .end = HTTPS_UNREACHABLE };
	struct text host;
	uint16_t port;

	if (!https_url_split(request->order.url, &host, &port))
		response.trouble = TEXT("not a URL that is asked");
	else if (!arena_print(request->arena, &response.trouble, "%.*s %s", TEXT_FORMAT(host),
	             request->failed ? "cannot be looked up" : "has no address"))
		response.trouble = TEXT("the host cannot be looked up");
	finish(request, &response);
}

static void ask_host(struct web_request *request)
{
	request->order.addresses = request->addresses;
	if (request->order.address_count > 0)
		request->https = https_ask(request->web->https, &request->order, answered, request);
	if (request->https == NULL)
		fail(request);
}

/* -- Addresses ------------------------------------------------------------------------ */

/* Both families get their share, whichever answers first. */
static void keep_addresses(struct web_request *request, const struct dns_answer *answer)
{
	size_t room = HTTPS_ADDRESSES_MAX / FAMILIES;

	for (uint32_t i = 0; i < answer->record_count && room > 0; i++, room--)
		request->addresses[request->order.address_count++] = answer->records[i].address;
}

static void address_answered(struct web_request *request, unsigned family, const struct dns_answer *answer)
{
	request->queries[family] = NULL;
	request->failed = request->failed || answer->status == DNS_SERVFAIL || answer->status == DNS_TIMEOUT ||
	    answer->status == DNS_BOGUS;
	if (answer->status == DNS_FOUND)
		keep_addresses(request, answer);
	must(request->open_count > 0);
	if (--request->open_count == 0)
		ask_host(request);
}

static void a_answered(void *context, const struct dns_answer *answer)
{
	address_answered(context, 0, answer);
}

static void aaaa_answered(void *context, const struct dns_answer *answer)
{
	address_answered(context, 1, answer);
}

static void ask_addresses(struct web_request *request)
{
	static const enum dns_type types[FAMILIES] = { DNS_A, DNS_AAAA };
	static dns_callback *const callbacks[FAMILIES] = { a_answered, aaaa_answered };
	struct text host;
	uint16_t port;

	if (request->web->dns == NULL || !https_url_split(request->order.url, &host, &port))
		return;
	for (unsigned i = 0; i < FAMILIES; i++) {
		request->queries[i] = dns_ask(request->web->dns, host, types[i], callbacks[i], request);
		request->open_count += request->queries[i] != NULL;
		request->failed = request->failed || request->queries[i] == NULL;
	}
}

/* -- The start -------------------------------------------------------------------------- */

static bool copy_order(struct arena *arena, const struct https_order *order, struct https_order *out_copy)
{
	*out_copy = *order;
	out_copy->address_count = 0;
	return arena_copy(arena, order->url, &out_copy->url) &&
	    arena_copy(arena, order->content_type, &out_copy->content_type) &&
	    arena_copy(arena, order->header, &out_copy->header) && arena_copy(arena, order->content, &out_copy->content);
}

struct web_request *web_ask(
    struct web *web, const struct https_order *order, https_callback *callback, void *context)
{
	struct web_request *request = calloc(1, sizeof *request);

	if (request == NULL)
		return NULL;
	request->web = web;
	request->callback = callback;
	request->context = context;
	DL_APPEND(web->requests, request);
	request->arena = arena_new(REQUEST_BYTES_MAX);
	request->timer = loop_timer_new(web->loop, fail, request);
	if (request->arena == NULL || request->timer == NULL || !copy_order(request->arena, order, &request->order)) {
		request_free(request);
		return NULL;
	}
	ask_addresses(request);
	if (request->open_count == 0)
		loop_timer_set(request->timer, 0);
	return request;
}

void web_cancel(struct web_request *request)
{
	if (request != NULL)
		request_free(request);
}

static bool trust(void *context, void *ssl_context)
{
	const struct web *web = context;

	return web->client != NULL && tls_client_lend_trust(web->client, ssl_context);
}

struct web *web_new(struct loop *loop)
{
	struct web *web = calloc(1, sizeof *web);

	if (web == NULL)
		return NULL;
	web->loop = loop;
	web->https = https_new(loop);
	if (web->https == NULL) {
		free(web);
		return NULL;
	}
	https_set_trust(web->https, trust, web);
	return web;
}

void web_set_dns(struct web *web, struct dns *dns)
{
	web->dns = dns;
}

void web_set_tls(struct web *web, struct tls_client *client)
{
	struct tls_client *old = web->client;

	web->client = tls_client_ref(client);
	tls_client_unref(old);
}

void web_free(struct web *web)
{
	if (web == NULL)
		return;
	while (web->requests != NULL)
		request_free(web->requests);
	https_free(web->https);
	tls_client_unref(web->client);
	free(web);
}
