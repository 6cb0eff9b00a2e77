/* One message on its way into the spool.
 *
 *     COLLECTING ──commit──► WAITING ──all chunks durable──► COMMITTING ──done──► gone
 *         │                     │                                 │
 *         └───abandon, error────┴──► DISCARDING ──done──► gone    └─abandon: goes on alone
 *
 * A message smaller than a chunk goes from COLLECTING to COMMITTING with one change. A larger one sends chunks
 * ahead; since a change may fail while a later one succeeds (spool.h P4), its commit waits until they are all
 * durable: a flush more for a large message, and never a message with a hole.
 *
 * What stands on top of a message may be known only at its end. So the chunks that go ahead are numbered from 1, and the
 * first one, a short one, is put with the message: every message has its Received field there. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/message_signing.h"
#include "base/cleanup.h"
#include "base/must.h"
#include "inbound/dmarc_tally.h"
#include "inbound/inbound_private.h"
#include "spool/record.h"

enum intake_state { INTAKE_COLLECTING, INTAKE_WAITING, INTAKE_COMMITTING, INTAKE_DISCARDING };

/* What a transaction could hold must be printable, or it would be refused at its end for ever: quoting doubles an
 * address at most, and each brings the text that names it. */
enum { ADDRESSES_MAX = 3 * SESSION_TRANSACTION_MAX };

enum { FACTS_MAX = 8 << 10, DISCARDS_MAX = 60, DISCARD_AGAIN_MS = 1000 };

struct intake {
	struct inbound *inbound;
	struct intake *next, *previous;
	struct connection *connection;   /* Who waits for it; NULL: nobody. */
	enum intake_state state;
	bool claims;                     /* It is put only if nobody claimed it. */
	enum error error;                /* The first failure. */
	queue_id id;
	struct message_signing *signing; /* NULL: it is not signed. */
	struct buffer top;               /* What is to stand above the body. */
	struct buffer chunk;             /* Of the body; not yet handed in. */
	uint32_t ahead;                  /* Chunks of the body that were handed in. */
	uint32_t pending;                /* Changes that are not done. */
	uint64_t body_size;
	uint32_t discard_count;          /* Discards that failed. */
	struct loop_timer *timer;        /* For the next one; NULL until it is needed. */
	struct message *message;         /* While WAITING. */
	struct intake_facts facts;       /* While WAITING. */
	struct arena *arena;             /* Text of the event. */
	struct event event;              /* What will be reported. */
	char reply[sizeof "Ok: queued as " + QUEUE_ID_TEXT_SIZE];
};

/* -- Life ------------------------------------------------------------------------------- */

struct intake *intake_new(struct inbound *inbound, struct connection *connection, queue_id id)
{
	struct intake *intake = calloc(1, sizeof *intake);

	if (intake == NULL)
		return NULL;
	intake->arena = arena_new(FACTS_MAX);
	if (intake->arena == NULL) {
		free(intake);
		return NULL;
	}
	intake->inbound = inbound;
	intake->connection = connection;
	intake->id = id;
	buffer_init(&intake->top, INTAKE_TOP_MAX);
	buffer_init(&intake->chunk, SPOOL_CHUNK_SIZE);
	intake->next = inbound->intakes;
	if (intake->next != NULL)
		intake->next->previous = intake;
	inbound->intakes = intake;
	return intake;
}

static void intake_free(struct intake *intake)
{
	struct inbound *inbound = intake->inbound;

	if (intake->previous != NULL)
		intake->previous->next = intake->next;
	else
		inbound->intakes = intake->next;
	if (intake->next != NULL)
		intake->next->previous = intake->previous;
	if (intake->timer != NULL)
		loop_timer_free(intake->timer);
	message_signing_free(intake->signing);
	buffer_done(&intake->top);
	buffer_done(&intake->chunk);
	arena_free(intake->arena);
	free(intake);
	inbound_look_drained(inbound);
}

void intake_free_all(struct inbound *inbound)
{
	while (inbound->intakes != NULL)
		intake_free(inbound->intakes);
}

void intake_hurry(struct inbound *inbound)
{
	for (struct intake *intake = inbound->intakes; intake != NULL; intake = intake->next)
		if (intake->timer != NULL && intake->pending == 0)
			loop_timer_set(intake->timer, 0);
}

size_t intake_memory(const struct intake *intake)
{
	return sizeof *intake + arena_taken(intake->arena) + intake->chunk.capacity + (size_t)intake->pending * SPOOL_CHUNK_SIZE;
}

bool intake_is_congested(const struct intake *intake)
{
	return intake->state == INTAKE_COLLECTING && intake->pending > INBOUND_CHUNKS_PENDING_MAX;
}

