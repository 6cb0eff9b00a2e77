/* The inside of unpacking.
 *
 * unpack.c    what a piece of bytes is, and inflating it
 * archive.c   zip
 * parts.c     MIME */
#ifndef REPORTS_UNPACK_PRIVATE_H
#define REPORTS_UNPACK_PRIVATE_H

#include "base/buffer.h"
#include "reports/unpack.h"

struct unpacker {
	const struct unpack_sink *sink;
	size_t left;             /* Bytes that may still be unpacked. */
	unsigned parts, entries;
	bool no_memory;
};

void unpack_broken(struct unpacker *unpacker, const char *trouble);

/* Take it if it looks like a document. False: it does not. */
bool unpack_document(struct unpacker *unpacker, struct text bytes);

/* A document, or something packed. False: neither. */
bool unpack_content(struct unpacker *unpacker, struct text bytes);

/* Inflate bytes (raw, or of gzip), and take the document. */
enum inflate_form { INFLATE_RAW, INFLATE_GZIP };
void unpack_inflate(struct unpacker *unpacker, struct text bytes, enum inflate_form form);

/* archive.c: those of an archive's entries that are documents. */
void unpack_archive(struct unpacker *unpacker, struct text bytes);

/* parts.c: what is attached to a message, and its text if it is a document. */
void unpack_message(struct unpacker *unpacker, struct text message);

#endif
