/* Records from the rdata of an answer (RFC 1035 §3.3, RFC 3596 §2.2, RFC 6698 §2.1).
 *
 * Pure and strict: a record that does not fill its rdata exactly is malformed. */
#ifndef DNS_RDATA_H
#define DNS_RDATA_H

#include "base/arena.h"
#include "dns/dns.h"

/* The number of a type on the wire. */
int rdata_type_number(enum dns_type type);

/* Names in rdata must be uncompressed. What the record refers to is copied into the arena. ERR_SYNTAX or
 * ERR_NO_MEMORY. */
[[nodiscard]] enum error rdata_parse(
    enum dns_type type, struct text rdata, struct arena *arena, struct dns_record *out_record);

#endif
