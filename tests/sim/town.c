#include "sim/town.h"

#include <stdlib.h>

#include "base/must.h"

enum {
	LETTERS_MIN = 20,
	LETTERS_MAX = 80,
	HOURS_MAX = 12,
	TROUBLE_GAP_MS_MAX = 40 * 60000,
	DOWN_MS_MAX = 2 * 3600000,
	STEPS_MAX = 40000000,      /* Beyond them something spins. */
	CRASH_STEPS_MAX = 3000,
	LAST_HOURS = 16            /* Of peace, beyond a lifetime. */
};

static const int64_t HOUR_US = 3600ll * 1000000;

/* The one thing that cannot be handed around: see io/sim/world.h. Set while a world lives. */
static struct town *the_town;

struct town *town_here(void) { return the_town; }
struct sim_world *sim_world_here(void) { return the_town ? the_town->world : NULL; }

/* -- Troubles ------------------------------------------------------------------------------------ */

struct trouble { /* What keeps coming. */
	struct town *town;
	struct sim_event comes;
	struct sim_event restarts[TOWN_NODES], opens;
	struct site *closed;
};

static struct node *any_node(struct town *town)
{
	return town->nodes[sim_below(town->world, TOWN_NODES)];
}

static void start_again(void *context)
{
	enum { YOUNG_BITS_MAX = 9 };
	struct node *node = context;
	struct town *town = town_here();

	if (node_state(node) == NODE_DOWN)
		node_start(node);
	if (town->peace || !sim_chance(town->world, 400))
		return;
	/* Some die young, most of them very young. */
	town->doomed = node;
	town->crash_at_step = sim_step_count(town->world) + 1 + sim_below(town->world, 1u << sim_below(town->world, YOUNG_BITS_MAX));
}

static void plan_restart(struct trouble *trouble, unsigned number)
{
	struct sim_world *world = trouble->town->world;
	const bool is_quick = sim_chance(world, 700);

	sim_event_plan(world, &trouble->restarts[number], sim_between(world, 1000, is_quick ? 3000 : DOWN_MS_MAX) * 1000);
}

static void crash(struct trouble *trouble)
{
	struct town *town = trouble->town;
	unsigned number = (unsigned)sim_below(town->world, TOWN_NODES);
	const bool power_cut = sim_chance(town->world, town->doomed ? 300 : 500);

	if (town->doomed != NULL)
		number = town->doomed == town->nodes[0] ? 0 : 1;
	town->doomed = NULL;
	if (node_state(town->nodes[number]) == NODE_DOWN)
		return;
	node_crash(town->nodes[number], power_cut);
	if (power_cut)
		town->counts.power_cuts++;
	else
		town->counts.crashes++;
	plan_restart(trouble, number);
}

static void site_opens(void *context)
{
	struct trouble *trouble = context;

	site_set_open(trouble->closed, true);
	trouble->closed = NULL;
}

static void close_a_site(struct trouble *trouble)
{
	struct town *town = trouble->town;

	if (trouble->closed != NULL)
		return;
	trouble->closed = town->sites[sim_below(town->world, town->site_count)];
	site_set_open(trouble->closed, false);
	sim_tell(town->world, "%s refuses connections", sim_host_name(site_host(trouble->closed)));
	sim_event_plan(town->world, &trouble->opens, sim_between(town->world, 1, 8 * HOUR_US));
}

static void cut_off(struct town *town)
{
	struct sim_host *host = sim_chance(town->world, 300)
	    ? node_host(any_node(town))
	    : site_host(town->sites[sim_below(town->world, town->site_count)]);
	const int64_t for_us = sim_between(town->world, 1000000, 10 * HOUR_US);

	town->counts.cut_offs++;
	sim_tell(town->world, "%s is cut off for %lld s", sim_host_name(host), (long long)(for_us / 1000000));
	sim_host_cut_off(host, sim_now_us(town->world) + for_us);
}

