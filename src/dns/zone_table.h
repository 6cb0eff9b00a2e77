/* The names and records of a JSON zone (the manual's `dns { zone = FILE }`).
 *
 * Pure: JSON in, answers out. A table is immutable.
 *
 *   {"name": {"MX": [[10, "host"]], "TXT": [["chunk", "chunk"]], "A": ["192.0.2.1"],
 *             "AAAA": ["2001:db8::1"], "PTR": ["host"], "CNAME": "name"},
 *    "_25._tcp.host": {"secure": true, "TLSA": ["3 1 1 0123456789abcdef..."]}}
 *
 * "TIMEOUT", "SERVFAIL" or "BOGUS" may stand in place of a name's or a type's records. A TXT record may
 * also be one plain string. An absent name is NXDOMAIN, an absent type NODATA. With "secure": true, what a name
 * has and has not counts as validated by DNSSEC; behind a CNAME, when both names have it.
 *
 *   Z1  Every name and record was checked when the table was made: a look-up cannot fail.
 *   Z2  Names differ when their case is folded and their trailing dot is dropped. */
#ifndef DNS_ZONE_TABLE_H
#define DNS_ZONE_TABLE_H

#include "base/arena.h"
#include "dns/dns.h"

enum {
	ZONE_BYTES_MAX = 256 * 1024 * 1024,
	ZONE_CNAME_MAX = 8, /* Links of a chain; a longer one is DNS_SERVFAIL. */
	ZONE_TTL_S = 300    /* Told with every answer. */
};

struct zone_table;

/* Lives in `arena`. ERR_SYNTAX: *out_complaint names the line, or the name, type and record. */
[[nodiscard]] enum error zone_table_parse(struct text json, struct arena *arena,
    const struct zone_table **out_table, struct text *out_complaint);

/* `name` is normalised. The answer borrows from the table and from `name`. */
void zone_table_look_up(const struct zone_table *table, struct text name, enum dns_type type,
    struct dns_answer *out_answer);

#endif
