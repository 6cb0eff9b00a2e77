#include "web/server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "web/server_private.h"

enum { RATE_ENTRIES = 2 * WEB_TOKENS_MAX };

struct web_server {
	struct MHD_Daemon *daemon;
	char *control, *hostname;
	size_t letter_bytes_max;
	char *certificate, *key;   /* NUL-terminated; NULL: HTTP. */
	pthread_mutex_t lock;
	struct web_rules *rules;   /* Under the lock. */
	struct rate_table *rates;  /* Of what tokens hand in. */
};

/* -- one exchange ------------------------------------------------------------------ */

static struct text header_of(struct MHD_Connection *connection, const char *name)
{
	return text_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	json_t *query = context;

	(void)kind;
	/* What is not UTF-8 is kept as nothing, which is then refused. */
	if (json_object_set_new(query, key, json_string(value ? value : "")) != 0)
		(void)json_object_set_new(query, "?", json_string("?"));
	return MHD_YES;
}

static int64_t now_s(void)
{
	return clock_monotonic_ms() / 1000;
}

static struct web_exchange *exchange_new(const struct web_server *server)
{
	struct web_exchange *exchange = calloc(1, sizeof *exchange);

	if (exchange == NULL)
		return NULL;
	exchange->control = server->control;
	exchange->hostname = text_of(server->hostname);
	exchange->rates = server->rates;
	exchange->until_s = now_s() + WEB_REQUEST_S;
	exchange->call.query = json_object();
	buffer_init(&exchange->body, WEB_BODY_BYTES_MAX);
	buffer_init(&exchange->answer, WEB_ANSWER_BYTES_MAX);
	return exchange;
}

static void exchange_free(struct web_exchange *exchange)
{
	web_rules_unref(exchange->rules);
	json_decref((json_t *)exchange->call.query);
	buffer_done(&exchange->body);
	buffer_done(&exchange->answer);
	free(exchange);
}

static struct web_rules *rules_now(struct web_server *server)
{
	pthread_mutex_lock(&server->lock);
	struct web_rules *rules = web_rules_ref(server->rules);

	pthread_mutex_unlock(&server->lock);
	return rules;
}

static bool is_too_long(struct MHD_Connection *connection, const struct web_exchange *exchange)
{
	uint64_t length;

	return text_to_u64(header_of(connection, "Content-Length"), &length) && length > exchange->body_max;
}

/* How long a body may be: a message is longer than what an action says. */
static void allow_body(const struct web_server *server, struct web_exchange *exchange)
{
	const bool mail = exchange->call.target.endpoint->answer == WEB_ANSWER_MAIL;

	exchange->body_max = mail ? server->letter_bytes_max : WEB_BODY_BYTES_MAX;
	buffer_done(&exchange->body);
	buffer_init(&exchange->body, exchange->body_max);
}

/* By the header alone: where it goes, and whether he may. */
static void judge(struct web_server *server, struct MHD_Connection *connection, struct web_exchange *exchange,
    struct text method, struct text path)
{
	const struct web_visitor visitor = { .host = header_of(connection, "Host"),
		.origin = header_of(connection, "Origin"),
		.authorization = header_of(connection, "Authorization") };
	const enum web_match match = web_target_find(method, path, &exchange->call.target);
	const char *why = "";

	exchange->rules = rules_now(server);
	exchange->host = visitor.host;
	unsigned status = web_rules_judge(exchange->rules, &visitor,
	    match == WEB_FOUND ? exchange->call.target.endpoint->scope : WEB_READ, &why);

	if (match == WEB_FOUND)
		allow_body(server, exchange);
	exchange->content_type = header_of(connection, "Content-Type");
	exchange->key = header_of(connection, "Idempotency-Key");
	exchange->name = web_rules_name(exchange->rules, &visitor);
	if (status == 0 && match == WEB_FOUND && is_too_long(connection, exchange)) {
		status = 413;
		why = "the body is too long";
	}
	if (status == 0 && match != WEB_FOUND) {
		status = match == WEB_NO_PATH ? 404 : 405;
		why = match == WEB_NO_PATH ? "there is no such thing" : "this method is not for it";
	}
	if (status != 0)
		web_answer_failure(exchange, status, why);
	else
		MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_argument, (json_t *)exchange->call.query);
}

