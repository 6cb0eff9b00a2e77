#include "io/sim/net.h"

#include <stdlib.h>

#include "base/must.h"
#include "io/sim/net_private.h"

enum { SOCKET_FIRST = 1 << 20, LISTENERS_MAX = 16, WINDOW_MIN = 2 << 10, WINDOW_MAX = 256 << 10, SHRED_MAX = 40 };

struct sim_host {
	struct sim_world *world;
	struct sim_host *next;
	const char *name;
	struct endpoint address;
	bool alive;
	int64_t cut_until_us;
	uint64_t breaks;
};

struct sim_socket {
	struct sim_host *host;
	uint16_t port;
	bool open;
	struct listener *listeners[LISTENERS_MAX];
	size_t listener_count;
};

struct weather_room { /* The weather, and what it has done. */
	struct sim_weather weather; /* First. */
	struct sim_net_counts counts;
};

static struct weather_room *weather_of(const struct sim_world *world)
{
	return (struct weather_room *)world->weather;
}

struct sim_weather *sim_weather(struct sim_world *world)
{
	if (world->weather == NULL) {
		struct weather_room *room = calloc(1, sizeof *room);

		must(room != NULL);
		world->weather = &room->weather;
	}
	return world->weather;
}

struct sim_net_counts sim_net_counts(const struct sim_world *world)
{
	return weather_of(world)->counts;
}

/* -- Hosts and sockets --------------------------------------------------------------------- */

struct sim_host *sim_host_new(struct sim_world *world, const char *name, const char *ip)
{
	struct sim_process *runner = sim_run_as(world, NULL);
	struct sim_host *host = calloc(1, sizeof *host);

	must(host != NULL);
	*host = (struct sim_host){ .world = world, .next = world->hosts, .name = name, .alive = true };
	must(endpoint_parse_ip(text_of(ip), &host->address));
	world->hosts = host;
	sim_weather(world);
	sim_run_as(world, runner);
	return host;
}

const char *sim_host_name(const struct sim_host *host) { return host->name; }

uint64_t sim_host_breaks(const struct sim_host *host) { return host->breaks; }

void net_count_break(struct sim_process *process)
{
	if (process->host != NULL)
		process->host->breaks++;
}

static struct sim_host *host_at(struct sim_world *world, const struct endpoint *endpoint)
{
	for (struct sim_host *host = world->hosts; host != NULL; host = host->next) {
		struct endpoint address = host->address;

		address.port = endpoint->port;
		if (endpoint_equal(&address, endpoint))
			return host;
	}
	return NULL;
}

void sim_process_live_on(struct sim_process *process, struct sim_host *host)
{
	process->host = host;
}

void sim_host_set_alive(struct sim_host *host, bool alive) { host->alive = alive; }
void sim_host_cut_off(struct sim_host *host, int64_t until_us) { host->cut_until_us = until_us; }

int sim_socket_new(struct sim_host *host, uint16_t port)
{
	struct sim_world *world = host->world;
	struct sim_process *runner = sim_run_as(world, NULL);
	struct sim_socket *socket = calloc(1, sizeof *socket);

	world->sockets = reallocarray(world->sockets, world->socket_count + 1, sizeof(struct sim_socket *));
	must(socket != NULL && world->sockets != NULL);
	*socket = (struct sim_socket){ .host = host, .port = port, .open = true };
	world->sockets[world->socket_count] = socket;
	sim_run_as(world, runner);
	return SOCKET_FIRST + (int)world->socket_count++;
}

static struct sim_socket *socket_of(struct sim_world *world, int number)
{
	must(number >= SOCKET_FIRST && (size_t)(number - SOCKET_FIRST) < world->socket_count);
	return world->sockets[number - SOCKET_FIRST];
}

void sim_socket_set_open(struct sim_world *world, int socket, bool open)
{
	socket_of(world, socket)->open = open;
}

static struct sim_socket *socket_at(struct sim_world *world, const struct endpoint *endpoint)
{
	const struct sim_host *host = host_at(world, endpoint);

