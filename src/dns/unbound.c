/* The engine that asks the world: libunbound with a thread of its own.
 *
 * The thread resolves, caches and validates; its answers come through a pipe, whose readable end the
 * loop watches. libunbound's callbacks only put a result aside; owners of questions are called
 * when ub_process is through, so that they may free the resolver.
 *
 * libunbound has no word for a time-out: servers that never answer are SERVFAIL to it, and to us.
 * DNS_TIMEOUT comes only from the patience of dns.c. */
#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>
#include <unistd.h>

#include "base/must.h"
#include "dns/engine.h"
#include "dns/rdata.h"

enum { CLASS_IN = 1, RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3, PATH_BYTES_MAX = 4096 };

struct resolver {
	struct dns base;
	struct ub_ctx *context;
	struct loop_watch *watch;
};

/* -- Questions and answers ------------------------------------------------------ */

static void result_arrived(void *context, int error, struct ub_result *result)
{
	struct dns_query *query = context;

	if (error != 0)
		query->failure = DNS_SERVFAIL;
	query->engine_result = result;
	dns_query_ready(query);
}

static bool resolver_start(struct dns *dns, struct dns_query *query)
{
	struct resolver *resolver = (struct resolver *)dns;
	const int error = ub_resolve_async(resolver->context, query->name.bytes,
	    rdata_type_number(query->type), CLASS_IN, query, result_arrived, &query->engine_id);

	if (error == UB_NOMEM)
		return false;
	if (error != 0) {
		query->failure = DNS_SERVFAIL;
		query->engine_id = 0;
		dns_query_ready(query);
	}
	return true;
}

static enum dns_status status_of(const struct ub_result *result)
{
	if (result->bogus)
		return DNS_BOGUS;
	if (result->nxdomain || result->rcode == RCODE_NXDOMAIN)
		return DNS_NXDOMAIN;
	if (result->rcode != RCODE_NOERROR)
		return DNS_SERVFAIL;
	return result->havedata ? DNS_FOUND : DNS_NODATA;
}

static enum error read_records(
    const struct ub_result *result, enum dns_type type, struct arena *arena, struct dns_answer *answer)
{
	uint32_t count = 0;

	while (count < DNS_RECORD_MAX && result->data[count] != NULL)
		count++;
	struct dns_record *records = arena_array(arena, count, sizeof *records);

	if (records == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < count; i++) {
		if (result->len[i] < 0)
			return ERR_SYNTAX;
		const struct text rdata = { result->data[i], (size_t)result->len[i] };
		const enum error error = rdata_parse(type, rdata, arena, &records[i]);

		if (error != OK)
			return error;
	}
	answer->records = records;
	answer->record_count = count;
	return count > 0 ? OK : ERR_SYNTAX;
}

static enum error resolver_answer(
    struct dns *dns, struct dns_query *query, struct arena *arena, struct dns_answer *out_answer)
{
	const struct ub_result *result = query->engine_result;
	struct dns_answer answer = { .canonical = query->name };
	char room[DNS_NAME_SIZE];
	struct text canonical;

	must(query->dns == dns);
	must(result != NULL);
	answer.status = status_of(result);
	answer.secure = result->secure && !result->bogus;
	answer.ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0;
	if (result->canonname != NULL && dns_name_normalise(text_of(result->canonname), room, &canonical) &&
	    !arena_copy(arena, canonical, &answer.canonical))
		return ERR_NO_MEMORY;
	if (answer.status == DNS_FOUND) {
		const enum error error = read_records(result, query->type, arena, &answer);

		if (error != OK)
			return error;
	}
	*out_answer = answer;
	return OK;
}

static void resolver_forget(struct dns *dns, struct dns_query *query)
{
	struct resolver *resolver = (struct resolver *)dns;

	if (query->engine_result != NULL)
		ub_resolve_free(query->engine_result);
	else if (!query->is_ready)
		/* Afterwards its callback does not come, even if the answer is in the pipe. */
		ub_cancel(resolver->context, query->engine_id);
	query->engine_result = NULL;
}

static void pipe_readable(void *context)
{
	struct resolver *resolver = context;

	ub_process(resolver->context);
	dns_tell_ready(&resolver->base);
}

static void resolver_free(struct dns *dns)
{
	struct resolver *resolver = (struct resolver *)dns;

	if (resolver->watch != NULL)
		loop_watch_free(resolver->watch);
	dns_done(dns);
	ub_ctx_delete(resolver->context);
	free(resolver);
}

static const struct dns_engine resolver_engine = {
	.start = resolver_start, .answer = resolver_answer, .forget = resolver_forget, .free = resolver_free
};

/* -- Settings ------------------------------------------------------------------- */

