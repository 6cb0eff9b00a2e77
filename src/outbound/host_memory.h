/* What a courier remembers of hosts: what they offered last, and that they could not be reached.
 *
 *   H1  A memory is a hint: which host is tried first, whether to wait for one at all where a relay stands in for it, and what the
 *       log says. No message is refused, and none is sent in another way, because of what a host once said.
 *   H2  What was offered counts for an hour: a host that was passed over for it must get a chance to show that it has learned.
 *   H3  A host that could not be reached rests, from half a minute up to five; then one delivery probes it, and it rests for the
 *       others until that has come to something. One that took us a moment ago is not dead: it does not rest.
 *   H4  At most HOSTS_REMEMBERED_MAX; who was met longest ago makes room. Nothing of it lives longer than the process.
 *
 * A host is an address and port, met by way of a pool of ours: it may be closed to one of them. */
#ifndef OUTBOUND_HOST_MEMORY_H
#define OUTBOUND_HOST_MEMORY_H

#include "base/endpoint.h"
#include "mail/envelope.h"
#include "smtp/capabilities.h"

enum { HOSTS_REMEMBERED_MAX = 1000, HOST_TROUBLE_MAX = 200 };

struct host_memory;

struct host_known {                       /* Borrows, until the memory's next change. Times are the caller's. */
	int64_t heard_ms;                 /* When it last offered something; 0: never. */
	struct capabilities capabilities; /* What that was, under TLS where there was TLS. */
	bool tls;                         /* It had TLS, or offered it. */
	uint32_t failures;                /* Since it was last heard. */
	int64_t rests_until_ms;           /* 0: it does not. */
	struct text trouble;              /* Why; empty: it was reached. */
};

struct host_memory *host_memory_new(void); /* NULL: no memory. */
void host_memory_free(struct host_memory *memory);

/* NULL: not known. `pool`: its name; empty: none. */
const struct host_known *host_memory_find(const struct host_memory *memory, const struct endpoint *host, struct text pool);

/* It has answered EHLO. Without memory for it it stays unknown. */
void host_memory_heard(struct host_memory *memory, const struct endpoint *host, struct text pool,
    const struct capabilities *capabilities, bool tls, int64_t now_ms);

/* It offers no TLS. True: when we last met it, it did. */
[[nodiscard]] bool host_memory_lost_tls(struct host_memory *memory, const struct endpoint *host, struct text pool);

/* It could not be reached (H3). */
void host_memory_failed(
    struct host_memory *memory, const struct endpoint *host, struct text pool, struct text trouble, int64_t now_ms);

/* It is being dialled, which tells within `probe_ms`. */
void host_memory_dialled(
    struct host_memory *memory, const struct endpoint *host, struct text pool, int64_t probe_ms, int64_t now_ms);

/* Nobody rests any more. */
void host_memory_forgive(struct host_memory *memory);

/* NULL: not known. */
bool host_known_rests(const struct host_known *known, int64_t now_ms);

/* As far as we know it would not take this message, which others may. `whole_way`: it requires TLS all the way. */
bool host_known_unsuitable(
    const struct host_known *known, const struct envelope *envelope, bool whole_way, int64_t now_ms);

#endif
