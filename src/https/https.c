/* One request, by libcurl's multi interface on our loop:
 *
 *     asked ─► waiting (H4) ─► begun ─► libcurl says on which sockets and until when it waits; we tell it when
 *                                │      either has come, and look whether it is done
 *                                └────► ended ─► callback
 *
 * Each request has a multi handle of its own: its cache of addresses and its connections end with it (H1, H2). */
#include "https/https.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/buffer.h"
#include "base/must.h"

struct https {
	struct loop *loop;
	https_trust *trust;
	void *trust_context;
	struct https_request *waiting, *open; /* utlist */
	unsigned open_count;
	bool global; /* libcurl is prepared. */
};

struct socket_watch {
	struct socket_watch *prev, *next;
	struct https_request *request;
	curl_socket_t socket;
	struct loop_watch *watch;
};

struct https_request {
	struct https_request *prev, *next;
	struct https *https;
	bool is_open;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *resolve, *headers;
	struct loop_timer *timer;
	struct socket_watch *sockets;
	struct buffer content;
	size_t header_bytes;
	bool too_large, broken; /* broken: it could not be begun. */
	char error[CURL_ERROR_SIZE];
	https_callback *callback;
	void *context;
};

/* -- The end --------------------------------------------------------------------------- */

static void socket_free(struct socket_watch *socket)
{
	DL_DELETE(socket->request->sockets, socket);
	loop_watch_free(socket->watch);
	free(socket);
}

static void request_free(struct https_request *request)
{
	if (request->multi != NULL && request->easy != NULL)
		(void)curl_multi_remove_handle(request->multi, request->easy);
	curl_easy_cleanup(request->easy);
	if (request->multi != NULL)
		(void)curl_multi_cleanup(request->multi);
	while (request->sockets != NULL)
		socket_free(request->sockets);
	curl_slist_free_all(request->resolve);
	curl_slist_free_all(request->headers);
	loop_timer_free(request->timer);
	buffer_done(&request->content);
	free(request);
}

static void begin_waiting(struct https *https);

/* Out of its list, so that another one may begin. */
static void leave(struct https_request *request)
{
	struct https *https = request->https;

	if (request->is_open) {
		DL_DELETE(https->open, request);
		https->open_count--;
		begin_waiting(https);
	} else {
		DL_DELETE(https->waiting, request);
	}
}

static enum https_end end_of(const struct https_request *request, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return HTTPS_ANSWERED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return HTTPS_UNTRUSTED;
	default:
		return request->too_large ? HTTPS_TOO_LARGE : HTTPS_UNREACHABLE;
	}
}

static struct text trouble_of(const struct https_request *request, CURLcode code)
{
	if (code == CURLE_OK)
		return TEXT_EMPTY;
	if (request->too_large)
		return TEXT("the response is too large");
	return text_trim(text_of(request->error[0] != '\0' ? request->error : curl_easy_strerror(code)));
}