	for (size_t i = 0; i < world->socket_count; i++)
		if (world->sockets[i]->host == host && world->sockets[i]->port == endpoint->port)
			return world->sockets[i];
	return NULL;
}

struct listener *listener_new(struct loop *loop, int fd, listener_accepted *accepted, void *context)
{
	struct listener *listener = calloc(1, sizeof *listener);
	struct sim_socket *socket = socket_of(loop->world, fd);

	if (listener == NULL)
		return NULL;
	must(socket->listener_count < LISTENERS_MAX);
	*listener = (struct listener){ .next = loop->process->listeners,
		.loop = loop,
		.socket = socket,
		.accepted = accepted,
		.context = context };
	if (listener->next != NULL)
		listener->next->previous = listener;
	loop->process->listeners = listener;
	socket->listeners[socket->listener_count++] = listener;
	return listener;
}

/* A virtual network never runs out of descriptors. */
void listener_set_trouble(struct listener *listener, listener_trouble *trouble)
{
	(void)listener;
	(void)trouble;
}

static void stop_listening(struct listener *listener)
{
	struct sim_socket *socket = listener->socket;
	size_t i = 0;

	while (socket->listeners[i] != listener)
		i++;
	socket->listeners[i] = socket->listeners[--socket->listener_count];
}

void listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	stop_listening(listener);
	if (listener->previous != NULL)
		listener->previous->next = listener->next;
	else
		listener->loop->process->listeners = listener->next;
	if (listener->next != NULL)
		listener->next->previous = listener->previous;
	free(listener);
}

/* -- Connections ----------------------------------------------------------------------------- */

struct wire_end *wire_other(struct wire_end *end)
{
	struct wire *wire = end->wire;

	return end == &wire->ends[0] ? &wire->ends[1] : &wire->ends[0];
}

bool sim_stream_is_met(const struct stream *stream)
{
	const struct wire_end *other = stream->end ? wire_other(stream->end) : NULL;

	return other != NULL && !other->gone && !stream->end->reset && !stream->ended;
}

static int64_t latency(struct wire *wire)
{
	return (int64_t)sim_below(wire->world, (uint64_t)wire->latency_us + 1);
}

/* How long until this host can be reached again. */
static int64_t absence_us(const struct wire *wire)
{
	int64_t until_us = wire->world->now_us;

	for (size_t i = 0; i < 2; i++)
		if (wire->ends[i].host != NULL && wire->ends[i].host->cut_until_us > until_us)
			until_us = wire->ends[i].host->cut_until_us;
	return until_us - wire->world->now_us;
}

void wire_plan(struct wire_end *end)
{
	const bool something = end->coming.length > 0 || end->ends || end->reset;

	if (something && !sim_event_is_planned(&end->arrival))
		sim_event_plan(end->wire->world, &end->arrival, latency(end->wire) + absence_us(end->wire));
}

static void wire_free(struct wire *wire)
{
	struct sim_world *world = wire->world;

	sim_event_cancel(world, &wire->knock);
	for (size_t i = 0; i < 2; i++) {
		sim_event_cancel(world, &wire->ends[i].arrival);
		buffer_done(&wire->ends[i].coming);
	}
	if (wire->previous != NULL)
		wire->previous->next = wire->next;
	else
		world->wires = wire->next;
	if (wire->next != NULL)
		wire->next->previous = wire->previous;
	free(wire);
}

/* Both sides will hear of it; what is under way may be lost, all or a part (K2). */
static void reset_end(struct wire_end *end)
{
	struct sim_world *world = end->wire->world;

	if (end->gone)
		return;
	if (end->coming.length > 0 && sim_chance(world, 500)) {
		const size_t kept = (size_t)sim_below(world, end->coming.length + 1);

		end->coming.length = kept;
	}
	end->reset = end->torn = true;
	wire_plan(end);
}

