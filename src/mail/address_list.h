/* The addresses of a To, Cc or Bcc field (RFC 5322 §3.4): display names, comments,
 * groups, folding and quoted strings. */
#ifndef MAIL_ADDRESS_LIST_H
#define MAIL_ADDRESS_LIST_H

#include "mail/address.h"

/* All addresses in the value of a field, appended to `list` (room for `max`, *count used). A bare name without a
 * domain gets `default_domain`. ERR_SYNTAX, ERR_TOO_LARGE (more than max), ERR_NO_MEMORY. */
[[nodiscard]] enum error address_list_parse(struct text value, struct text default_domain, struct arena *arena,
    struct address *list, size_t max, size_t *count);

#endif
