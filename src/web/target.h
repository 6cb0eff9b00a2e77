/* What can be asked for over HTTP, as a table, and what a method and a path mean in it.
 *
 * Pure. */
#ifndef WEB_TARGET_H
#define WEB_TARGET_H

#include "base/text.h"
#include "web/tokens.h"

enum web_answer {
	WEB_ANSWER_HEALTH,
	WEB_ANSWER_READY,
	WEB_ANSWER_METRICS,
	WEB_ANSWER_PAGE, WEB_ANSWER_STYLE, WEB_ANSWER_SCRIPT,
	WEB_ANSWER_STS,     /* The MTA-STS policy of one of our domains. */
	WEB_ANSWER_MAIL,    /* A message is handed in. */
	WEB_ANSWER_API      /* A request of the control socket: `verb`. */
};

struct web_endpoint {
	const char *method, *path; /* "*" stands for one part, taken in order: first the id, then the action. */
	enum web_answer answer;
	unsigned scope;            /* enum web_scope; 0: for everybody. */
	const char *verb;          /* Of the control socket, if it is always the same one. */
};

struct web_target {
	const struct web_endpoint *endpoint;
	struct text first, second; /* What the stars stood for. Borrow from the path. */
};

enum web_match { WEB_FOUND, WEB_NO_PATH, WEB_NO_METHOD };

/* HEAD is GET. `out_target` is filled if it is found. */
enum web_match web_target_find(struct text method, struct text path, struct web_target *out_target);

/* A Host field that can only mean this machine: "localhost", 127.0.0.1 or [::1], with a port or without. A page of a stranger
 * whose name was made to lead here has another one. */
bool web_host_is_local(struct text host);

/* Whether an Origin field is that of a page from `host`, which is what our own pages say. */
bool web_origin_is_host(struct text origin, struct text host);

#endif
