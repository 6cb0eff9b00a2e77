/* Streams of front ends, until their PROXY header has told whose bytes they carry. Then the session begins as if that
 * client had come by himself. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/must.h"
#include "inbound/inbound_private.h"
#include "inbound/proxy_header.h"

struct front {
	struct inbound *inbound;
	struct front *next, *previous;
	struct stream *stream;
	struct loop_timer *timer;
	enum session_role role;
	enum session_tls tls;
	struct buffer input; /* All of the header that has come. */
};

static void front_free(struct front *front)
{
	struct inbound *inbound = front->inbound;

	if (front->previous != NULL)
		front->previous->next = front->next;
	else
		inbound->fronts = front->next;
	if (front->next != NULL)
		front->next->previous = front->previous;
	inbound->front_count--;
	stream_free(front->stream);
	if (front->timer != NULL)
		loop_timer_free(front->timer);
	buffer_done(&front->input);
	free(front);
}

void front_free_all(struct inbound *inbound)
{
	while (inbound->fronts != NULL)
		front_free(inbound->fronts);
}

static void report(struct inbound *inbound, const struct stream *stream, const char *reason)
{
	char room[ENDPOINT_TEXT_MAX];
	struct event event = { .kind = EVENT_PROXY_REFUSED, .time_ms = loop_unix_ms(inbound->wiring.loop) };

	event.fields[EVENT_FIELD_CLIENT] = endpoint_print_ip(stream_peer(stream), room);
	event.fields[EVENT_FIELD_REASON] = text_of(reason);
	inbound->wiring.sink.report(inbound->wiring.sink.context, &event);
}

static void give_up(struct front *front, const char *reason)
{
	report(front->inbound, front->stream, reason);
	front_free(front);
}

/* The header is complete: from here on the stream is the client's. */
static void pass_on(struct front *front, const struct proxy_header *header, bool named)
{
	struct inbound *inbound = front->inbound;
	struct stream *stream = take(front->stream);
	const struct endpoint *client = named ? &header->client : stream_peer(stream);
	struct session_peer peer = inbound_peer(inbound, client, front->role, front->tls);

	/* Who is behind the front end is not known: its own rights are not his. */
	if (!named)
		peer.trusted = false;
	stream_pause(stream);
	if (stream_unread(stream, text_from(buffer_text(&front->input), header->length))) {
		front_free(front);
		inbound_welcome(inbound, stream, &peer);
	} else {
		front_free(front);
		stream_free(stream);
	}
}

static void bytes_came(void *context, struct text bytes)
{
	struct front *front = context;
	struct proxy_header header;

	if (!buffer_append(&front->input, bytes)) {
		front_free(front);
		return;
	}
	const enum proxy_answer answer = proxy_header_read(buffer_text(&front->input), &header);

	if (answer == PROXY_WRONG)
		give_up(front, "what came is no PROXY header");
	else if (answer != PROXY_MORE)
		pass_on(front, &header, answer == PROXY_CLIENT);
}

/* Front ends look whether we live by connecting and leaving: no word of that. */
static void stream_ended(void *context, enum error reason)
{
	struct front *front = context;

	(void)reason;
	if (front->input.length > 0)
		give_up(front, "the PROXY header breaks off");
	else
		front_free(front);
}

static void ran_out_of_patience(void *context)
{
	give_up(context, "no PROXY header came in time");
}

static void no_matter(void *context)
{
	(void)context;
}

static const struct stream_handler handler = { no_matter, bytes_came, no_matter, stream_ended };

static void front_new(struct inbound *inbound, struct stream *stream, enum session_role role, enum session_tls tls)
{
	struct front *front = calloc(1, sizeof *front);

	if (front == NULL) {
		stream_free(stream);
		return;
	}
	*front = (struct front){ .inbound = inbound, .next = inbound->fronts, .stream = stream, .role = role, .tls = tls };
	if (front->next != NULL)
		front->next->previous = front;
	inbound->fronts = front;
	inbound->front_count++;
	buffer_init(&front->input, INBOUND_INPUT_MAX);
	front->timer = loop_timer_new(inbound->wiring.loop, ran_out_of_patience, front);
	if (front->timer == NULL) {
		front_free(front);
		return;
	}
	loop_timer_set(front->timer, INBOUND_PROXY_MS);
	stream_set_handler(stream, &handler, front);
	stream_resume(stream);
}

/* Whoever reaches our UNIX socket was let in by the file system. */
static bool is_front_end(const struct inbound_snapshot *snapshot, const struct endpoint *from)
{
	return from->family == ENDPOINT_UNIX ||
	    network_any_holds(snapshot->proxy_from, snapshot->proxy_from_count, from);
}

void inbound_accept_proxied(struct inbound *inbound, struct stream *stream, enum session_role role, enum session_tls tls)
{
	if (inbound->draining || inbound_is_full(inbound)) {
		stream_free(stream); /* The front end tries another of us. */
	} else if (is_front_end(inbound->snapshot, stream_peer(stream))) {
		front_new(inbound, stream, role, tls);
	} else {
		report(inbound, stream, "it comes from no front end of ours");
		stream_free(stream);
	}
}
