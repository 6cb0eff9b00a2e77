/* The numbers of "stats" in the text format of Prometheus (version 0.0.4).
 *
 * Pure. Every counter of counters.def is there, whatever it is; a gauge that the answer does not have is left out. */
#ifndef WEB_METRICS_H
#define WEB_METRICS_H

#include <jansson.h>

#include "base/buffer.h"

/* `stats` is an answer of the control socket. False: out is full. */
[[nodiscard]] bool web_metrics_print(const json_t *stats, struct buffer *out);

#endif
