/* The JSON API: what a call over HTTP asks of the control socket, and which status its answer has.
 *
 * Pure. The words are those of the control socket (admin/admin.h), so that whatever the command line can do can be done
 * here; an answer is passed on as it came. */
#ifndef WEB_API_H
#define WEB_API_H

#include <jansson.h>

#include "web/target.h"

struct web_call {
	struct web_target target;
	const json_t *query;   /* An object of strings. */
	struct text body;      /* Empty, or what is to be a JSON object. */
};

/* Gives the request, or NULL with the reason why not, which is static: the call is wrong (400). */
[[nodiscard]] json_t *web_api_request(const struct web_call *call, const char **out_wrong);

/* Whether the server answers such a request page by page, and the next one is to be asked for until all is done. */
bool web_api_is_change(const json_t *request);

/* The status that goes with an answer of the control socket; NULL: there was none. */
unsigned web_api_status(const json_t *answer);

/* {"ok": false, "error": ...}; gives. */
json_t *web_api_failure(const char *why);

#endif