static void finish(struct https_request *request, CURLcode code)
{
	struct https_response response = { .end = end_of(request, code), .trouble = trouble_of(request, code) };
	const char *type = NULL;
	long status = 0;

	if (code == CURLE_OK) {
		(void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_easy_getinfo(request->easy, CURLINFO_CONTENT_TYPE, &type);
		response.status = (unsigned)status;
		response.content_type = text_of(type);
		response.content = buffer_text(&request->content);
	}
	leave(request);
	request->callback(request->context, &response);
	request_free(request);
}

/* -- Between libcurl and the loop -------------------------------------------------------- */

static void look_whether_done(struct https_request *request)
{
	int left;
	const CURLMsg *message = curl_multi_info_read(request->multi, &left);

	if (message != NULL && message->msg == CURLMSG_DONE)
		finish(request, message->data.result);
}

static void socket_ready(void *context)
{
	struct socket_watch *socket = context;
	struct https_request *request = socket->request;
	int running;

	/* 0: libcurl looks for itself what has come. */
	(void)curl_multi_socket_action(request->multi, socket->socket, 0, &running);
	look_whether_done(request);
}

static void timer_due(void *context)
{
	struct https_request *request = context;
	int running;

	if (request->broken) {
		finish(request, CURLE_FAILED_INIT);
		return;
	}
	(void)curl_multi_socket_action(request->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_whether_done(request);
}

static int on_timer(CURLM *multi, long delay_ms, void *context)
{
	struct https_request *request = context;

	(void)multi;
	if (delay_ms < 0)
		loop_timer_stop(request->timer);
	else
		loop_timer_set(request->timer, delay_ms);
	return 0;
}

static struct socket_watch *watch_socket(struct https_request *request, curl_socket_t number)
{
	struct socket_watch *socket = calloc(1, sizeof *socket);

	if (socket == NULL)
		return NULL;
	*socket = (struct socket_watch){ .request = request, .socket = number };
	socket->watch = loop_watch_new(request->https->loop, number, socket_ready, socket);
	if (socket->watch == NULL) {
		free(socket);
		return NULL;
	}
	DL_APPEND(request->sockets, socket);
	return socket;
}

static int on_socket(CURL *easy, curl_socket_t number, int what, void *context, void *known)
{
	struct https_request *request = context;
	struct socket_watch *socket = known;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (socket != NULL)
			socket_free(socket);
		return 0;
	}
	if (socket == NULL)
		socket = watch_socket(request, number);
	if (socket == NULL || curl_multi_assign(request->multi, number, socket) != CURLM_OK)
		return -1;
	loop_watch_want(socket->watch, what & CURL_POLL_IN, what & CURL_POLL_OUT);
	return 0;
}

/* -- What comes (H3) ----------------------------------------------------------------------- */

static size_t on_content(char *bytes, size_t size, size_t count, void *context)
{
	struct https_request *request = context;
	const struct text part = { bytes, size * count };

	if (buffer_append(&request->content, part))
		return part.length;
	request->too_large = true;
	return CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct https_request *request = context;

	(void)bytes;
	request->header_bytes += size * count;
	request->too_large = request->header_bytes > HTTPS_HEADER_BYTES_MAX;
	return request->too_large ? CURL_WRITEFUNC_ERROR : size * count;
}

/* -- The start ------------------------------------------------------------------------------ */

static CURLcode on_tls(CURL *easy, void *ssl_context, void *context)
{
	const struct https_request *request = context;
	const struct https *https = request->https;

	(void)easy;
	return https->trust != NULL && https->trust(https->trust_context, ssl_context) ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static bool set_numbers(CURL *easy, const struct https_order *order)
{
	const long time_ms = (long)order->time_ms_max;
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
		{ CURLOPT_SSL_VERIFYPEER, 1 },
		{ CURLOPT_SSL_VERIFYHOST, 2 },
		{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
		{ CURLOPT_FORBID_REUSE, 1 },
		{ CURLOPT_TIMEOUT_MS, time_ms },
		{ CURLOPT_CONNECTTIMEOUT_MS, time_ms },
	};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (curl_easy_setopt(easy, numbers[i].option, numbers[i].value) != CURLE_OK)
			return false;
	return true;
}

static bool set_words(CURL *easy, const char *url)
{
	const struct {
		CURLoption option;
		const char *value;
	} words[] = {
		{ CURLOPT_URL, url },
		{ CURLOPT_PROTOCOLS_STR, "https" },
		{ CURLOPT_PROXY, "" }, /* None of the environment either. */
		{ CURLOPT_USERAGENT, "postroad" },
		{ CURLOPT_CAINFO, NULL }, /* Trust comes from on_tls alone. */
		{ CURLOPT_CAPATH, NULL },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (curl_easy_setopt(easy, words[i].option, words[i].value) != CURLE_OK)
			return false;
	return true;
}

static bool set_callbacks(struct https_request *request)
{
	CURL *easy = request->easy;
	CURLM *multi = request->multi;

	return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_content) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, request) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error) == CURLE_OK &&
	    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, request) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, request) == CURLM_OK;
}

static bool add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

