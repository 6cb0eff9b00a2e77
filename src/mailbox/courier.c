#include "mailbox/courier.h"

#include <stdlib.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))
#include <uthash.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "io/channel.h"
#include "mailbox/body_file.h"
#include "mailbox/request.h"

/* A request's number: the job and the place of the recipient in its delivery. */
enum { PLACE_BITS = 20, PLACE_MAX = 1 << PLACE_BITS };

/* After a lack of descriptors. */
enum { AGAIN_MS = 100 };

/* A delivery in hand. It is in the table until its end:
 *
 *     waiting ──► (the channel took all its requests) ──► in no list ──► freed
 *        └──────── the channel died, the body is unreadable ───────────────┘
 *
 * Its delivery has all outcomes then; `done` is told from the loop (C1). */
struct job {
	uint64_t number;
	struct delivery *delivery;
	struct job *next;       /* In the list it is in. */
	int body_fd;            /* Of a large body; -1: not made yet, or not needed. */
	uint32_t sent, settled; /* Recipients. */
	UT_hash_handle hh;
};

struct job_list {
	struct job *first, *last;
};

struct mailbox_courier {
	struct mailbox_world world;
	struct channel *channel; /* NULL: none */
	struct loop_timer *tell, *again;
	struct job *jobs;        /* By number. */
	struct job_list waiting;
	struct delivery *ended_first, *ended_last; /* Linked by their `courier`. */
	uint64_t number_last;
};

static void list_append(struct job_list *list, struct job *job)
{
	job->next = NULL;
	if (list->last != NULL)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
}

static struct job *list_take(struct job_list *list)
{
	struct job *job = list->first;

	if (job != NULL) {
		list->first = job->next;
		if (list->first == NULL)
			list->last = NULL;
		job->next = NULL;
	}
	return job;
}

/* -- outcomes ----------------------------------------------------------------- */

static void job_close(struct job *job)
{
	if (job->body_fd >= 0)
		close(job->body_fd);
	job->body_fd = -1;
}

static void job_free(struct job *job)
{
	job_close(job);
	free(job);
}

static void end(struct mailbox_courier *courier, struct delivery *delivery)
{
	delivery->courier = NULL;
	if (courier->ended_last != NULL)
		courier->ended_last->courier = delivery;
	else
		courier->ended_first = delivery;
	courier->ended_last = delivery;
	loop_timer_set(courier->tell, 0);
}

/* The job leaves the table: no answer finds it any more. */
static void job_end(struct mailbox_courier *courier, struct job *job)
{
	must(job->settled == job->delivery->message->recipient_count); /* C2 */
	HASH_DEL(courier->jobs, job);
	end(courier, job->delivery);
	job_free(job);
}

/* Timer: C1. A queue may hand over the next delivery inside `done`. */
static void tell_ended(void *context)
{
	struct mailbox_courier *courier = context;
	struct delivery *delivery = courier->ended_first, *next;

	courier->ended_first = courier->ended_last = NULL;
	for (; delivery != NULL; delivery = next) {
		next = delivery->courier;
		delivery->courier = NULL;
		delivery->done(delivery);
	}
}

/* An outcome whose text is in the delivery's arena; without room there it keeps its codes alone. */
static void put_outcome(struct delivery *delivery, uint32_t place, const struct verdict *verdict, bool pressure)
{
	struct delivery_outcome *outcome = &delivery->outcomes[place];

	must(place < delivery->message->recipient_count && outcome->verdict.code == 0);
	*outcome = (struct delivery_outcome){ .verdict = *verdict, .pressure = pressure };
	if (!arena_copy(delivery->arena, verdict->text, &outcome->verdict.text))
		outcome->verdict.text = TEXT_EMPTY;
	if (!arena_copy(delivery->arena, verdict->host, &outcome->verdict.host))
		outcome->verdict.host = TEXT_EMPTY;
}

static void settle(struct job *job, uint32_t place, const struct verdict *verdict, bool pressure)
{
	put_outcome(job->delivery, place, verdict, pressure);
	job->settled++;
}

static void settle_without_memory(struct mailbox_courier *courier, struct delivery *delivery)
{
	const struct verdict verdict = VERDICT(451, 4, 3, 2, "short of memory or descriptors");

	for (uint32_t place = 0; place < delivery->message->recipient_count; place++)
		put_outcome(delivery, place, &verdict, false);
	end(courier, delivery);
}

