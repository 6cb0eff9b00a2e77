/* Received-SPF (RFC 7208 §9.1): what SPF found, for programs that know no Authentication-Results.
 *
 * Pure. What comes from a stranger stands in quotes, without control bytes. */
#ifndef AUTH_RECEIVED_SPF_H
#define AUTH_RECEIVED_SPF_H

#include "auth/spf.h"
#include "base/buffer.h"

/* Append the field, folded, with its line end; the request is the one that the verdict is of. False: `out` is full. */
[[nodiscard]] bool received_spf_compose(
    const struct spf_request *request, const struct spf_verdict *verdict, struct buffer *out);

#endif
