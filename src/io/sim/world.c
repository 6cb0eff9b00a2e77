#include "io/sim/world_private.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/must.h"

enum { COST_US_MAX = 30, LINE_MAX_BYTES = 2000 };

static const int64_t EPOCH_MS = 1798761600000; /* 2027-01-01 */

/* -- Chance ------------------------------------------------------------------------------ */

static uint64_t mixed(uint64_t *state)
{
	/* splitmix64 */
	uint64_t bits = *state += 0x9E3779B97F4A7C15u;

	bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
	bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
	return bits ^ bits >> 31;
}

uint64_t sim_draw(struct sim_world *world)
{
	/* xoroshiro128+ */
	const uint64_t a = world->random[0], b = world->random[1] ^ a;
	const uint64_t result = a + world->random[1];

	world->random[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	world->random[1] = b << 37 | b >> 27;
	return result;
}

uint64_t sim_below(struct sim_world *world, uint64_t bound)
{
	must(bound > 0);
	return (sim_draw(world) >> 8) % bound;
}

int64_t sim_between(struct sim_world *world, int64_t low, int64_t high)
{
	must(low <= high);
	return low + (int64_t)sim_below(world, (uint64_t)(high - low) + 1);
}

bool sim_chance(struct sim_world *world, unsigned permille)
{
	return sim_below(world, 1000) < permille;
}

/* -- Life -------------------------------------------------------------------------------- */

struct sim_world *sim_world_new(uint64_t seed)
{
	struct sim_world *world = calloc(1, sizeof *world);

	must(world != NULL);
	world->random[0] = mixed(&seed);
	world->random[1] = mixed(&seed);
	world->room = malloc(SIM_ROOM);
	must(world->room != NULL);
	return world;
}

void sim_world_free(struct sim_world *world)
{
	if (world == NULL)
		return;
	must(world->processes == NULL);
	sim_net_free(world);
	free(world->heap);
	free(world->room);
	free(world);
}

int64_t sim_now_us(const struct sim_world *world) { return world->now_us; }
int64_t sim_unix_ms(const struct sim_world *world) { return EPOCH_MS + world->now_us / 1000; }
uint64_t sim_step_count(const struct sim_world *world) { return world->steps; }

/* -- The trace --------------------------------------------------------------------------- */

static void hash_bytes(struct sim_world *world, const void *bytes, size_t length)
{
	world->hash = text_hash((struct text){ bytes, length }, world->hash);
}

void sim_tell(struct sim_world *world, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list values;

	va_start(values, format);
	const int length = vsnprintf(line, sizeof line, format, values);

	va_end(values);
	must(length >= 0);
	hash_bytes(world, line, strlen(line));
	if (world->trace == NULL)
		return;

	const int64_t ms = world->now_us / 1000;

	fprintf(world->trace, "%2lldd %02lld:%02lld:%02lld.%03lld  %-10s %s\n", (long long)(ms / 86400000),
	    (long long)(ms / 3600000 % 24), (long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60),
	    (long long)(ms % 1000), world->running ? world->running->name : "world", line);
}

void sim_trace_to(struct sim_world *world, FILE *file) { world->trace = file; }
uint64_t sim_trace_hash(const struct sim_world *world) { return world->hash; }

/* -- Events ------------------------------------------------------------------------------ */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->tie < b->tie;
}

static void put(struct sim_world *world, struct sim_event *event, size_t place)
{
	world->heap[place - 1] = event;
	event->place = place;
}

static void sift_up(struct sim_world *world, struct sim_event *event, size_t place)
{
	while (place > 1 && is_before(event, world->heap[place / 2 - 1])) {
		put(world, world->heap[place / 2 - 1], place);
		place /= 2;
	}
	put(world, event, place);
}

static void sift_down(struct sim_world *world, struct sim_event *event, size_t place)
{
	while (place * 2 <= world->heap_count) {
		size_t child = place * 2;

		if (child < world->heap_count && is_before(world->heap[child], world->heap[child - 1]))
			child++;
		if (!is_before(world->heap[child - 1], event))
			break;
		put(world, world->heap[child - 1], place);
		place = child;
	}
	put(world, event, place);
}

