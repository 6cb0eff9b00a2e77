/* Shared by server.c, which knows HTTP, and server_answer.c, which knows what to say. */
#ifndef WEB_SERVER_PRIVATE_H
#define WEB_SERVER_PRIVATE_H

#include "web/api.h"
#include "web/server.h"

/* One request and its answer. The answer's bytes and its field lines are the exchange's own. */
struct web_exchange {
	const char *control;
	struct text hostname;  /* Of the server. */
	struct web_rules *rules; /* Shared. */
	struct text host;      /* That is asked; borrows from the connection. */
	struct text name;      /* Of the token; borrows from the rules. */
	struct rate_table *rates; /* Of the server. */
	struct text key;       /* Idempotency-Key; borrows from the connection. */
	struct text content_type; /* Of the request; borrows from the connection. */
	size_t body_max;
	struct web_call call;
	struct buffer body;
	unsigned status;       /* 0: not answered yet. */
	const char *type;      /* Static. */
	struct buffer answer;
	int64_t retry_after_s; /* With 429. */
	bool replayed;         /* The answer is that of another time. */
	int64_t until_s;       /* By the monotonic clock: then the body must have come. */
};

/* Make the answer to a request whose body is complete. */
void web_answer(struct web_exchange *exchange);

/* An answer of one sentence. */
void web_answer_failure(struct web_exchange *exchange, unsigned status, const char *why);

#endif
