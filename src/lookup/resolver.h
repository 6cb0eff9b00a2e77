/* The resolver that a configuration asks for. */
#ifndef LOOKUP_RESOLVER_H
#define LOOKUP_RESOLVER_H

#include "dns/dns.h"

/* Gives one that answers from the zone file when its path is not empty, else by libunbound with these settings. NULL
 * with a static *out_reason. */
[[nodiscard]] struct dns *resolver_new(
    struct loop *loop, const char *zone_path, const struct dns_settings *settings, const char **out_reason);

#endif
