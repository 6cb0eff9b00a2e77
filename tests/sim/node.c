/* A node: a postroad in one process of the world. Its lanes are those of the server (programs/lane.c); disk, names and
 * mailboxes stand in for the outside. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "programs/lane.h"
#include "sim/town.h"

enum { LANES_MAX = 2, ROUTER_BYTES = 16 << 20, CONF_BYTES = 8 << 10, LAST_US = 60 * 1000000 };

struct node {
	struct town *town;
	unsigned number, lane_count;
	char name[8], domain[16], path[40];
	struct conf *conf;
	struct sim_host *host;
	struct disk *disk;
	int doubt_file;                /* The marks: they outlive a process. */
	int socket;
	/* The process, while it lives. */
	enum node_state state;
	struct sim_process *process;
	struct router *router;
	struct spool *spool;
	struct in_doubt *in_doubt;
	struct troubles troubles;
	_Atomic bool spool_trouble;
	struct log_writer *log;
	struct lane *lanes[LANES_MAX];
};

/* -- What it is -------------------------------------------------------------------------------- */

static const char *const aliases[TOWN_NODES] = {
	"staff: alice, bob, far@good.test\nroot: alice\npostmaster: \\postmaster\n",
	"team: carol, dave@slow.test\npostmaster: \\postmaster\n",
};

static struct conf *make_conf(const struct node *node)
{
	struct buffer complaints, text;
	struct conf *conf;

	buffer_init(&complaints, CONF_BYTES);
	buffer_init(&text, CONF_BYTES);
	must(buffer_print(&text,
	    "hostname = \"mx.%s\"\ndomains = {\"%s\"}\nrelay-from = {\"10.0.0.0/16\"}\n"
	    "listen \"10.0.0.%u:25\" { role = mx }\n"
	    "queue { lifetime = \"%dh\" warn-after = \"4h\" }\noutbound { concurrency = %d }\n"
	    "limits { connections = %d }\n",
	    node->domain, node->domain, node->number + 1, TOWN_LIFETIME_HOURS, TOWN_CONCURRENCY, TOWN_CONNECTIONS));
	if (node->number == 0) /* The other one is its smart host for this. */
		must(buffer_print(&text, "route \"via.test\" { via = {\"10.0.0.2:25\"} }\n"));
	must(buffer_print(&text, "%c", '\0'));
	conf = conf_load_text("/sim/postroad.conf", text.bytes + text.start, &complaints);
	if (conf == NULL)
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	must(conf != NULL);
	buffer_done(&complaints);
	buffer_done(&text);
	return conf;
}

static struct router *make_router(const struct node *node)
{
	static const struct text users[] = { { "alice", 5 }, { "bob", 3 }, { "carol", 5 }, { "postmaster", 10 } };
	const struct conf *conf = node->conf;
	struct arena *arena = arena_new(ROUTER_BYTES);
	struct router_rule rules[4];
	struct router *router = NULL;
	struct text complaint;

	must(arena != NULL && conf->route_count <= 4);
	for (size_t i = 0; i < conf->route_count; i++)
		rules[i] = (struct router_rule){ .pattern = conf->routes[i].pattern,
			.from = conf->routes[i].from,
			.from_count = conf->routes[i].from_count,
			.via = conf->routes[i].via,
			.via_count = conf->routes[i].via_count };
	const struct router_settings settings = { .hostname = conf->hostname,
		.domains = conf->domains,
		.domain_count = conf->domain_count,
		.users_known = true,
		.users = users,
		.user_count = sizeof users / sizeof *users,
		.aliases = text_of(aliases[node->number]),
		.aliases_name = TEXT("aliases"),
		.separator = conf->separator,
		.rules = rules,
		.rule_count = conf->route_count };

	must(router_new(&settings, arena, &router, &complaint) == OK);
	arena_free(arena);
	return router;
}

struct node *node_new(struct town *town, unsigned number, unsigned lane_count)
{
	struct node *node = calloc(1, sizeof *node);
	char ip[16];

	must(node != NULL);
	*node = (struct node){ .town = town, .number = number, .lane_count = lane_count };
	snprintf(node->name, sizeof node->name, "node-%c", 'a' + (char)number);
	snprintf(node->domain, sizeof node->domain, "%c.test", 'a' + (char)number);
	snprintf(ip, sizeof ip, "10.0.0.%u", number + 1);
	node->conf = make_conf(node);
	node->host = sim_host_new(town->world, node->name, ip);
	node->socket = sim_socket_new(node->host, 25);
	node->disk = disk_new(town, number);
	node->doubt_file = memfd_create("in-doubt", MFD_CLOEXEC);
	must(node->doubt_file >= 0);
	snprintf(node->path, sizeof node->path, "/proc/self/fd/%d", node->doubt_file);
	return node;
}