void sim_event_init(struct sim_event *event, struct sim_process *owner, sim_callback *callback, void *context)
{
	*event = (struct sim_event){ .callback = callback, .context = context, .owner = owner };
}

void sim_event_cancel(struct sim_world *world, struct sim_event *event)
{
	const size_t place = event->place;

	if (place == 0)
		return;
	struct sim_event *last = world->heap[--world->heap_count];

	event->place = 0;
	if (last == event)
		return;
	/* The last one takes its place, and moves from there in the one direction that is left. */
	if (place > 1 && is_before(last, world->heap[place / 2 - 1]))
		sift_up(world, last, place);
	else
		sift_down(world, last, place);
}

void sim_event_plan(struct sim_world *world, struct sim_event *event, int64_t delay_us)
{
	must(delay_us >= 0);
	sim_event_cancel(world, event);
	event->at_us = world->now_us + delay_us;
	event->tie = sim_draw(world); /* V2 */
	if (world->heap_count == world->heap_capacity) {
		struct sim_process *runner = sim_run_as(world, NULL);

		world->heap_capacity = world->heap_capacity ? world->heap_capacity * 2 : 256;
		world->heap = realloc(world->heap, world->heap_capacity * sizeof(struct sim_event *));
		must(world->heap != NULL);
		sim_run_as(world, runner);
	}
	sift_up(world, event, ++world->heap_count);
}

bool sim_world_step(struct sim_world *world)
{
	if (world->heap_count == 0)
		return false;
	struct sim_event *event = world->heap[0];

	sim_event_cancel(world, event);
	if (event->at_us > world->now_us)
		world->now_us = event->at_us;
	world->now_us += (int64_t)sim_below(world, COST_US_MAX) + 1;
	world->steps++;
	hash_bytes(world, &world->now_us, sizeof world->now_us);
	if (event->loop != NULL && event->loop->stopped)
		return true;
	world->running = event->owner;
	event->callback(event->context);
	world->running = NULL;
	return true;
}

/* -- Processes --------------------------------------------------------------------------- */

struct sim_process *sim_process_new(struct sim_world *world, const char *name)
{
	struct sim_process *runner = sim_run_as(world, NULL);
	struct sim_process *process = calloc(1, sizeof *process);

	must(process != NULL);
	process->world = world;
	process->name = name;
	process->memory.previous = process->memory.next = &process->memory;
	process->next = world->processes;
	if (process->next != NULL)
		process->next->previous = process;
	world->processes = process;
	sim_run_as(world, runner);
	return process;
}

struct sim_process *sim_run_as(struct sim_world *world, struct sim_process *process)
{
	struct sim_process *before = world->running;

	world->running = process;
	return before;
}

static void forget_events(struct sim_process *process)
{
	struct sim_world *world = process->world;

	for (size_t place = world->heap_count; place > 0; place--) {
		/* What cancelling moves here has been looked at, or comes from behind. */
		while (place <= world->heap_count && world->heap[place - 1]->owner == process)
			sim_event_cancel(world, world->heap[place - 1]);
	}
}

static bool has_events(const struct sim_process *process)
{
	for (size_t i = 0; i < process->world->heap_count; i++)
		if (process->world->heap[i]->owner == process)
			return true;
	return false;
}

static size_t bury(struct sim_process *process)
{
	struct sim_world *world = process->world;

	while (has_events(process))
		forget_events(process);
	const size_t left = sim_memory_drop(process);

	if (process->previous != NULL)
		process->previous->next = process->next;
	else
		world->processes = process->next;
	if (process->next != NULL)
		process->next->previous = process->previous;
	if (world->running == process)
		world->running = NULL;
	free(process);
	return left;
}

void sim_process_kill(struct sim_process *process, bool power_cut)
{
	sim_net_process_gone(process, power_cut);
	bury(process);
}

size_t sim_process_end(struct sim_process *process)
{
	sim_net_process_gone(process, false);
	return bury(process);
}

void sim_process_stop_clock(struct sim_process *process)
{
	process->stopped_unix_ms = sim_unix_ms(process->world);
}
