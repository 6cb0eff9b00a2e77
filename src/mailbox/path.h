/* From a template such as "/var/mail/%d/%u" to the Maildir of one recipient.
 *
 * Pure. The parts come from strangers, the template from the operator.
 *
 *   E1  A part never leaves its place: one that is empty, begins with a dot, or holds a slash, a NUL or a
 *       control character is refused, so that an expanded path has the slashes of its template (and that of MAILBOX_JUNK) and no more.
 *   E2  Every other byte, UTF-8 included, is kept as it is. */
#ifndef MAILBOX_PATH_H
#define MAILBOX_PATH_H

#include "base/error.h"
#include "base/text.h"

enum { MAILBOX_PATH_MAX = 1023, MAILBOX_PART_MAX = 200 };

/* %u or %n: user; %d: domain; %t: detail; %%: a percent sign. The detail alone may be empty, so that
 * "/var/mail/%d/%u/.%t" is the Maildir++ folder of a detail and the inbox itself without one. */
struct mailbox_parts {
	struct text user, domain, detail;
	bool junk; /* Then it is the Maildir++ folder MAILBOX_JUNK of the user, whatever the detail. */
};
#define MAILBOX_JUNK ".Junk"

/* NULL when the template is absolute, has only known letters and distinguishes users; else what is
 * wrong, for the configuration's complaint. Static. */
const char *mailbox_template_complaint(struct text path_template);

/* NUL-terminated in `room`. ERR_DENIED: a part that E1 refuses; ERR_TOO_LARGE: the path or a part is too
 * long; ERR_SYNTAX: the template is wrong. */
[[nodiscard]] enum error mailbox_path_expand(struct text path_template, const struct mailbox_parts *parts,
    char room[MAILBOX_PATH_MAX + 1], struct text *out_path);

/* How much of that path leads to folders that belong to no user: up to the folder whose name holds the first %u. */
[[nodiscard]] size_t mailbox_path_shared(struct text path_template, const struct mailbox_parts *parts);

#endif