void node_free(struct node *node)
{
	if (node == NULL)
		return;
	must(node->state == NODE_DOWN);
	disk_free(node->disk);
	conf_free(node->conf);
	close(node->doubt_file);
	free(node);
}

enum node_state node_state(const struct node *node) { return node->state; }
struct disk *node_disk(const struct node *node) { return node->disk; }
struct sim_host *node_host(const struct node *node) { return node->host; }

/* -- Starting ------------------------------------------------------------------------------------ */

static void report_doubt(struct lane *lane, void *context)
{
	(void)context;
	lane_report_in_doubt(lane);
}

static void drain(struct lane *lane, void *context)
{
	(void)context;
	lane_drain(lane);
}

static void make_lanes(struct node *node)
{
	const struct lane_common common = { .conf = node->conf,
		.router = node->router,
		.spool = node->spool,
		.in_doubt = node->in_doubt,
		.troubles = &node->troubles,
		.spool_trouble = &node->spool_trouble,
		.log = node->log,
		.lane_count = node->lane_count };
	const char *reason = NULL;

	for (unsigned i = 0; i < node->lane_count; i++) {
		node->lanes[i] = lane_new(&common, i, &reason);
		must(node->lanes[i] != NULL);
		must(lane_listen(node->lanes[i], node->socket, (struct door){ .role = SESSION_MX }));
	}
	must(lane_post(node->lanes[0], report_doubt, NULL));
}

void node_start(struct node *node)
{
	struct sim_world *world = node->town->world;
	const struct log_writer_settings log = { .target = LOG_TO_STDERR };

	must(node->state == NODE_DOWN);
	node->process = sim_process_new(world, node->name);
	sim_process_live_on(node->process, node->host);
	sim_host_set_alive(node->host, true);
	struct sim_process *runner = sim_run_as(world, node->process);

	sim_tell(world, "starts");
	node->router = make_router(node);
	node->spool = disk_open(node->disk);
	must(log_writer_open(&log, &node->log) == OK);
	must(in_doubt_open(node->path, &node->in_doubt) == OK);
	node->troubles = (struct troubles){ 0 };
	node->spool_trouble = false;
	make_lanes(node);
	node->state = NODE_UP;
	sim_run_as(world, runner);
}

/* -- Ending ----------------------------------------------------------------------------------------- */

void node_crash(struct node *node, bool power_cut)
{
	struct sim_world *world = node->town->world;

	if (node->state == NODE_DOWN)
		return;
	sim_tell(world, "%s %s", node->name, power_cut ? "loses its power" : "crashes");
	disk_lose(node->disk);
	ledger_death(node->town->ledger, node->number, power_cut);
	in_doubt_close(node->in_doubt); /* The kernel unmaps; what was marked stays in its file. */
	sim_process_kill(node->process, power_cut);
	if (power_cut)
		must(ftruncate(node->doubt_file, 0) == 0);
	sim_host_set_alive(node->host, !power_cut);
	node->state = NODE_DOWN;
	node->process = NULL;
}

void node_stop(struct node *node)
{
	if (node->state != NODE_UP)
		return;
	struct sim_process *runner = sim_run_as(node->town->world, node->process);

	sim_tell(node->town->world, "stops");
	node->state = NODE_STOPPING;
	for (unsigned i = 0; i < node->lane_count; i++)
		must(lane_post(node->lanes[i], drain, NULL));
	sim_run_as(node->town->world, runner);
}

static void reload(struct lane *lane, void *context)
{
	const struct node *node = context;

	lane_reload(lane, node->conf, node->router, NULL);
}

void node_reload(struct node *node)
{
	if (node->state != NODE_UP)
		return;
	struct sim_process *runner = sim_run_as(node->town->world, node->process);

	sim_tell(node->town->world, "reloads");
	router_unref(node->router); /* Lanes share it until they have the new one. */
	node->router = make_router(node);
	for (unsigned i = 0; i < node->lane_count; i++)
		must(lane_post(node->lanes[i], reload, node));
	sim_run_as(node->town->world, runner);
}

static void finish(struct node *node)
{
	struct sim_world *world = node->town->world;

	/* A port closes when its last change is answered; here nobody else would do that meanwhile. */
	disk_sync(node->disk);
	ledger_death(node->town->ledger, node->number, false);
	struct sim_process *runner = sim_run_as(world, node->process);

	for (unsigned i = 0; i < node->lane_count; i++)
		lane_free(take(node->lanes[i]));
	in_doubt_close(node->in_doubt);
	spool_close(node->spool);
	router_unref(node->router);
	log_writer_close(node->log);
	sim_run_as(world, runner);

	const size_t left = sim_process_end(node->process);

	if (left > 0)
		ledger_complain(node->town->ledger, "%s leaves %zu bytes behind", node->name, left);
	sim_tell(world, "%s has ended", node->name);
	node->process = NULL;
	node->state = NODE_DOWN;
}

