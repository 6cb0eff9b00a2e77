/* Where a domain wants its reports, as records of RFC 8460 and RFC 7489 write it: a URI. Pure. */
#ifndef DSN_REPORT_PLACE_H
#define DSN_REPORT_PLACE_H

#include "base/arena.h"
#include "base/error.h"
#include "mail/address.h"

enum { REPORT_PLACE_MAX = 1000 }; /* Bytes of a URI. */

struct report_place {
	enum { REPORT_BY_MAIL, REPORT_BY_WEB } kind;
	struct address address; /* REPORT_BY_MAIL */
	struct text url;        /* REPORT_BY_WEB; its scheme is https. */
	uint64_t bytes_max;     /* Of a report, packed; 0: no limit. Not part of the URI: whoever reads the record sets it. */
};

/* A URI with the scheme mailto or https. Of a mailto with one address the address counts, and no header of it.
 * ERR_UNSUPPORTED: another scheme; ERR_SYNTAX: none of these; ERR_NO_MEMORY. The place lives in `arena`. */
[[nodiscard]] enum error report_place_parse(struct text uri, struct arena *arena, struct report_place *out_place);

#endif
