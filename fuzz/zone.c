#include "target.h"

#include "dns/zone_table.h"

void target(struct text input, unsigned choice, struct arena *arena)
{
	const struct zone_table *table;
	struct dns_answer answer;
	struct text complaint = TEXT_EMPTY;
	const enum error error = zone_table_parse(input, arena, &table, &complaint);

	must(error != ERR_SYNTAX || complaint.length > 0);
	if (error == OK)
		zone_table_look_up(table, TEXT("a.test"), (enum dns_type)(choice % (DNS_TLSA + 1)), &answer);
}