void node_look(struct node *node)
{
	if (node->state != NODE_STOPPING)
		return;
	for (unsigned i = 0; i < node->lane_count; i++)
		if (!sim_loop_is_stopped(lane_loop(node->lanes[i])))
			return;
	finish(node);
}

/* -- What is seen of it ------------------------------------------------------------------------------- */

bool node_is_within_limits(const struct node *node)
{
	/* The limit is spread over the lanes, and each says no to one more before it closes that. */
	const size_t most = (TOWN_CONNECTIONS + node->lane_count - 1) / node->lane_count;

	for (unsigned i = 0; node->state != NODE_DOWN && i < node->lane_count; i++)
		if (inbound_connection_count(lane_inbound(node->lanes[i])) > most)
			return false;
	return true;
}

bool node_is_empty(const struct node *node)
{
	struct spool_totals totals;

	must(spool_totals(disk_platters(node->disk), &totals) == OK);
	return totals.messages == 0;
}

void node_stop_clock(struct node *node)
{
	sim_process_stop_clock(node->process);
}

/* -- Marks of doubt: seen on their way ------------------------------------------------------------------- */

bool __real_in_doubt_mark(struct in_doubt *in_doubt, unsigned lane, queue_id id, uint32_t index);
bool __wrap_in_doubt_mark(struct in_doubt *in_doubt, unsigned lane, queue_id id, uint32_t index);

static void tell_stake(struct node *node, queue_id id, uint32_t index)
{
	enum { MARK_BYTES = 64 << 10, DOOM_STEPS_MAX = 40 };
	struct town *town = node->town;
	struct sim_process *runner = sim_run_as(town->world, NULL);
	struct arena *arena = arena_new(MARK_BYTES);
	struct stake stake = { node->number, id, TEXT_EMPTY, sim_host_breaks(node->host) };
	struct message message;

	must(arena != NULL);
	if (spool_read_recipients(disk_platters(node->disk), id, &index, 1, arena, &message) == OK &&
	    address_print(&message.recipients[0].address, arena, &stake.address))
		ledger_stake(town->ledger, &stake);
	if (town->settings.mutant == MUTANT_DOUBT_FORGOTTEN && sim_chance(town->world, 200))
		town->doomed = node;
	if (town->doomed == node)
		town->crash_at_step = sim_step_count(town->world) + 1 + sim_below(town->world, DOOM_STEPS_MAX);
	arena_free(arena);
	sim_run_as(town->world, runner);
}

bool __wrap_in_doubt_mark(struct in_doubt *in_doubt, unsigned lane, queue_id id, uint32_t index)
{
	struct town *town = town_here();

	for (unsigned i = 0; i < TOWN_NODES; i++)
		if (town->nodes[i]->in_doubt == in_doubt && town->nodes[i]->state != NODE_DOWN)
			tell_stake(town->nodes[i], id, index);
	return town->settings.mutant == MUTANT_DOUBT_UNMARKED || __real_in_doubt_mark(in_doubt, lane, id, index);
}

bool __real_in_doubt_take_left(struct in_doubt *in_doubt, queue_id *out_id, uint32_t *out_index);
bool __wrap_in_doubt_take_left(struct in_doubt *in_doubt, queue_id *out_id, uint32_t *out_index);

/* Left to chance, two crashes just where they show the mutant are so rare that hundreds of worlds may pass without. */
static void doom_who_tells(struct town *town, const struct in_doubt *in_doubt)
{
	enum { TELLING_STEPS_MAX = 10 };

	for (unsigned i = 0; i < TOWN_NODES; i++)
		if (town->nodes[i]->in_doubt == in_doubt && sim_chance(town->world, 500)) {
			town->doomed = town->nodes[i];
			town->crash_at_step = sim_step_count(town->world) + 1 + sim_below(town->world, TELLING_STEPS_MAX);
		}
}

bool __wrap_in_doubt_take_left(struct in_doubt *in_doubt, queue_id *out_id, uint32_t *out_index)
{
	if (!__real_in_doubt_take_left(in_doubt, out_id, out_index))
		return false;
	if (town_here()->settings.mutant == MUTANT_DOUBT_FORGOTTEN) {
		in_doubt_forget_left(in_doubt, *out_id, *out_index);
		doom_who_tells(town_here(), in_doubt);
	}
	return true;
}
