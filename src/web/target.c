#include "web/target.h"

#include <stddef.h>

#include "base/endpoint.h"

static const struct web_endpoint endpoints[] = {
	{ "GET", "/", WEB_ANSWER_PAGE, 0, NULL },
	{ "GET", "/page.css", WEB_ANSWER_STYLE, 0, NULL },
	{ "GET", "/page.js", WEB_ANSWER_SCRIPT, 0, NULL },
	{ "GET", "/.well-known/mta-sts.txt", WEB_ANSWER_STS, 0, NULL },
	{ "GET", "/healthz", WEB_ANSWER_HEALTH, 0, NULL },
	{ "GET", "/readyz", WEB_ANSWER_READY, 0, NULL },
	{ "GET", "/metrics", WEB_ANSWER_METRICS, WEB_METRICS, NULL },
	{ "GET", "/v1/stats", WEB_ANSWER_API, WEB_READ, "stats" },
	{ "GET", "/v1/queue", WEB_ANSWER_API, WEB_READ, "queue list" },
	{ "GET", "/v1/queue/*", WEB_ANSWER_API, WEB_READ, "queue show" },
	{ "POST", "/v1/queue/*", WEB_ANSWER_API, WEB_CHANGE, NULL },
	{ "GET", "/v1/pauses", WEB_ANSWER_API, WEB_READ, "queue pauses" },
	{ "POST", "/v1/pauses", WEB_ANSWER_API, WEB_CHANGE, "queue pause" },
	{ "DELETE", "/v1/pauses", WEB_ANSWER_API, WEB_CHANGE, "queue resume" },
	{ "GET", "/v1/destinations", WEB_ANSWER_API, WEB_READ, "queue destinations" },
	{ "GET", "/v1/webhooks", WEB_ANSWER_API, WEB_READ, "webhooks" },
	{ "GET", "/v1/events", WEB_ANSWER_API, WEB_READ, "tail" },
	{ "POST", "/v1/messages", WEB_ANSWER_MAIL, WEB_SEND, NULL },
	{ "GET", "/v1/messages", WEB_ANSWER_API, WEB_READ, "trace" },
	{ "GET", "/v1/messages/*", WEB_ANSWER_API, WEB_READ, "trace" },
	{ "DELETE", "/v1/messages/*", WEB_ANSWER_API, WEB_CHANGE, "queue delete" },
	{ "POST", "/v1/messages/*/*", WEB_ANSWER_API, WEB_CHANGE, NULL },
	{ "GET", "/v1/explain", WEB_ANSWER_API, WEB_READ, "explain" },
	{ "GET", "/v1/reports", WEB_ANSWER_API, WEB_READ, "reports" },
	{ "POST", "/v1/reports", WEB_ANSWER_API, WEB_CHANGE, "reports send" },
	{ "POST", "/v1/reload", WEB_ANSWER_API, WEB_ADMIN, "reload" },
	{ "POST", "/v1/upgrade", WEB_ANSWER_API, WEB_ADMIN, "upgrade" },
	{ "POST", "/v1/stop", WEB_ANSWER_API, WEB_ADMIN, "stop" },
};

static bool path_fits(struct text pattern, struct text path, struct web_target *target)
{
	struct text *stars[] = { &target->first, &target->second };
	struct text wanted, part;
	size_t star = 0;

	while (text_cut(&pattern, '/', &wanted)) {
		if (!text_cut(&path, '/', &part))
			return false;
		if (!text_equal(wanted, TEXT("*"))) {
			if (!text_equal(wanted, part))
				return false;
		} else if (part.length == 0) {
			return false;
		} else {
			*stars[star++] = part;
		}
	}
	return path.bytes == NULL;
}

enum web_match web_target_find(struct text method, struct text path, struct web_target *out_target)
{
	enum web_match match = WEB_NO_PATH;

	if (text_equal(method, TEXT("HEAD")))
		method = TEXT("GET");
	for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
		struct web_target target = { .endpoint = &endpoints[i] };

		if (!path_fits(text_of(endpoints[i].path), path, &target))
			continue;
		match = WEB_NO_METHOD;
		if (text_equal(method, text_of(endpoints[i].method))) {
			*out_target = target;
			return WEB_FOUND;
		}
	}
	return match;
}

bool web_host_is_local(struct text host)
{
	struct endpoint endpoint;
	const size_t colon = text_find_byte(host, ':');

	if (text_equal_nocase(text_part(host, 0, colon), TEXT("localhost")))
		return true;
	return endpoint_parse(host, 80, &endpoint) && endpoint.family != ENDPOINT_UNIX && endpoint_is_loopback(&endpoint);
}

bool web_origin_is_host(struct text origin, struct text host)
{
	const size_t scheme = text_find(origin, TEXT("://"));

	return scheme < origin.length && text_equal_nocase(text_from(origin, scheme + 3), host);
}
