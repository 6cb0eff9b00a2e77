/* How urgent a message is (MT-PRIORITY, RFC 6710 §4): higher goes first, and 0 is what nobody asked for. */
#ifndef MAIL_PRIORITY_H
#define MAIL_PRIORITY_H

#include "base/text.h"

enum { PRIORITY_MIN = -9, PRIORITY_MAX = 9, PRIORITY_COUNT = PRIORITY_MAX - PRIORITY_MIN + 1 };

/* A minus and a digit, or a digit (RFC 6710 §6). */
[[nodiscard]] bool priority_parse(struct text text, int8_t *out_priority);

/* The value of a field MT-Priority (RFC 6758 §4), which a comment may follow. */
[[nodiscard]] bool priority_parse_field(struct text value, int8_t *out_priority);

#endif
