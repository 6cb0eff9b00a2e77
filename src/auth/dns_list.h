/* What a list in the DNS says of a client's address or of a domain (RFC 5782): block lists name those from whom nobody wants
 * mail, allow lists those who may be trusted.
 *
 * Pure; a value whose answers are copied into the arena.
 *
 *   L1  An entry counts when one of its addresses lies in `replies`. Lists tell by others that they are asked too
 *       often, or by a resolver that they do not serve: then there is no answer.
 *   L2  The reason that a block list gives is asked for when there is an entry. It is shown to clients: bytes that could end
 *       a line are shown as "?", and DNS_LIST_REASON_MAX bytes of it at most.
 *
 * Life: one of the two starts, then questions and answers until dns_list_question says no. */
#ifndef AUTH_DNS_LIST_H
#define AUTH_DNS_LIST_H

#include "auth/question.h"
#include "base/arena.h"

enum { DNS_LIST_REASON_MAX = 200 };

struct dns_list_settings {             /* Borrows. */
	struct text zone;              /* "zen.spamhaus.org" */
	bool allows;                   /* False: it blocks. */
	bool of_domains;               /* False: of addresses. */
	unsigned weight;               /* Of an entry in a block list; >= 1. */
	const struct network *replies; /* What counts as an entry. */
	size_t reply_count;
};

enum dns_list_result {
	DNS_LIST_CLEAR,  /* No entry; also while it is being asked. */
	DNS_LIST_LISTED,
	DNS_LIST_FAILED  /* It does not say. */
};

struct dns_list {
	const struct dns_list_settings *settings; /* Borrows. */
	struct arena *arena;                      /* Borrows. */
	struct text name;                         /* That is asked about. */
	struct text reason;                       /* May be empty. */
	enum dns_list_result result;
	bool asked_entry, asked_reason;
};

/* `client` is an IPv4 or IPv6 address; the list is of addresses. */
void dns_list_start_address(
    struct dns_list *list, const struct dns_list_settings *settings, const struct endpoint *client, struct arena *arena);

/* The list is of domains. */
void dns_list_start_domain(
    struct dns_list *list, const struct dns_list_settings *settings, struct text domain, struct arena *arena);

/* What it waits for; false when it has ended. */
[[nodiscard]] bool dns_list_question(const struct dns_list *list, struct question *out_question);
/* The answer to that question. */
void dns_list_answer(struct dns_list *list, const struct answer *answer);

#endif
