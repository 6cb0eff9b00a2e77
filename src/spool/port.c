/* Ports: how a thread hands changes in, and hears of what became of them and of what became due. */
#include <stdlib.h>

#include "base/must.h"
#include "spool/engine.h"

struct spool_port {
	struct spool *spool;
	uint32_t shards;
	void (*wake)(void *context);
	void *context;

	/* The owner's. */
	void (*gathered)(void *context); /* NULL: changes are handed in at once. */
	struct change_list gathering;

	/* Under the mutex of the spool. */
	struct spool_port *next;
	size_t in_flight;
	struct change_list finished;
	int64_t news_ms[SPOOL_SHARD_COUNT];
	bool ring;                     /* Got something that wake was not called for yet. */
	unsigned waking;               /* Calls of wake under way: not to be freed. */
};

void due_news_init(struct due_news *news)
{
	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++)
		news->due_ms[i] = INT64_MAX;
}

void due_news_add(struct due_news *news, const struct recipient *recipient)
{
	if (recipient->flags & RECIPIENT_HELD)
		return;

	const unsigned shard = spool_shard_of(recipient->address.domain);

	if (recipient->due_ms < news->due_ms[shard])
		news->due_ms[shard] = recipient->due_ms;
}

enum error spool_port_open(struct spool *spool, uint32_t shards,
    void (*wake)(void *context), void *context, struct spool_port **out_port)
{
	if (spool->read_only)
		return ERR_UNSUPPORTED;

	struct spool_port *port = calloc(1, sizeof *port);

	if (port == NULL)
		return ERR_NO_MEMORY;
	port->spool = spool;
	port->shards = shards;
	port->wake = wake;
	port->context = context;
	for (unsigned i = 0; i < SPOOL_SHARD_COUNT; i++)
		port->news_ms[i] = INT64_MAX;

	pthread_mutex_lock(&spool->mutex);
	port->next = spool->ports;
	spool->ports = port;
	pthread_mutex_unlock(&spool->mutex);
	*out_port = port;
	return OK;
}

void spool_port_close(struct spool_port *port)
{
	if (port == NULL)
		return;

	struct spool *spool = port->spool;
	struct spool_port **link = &spool->ports;
	struct spool_change *change;

	spool_port_hand_in(port);
	pthread_mutex_lock(&spool->mutex);
	while (port->in_flight > 0 || port->ring || port->waking > 0)
		pthread_cond_wait(&spool->port_idle, &spool->mutex);
	while (*link != port)
		link = &(*link)->next;
	*link = port->next;
	pthread_mutex_unlock(&spool->mutex);

	while ((change = change_list_pop(&port->finished)) != NULL)
		spool_change_free(change);
	free(port);
}

void spool_port_gather(struct spool_port *port, void (*gathered)(void *context))
{
	must(port->gathering.first == NULL);
	port->gathered = gathered;
}

void spool_port_hand_in(struct spool_port *port)
{
	struct change_list list = port->gathering;

	if (list.first == NULL)
		return;
	port->gathering = (struct change_list){ 0 };
	pthread_mutex_lock(&port->spool->mutex);
	for (const struct spool_change *change = list.first; change != NULL; change = change->next)
		port->in_flight++;
	pthread_mutex_unlock(&port->spool->mutex);
	port->spool->engine->submit(port->spool, &list);
}

void spool_submit(struct spool_port *port, struct spool_change *change, spool_done *done, void *context)
{
	const bool first = port->gathering.first == NULL;

	must(change->port == NULL);
	change->port = port;
	change->done = done;
	change->context = context;
	change_list_append(&port->gathering, change);
	if (port->gathered == NULL)
		spool_port_hand_in(port);
	else if (first)
		port->gathered(port->context);
}

size_t spool_port_poll(struct spool_port *port)
{
	struct change_list finished;
	struct spool_change *change;
	size_t count = 0;

	pthread_mutex_lock(&port->spool->mutex);
	finished = port->finished;
	port->finished = (struct change_list){ 0 };
	pthread_mutex_unlock(&port->spool->mutex);

	while ((change = change_list_pop(&finished)) != NULL) {
		if (change->done != NULL)
			change->done(change->context, change->result);
		spool_change_free(change);
		count++;
	}
	return count;
}

int64_t spool_port_news(struct spool_port *port, unsigned shard)
{
	must(shard < SPOOL_SHARD_COUNT);
	must(port->shards & 1u << shard);

	pthread_mutex_lock(&port->spool->mutex);
	const int64_t due_ms = port->news_ms[shard];

	port->news_ms[shard] = INT64_MAX;
	pthread_mutex_unlock(&port->spool->mutex);
	return due_ms;
}

static bool tell_news(struct spool_port *port, const struct due_news *news)
{
	bool told = false;

	for (unsigned shard = 0; shard < SPOOL_SHARD_COUNT; shard++) {
		if (!(port->shards & 1u << shard) || news->due_ms[shard] == INT64_MAX)
			continue;
		if (news->due_ms[shard] < port->news_ms[shard])
			port->news_ms[shard] = news->due_ms[shard];
		told = true;
	}
	return told;
}

static struct spool_port *first_to_ring(struct spool *spool)
{
	struct spool_port *port = spool->ports;

	while (port != NULL && !port->ring)
		port = port->next;
	return port;
}

/* Call wake for each port that has got something, without the mutex. Whoever finishes at the same
 * time may do it for us, but never before what we gave is there to be polled. */
static void ring(struct spool *spool)
{
	struct spool_port *port;

	while ((port = first_to_ring(spool)) != NULL) {
		port->ring = false;
		port->waking++;
		pthread_mutex_unlock(&spool->mutex);
		port->wake(port->context);
		pthread_mutex_lock(&spool->mutex);
		port->waking--;
	}
}

void ports_finish(struct spool *spool, struct change_list *list, const struct due_news *news)
{
	struct spool_change *change;
	struct spool_port *port;

	pthread_mutex_lock(&spool->mutex);
	while ((change = change_list_pop(list)) != NULL) {
		port = change->port;
		must(port->in_flight > 0);
		port->in_flight--;
		port->ring = true;
		spool->notes_version += change->notes && change->result == OK;
		change_list_append(&port->finished, change);
	}
	for (port = spool->ports; port != NULL; port = port->next) {
		if (news != NULL && tell_news(port, news))
			port->ring = true;
	}
	ring(spool);
	pthread_cond_broadcast(&spool->port_idle);
	pthread_mutex_unlock(&spool->mutex);
}