void wire_leave(struct wire_end *end, bool orderly, bool mute)
{
	struct wire *wire = end->wire;
	struct wire_end *other = wire_other(end);

	end->stream = NULL;
	end->gone = true;
	end->mute = mute;
	sim_event_cancel(wire->world, &wire->knock); /* Only its dialler leaves a connection that has not arrived. */
	if (!other->gone && other->stream == NULL && other == &wire->ends[1])
		other->gone = true;
	if (other->gone) {
		wire_free(wire);
		return;
	}
	if (mute)
		other->coming.length = 0;
	else if (!orderly && end->coming.length > 0)
		reset_end(other); /* A socket that is closed with unread bytes. */
	else
		other->ends = true;
	buffer_release(&end->coming);
	wire_plan(other);
}

/* The fate of a connection comes at a byte: how many of these may still pass. */
static size_t let_pass(struct wire *wire, size_t length)
{
	if (wire->bytes_left < 0)
		return length;
	if ((int64_t)length > wire->bytes_left)
		length = (size_t)wire->bytes_left;
	wire->bytes_left -= (int64_t)length;
	return length;
}

/* Here: nothing more comes to this end. */
static void meet_fate(struct wire_end *end)
{
	struct wire *wire = end->wire;
	struct weather_room *room = weather_of(wire->world);

	wire->bytes_left = -1;
	sim_tell(wire->world, "connection %s to %s %s", wire->ends[0].host ? wire->ends[0].host->name : "?",
	    wire->ends[1].host ? wire->ends[1].host->name : "?", wire->falls_silent ? "falls silent" : "is reset");
	if (wire->falls_silent) {
		wire->silent = true;
		room->counts.silences++;
		return;
	}
	room->counts.resets++;
	buffer_clear(&end->coming);
	reset_end(end);
	reset_end(wire_other(end));
}

static void deliver_bytes(struct wire_end *end)
{
	struct wire *wire = end->wire;
	struct sim_world *world = wire->world;
	struct stream *stream = end->stream, *writer;
	size_t length = end->coming.length < SIM_ROOM ? end->coming.length : SIM_ROOM;

	if (sim_chance(world, sim_weather(world)->shred_permille))
		length = (size_t)sim_below(world, length < SHRED_MAX ? length : SHRED_MAX) + 1;
	length = let_pass(wire, length);
	if (length == 0) {
		meet_fate(end);
		return;
	}
	memcpy(world->room, buffer_text(&end->coming).bytes, length);
	buffer_consume(&end->coming, length);
	wire_plan(end);
	writer = wire_other(end)->stream;
	if (writer != NULL)
		stream_pump(writer);
	stream_arrives(stream, (struct text){ world->room, length });
}

static void arrives(void *context)
{
	struct wire_end *end = context;
	struct wire *wire = end->wire;
	const struct stream *stream = end->stream;

	if (wire->silent)
		return;
	if (absence_us(wire) > 0) {
		wire_plan(end);
	} else if (end->gone) {
		/* Who writes to somebody who has left is reset, unless nobody is there to say so. */
		buffer_release(&end->coming);
		if (!end->mute)
			reset_end(wire_other(end));
	} else if (stream == NULL || !stream->open) {
		return; /* Opening plans it again. */
	} else if (end->coming.length > 0 && stream->wanted) {
		deliver_bytes(end);
	} else if (end->coming.length == 0 && end->reset) {
		end->reset = false;
		wire->bytes_left = -1;
		stream_tell_end(end->stream, ERR_RESET);
	} else if (end->coming.length == 0 && end->ends && stream->wanted) {
		end->ends = false;
		stream_tell_end(end->stream, ERR_CLOSED);
	}
}

/* -- Dialling ---------------------------------------------------------------------------------- */

static void refuse(struct wire *wire)
{
	struct stream *stream = wire->ends[0].stream;

	weather_of(wire->world)->counts.refusals++;
	stream->failure = ERR_REFUSED;
	sim_event_plan(wire->world, &stream->notice, latency(wire));
}