struct verdict intake_verdict(enum error error)
{
	switch (error) {
	case ERR_NO_SPACE:
		return VERDICT(452, 4, 3, 1, "Insufficient system storage");
	case ERR_NO_MEMORY:
		return VERDICT(452, 4, 3, 1, "Insufficient system resources");
	default:
		return VERDICT(451, 4, 3, 0, "The message could not be stored, try again later");
	}
}

/* -- Discarding ---------------------------------------------------------------------------- */

static void discarded(void *context, enum error result);

static void submit_discard(void *context)
{
	struct intake *intake = context;
	struct spool_change *change = spool_change_new();

	if (change != NULL) {
		spool_change_discard(change, intake->id);
		intake->pending++;
		spool_submit(intake->inbound->wiring.port, change, discarded, intake);
	} else if (intake->pending == 0) {
		intake_free(intake);
	}
}

/* A discard may fail with the batch it was in, in a full spool of all things, where its room is needed most. So it
 * is tried again, a few times; what is left then is swept when the spool opens (spool.h P6). */
static void discarded(void *context, enum error result)
{
	struct intake *intake = context;
	struct loop *loop = intake->inbound->wiring.loop;

	must(intake->pending > 0 && intake->state == INTAKE_DISCARDING);
	if (--intake->pending > 0)
		return;
	if (result != OK && !intake->inbound->draining && intake->discard_count++ < DISCARDS_MAX) {
		if (intake->timer == NULL)
			intake->timer = loop_timer_new(loop, submit_discard, intake);
		if (intake->timer != NULL) {
			loop_timer_set(intake->timer, DISCARD_AGAIN_MS);
			return;
		}
	}
	intake_free(intake);
}

/* Throw away what is in the spool of it, behind the chunks that are under way (spool.h P2). */
static void discard(struct intake *intake)
{
	intake->state = INTAKE_DISCARDING;
	intake->connection = NULL;
	intake->message = NULL;
	buffer_release(&intake->top);
	buffer_release(&intake->chunk);
	if (intake->ahead > 0)
		submit_discard(intake);
	else if (intake->pending == 0)
		intake_free(intake);
}

void intake_abandon(struct intake *intake)
{
	intake->connection = NULL;
	if (intake->state != INTAKE_COMMITTING)
		discard(intake);
}

/* -- Committing ------------------------------------------------------------------------------ */

/* The facts of the event, copied: they are told when the transaction may be gone. */
static bool compose_event(struct intake *intake, const struct message *message, const struct intake_facts *facts)
{
	const struct envelope *envelope = &message->envelope;
	struct text *fields = intake->event.fields;
	struct arena *arena = intake->arena;
	struct text sender;

	intake->event.kind = EVENT_RECEIVED;
	intake->event.time_ms = loop_unix_ms(intake->inbound->wiring.loop);
	intake->event.id = intake->id;
	if (facts->message_id.length > 0 &&
	    !arena_copy(arena, facts->message_id, &fields[EVENT_FIELD_MESSAGE_ID]))
		return false;
	if (envelope->user.length > 0 && !arena_copy(arena, envelope->user, &fields[EVENT_FIELD_USER]))
		return false;
	if (facts->tls.length > 0 && !arena_copy(arena, facts->tls, &fields[EVENT_FIELD_TLS]))
		return false;
	if (facts->certificate.length > 0 && !arena_copy(arena, facts->certificate, &fields[EVENT_FIELD_CERTIFICATE]))
		return false;
	if (facts->results.length > 0 && !arena_copy(arena, facts->results, &fields[EVENT_FIELD_RESULTS]))
		return false;
	if (facts->sealed.length > 0 && !arena_copy(arena, facts->sealed, &fields[EVENT_FIELD_SEALED]))
		return false;
	if (envelope->priority != 0 && !arena_print(arena, &fields[EVENT_FIELD_PRIORITY], "%d", envelope->priority))
		return false;
	fields[EVENT_FIELD_DEMANDS] = envelope_tls_demand(envelope);
	/* SIGNED is there already: it was known when the text was complete. */
	fields[EVENT_FIELD_PROTOCOL] = text_of(facts->protocol);
	return address_print(&envelope->reverse_path, arena, &sender) &&
	    arena_print(arena, &fields[EVENT_FIELD_SENDER], "<%.*s>", TEXT_FORMAT(sender)) &&
	    arena_copy(arena, envelope->client, &fields[EVENT_FIELD_CLIENT]) &&
	    arena_print(arena, &fields[EVENT_FIELD_SIZE], "%llu", (unsigned long long)envelope->body_size) &&
	    arena_print(arena, &fields[EVENT_FIELD_RECIPIENTS], "%u", message->recipient_count);
}

