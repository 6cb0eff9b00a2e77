/* postroad doctor: what is around a server, looked at from where it is: its files and this machine (doctor_local.c), and what the
 * DNS says of it (doctor_dns.c, doctor_sts.c), where its mail leaves from (doctor_pools.c, doctor_reach.c), who reads what is for
 * those whom everybody may write to (doctor_names.c), and whether those are told of deliveries who want to be (doctor_webhooks.c).
 *
 * Each finding has its meaning and what mends it. Nothing is changed.
 *
 * Private to this folder. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include <jansson.h>

#include "conf/conf.h"
#include "dns/dns.h"
#include "io/loop.h"
#include "route/router.h"
#include "route/web.h"

enum severity { DOCTOR_FINE, DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_ERROR };

struct doctor {
	const struct conf *conf; /* Borrows, as the next two. */
	const struct router *router;
	struct text names;       /* Of users, one a line. */
	struct arena *arena;
	struct loop *loop;
	struct dns *dns;
	struct web *web;         /* NULL: nothing can be fetched. */
	int64_t now_s;
	bool runs;               /* A server answers at the control socket. */
	const char *reach;       /* HOST or HOST:PORT that mail could be sent to; NULL: not tried. */
	json_t *findings;
	enum severity worst;
};

/* Say what was found of a subject ("MX of example.org"). `mend`: what to do about it; NULL: nothing is to be done. Both
 * are borrowed for the call. */
void doctor_find(struct doctor *doctor, enum severity severity, const char *subject, const char *meaning, const char *mend);
/* Into the arena; never NULL. */
[[gnu::format(printf, 2, 3)]] const char *doctor_print(struct doctor *doctor, const char *format, ...);

/* An answer of the DNS, kept in the arena. */
struct dns_answer doctor_ask(struct doctor *doctor, struct text name, enum dns_type type);

void doctor_look_at_files(struct doctor *doctor);
void doctor_look_at_ports(struct doctor *doctor);
void doctor_look_at_certificates(struct doctor *doctor);
void doctor_look_at_disk(struct doctor *doctor);
void doctor_look_at_clock(struct doctor *doctor);
void doctor_look_at_host(struct doctor *doctor);
void doctor_look_at_domains(struct doctor *doctor);
void doctor_look_at_keys(struct doctor *doctor);
void doctor_look_at_reach(struct doctor *doctor);
void doctor_look_at_pools(struct doctor *doctor);
void doctor_look_at_names(struct doctor *doctor);
void doctor_look_at_webhooks(struct doctor *doctor);

/* -- Parts of these -- */

/* Of an address that mail leaves from by a host of this name; `whose`: " of pool x", or empty. */
void doctor_look_at_reverse(struct doctor *doctor, const struct endpoint *address, struct text hostname, const char *whose);
void doctor_look_at_spf(struct doctor *doctor, const struct endpoint *address, struct text hostname, const char *whose);

/* MTA-STS of one of our domains: the record, and the policy that it names. */
void doctor_look_at_sts(struct doctor *doctor, struct text domain);

/* What the server tells of a webhook (admin/webhooks.c). */
void doctor_judge_webhook(struct doctor *doctor, const json_t *webhook);

bool doctor_has_failed(const struct dns_answer *answer);
void doctor_complain_of_dns(struct doctor *doctor, const char *subject);

/* 0 and a connected socket (to be closed), or errno. */
int doctor_connect(const struct endpoint *endpoint, int *out_fd);

/* 0, when it can be listened to now, or errno. */
int doctor_listen(const struct endpoint *endpoint);

/* Where --reach leads. False: it has no address. */
bool doctor_find_reach(struct doctor *doctor, struct endpoint *out_endpoint);

#endif