/* C5. The role, not a recipient, is the trouble. */
static void settle_without_role(struct mailbox_courier *courier, struct job *job)
{
	const struct verdict verdict = job->delivery->route->kind == ROUTE_PIPE
	    ? VERDICT(451, 4, 3, 0, "nobody runs commands now")
	    : VERDICT(451, 4, 3, 0, "the mailbox writer is not running");

	for (uint32_t place = 0; place < job->delivery->message->recipient_count; place++)
		if (job->delivery->outcomes[place].verdict.code == 0)
			settle(job, place, &verdict, true);
	job_end(courier, job);
}

static void settle_all(struct mailbox_courier *courier)
{
	struct job *job, *next;

	courier->waiting = (struct job_list){ 0 };
	HASH_ITER (hh, courier->jobs, job, next)
		settle_without_role(courier, job);
}

/* -- requests ----------------------------------------------------------------- */

/* Without its type, and without what no environment and no line may hold. */
static struct text original_of(const struct recipient *recipient)
{
	const struct text original = text_from(recipient->original, text_find_byte(recipient->original, ';') + 1);

	for (size_t i = 0; i < original.length; i++)
		if ((unsigned char)original.bytes[i] < ' ' || original.bytes[i] == 0x7f)
			return TEXT_EMPTY;
	return original.length <= MAILBOX_ORIGINAL_MAX ? original : TEXT_EMPTY;
}

static enum error encode(
    const struct job *job, uint32_t place, struct text body, char room[MAILBOX_MESSAGE_MAX], size_t *out_length)
{
	const struct message *message = job->delivery->message;
	const struct route_decision *route = job->delivery->route;
	struct mailbox_request request = { .number = job->number << PLACE_BITS | place,
		.body_size = message->envelope.body_size,
		.body = body,
		.original = original_of(&message->recipients[place]),
		.parts = { route->user, route->domain, route->detail, message->envelope.flags & ENVELOPE_JUNK } };

	if (!address_print(&message->envelope.reverse_path, job->delivery->arena, &request.return_path) ||
	    !address_print(&message->recipients[place].address, job->delivery->arena, &request.delivered_to))
		return ERR_NO_MEMORY;
	*out_length = mailbox_request_encode(&request, room);
	return *out_length > 0 ? OK : ERR_TOO_LARGE;
}

static struct verdict verdict_of(enum error error)
{
	switch (error) {
	case ERR_TOO_LARGE:
		return VERDICT(550, 5, 1, 3, "the address is too long for a mailbox");
	case ERR_NO_MEMORY:
	case ERR_NO_SPACE:
	case ERR_DESCRIPTORS:
		return VERDICT(451, 4, 3, 2, "short of memory or descriptors");
	default:
		return VERDICT(451, 4, 3, 0, "the message could not be read from the queue");
	}
}

/* C6. Without a free slot we go on: after a crash the recipient is repeated all the same, only the log does not say so. */
static bool send_request(struct mailbox_courier *courier, struct job *job, struct text request)
{
	const struct mailbox_world *world = &courier->world;
	const queue_id id = job->delivery->message->envelope.id;
	const uint32_t index = job->delivery->message->recipients[job->sent].index;

	if (world->in_doubt != NULL)
		in_doubt_mark(world->in_doubt, world->lane, id, index);
	if (channel_send(courier->channel, request, &job->body_fd, job->body_fd >= 0 ? 1 : 0))
		return true;
	if (world->in_doubt != NULL)
		in_doubt_clear(world->in_doubt, world->lane, id, index);
	return false;
}

/* Sends what the channel takes of one job, or settles what cannot be sent. False: the channel is full. */
static bool send_job(struct mailbox_courier *courier, struct job *job)
{
	const struct message *message = job->delivery->message;
	char room[MAILBOX_MESSAGE_MAX], small[MAILBOX_BODY_MAX];
	struct text body = TEXT_EMPTY;
	enum error error = OK;
	size_t length;

	if (message->envelope.body_size <= MAILBOX_BODY_MAX)
		error = body_read(courier->world.spool, &message->envelope, small, &body);
	else if (job->body_fd < 0)
		error = body_file_make(courier->world.spool, &message->envelope, &job->body_fd);
	while (error == OK && job->sent < message->recipient_count) {
		error = encode(job, job->sent, body, room, &length);
		if (error != OK)
			break;
		if (!send_request(courier, job, (struct text){ room, length }))
			return false;
		job->sent++;
	}
	if (error != OK) {
		const struct verdict verdict = verdict_of(error);

		/* Those that went out may still be delivered: they wait for their answers. */
		for (uint32_t place = job->sent; place < message->recipient_count; place++)
			settle(job, place, &verdict, false);
		job->sent = message->recipient_count;
	}
	return true;
}