static enum MHD_Result reply(struct MHD_Connection *connection, const struct web_exchange *exchange)
{
	const struct text bytes = buffer_text(&exchange->answer);
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(bytes.length, (void *)(uintptr_t)bytes.bytes, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	if (exchange->type != NULL)
		(void)MHD_add_response_header(response, "Content-Type", exchange->type);
	/* The page asks this server only, runs its own script only, and stands in no other page. */
	(void)MHD_add_response_header(response, "Content-Security-Policy",
	    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
	    "form-action 'none'; frame-ancestors 'none'");
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	(void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	if (exchange->status == 429) {
		char seconds[24];

		snprintf(seconds, sizeof seconds, "%lld", (long long)exchange->retry_after_s);
		(void)MHD_add_response_header(response, "Retry-After", seconds);
	}
	if (exchange->replayed)
		(void)MHD_add_response_header(response, "Idempotency-Replayed", "true");
	if (exchange->status == 401)
		(void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"postroad\"");
	result = MHD_queue_response(connection, exchange->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Called with the header, for each piece of the body, and once more at its end. */
static enum MHD_Result request_comes(void *context, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *bytes, size_t *length, void **place)
{
	struct web_server *server = context;
	struct web_exchange *exchange = *place;

	(void)version;
	if (exchange == NULL) {
		exchange = exchange_new(server);
		*place = exchange;
		if (exchange == NULL)
			return MHD_NO;
		judge(server, connection, exchange, text_of(method), text_of(url));
		return exchange->status == 0 ? MHD_YES : reply(connection, exchange);
	}
	/* Who sends more than he said, or takes too long for it, is not answered: there is no way to before the body's end. */
	if (now_s() > exchange->until_s || !buffer_append(&exchange->body, (struct text){ bytes, *length }))
		return MHD_NO;
	if (*length > 0) {
		*length = 0;
		return MHD_YES;
	}
	web_answer(exchange);
	return reply(connection, exchange);
}

static void request_ends(
    void *context, struct MHD_Connection *connection, void **place, enum MHD_RequestTerminationCode code)
{
	(void)context;
	(void)connection;
	(void)code;
	if (*place != NULL)
		exchange_free(*place);
	*place = NULL;
}

/* -- the server ---------------------------------------------------------------------- */

static void say_nothing(void *context, const char *format, va_list list)
{
	(void)context;
	(void)format;
	(void)list;
}

static struct MHD_Daemon *start(struct web_server *server, int fd)
{
	const struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, server->key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1" },
		{ MHD_OPTION_END, 0, NULL },
	};
	const unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
	    MHD_USE_ERROR_LOG | (server->certificate ? MHD_USE_TLS : 0);

	return MHD_start_daemon(flags, 0, NULL, NULL, request_comes, server, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, request_ends, server, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)WEB_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)WEB_CLIENT_CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)WEB_HEADER_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
	    server->certificate ? tls : &tls[3], MHD_OPTION_END);
}

struct web_server *web_server_new(const struct web_server_settings *settings)
{
	struct web_server *server = calloc(1, sizeof *server);
	const bool tls = settings->certificate.length > 0;

	if (server == NULL) {
		close(settings->fd);
		return NULL;
	}
	must(pthread_mutex_init(&server->lock, NULL) == 0);
	server->rules = web_rules_ref(settings->rules);
	server->control = strdup(settings->control);
	server->hostname = strdup(settings->hostname);
	server->rates = rate_table_new(RATE_ENTRIES, 0);
	/* Base64 makes four bytes of three, JSON two of some. */
	server->letter_bytes_max = settings->message_bytes_max < WEB_LETTER_BYTES_MAX / 3 * 2
	    ? (size_t)settings->message_bytes_max / 2 * 3 + WEB_BODY_BYTES_MAX
	    : WEB_LETTER_BYTES_MAX;
	if (tls) {
		server->certificate = strndup(settings->certificate.bytes, settings->certificate.length);
		server->key = strndup(settings->key.bytes, settings->key.length);
	}
	if (server->rates != NULL && server->control != NULL && server->hostname != NULL && (!tls || (server->certificate != NULL && server->key != NULL)))
		server->daemon = start(server, settings->fd);
	if (server->daemon != NULL)
		return server;
	close(settings->fd);
	web_server_free(server);
	return NULL;
}

void web_server_set_rules(struct web_server *server, struct web_rules *rules)
{
	pthread_mutex_lock(&server->lock);
	struct web_rules *old = server->rules;

	server->rules = web_rules_ref(rules);
	pthread_mutex_unlock(&server->lock);
	web_rules_unref(old);
}

void web_server_free(struct web_server *server)
{
	if (server == NULL)
		return;
	if (server->daemon != NULL) {
		/* Ours alone: the supervisor's end of the socket listens on. */
		close(MHD_quiesce_daemon(server->daemon));
		MHD_stop_daemon(server->daemon);
	}
	web_rules_unref(server->rules);
	rate_table_free(server->rates);
	pthread_mutex_destroy(&server->lock);
	free(server->control);
	free(server->hostname);
	free(server->certificate);
	if (server->key != NULL)
		explicit_bzero(server->key, strlen(server->key));
	free(server->key);
	free(server);
}