/* Sender and recipients, by whom the history can be found. */
static bool print_addresses(
    const struct message *message, struct arena *arena, struct text **out_addresses, size_t *out_count)
{
	const bool bounce = address_is_null(&message->envelope.reverse_path);
	struct text *addresses = arena_array(arena, message->recipient_count + 1, sizeof *addresses);
	size_t count = 0;

	if (addresses == NULL)
		return false;
	if (!bounce && !address_print(&message->envelope.reverse_path, arena, &addresses[count++]))
		return false;
	for (uint32_t i = 0; i < message->recipient_count; i++)
		if (!address_print(&message->recipients[i].address, arena, &addresses[count++]))
			return false;
	*out_addresses = addresses;
	*out_count = count;
	return true;
}

/* What did not go ahead. Returns how many chunks the whole has. */
static uint32_t put_rest(struct intake *intake, struct spool_change *change)
{
	const struct text top = buffer_text(&intake->top), rest = buffer_text(&intake->chunk);

	must(top.length > 0);
	if (intake->ahead == 0 && top.length + rest.length <= SPOOL_CHUNK_SIZE) {
		spool_change_put_joined_chunk(change, intake->id, 0, top, rest);
		return 1;
	}
	must(rest.length > 0); /* The last one never goes ahead. */
	spool_change_put_chunk(change, intake->id, 0, top);
	spool_change_put_chunk(change, intake->id, intake->ahead + 1, rest);
	return intake->ahead + 2;
}

static void put_claim(const struct intake *intake, struct spool_change *change)
{
	char id[QUEUE_ID_TEXT_SIZE], value[SPOOL_CLAIM_MAX + 1];
	const int length = snprintf(value, sizeof value, "%.*s %.*s", TEXT_FORMAT(queue_id_print(intake->id, id)),
	    TEXT_FORMAT(intake->facts.claim_mark));

	if (intake->facts.claim_key.length > 0)
		spool_change_claim(change, tally_day(intake->event.time_ms), intake->facts.claim_key,
		    (struct text){ value, (size_t)length });
}

/* Chunks, message and record in one change. False: no memory. */
static bool fill_change(struct intake *intake, struct spool_change *change, struct message *message)
{
	struct arena *arena = arena_new(ADDRESSES_MAX);
	struct text *addresses;
	size_t count;
	bool filled = false;

	message->envelope.body_size = intake->body_size;
	message->envelope.chunk_count = put_rest(intake, change);
	if (arena != NULL && compose_event(intake, message, &intake->facts) &&
	    print_addresses(message, arena, &addresses, &count)) {
		spool_change_put_message(change, message);
		spool_record_event(change, &intake->event, addresses, count);
		if (intake->facts.tally != NULL)
			spool_change_tally(change, &intake->facts.tally->set, intake->facts.tally->row, 1);
		put_claim(intake, change);
		filled = true;
	}
	arena_free(arena);
	return filled;
}

/* Bytes have become a promise: from here on a crash does not lose the message, and the client that
 * does not hear of it sends it again. */
static void committed(void *context, enum error result)
{
	struct intake *intake = context;
	struct connection *connection = intake->connection;
	char id[QUEUE_ID_TEXT_SIZE];
	struct verdict verdict = intake_verdict(result);

	if (result == ERR_EXISTS && intake->claims)
		verdict = VERDICT(554, 5, 5, 0, "It is claimed already");
	must(intake->state == INTAKE_COMMITTING && intake->pending == 1);
	intake->pending = 0;
	if (result == OK) {
		if (intake->inbound->wiring.counters != NULL)
			counters_add_time(intake->inbound->wiring.counters, HISTOGRAM_TIME_TO_250,
			    loop_unix_ms(intake->inbound->wiring.loop) - intake->event.time_ms);
		intake->inbound->wiring.sink.report(intake->inbound->wiring.sink.context, &intake->event);
		snprintf(intake->reply, sizeof intake->reply, "Ok: queued as %.*s",
		    TEXT_FORMAT(queue_id_print(intake->id, id)));
		verdict = VERDICT(250, 2, 0, 0, "");
		verdict.text = text_of(intake->reply);
	}
	if (connection != NULL)
		connection_stored(connection, verdict);
	if (result == OK)
		intake_free(intake);
	else
		discard(intake);
}

static enum error submit_commit(struct intake *intake, struct message *message)
{
	struct spool_change *change = spool_change_new();

	if (change == NULL || !fill_change(intake, change, message)) {
		spool_change_free(change);
		return ERR_NO_MEMORY;
	}
	buffer_release(&intake->top);
	buffer_release(&intake->chunk);
	intake->message = NULL;
	intake->state = INTAKE_COMMITTING;
	intake->pending++;
	spool_submit(intake->inbound->wiring.port, change, committed, intake);
	return OK;
}

