#include "dsn/gzip.h"

#define ZLIB_CONST
#include <limits.h>
#include <zlib.h>

enum { GZIP_FORM = 15 + 16, MEMORY_LEVEL = 8, PIECE = 32 << 10 };

static bool run(z_stream *stream, struct buffer *out)
{
	int code = Z_OK;

	while (code == Z_OK) {
		char *room = buffer_reserve(out, PIECE);

		if (room == NULL)
			return false;
		stream->next_out = (Bytef *)room;
		stream->avail_out = PIECE;
		code = deflate(stream, Z_FINISH);
		buffer_added(out, PIECE - stream->avail_out);
	}
	return code == Z_STREAM_END;
}

bool gzip_pack(struct text bytes, struct buffer *out)
{
	const size_t before = out->length;
	z_stream stream = { 0 };

	if (bytes.length > UINT_MAX ||
	    deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_FORM, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	stream.next_in = (const Bytef *)bytes.bytes;
	stream.avail_in = (uInt)bytes.length;

	const bool ok = run(&stream, out);

	deflateEnd(&stream);
	if (!ok)
		out->length = before;
	return ok;
}
