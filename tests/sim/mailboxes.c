/* The courier to mailboxes, in place of mailbox/courier.c: they are in the ledger. The role behind it may die after it
 * has written and before it has answered. */
#include "mailbox/courier.h"

#include <stdio.h>

#include <stdlib.h>

#include "base/must.h"
#include "sim/town.h"

enum { WRITE_US_MAX = 30000, MAIL_MAX = 2 << 20 };

struct mailbox_courier {
	struct mailbox_world world;
	struct errand *errands;
};

struct errand {
	struct errand *next;
	struct mailbox_courier *courier;
	struct delivery *delivery;
	struct loop_timer *timer;
	bool written;
};

struct mailbox_courier *mailbox_courier_new(const struct mailbox_world *world)
{
	struct mailbox_courier *courier = calloc(1, sizeof *courier);

	if (courier != NULL)
		*courier = (struct mailbox_courier){ .world = *world };
	return courier;
}

static void errand_free(struct errand *errand)
{
	struct errand **link = &errand->courier->errands;

	while (*link != errand)
		link = &(*link)->next;
	*link = errand->next;
	loop_timer_free(errand->timer);
	free(errand);
}

void mailbox_courier_free(struct mailbox_courier *courier)
{
	if (courier == NULL)
		return;
	while (courier->errands != NULL)
		errand_free(courier->errands);
	free(courier);
}

bool mailbox_courier_set_channel(struct mailbox_courier *courier, int fd)
{
	(void)courier, (void)fd;
	return true;
}

/* The body as it is stored; false: it cannot be read. */
static bool read_body(struct mailbox_courier *courier, const struct envelope *envelope, struct buffer *out)
{
	static _Thread_local char room[SPOOL_CHUNK_SIZE];
	size_t length;

	for (uint32_t i = 0; i < envelope->chunk_count; i++)
		if (spool_read_chunk(courier->world.spool, envelope->id, i, room, &length) != OK ||
		    !buffer_append(out, (struct text){ room, length }))
			return false;
	return true;
}

static void write_mail(struct errand *errand)
{
	struct town *town = town_here();
	const struct delivery *delivery = errand->delivery;
	const struct message *message = delivery->message;
	struct buffer body;

	buffer_init(&body, MAIL_MAX);
	if (!read_body(errand->courier, &message->envelope, &body))
		ledger_complain(town->ledger, "a body cannot be read");
	for (uint32_t i = 0; i < message->recipient_count; i++) {
		char address[200];
		const struct mailbox_world *world = &errand->courier->world;

		snprintf(address, sizeof address, "%.*s@%.*s", TEXT_FORMAT(delivery->route->user),
		    TEXT_FORMAT(delivery->route->domain));
		in_doubt_mark(world->in_doubt, world->lane, message->envelope.id, message->recipients[i].index);
		ledger_arrival(town->ledger, text_of(address), buffer_text(&body));
	}
	buffer_done(&body);
}

static void errand_end(struct errand *errand, struct verdict verdict)
{
	struct delivery *delivery = errand->delivery;

	for (uint32_t i = 0; i < delivery->message->recipient_count; i++)
		delivery->outcomes[i].verdict = verdict;
	errand_free(errand);
	delivery->done(delivery);
}

static void errand_step(void *context)
{
	struct errand *errand = context;
	struct town *town = town_here();
	const bool dies = !town->peace && sim_chance(town->world, town->mailbox_permille);

	if (dies) {
		town->counts.mailbox_deaths++;
		errand_end(errand, VERDICT(451, 4, 3, 0, "the mailbox role died"));
	} else if (errand->written) {
		errand_end(errand, VERDICT(250, 2, 0, 0, "stored"));
	} else {
		write_mail(errand);
		errand->written = true;
		loop_timer_set(errand->timer, sim_between(town->world, 0, WRITE_US_MAX) / 1000);
	}
}

static void deliver(void *context, struct delivery *delivery)
{
	struct mailbox_courier *courier = context;
	struct errand *errand = calloc(1, sizeof *errand);

	must(errand != NULL);
	*errand = (struct errand){ .next = courier->errands, .courier = courier, .delivery = delivery };
	courier->errands = errand;
	errand->timer = loop_timer_new(courier->world.loop, errand_step, errand);
	must(errand->timer != NULL);
	loop_timer_set(errand->timer, sim_between(town_here()->world, 0, WRITE_US_MAX) / 1000);
}

struct courier mailbox_courier_face(struct mailbox_courier *courier)
{
	return (struct courier){ deliver, courier };
}
