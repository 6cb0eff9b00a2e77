/* The MTA-STS policy that is served for our domains (RFC 8461 §3.2), and the id under which its record names it. */
#include "conf/conf.h"

#include <stdio.h>

#include "base/must.h"

bool conf_sts_print(const struct conf_sts *sts, struct buffer *out)
{
	static const char *const modes[] = { [CONF_STS_NONE] = "none", [CONF_STS_TESTING] = "testing", [CONF_STS_ENFORCE] = "enforce" };
	bool ok = sts->mode == CONF_STS_OFF || buffer_print(out, "version: STSv1\r\nmode: %s\r\n", modes[sts->mode]);

	if (sts->mode == CONF_STS_OFF)
		return ok;
	for (size_t i = 0; ok && i < sts->host_count; i++)
		ok = buffer_print(out, "mx: %.*s\r\n", TEXT_FORMAT(sts->hosts[i]));
	return ok && buffer_print(out, "max_age: %lld\r\n", (long long)(sts->age_ms / 1000));
}

struct conf_sts conf_sts_of(const struct conf *conf)
{
	const bool named = conf->web.mta_sts_mx_count > 0;

	return (struct conf_sts){ .mode = conf->web.enabled ? conf->web.mta_sts : CONF_STS_OFF,
		.hosts = named ? conf->web.mta_sts_mx : &conf->hostname,
		.host_count = named ? conf->web.mta_sts_mx_count : 1,
		.age_ms = conf->web.mta_sts_age_ms };
}

/* RFC 8461 §3.1 wants up to 32 letters and digits, that are others for another policy. */
void conf_sts_id(struct text policy, char room[CONF_STS_ID_SIZE])
{
	const int length = snprintf(room, CONF_STS_ID_SIZE, "%016llx", (unsigned long long)text_hash(policy, 0));

	must(length == CONF_STS_ID_SIZE - 1);
}
