/* What words of the configuration mean. Pure. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/rate_table.h"
#include "base/text.h"

/* "1000", "512K", "50M", "64G"; units of 1024, in either case. */
[[nodiscard]] bool value_size(struct text text, uint64_t *out_bytes);

/* "250ms", "30s", "5m", "4h", "5d"; the unit is needed. Never above INT64_MAX. */
[[nodiscard]] bool value_duration(struct text text, uint64_t *out_ms);

/* "100/1h": so many within so long, or "none" (a count of 0). Count and period are in the bounds of struct rate. */
[[nodiscard]] bool value_rate(struct text text, struct rate *out_rate);

/* yes, true, on; no, false, off. */
[[nodiscard]] bool value_bool(struct text text, bool *out_bool);

#endif