static void accept_on(struct wire *wire, struct listener *listener)
{
	struct sim_world *world = wire->world;
	struct sim_process *runner = sim_run_as(world, listener->loop->process);
	struct stream *accepted = stream_accepted(listener->loop, &wire->ends[1]);
	struct stream *dialled = wire->ends[0].stream;

	must(accepted != NULL);
	weather_of(world)->counts.connections++;
	dialled->opens = true;
	sim_event_plan(world, &dialled->notice, latency(wire));
	listener->accepted(listener->context, accepted);
	sim_run_as(world, runner);
}

static void knocks(void *context)
{
	enum { BACKLOG_US = 100000 };
	struct wire *wire = context;
	struct sim_world *world = wire->world;
	const struct sim_socket *socket = wire->socket;

	if (absence_us(wire) > 0) {
		sim_event_plan(world, &wire->knock, absence_us(wire) + latency(wire));
		return;
	}
	if (wire->ends[1].host == NULL || !wire->ends[1].host->alive)
		return; /* Nobody answers: the patience is the dialler's. */
	if (socket == NULL || !socket->open || sim_chance(world, sim_weather(world)->refuse_permille))
		refuse(wire);
	else if (socket->listener_count == 0)
		sim_event_plan(world, &wire->knock, BACKLOG_US); /* K4 */
	else
		accept_on(wire, socket->listeners[sim_below(world, socket->listener_count)]);
}

static void draw_fate(struct wire *wire)
{
	const struct sim_weather *weather = sim_weather(wire->world);
	const uint64_t lot = sim_below(wire->world, 1000);

	wire->latency_us = weather->latency_us_max > 0 ? sim_between(wire->world, 10, weather->latency_us_max) : 10;
	wire->window = (size_t)sim_between(wire->world, WINDOW_MIN, WINDOW_MAX);
	wire->bytes_left = -1;
	if (lot >= weather->reset_permille + weather->silent_permille)
		return;
	wire->falls_silent = lot >= weather->reset_permille;
	wire->bytes_left = sim_between(wire->world, 0, weather->byte_max);
}

struct wire *wire_new(struct sim_world *world, const struct endpoint *to, struct sim_process *from)
{
	struct sim_process *runner = sim_run_as(world, NULL);
	struct wire *wire = calloc(1, sizeof *wire);

	must(wire != NULL);
	wire->world = world;
	wire->next = world->wires;
	if (wire->next != NULL)
		wire->next->previous = wire;
	world->wires = wire;
	for (size_t i = 0; i < 2; i++) {
		wire->ends[i].wire = wire;
		buffer_init(&wire->ends[i].coming, WINDOW_MAX);
		sim_event_init(&wire->ends[i].arrival, NULL, arrives, &wire->ends[i]);
	}
	sim_event_init(&wire->knock, NULL, knocks, wire);
	wire->ends[0].host = from->host;
	wire->ends[0].address = from->host->address;
	wire->ends[0].address.port = (uint16_t)sim_between(world, 32768, 60999);
	wire->ends[1].host = host_at(world, to);
	wire->ends[1].address = *to;
	wire->socket = socket_at(world, to);
	draw_fate(wire);
	sim_event_plan(world, &wire->knock, latency(wire));
	sim_run_as(world, runner);
	return wire;
}

/* -- Deaths ------------------------------------------------------------------------------------- */

void sim_net_process_gone(struct sim_process *process, bool power_cut)
{
	while (process->listeners != NULL) {
		struct listener *listener = process->listeners;

		process->listeners = listener->next;
		stop_listening(listener);
	}
	for (struct stream *stream = process->streams; stream != NULL; stream = stream->next) {
		if (stream->end == NULL)
			continue;
		/* Some hosts reset after they are back, some never say anything. */
		wire_leave(stream->end, false, power_cut && sim_chance(process->world, 500));
		stream->end = NULL;
	}
	process->streams = NULL;
}

void sim_net_free(struct sim_world *world)
{
	while (world->wires != NULL)
		wire_free(world->wires);
	while (world->hosts != NULL) {
		struct sim_host *next = world->hosts->next;

		free(world->hosts);
		world->hosts = next;
	}
	for (size_t i = 0; i < world->socket_count; i++)
		free(world->sockets[i]);
	free(world->sockets);
	free(world->weather);
}
