/* How much transport security a next hop demands; a value.
 *
 * The levels stand in order: each demands what the one before it does, and more. What DNS or a policy says of a
 * domain (DANE, RFC 7672; MTA-STS, RFC 8461) raises the level of its next hops. */
#ifndef ROUTE_TLS_DEMAND_H
#define ROUTE_TLS_DEMAND_H

#include <stdbool.h>

enum tls_level {
	TLS_UNUSED,        /* Not even where it is offered. */
	TLS_OPPORTUNISTIC, /* Where it is offered and works; else clear text (RFC 7435). */
	TLS_ENCRYPTED,     /* Never clear text; whoever it is. */
	TLS_VERIFIED       /* With a certificate that the host's TLSA records name; of a host that has none, for its name and of an
	                    * authority that is trusted. */
};

struct tls_demand {
	enum tls_level level;
	bool implicit;     /* From the first byte, without STARTTLS (RFC 8314 §3.3). */
	bool dane;         /* With TLS_VERIFIED: only to hosts that have TLSA records. */
	bool whole_way;    /* With TLS_VERIFIED: only to hosts that promise the same of those behind them (REQUIRETLS, RFC 8689). */
	bool waived;       /* What the domain itself promises (DANE, MTA-STS) is not asked for, and raises nothing. */
};

static inline bool tls_demand_equal(struct tls_demand a, struct tls_demand b)
{
	return a.level == b.level && a.implicit == b.implicit && a.dane == b.dane && a.waived == b.waived &&
	    a.whole_way == b.whole_way;
}

#endif
