/* What may stand between a stream and its socket (TLS, for one): turns bytes of the wire into those
 * of the stream's owner, and back.
 *
 * A filter does no I/O and reads no clock: it is called by the stream, and what comes out is put into buffers.
 *
 *   F1  Every byte given is taken. What has no meaning yet is kept inside, bounded by the filter.
 *   F2  Before it is ready (a handshake is under way) nothing may be sent, and no plain byte comes out.
 *   F3  After a failure it is only freed. What it put into out_wire before is still sent: it may tell the other
 *       side why.
 *
 * Whoever makes a filter embeds this struct at the start of its own. */
#ifndef IO_STREAM_FILTER_H
#define IO_STREAM_FILTER_H

#include "base/buffer.h"
#include "base/error.h"

struct stream_filter;

struct stream_filter_calls {
	/* Bytes came from the wire; first of all, once, with an empty text, so that a side that speaks
	 * first can. ERR_CLOSED: the other side has said its last, sending goes on. Other errors: the end. */
	enum error (*received)(
	    struct stream_filter *filter, struct text wire, struct buffer *out_plain, struct buffer *out_wire);
	/* The owner sends. */
	enum error (*send)(struct stream_filter *filter, struct text plain, struct buffer *out_wire);
	/* Nothing more will be sent: put the last words. */
	void (*finish)(struct stream_filter *filter, struct buffer *out_wire);
	void (*free)(struct stream_filter *filter);
};

struct stream_filter {
	const struct stream_filter_calls *calls;
	bool ready; /* F2; set by the filter, never taken back. */
};

#endif
