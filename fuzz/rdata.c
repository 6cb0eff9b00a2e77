#include "target.h"

#include "dns/rdata.h"

void target(struct text input, unsigned choice, struct arena *arena)
{
	struct dns_record record;

	(void)(rdata_parse((enum dns_type)(choice % (DNS_TLSA + 1)), input, arena, &record) == OK);
}