static void trouble_names(struct town *town)
{
	static const char *const domains[] = { "good.test", "gone.test", "pair.test", "b.test", "test" };
	const char *domain = domains[sim_below(town->world, sizeof domains / sizeof *domains)];
	const bool silent = sim_chance(town->world, 500);

	sim_tell(town->world, "questions for %s get %s", domain, silent ? "no answer" : "SERVFAIL");
	names_trouble(town->names, domain, silent, sim_now_us(town->world) + sim_between(town->world, 1000000, 5 * HOUR_US));
}

static void trouble_disk(struct town *town)
{
	static const enum error failures[] = { OK, OK, ERR_IO, ERR_NO_SPACE };
	const enum error failure = failures[sim_below(town->world, 4)];
	const int64_t for_us = sim_between(town->world, 10000, HOUR_US);

	sim_tell(town->world, "a disk is %s for %lld s", failure == OK ? "slow" : "failing", (long long)(for_us / 1000000));
	disk_trouble(node_disk(any_node(town)), sim_now_us(town->world) + for_us, failure,
	    failure == OK ? sim_between(town->world, 0, 3000000) : 0);
}

static void stop_in_order(struct trouble *trouble)
{
	struct town *town = trouble->town;
	const unsigned number = (unsigned)sim_below(town->world, TOWN_NODES);

	if (node_state(town->nodes[number]) != NODE_UP)
		return;
	town->counts.stops++;
	node_stop(town->nodes[number]);
	sim_event_plan(town->world, &trouble->restarts[number], sim_between(town->world, 25, 100) * 1000000);
}

static void turn_weather(struct sim_world *world)
{
	struct sim_weather *weather = sim_weather(world);

	weather->reset_permille = (unsigned)sim_below(world, 2) * (unsigned)sim_below(world, 300);
	weather->silent_permille = (unsigned)sim_below(world, 2) * (unsigned)sim_below(world, 100);
	weather->refuse_permille = (unsigned)sim_below(world, 2) * (unsigned)sim_below(world, 200);
	weather->shred_permille = (unsigned)sim_below(world, 500);
	weather->byte_max = sim_between(world, 10, 8000);
	weather->latency_us_max = sim_between(world, 100, 400000);
	sim_tell(world, "the weather turns: %u resets, %u silences, %u refusals, %u shreds in a thousand",
	    weather->reset_permille, weather->silent_permille, weather->refuse_permille, weather->shred_permille);
}

static void trouble_comes(void *context)
{
	struct trouble *trouble = context;
	struct town *town = trouble->town;
	struct sim_world *world = town->world;

	if (town->peace)
		return;
	switch (sim_below(world, 10)) {
	case 0: /* In the middle of anything: after so many more callbacks. */
		town->crash_at_step = sim_step_count(world) + 1 + sim_below(world, CRASH_STEPS_MAX);
		break;
	case 1: /* Where it hurts most. */
	case 8:
		town->doomed = any_node(town);
		break;
	case 2:
		stop_in_order(trouble);
		break;
	case 3:
		close_a_site(trouble);
		break;
	case 4:
		cut_off(town);
		break;
	case 5:
		if (sim_chance(world, town->dns_permille))
			trouble_names(town);
		break;
	case 6:
		if (sim_chance(world, town->disk_permille))
			trouble_disk(town);
		break;
	case 7:
		town->counts.reloads++;
		node_reload(any_node(town));
		break;
	default:
		turn_weather(world);
	}
	sim_event_plan(world, &trouble->comes, sim_between(world, 1, TROUBLE_GAP_MS_MAX) * 1000);
}

static void begin_trouble(struct trouble *trouble, struct town *town)
{
	*trouble = (struct trouble){ .town = town };
	sim_event_init(&trouble->comes, NULL, trouble_comes, trouble);
	sim_event_init(&trouble->opens, NULL, site_opens, trouble);
	for (unsigned i = 0; i < TOWN_NODES; i++)
		sim_event_init(&trouble->restarts[i], NULL, start_again, town->nodes[i]);
	trouble_comes(trouble);
}

/* The clock of a node stands still: one of the mutants. */
static void stop_clock(struct town *town)
{
	if (town->settings.mutant == MUTANT_CLOCK_STOPS && node_state(town->nodes[0]) == NODE_UP)
		node_stop_clock(town->nodes[0]);
}

