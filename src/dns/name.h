/* Domain names, as text and in wire form (RFC 1035 §3.1).
 *
 * Pure. The text form is what dns.h promises: no trailing dot, ASCII letters in lower case,
 * "" for the root. */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "base/text.h"

enum {
	DNS_LABEL_MAX = 63,     /* RFC 1035 §2.3.4 */
	DNS_NAME_MAX = 253,     /* Text; 255 in wire form with its length bytes. */
	DNS_NAME_SIZE = DNS_NAME_MAX + 1,
	DNS_NAME_WIRE_MAX = 255,
	/* A byte that is no plain character of a name prints as \DDD. */
	DNS_NAME_PRINTED_SIZE = 4 * DNS_NAME_WIRE_MAX + 1
};

/* A name that may be asked for: labels of 1 to 63 visible ASCII characters or spaces, without backslash, 253 in
 * all; one trailing dot is dropped. Underscores and whatever SPF macros produce are fine
 * (RFC 2181 §11). Writes it, NUL-terminated, into `room`. */
[[nodiscard]] bool dns_name_normalise(struct text name, char room[DNS_NAME_SIZE], struct text *out_name);

/* An uncompressed name in wire form that fills `wire` exactly. Odd bytes are escaped, so that the
 * text can be shown, but no longer be asked for. */
[[nodiscard]] bool dns_name_from_wire(
    struct text wire, char room[DNS_NAME_PRINTED_SIZE], struct text *out_name);

#endif
