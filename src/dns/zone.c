/* The engine that answers from a JSON zone: for demos, tests and the offline `verify`. */
#include <stdlib.h>

#include "base/must.h"
#include "dns/engine.h"
#include "dns/zone_table.h"

struct zone {
	struct dns base;
	struct arena *arena; /* Of the table. */
	const struct zone_table *table;
};

static bool zone_start(struct dns *dns, struct dns_query *query)
{
	must(query->dns == dns);
	dns_query_ready(query);
	return true;
}

static enum error zone_answer(
    struct dns *dns, struct dns_query *query, struct arena *arena, struct dns_answer *out_answer)
{
	const struct zone *zone = (const struct zone *)dns;

	(void)arena; /* The table holds all there is to tell. */
	zone_table_look_up(zone->table, query->name, query->type, out_answer);
	return OK;
}

static void zone_forget(struct dns *dns, struct dns_query *query)
{
	must(query->dns == dns); /* Nothing was kept for it. */
}

static void zone_free(struct dns *dns)
{
	struct zone *zone = (struct zone *)dns;

	dns_done(dns);
	arena_free(zone->arena);
	free(zone);
}

static const struct dns_engine zone_engine = {
	.start = zone_start, .answer = zone_answer, .forget = zone_forget, .free = zone_free
};

enum error dns_zone_check(struct text json, struct arena *arena, struct text *out_complaint)
{
	struct arena *scratch = arena_new(ZONE_BYTES_MAX);
	const struct zone_table *table;
	struct text complaint = TEXT_EMPTY;

	if (scratch == NULL)
		return ERR_NO_MEMORY;
	enum error error = zone_table_parse(json, scratch, &table, &complaint);

	if (error == ERR_SYNTAX && !arena_copy(arena, complaint, out_complaint))
		error = ERR_NO_MEMORY;
	arena_free(scratch);
	return error;
}

struct dns *dns_zone_new(struct loop *loop, struct text json, const char **out_reason)
{
	struct zone *zone = calloc(1, sizeof *zone);
	struct text complaint;
	enum error error = ERR_NO_MEMORY;

	if (zone != NULL && (zone->arena = arena_new(ZONE_BYTES_MAX)) != NULL)
		error = zone_table_parse(json, zone->arena, &zone->table, &complaint);
	if (error == OK && dns_init(&zone->base, &zone_engine, loop))
		return &zone->base;
	*out_reason = error == ERR_SYNTAX ? "the dns zone file is malformed" : error_text(ERR_NO_MEMORY);
	if (zone != NULL)
		arena_free(zone->arena);
	free(zone);
	return NULL;
}