/* In order, until the channel's queue holds something: `drained` goes on. */
static void send_waiting(void *context)
{
	struct mailbox_courier *courier = context;

	while (courier->channel != NULL && courier->waiting.first != NULL && channel_queued(courier->channel) == 0) {
		struct job *job = courier->waiting.first;

		if (!send_job(courier, job)) {
			/* Not even queued: no descriptor or memory is left, so nothing will drain. */
			if (channel_queued(courier->channel) == 0)
				loop_timer_set(courier->again, AGAIN_MS);
			return;
		}
		list_take(&courier->waiting);
		job_close(job); /* The role has descriptors of its own. */
		if (job->settled == job->delivery->message->recipient_count)
			job_end(courier, job);
	}
}

static void deliver(void *context, struct delivery *delivery)
{
	struct mailbox_courier *courier = context;
	struct job *job = calloc(1, sizeof *job);

	must(delivery->message->recipient_count > 0 && delivery->message->recipient_count < PLACE_MAX);
	must(delivery->route->kind == ROUTE_MAILBOX || delivery->route->kind == ROUTE_PIPE);
	if (job != NULL) {
		job->number = ++courier->number_last;
		job->delivery = delivery;
		job->body_fd = -1;
		HASH_ADD(hh, courier->jobs, number, sizeof job->number, job);
	}
	if (job == NULL || job->hh.tbl == NULL) {
		free(job);
		settle_without_memory(courier, delivery);
		return;
	}
	if (courier->channel == NULL) {
		settle_without_role(courier, job);
		return;
	}
	list_append(&courier->waiting, job);
	send_waiting(courier);
}

/* -- the channel -------------------------------------------------------------- */

static void on_message(void *context, struct text bytes, const int *fds, size_t fd_count)
{
	struct mailbox_courier *courier = context;
	struct mailbox_answer answer;
	struct job *job = NULL;

	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]); /* An answer carries none. */
	if (mailbox_answer_decode(bytes, &answer) != OK)
		return;

	const uint64_t number = answer.number >> PLACE_BITS;
	const uint32_t place = (uint32_t)(answer.number & (PLACE_MAX - 1));

	HASH_FIND(hh, courier->jobs, &number, sizeof number, job);
	if (job == NULL || place >= job->sent || job->delivery->outcomes[place].verdict.code != 0)
		return; /* The role is another process: it is not believed, only heard. */
	settle(job, place, &answer.verdict, false);
	if (job->settled == job->delivery->message->recipient_count)
		job_end(courier, job);
}

static void on_drained(void *context)
{
	send_waiting(context);
}

static void on_ended(void *context, enum error reason)
{
	struct mailbox_courier *courier = context;

	(void)reason; /* The supervisor reports the death of a role. */
	channel_free(take(courier->channel));
	settle_all(courier);
}

static const struct channel_handler channel_handler = { on_message, on_drained, on_ended };

bool mailbox_courier_set_channel(struct mailbox_courier *courier, int fd)
{
	if (courier->channel != NULL)
		on_ended(courier, ERR_CANCELLED);
	courier->channel = channel_new(courier->world.loop, fd, &channel_handler, courier);
	return courier->channel != NULL;
}

struct mailbox_courier *mailbox_courier_new(const struct mailbox_world *world)
{
	struct mailbox_courier *courier = calloc(1, sizeof *courier);

	if (courier == NULL)
		return NULL;
	courier->world = *world;
	courier->tell = loop_timer_new(world->loop, tell_ended, courier);
	courier->again = loop_timer_new(world->loop, send_waiting, courier);
	if (courier->tell == NULL || courier->again == NULL) {
		mailbox_courier_free(courier);
		return NULL;
	}
	return courier;
}

void mailbox_courier_free(struct mailbox_courier *courier)
{
	struct job *job, *next;

	if (courier == NULL)
		return;
	channel_free(courier->channel);
	loop_timer_free(courier->tell);
	loop_timer_free(courier->again);
	HASH_ITER (hh, courier->jobs, job, next) {
		HASH_DEL(courier->jobs, job);
		job_free(job);
	}
	free(courier);
}

struct courier mailbox_courier_face(struct mailbox_courier *courier)
{
	return (struct courier){ deliver, courier };
}
