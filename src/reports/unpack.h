/* What is in a file that brings reports: a document of XML or JSON, one packed by gzip, those of a zip archive, or a mail
 * message with any of these in its parts. Pure.
 *
 *   U1  All documents of a file together are at most UNPACK_BYTES_MAX bytes unpacked; packed things within packed things are
 *       not looked into.
 *   U2  At most UNPACK_PARTS_MAX parts of a message, UNPACK_DEPTH_MAX deep, and UNPACK_ENTRIES_MAX entries of an archive. */
#ifndef REPORTS_UNPACK_H
#define REPORTS_UNPACK_H

#include "base/arena.h"
#include "base/error.h"

enum {
	UNPACK_BYTES_MAX = 64 << 20,
	UNPACK_PARTS_MAX = 200,
	UNPACK_DEPTH_MAX = 8,
	UNPACK_ENTRIES_MAX = 100
};

enum unpack_form { UNPACK_XML, UNPACK_JSON };

struct unpack_sink {
	/* A document that may be a report; borrows during the call. */
	void (*found)(void *context, enum unpack_form form, struct text document);
	/* Something that cannot be unpacked, in a sentence. */
	void (*broken)(void *context, struct text trouble);
	void *context;
};

/* Calls the sink for each. ERR_NO_MEMORY, and what was found before it was told. */
[[nodiscard]] enum error unpack(struct text file, const struct unpack_sink *sink);

#endif