static void end_trouble(struct trouble *trouble)
{
	struct town *town = trouble->town;
	const int64_t now_us = sim_now_us(town->world);

	sim_tell(town->world, "peace");
	town->peace = true;
	town->doomed = NULL;
	*sim_weather(town->world) = (struct sim_weather){ .latency_us_max = 20000 };
	if (trouble->closed != NULL)
		site_set_open(trouble->closed, true);
	for (unsigned i = 0; i < TOWN_NODES; i++) {
		sim_host_cut_off(node_host(town->nodes[i]), now_us);
		if (node_state(town->nodes[i]) == NODE_DOWN)
			node_start(town->nodes[i]);
	}
	for (unsigned i = 0; i < town->site_count; i++)
		sim_host_cut_off(site_host(town->sites[i]), now_us);
	sim_event_cancel(town->world, &trouble->comes);
	sim_event_cancel(town->world, &trouble->opens);
	stop_clock(town);
}

/* -- Living ------------------------------------------------------------------------------------------ */

static bool step(struct town *town)
{
	if (!sim_world_step(town->world))
		return false;
	for (unsigned i = 0; i < TOWN_NODES; i++)
		node_look(town->nodes[i]);
	if (sim_step_count(town->world) % 64 == 0)
		for (unsigned i = 0; i < TOWN_NODES; i++)
			if (!node_is_within_limits(town->nodes[i]))
				ledger_complain(town->ledger, "a node has more connections than it may");
	return true;
}

static bool is_over(const struct town *town)
{
	for (unsigned i = 0; i < TOWN_NODES; i++)
		if (!node_is_empty(town->nodes[i]))
			return false;
	return clients_are_done(town);
}

static void live_in_trouble(struct town *town, struct trouble *trouble, int64_t until_us)
{
	while (sim_now_us(town->world) < until_us && sim_step_count(town->world) < STEPS_MAX && step(town))
		if (town->crash_at_step != 0 && sim_step_count(town->world) >= town->crash_at_step) {
			town->crash_at_step = 0;
			crash(trouble);
		}
}

/* Until all has come to its end, or should have. */
static void live_in_peace(struct town *town)
{
	const int64_t until_us = sim_now_us(town->world) + (TOWN_LIFETIME_HOURS + LAST_HOURS) * HOUR_US;

	while (!is_over(town) && sim_now_us(town->world) < until_us && sim_step_count(town->world) < STEPS_MAX && step(town)) {
		for (unsigned i = 0; i < TOWN_NODES; i++)
			if (node_state(town->nodes[i]) == NODE_DOWN)
				node_start(town->nodes[i]);
	}
	if (sim_step_count(town->world) >= STEPS_MAX)
		ledger_complain(town->ledger, "something spins");
	if (!clients_are_done(town))
		ledger_complain(town->ledger, "a client could not hand in its letter");
	for (unsigned i = 0; i < TOWN_NODES; i++)
		if (!node_is_empty(town->nodes[i])) {
			town->stuck = true;
			ledger_complain(town->ledger, "node %u still has mail", i);
		}
}

static bool all_nodes_are_down(const struct town *town)
{
	for (unsigned i = 0; i < TOWN_NODES; i++)
		if (node_state(town->nodes[i]) != NODE_DOWN)
			return false;
	return true;
}

static void stop_nodes(struct town *town)
{
	const int64_t until_us = sim_now_us(town->world) + HOUR_US;

	for (unsigned i = 0; i < TOWN_NODES; i++)
		node_stop(town->nodes[i]);
	while (!all_nodes_are_down(town) && sim_now_us(town->world) < until_us && step(town))
		continue;
	for (unsigned i = 0; i < TOWN_NODES; i++) {
		if (node_state(town->nodes[i]) == NODE_DOWN)
			continue;
		ledger_complain(town->ledger, "node %u does not stop", i);
		node_crash(town->nodes[i], false);
	}
}

/* -- Building ------------------------------------------------------------------------------------------ */