/* What libunbound assumes for a small library user does not fit a mail server. */
static bool set_options(struct ub_ctx *context)
{
	static const struct {
		const char *name, *value;
	} options[] = {
		{ "outgoing-range:", "512" },          /* Sockets for questions under way; it takes 16 by itself. */
		{ "num-queries-per-thread:", "2048" },
		{ "outgoing-num-tcp:", "32" },
		{ "msg-cache-size:", "8m" },
		{ "rrset-cache-size:", "16m" },
		{ "do-not-query-localhost:", "no" },   /* The usual place of a caching resolver. */
		{ "unblock-lan-zones:", "yes" },       /* Let the server asked speak for private networks. */
		{ "insecure-lan-zones:", "yes" },
		{ "trust-anchor-signaling:", "no" },
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (ub_ctx_set_option(context, options[i].name, options[i].value) != 0)
			return false;
	return true;
}

static bool copy_path(struct text path, char room[PATH_BYTES_MAX])
{
	if (path.length == 0 || path.length >= PATH_BYTES_MAX || memchr(path.bytes, '\0', path.length))
		return false;
	memcpy(room, path.bytes, path.length);
	room[path.length] = '\0';
	return true;
}

static bool readable_path(struct text path, char room[PATH_BYTES_MAX])
{
	return copy_path(path, room) && access(room, R_OK) == 0;
}

/* "192.0.2.1" or "192.0.2.1@5353", IPv4 or IPv6. */
static bool add_server(struct ub_ctx *context, struct text server)
{
	const struct text host = text_part(server, 0, text_find_byte(server, '@'));
	const struct text port = text_from(server, host.length + 1);
	char room[ENDPOINT_TEXT_MAX];
	struct endpoint endpoint;
	uint64_t number = 53;

	if (!endpoint_parse_ip(host, &endpoint) || server.length >= sizeof room)
		return false;
	if (host.length < server.length && (!text_to_u64(port, &number) || number == 0 || number > UINT16_MAX))
		return false;
	/* Printed again, since libunbound knows no brackets. */
	const size_t length = endpoint_print_ip(&endpoint, room).length;
	char target[ENDPOINT_TEXT_MAX + 8];

	memcpy(target, room, length);
	snprintf(target + length, 8, "@%u", (unsigned)number);
	return ub_ctx_set_fwd(context, target) == 0;
}

static const char *configure_servers(struct ub_ctx *context, const struct dns_settings *settings)
{
	for (size_t i = 0; i < settings->server_count; i++)
		if (!add_server(context, settings->servers[i]))
			return "a dns server must look like 192.0.2.1, 192.0.2.1@5353 or 2001:db8::1";
	/* A configuration file says by itself whom to ask. */
	const char *resolv_conf = settings->resolv_conf.length > 0 ? settings->resolv_conf.bytes : NULL;

	if (settings->server_count == 0 && settings->config.length == 0 && ub_ctx_resolvconf(context, resolv_conf) != 0)
		return "/etc/resolv.conf cannot be read; name a dns server";
	return NULL;
}

/* Freezes the configuration, which is when libunbound reads its files. */
static const char *finish_configuration(struct ub_ctx *context, const struct dns_settings *settings)
{
	/* RFC 6761 lets a resolver answer for these by itself; a server named on purpose may know better. */
	static const char *const zones[] = { "test.", "invalid." };

	const size_t count = settings->server_count > 0 ? sizeof zones / sizeof *zones : 0;
	int error = ub_ctx_zone_remove(context, "example.invalid."); /* No such zone: only to freeze. */

	for (size_t i = 0; i < count && error == 0; i++)
		error = ub_ctx_zone_remove(context, zones[i]);
	if (error != 0)
		return "libunbound refused the dns settings (is the trust anchor file well-formed?)";
	return NULL;
}

static const char *configure(struct ub_ctx *context, const struct dns_settings *settings)
{
	char path[PATH_BYTES_MAX];
	const char *reason;

	/* Its messages about the world's servers would go to stderr, unasked. */
	ub_ctx_debugout(context, NULL);
	if (!set_options(context))
		return "libunbound refused an option";
	if (settings->config.length > 0 &&
	    (!readable_path(settings->config, path) || ub_ctx_config(context, path) != 0))
		return "the dns config file cannot be read or is malformed";
	if (settings->trust_anchor.length > 0 &&
	    (!readable_path(settings->trust_anchor, path) || ub_ctx_add_ta_file(context, path) != 0))
		return "the dns trust-anchor file cannot be read";
	if ((reason = configure_servers(context, settings)) != NULL)
		return reason;
	if (ub_ctx_async(context, 1) != 0) /* A thread, not a child process. */
		return "libunbound has no threads";
	return finish_configuration(context, settings);
}

struct dns *dns_unbound_new(struct loop *loop, const struct dns_settings *settings, const char **out_reason)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);
	struct ub_ctx *context = ub_ctx_create();
	const char *reason = error_text(ERR_NO_MEMORY);

	if (resolver == NULL || context == NULL || (reason = configure(context, settings)) != NULL)
		goto failed;
	reason = error_text(ERR_NO_MEMORY);
	if (!dns_init(&resolver->base, &resolver_engine, loop))
		goto failed;
	resolver->context = context;
	resolver->watch = loop_watch_new(loop, ub_fd(context), pipe_readable, resolver);
	if (resolver->watch != NULL)
		return &resolver->base;
	resolver_free(&resolver->base);
	*out_reason = error_text(ERR_DESCRIPTORS);
	return NULL;
failed:
	if (context != NULL)
		ub_ctx_delete(context);
	free(resolver);
	*out_reason = reason;
	return NULL;
}
