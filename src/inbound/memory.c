/* What the connections of all lanes hold, and what happens when that is too much.
 *
 *   below the ceiling    everything
 *   above it             no new connection (421), no sender, recipient or message more (452); text that comes is
 *                        dropped and its message answered with 452; what answers wait for is not read ahead
 *   a quarter above it   a connection that would hold more of what it said ahead is closed
 *
 * So what is left to grow is half a command line for each connection that is there, and their number is bounded.
 * It is an estimate: what the allocator adds, and what the kernel holds for a socket, is not in it. */
#include "base/must.h"
#include "inbound/connection_private.h"

enum {
	CONNECTION_BYTES = 2 << 10, /* Stream, timers, session and ours, as measured. */
	TLS_BYTES = 32 << 10        /* The same for the filter of one that is idle. */
};

static int64_t held_by_all(const struct inbound *inbound)
{
	const struct inbound_wiring *wiring = &inbound->wiring;

	return wiring->held_bytes ? atomic_load_explicit(wiring->held_bytes, memory_order_relaxed) : 0;
}

static void tell_trouble(struct inbound *inbound, bool in_trouble)
{
	const struct inbound_wiring *wiring = &inbound->wiring;
	const int64_t now_ms = loop_unix_ms(wiring->loop);

	if (inbound->short_of_memory == in_trouble)
		return;
	inbound->short_of_memory = in_trouble;
	if (wiring->troubles != NULL && in_trouble)
		trouble_begin(wiring->troubles, TROUBLE_MEMORY, ERR_NO_MEMORY, &wiring->sink, now_ms);
	else if (wiring->troubles != NULL)
		trouble_end(wiring->troubles, TROUBLE_MEMORY, &wiring->sink, now_ms);
}

bool inbound_is_short(struct inbound *inbound)
{
	const int64_t memory_max = inbound->snapshot->memory_max;
	const int64_t held = held_by_all(inbound);

	if (held > memory_max)
		tell_trouble(inbound, true);
	else if (held < memory_max - memory_max / 8) /* At the edge it is one trouble, not one a message. */
		tell_trouble(inbound, false);
	return held > memory_max;
}

bool inbound_is_exhausted(struct inbound *inbound)
{
	const int64_t memory_max = inbound->snapshot->memory_max;

	return inbound_is_short(inbound) && held_by_all(inbound) > memory_max + memory_max / 4;
}

static int64_t bytes_of(const struct connection *connection)
{
	size_t bytes = CONNECTION_BYTES + connection->input.capacity + connection->late.capacity;

	if (connection->session != NULL)
		bytes += session_memory(connection->session);
	if (connection->stream != NULL)
		bytes += stream_backlog(connection->stream);
	if (connection->filter != NULL)
		bytes += TLS_BYTES;
	if (connection->intake != NULL)
		bytes += intake_memory(connection->intake);
	return (int64_t)bytes;
}

static void charge(struct connection *connection, int64_t bytes)
{
	const struct inbound *inbound = connection->inbound;

	if (inbound->wiring.held_bytes != NULL && bytes != connection->charged)
		atomic_fetch_add_explicit(inbound->wiring.held_bytes, bytes - connection->charged, memory_order_relaxed);
	connection->charged = bytes;
}

void connection_charge(struct connection *connection)
{
	charge(connection, bytes_of(connection));
}

void connection_discharge(struct connection *connection)
{
	charge(connection, 0);
	if (connection->inbound->short_of_memory)
		(void)inbound_is_short(connection->inbound);
}
