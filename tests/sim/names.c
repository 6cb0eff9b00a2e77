/* A name server of a town, in place of libunbound: a zone with bad days. */
#include <stdlib.h>

#include "base/must.h"
#include "dns/engine.h"
#include "dns/zone_table.h"
#include "sim/town.h"

enum { TROUBLES_MAX = 8, ANSWER_US_MAX = 80000, TABLE_BYTES_MAX = 4 << 20 };

static const char zone[] =
    "{\"a.test\": {\"MX\": [[10, \"mx.a.test\"]]}, \"mx.a.test\": {\"A\": [\"10.0.0.1\"]},"
    " \"b.test\": {\"MX\": [[10, \"mx.b.test\"]]}, \"mx.b.test\": {\"A\": [\"10.0.0.2\"]},"
    " \"good.test\": {\"MX\": [[10, \"mx.good.test\"]]}, \"mx.good.test\": {\"A\": [\"10.1.0.1\"]},"
    " \"slow.test\": {\"A\": [\"10.1.0.2\"]},"
    " \"grey.test\": {\"A\": [\"10.1.0.3\"]},"
    " \"gone.test\": {\"A\": [\"10.1.0.4\"]},"
    " \"strict.test\": {\"A\": [\"10.1.0.5\"]},"
    " \"pair.test\": {\"MX\": [[10, \"dead.test\"], [20, \"second.pair.test\"]]},"
    " \"second.pair.test\": {\"A\": [\"10.1.0.6\"]},"
    " \"via.test\": {\"A\": [\"10.1.0.7\"]},"
    " \"dead.test\": {\"A\": [\"10.9.9.9\"]},"
    " \"null.test\": {\"MX\": [[0, \".\"]]}}";

struct trouble {
	const char *domain;
	bool silent;
	int64_t until_us;
};

struct names {
	struct arena *arena;
	const struct zone_table *table;
	struct trouble troubles[TROUBLES_MAX];
	unsigned next;
};

struct asker { /* The resolver of a process. */
	struct dns base; /* First. */
};

struct names *names_new(void)
{
	struct names *names = calloc(1, sizeof *names);
	struct text complaint;

	must(names != NULL);
	names->arena = arena_new(TABLE_BYTES_MAX);
	must(names->arena != NULL);
	must(zone_table_parse(text_of(zone), names->arena, &names->table, &complaint) == OK);
	return names;
}

void names_free(struct names *names)
{
	if (names == NULL)
		return;
	arena_free(names->arena);
	free(names);
}

void names_trouble(struct names *names, const char *domain, bool silent, int64_t until_us)
{
	names->troubles[names->next++ % TROUBLES_MAX] = (struct trouble){ domain, silent, until_us };
}

static const struct trouble *trouble_with(const struct names *names, struct text name)
{
	const struct town *town = town_here();

	for (size_t i = 0; !town->peace && i < TROUBLES_MAX; i++) {
		const struct trouble *trouble = &names->troubles[i];

		if (trouble->domain != NULL && trouble->until_us > sim_now_us(town->world) &&
		    text_ends(name, text_of(trouble->domain)))
			return trouble;
	}
	return NULL;
}

static void answer_is_here(void *context)
{
	dns_query_ready(context);
}

static bool asker_start(struct dns *dns, struct dns_query *query)
{
	struct town *town = town_here();
	const struct trouble *trouble = trouble_with(town->names, query->name);
	struct loop_timer *timer = loop_timer_new(dns->loop, answer_is_here, query);

	if (timer == NULL)
		return false;
	query->engine_result = timer;
	if (trouble != NULL)
		town->counts.dns_failures++;
	if (trouble == NULL || !trouble->silent) /* Else nobody ever answers: dns.c has its patience. */
		loop_timer_set(timer, sim_between(town->world, 0, ANSWER_US_MAX) / 1000);
	return true;
}

static enum error asker_answer(
    struct dns *dns, struct dns_query *query, struct arena *arena, struct dns_answer *out_answer)
{
	const struct names *names = town_here()->names;

	(void)dns, (void)arena;
	if (trouble_with(names, query->name) != NULL)
		return ERR_SYNTAX; /* SERVFAIL */
	zone_table_look_up(names->table, query->name, query->type, out_answer);
	return OK;
}

static void asker_forget(struct dns *dns, struct dns_query *query)
{
	(void)dns;
	loop_timer_free(query->engine_result);
	query->engine_result = NULL;
}

static void asker_free(struct dns *dns)
{
	dns_done(dns);
	free(dns);
}

static const struct dns_engine asker_engine = {
	.start = asker_start, .answer = asker_answer, .forget = asker_forget, .free = asker_free
};

struct dns *dns_unbound_new(struct loop *loop, const struct dns_settings *settings, const char **out_reason)
{
	struct asker *asker = calloc(1, sizeof *asker);

	(void)settings;
	*out_reason = "out of memory";
	if (asker == NULL || dns_init(&asker->base, &asker_engine, loop))
		return asker ? &asker->base : NULL;
	free(asker);
	return NULL;
}
