/* What the evaluators need to know of domain names: labels, ancestors, and which names DNS could hold.
 *
 * Pure. Names are compared without case; a trailing dot has been dropped before. */
#ifndef AUTH_DOMAIN_H
#define AUTH_DOMAIN_H

#include "base/arena.h"
#include "base/text.h"

enum { DOMAIN_BYTES_MAX = 253, DOMAIN_LABEL_MAX = 63, DOMAIN_LABELS_MAX = 127 };

/* Labels of 1 to 63 bytes, 253 in all, none of them empty. One label alone is enough. */
bool domain_is_name(struct text domain);

/* How many labels; 0 for the empty name. */
size_t domain_label_count(struct text domain);

/* Without its first label; empty when there was only one. */
struct text domain_parent(struct text domain);

/* The last `count` labels, or all of it. */
struct text domain_suffix(struct text domain, size_t count);

/* `domain` is `ancestor` or lies below it. Nothing lies below the empty name. */
bool domain_is_within(struct text domain, struct text ancestor);

/* Without one trailing dot. */
struct text domain_without_dot(struct text domain);

/* The name under which a PTR record of an address is found: "1.2.0.192.in-addr.arpa". False: no memory. */
[[nodiscard]] bool domain_of_address(
    const uint8_t *ip, bool is_ip6, struct arena *arena, struct text *out_domain);

/* The dotted form of an address that SPF macros reverse: "192.0.2.1", or 32 nibbles. False: no memory. */
[[nodiscard]] bool domain_dotted_address(
    const uint8_t *ip, bool is_ip6, struct arena *arena, struct text *out_dotted);

#endif
