/* The addresses of a To, Cc or Bcc field (RFC 5322 §3.4): display names, comments, groups, folding and quoted
 * strings, and the obsolete forms that programs still write (empty items, blanks around "." and "@", routes).
 *
 *   L1  What comes out follows the strict grammar of mail/address.h, whatever the field looked like.
 *   L2  A field is understood as a whole or refused as a whole: nobody gets mail because half of a
 *       broken field could be read. */
#ifndef MAIL_ADDRESS_LIST_H
#define MAIL_ADDRESS_LIST_H

#include "mail/address.h"

/* Append all addresses in the value of a field to `list` (room for `max`; *count are in use before and after). A
 * name without a domain gets `default_domain`. On failure *count is as before: ERR_SYNTAX, ERR_TOO_LARGE (more
 * than max, or an address over its limits), ERR_NO_MEMORY. */
[[nodiscard]] enum error address_list_parse(struct text value, struct text default_domain,
    struct arena *arena, struct address *list, size_t max, size_t *count);

#endif
