#include "lookup/resolver.h"

#include <stdio.h>
#include <stdlib.h>

enum { ZONE_FILE_MAX = 64 << 20 };

static struct dns *zone_dns(struct loop *loop, const char *path, const char **out_reason)
{
	FILE *file = fopen(path, "re");
	char *json = file ? malloc(ZONE_FILE_MAX) : NULL;
	struct dns *dns = NULL;

	*out_reason = "the zone file cannot be read";
	if (json != NULL) {
		const size_t length = fread(json, 1, ZONE_FILE_MAX, file);

		dns = dns_zone_new(loop, (struct text){ json, length }, out_reason);
	}
	if (file != NULL)
		fclose(file);
	free(json);
	return dns;
}

struct dns *resolver_new(
    struct loop *loop, const char *zone_path, const struct dns_settings *settings, const char **out_reason)
{
	return zone_path[0] != '\0' ? zone_dns(loop, zone_path, out_reason)
				    : dns_unbound_new(loop, settings, out_reason);
}