/* "host:port:address,address": libcurl finds the host in its cache and asks nobody (H2). */
static bool set_addresses(struct https_request *request, const struct https_order *order)
{
	struct text host;
	uint16_t port;
	struct buffer line;

	if (!https_url_split(order->url, &host, &port))
		return false;
	buffer_init(&line, HTTPS_HOST_MAX + HTTPS_ADDRESSES_MAX * ENDPOINT_TEXT_MAX);
	bool printed = buffer_print(&line, "%.*s:%u:", TEXT_FORMAT(host), port);

	for (size_t i = 0; i < order->address_count && i < HTTPS_ADDRESSES_MAX; i++) {
		const struct endpoint *address = &order->addresses[i];
		char room[ENDPOINT_TEXT_MAX];
		const bool is_long = address->family == ENDPOINT_IP6;

		must(address->family == ENDPOINT_IP4 || address->family == ENDPOINT_IP6);
		printed = printed && buffer_print(&line, "%s%s%s%s", i > 0 ? "," : "", is_long ? "[" : "",
		    endpoint_print_ip(address, room).bytes, is_long ? "]" : "");
	}
	printed = printed && buffer_append(&line, (struct text){ "", 1 }) &&
	    add(&request->resolve, buffer_text(&line).bytes) &&
	    curl_easy_setopt(request->easy, CURLOPT_RESOLVE, request->resolve) == CURLE_OK;
	buffer_done(&line);
	return printed;
}

static bool set_content(struct https_request *request, const struct https_order *order)
{
	CURL *easy = request->easy;
	char type[128], field[HTTPS_FIELD_MAX + 1];

	if (order->content_type.length == 0)
		return true;
	snprintf(type, sizeof type, "Content-Type: %.*s", TEXT_FORMAT(order->content_type));
	snprintf(field, sizeof field, "%.*s", TEXT_FORMAT(order->header));
	return add(&request->headers, type) && (field[0] == '\0' || add(&request->headers, field)) && add(&request->headers, "Expect:") &&
	    curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)order->content.length) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, order->content.bytes) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers) == CURLE_OK;
}

static bool prepare(struct https_request *request, const struct https_order *order)
{
	char url[HTTPS_URL_MAX + 1];

	must(order->address_count > 0 && order->url.length <= HTTPS_URL_MAX && order->time_ms_max > 0);
	snprintf(url, sizeof url, "%.*s", TEXT_FORMAT(order->url));
	request->multi = curl_multi_init();
	request->easy = curl_easy_init();
	request->timer = loop_timer_new(request->https->loop, timer_due, request);
	return request->multi != NULL && request->easy != NULL && request->timer != NULL &&
	    set_numbers(request->easy, order) && set_words(request->easy, url) && set_callbacks(request) &&
	    set_addresses(request, order) && set_content(request, order);
}

static void begin_waiting(struct https *https)
{
	while (https->waiting != NULL && https->open_count < HTTPS_OPEN_MAX) {
		struct https_request *request = https->waiting;

		DL_DELETE(https->waiting, request);
		DL_APPEND(https->open, request);
		https->open_count++;
		request->is_open = true;
		if (curl_multi_add_handle(request->multi, request->easy) == CURLM_OK)
			continue;
		request->broken = true;
		loop_timer_set(request->timer, 0);
	}
}

struct https_request *https_ask(
    struct https *https, const struct https_order *order, https_callback *callback, void *context)
{
	struct https_request *request = calloc(1, sizeof *request);

	if (request == NULL)
		return NULL;
	/* Not before it is needed: most servers ask nobody for a while, and some programs never do. */
	https->global = https->global || curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	request->https = https;
	request->callback = callback;
	request->context = context;
	buffer_init(&request->content, order->response_bytes_max);
	if (!https->global || !prepare(request, order)) {
		request_free(request);
		return NULL;
	}
	DL_APPEND(https->waiting, request);
	begin_waiting(https);
	return request;
}

void https_cancel(struct https_request *request)
{
	if (request == NULL)
		return;
	leave(request);
	request_free(request);
}

struct https *https_new(struct loop *loop)
{
	struct https *https = calloc(1, sizeof *https);

	if (https != NULL)
		https->loop = loop;
	return https;
}

void https_set_trust(struct https *https, https_trust *trust, void *context)
{
	https->trust = trust;
	https->trust_context = context;
}

void https_free(struct https *https)
{
	struct https_request *request, *next;

	if (https == NULL)
		return;
	DL_FOREACH_SAFE(https->waiting, request, next)
		request_free(request);
	DL_FOREACH_SAFE(https->open, request, next)
		request_free(request);
	if (https->global)
		curl_global_cleanup();
	free(https);
}