/* All text has come: the signatures over it go on top. A message that is not signed goes its way without. */
static void sign(struct intake *intake)
{
	struct buffer fields;
	struct text domain;

	buffer_init(&fields, INTAKE_TOP_MAX / 2);
	if (message_signing_end(intake->signing, &fields, &domain) == OK &&
	    arena_copy(intake->arena, domain, &intake->event.fields[EVENT_FIELD_SIGNED]))
		intake_put_on_top(intake, buffer_text(&fields));
	buffer_done(&fields);
	message_signing_free(take(intake->signing));
}

enum error intake_commit(struct intake *intake, struct message *message, const struct intake_facts *facts)
{
	must(intake->state == INTAKE_COLLECTING);
	if (intake->signing != NULL && intake->error == OK)
		sign(intake);
	enum error error = intake->error;

	intake->facts = *facts;
	intake->claims = facts->claim_key.length > 0;
	if (error == OK && intake->pending > 0) {
		intake->state = INTAKE_WAITING;
		intake->message = message;
		return OK;
	}
	if (error == OK)
		error = submit_commit(intake, message);
	if (error != OK)
		discard(intake);
	return error;
}

/* -- Collecting -------------------------------------------------------------------------------- */

/* WAITING and all chunks are done: on to the commit, or to the bad news. */
static void stop_waiting(struct intake *intake)
{
	struct connection *connection = intake->connection;
	const enum error error = intake->error != OK ? intake->error : submit_commit(intake, intake->message);

	must(connection != NULL);
	if (error == OK)
		return;
	discard(intake);
	connection_stored(connection, intake_verdict(error));
}

static void chunk_stored(void *context, enum error result)
{
	struct intake *intake = context;

	must(intake->pending > 0);
	const bool was_congested = intake_is_congested(intake);

	intake->pending--;
	if (result != OK && intake->error == OK)
		intake->error = result;
	if (intake->state == INTAKE_DISCARDING && intake->pending == 0)
		intake_free(intake);
	else if (intake->state == INTAKE_WAITING && intake->pending == 0)
		stop_waiting(intake);
	else if (was_congested && !intake_is_congested(intake))
		connection_relieved(intake->connection);
}

static void submit_chunk(struct intake *intake)
{
	struct spool_change *change = spool_change_new();

	must(intake->chunk.length == SPOOL_CHUNK_SIZE);
	if (change == NULL) {
		intake->error = ERR_NO_MEMORY;
		return;
	}
	spool_change_put_chunk(change, intake->id, ++intake->ahead, buffer_text(&intake->chunk));
	buffer_clear(&intake->chunk);
	intake->pending++;
	spool_submit(intake->inbound->wiring.port, change, chunk_stored, intake);
}

void intake_put_on_top(struct intake *intake, struct text field)
{
	const size_t length = intake->top.length;
	char *room = buffer_reserve(&intake->top, field.length);

	must(intake->state == INTAKE_COLLECTING && text_ends(field, TEXT("\r\n")));
	if (room == NULL) {
		if (intake->error == OK)
			intake->error = ERR_NO_MEMORY;
		return;
	}
	memmove(room - length + field.length, room - length, length);
	memcpy(room - length, field.bytes, field.length);
	buffer_added(&intake->top, field.length);
	intake->body_size += field.length;
}

void intake_sign(struct intake *intake, struct text sender_domain)
{
	struct inbound *inbound = intake->inbound;

	must(intake->chunk.length == 0 && intake->ahead == 0 && intake->signing == NULL);
	if (inbound->signing != NULL)
		intake->signing = message_signing_new(
		    inbound->signing, sender_domain, loop_unix_ms(inbound->wiring.loop) / 1000);
}

void intake_body(struct intake *intake, struct text bytes)
{
	must(intake->state == INTAKE_COLLECTING);
	if (intake->error == OK && inbound_is_short(intake->inbound)) {
		intake->error = ERR_NO_MEMORY;
		buffer_release(&intake->chunk);
	}
	if (intake->signing != NULL)
		message_signing_add(intake->signing, bytes);
	while (bytes.length > 0 && intake->error == OK) {
		/* A full chunk is sent ahead only when more follows: the last one goes with the message. */
		if (intake->chunk.length == SPOOL_CHUNK_SIZE)
			submit_chunk(intake);
		const struct text part = text_part(bytes, 0, SPOOL_CHUNK_SIZE - intake->chunk.length);

		if (intake->error == OK && !buffer_append(&intake->chunk, part))
			intake->error = ERR_NO_MEMORY;
		intake->body_size += part.length;
		bytes = text_from(bytes, part.length);
	}
}