static void build(struct town *town)
{
	static const struct {
		const char *domain, *ip;
	} sites[] = { { "good.test", "10.1.0.1" }, { "slow.test", "10.1.0.2" }, { "grey.test", "10.1.0.3" },
		{ "gone.test", "10.1.0.4" }, { "strict.test", "10.1.0.5" }, { "pair.test", "10.1.0.6" },
		{ "via.test", "10.1.0.7" } };
	struct sim_world *world = town->world;

	town->ledger = ledger_new(world, TOWN_LIFETIME_HOURS * 3600000ll);
	town->names = names_new();
	town->outside = sim_process_new(world, "outside");
	sim_process_live_on(town->outside, sim_host_new(world, "clients", "10.0.1.1"));
	struct sim_process *runner = sim_run_as(world, town->outside);

	town->loop = loop_new();
	must(town->loop != NULL);
	sim_run_as(world, runner);
	for (size_t i = 0; i < sizeof sites / sizeof *sites; i++)
		town->sites[town->site_count++] = site_new(town, sites[i].domain, sites[i].ip);
	site_set_grey(town->sites[2], true);
	site_set_strict(town->sites[4]);
	sim_host_set_alive(sim_host_new(world, "dead.test", "10.9.9.9"), false);
	for (unsigned i = 0; i < TOWN_NODES; i++) {
		town->nodes[i] = node_new(town, i, (unsigned)sim_between(world, 1, 2));
		node_start(town->nodes[i]);
	}
	town->mood_permille = (unsigned)sim_below(world, 200);
	town->dns_permille = (unsigned)sim_below(world, 1000);
	town->mailbox_permille = (unsigned)sim_below(world, 60);
	town->disk_permille = (unsigned)sim_below(world, 1000);
}

static void tear_down(struct town *town)
{
	client_free_all(town);
	for (unsigned i = 0; i < town->site_count; i++)
		site_free(town->sites[i]);
	loop_free(town->loop);
	if (sim_process_end(town->outside) > 0)
		ledger_complain(town->ledger, "clients and sites leave memory behind");
	for (unsigned i = 0; i < TOWN_NODES; i++)
		node_free(town->nodes[i]);
	names_free(town->names);
}

static void live(struct town *town)
{
	const unsigned hours = town->settings.hours > 0 ? town->settings.hours
	                                                : (unsigned)sim_between(town->world, 1, HOURS_MAX);
	const unsigned letters = (unsigned)sim_between(town->world, LETTERS_MIN, LETTERS_MAX);
	struct trouble trouble;

	begin_trouble(&trouble, town);
	for (unsigned i = 0; i < letters; i++)
		client_new(town, hours * HOUR_US);
	live_in_trouble(town, &trouble, hours * HOUR_US);
	end_trouble(&trouble);
	live_in_peace(town);
	for (unsigned i = 0; i < TOWN_NODES; i++)
		sim_event_cancel(town->world, &trouble.restarts[i]);
	stop_nodes(town);
}

struct town_result town_live(const struct town_settings *settings)
{
	struct town town = { .settings = *settings };
	struct town_result result;

	must(the_town == NULL);
	town.world = sim_world_new(settings->seed);
	must(town.world != NULL);
	sim_trace_to(town.world, settings->trace);
	the_town = &town;
	build(&town);
	live(&town);
	tear_down(&town);

	const struct text wrong = ledger_close(town.ledger);

	town.counts.steps = sim_step_count(town.world);
	town.counts.net = sim_net_counts(town.world);
	result = (struct town_result){ .right = wrong.length == 0,
		.stuck = town.stuck,
		.hash = sim_trace_hash(town.world),
		.counts = town.counts,
		.ledger = ledger_counts(town.ledger) };
	if (!result.right && settings->mutant == MUTANT_NONE)
		fprintf(stderr, "seed %llu:\n%.*s", (unsigned long long)settings->seed, TEXT_FORMAT(wrong));
	ledger_free(town.ledger);
	the_town = NULL;
	sim_world_free(town.world);
	return result;
}
