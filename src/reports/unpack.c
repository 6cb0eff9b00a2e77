#include "reports/unpack.h"

#include <limits.h>
#define ZLIB_CONST
#include <zlib.h>

#include "reports/unpack_private.h"

enum { WINDOW_BITS = 15, GZIP_TOO = 16, PIECE = 32 << 10, LEAST = 18 /* Bytes of an empty gzip file. */ };

void unpack_broken(struct unpacker *unpacker, const char *trouble)
{
	unpacker->sink->broken(unpacker->sink->context, text_of(trouble));
}

/* -- Inflating ---------------------------------------------------------------------------------------- */

/* NULL: all is well. Static. */
static const char *run(z_stream *stream, struct buffer *out)
{
	int code = Z_OK;

	while (code == Z_OK) {
		char *room = buffer_reserve(out, PIECE);

		if (room == NULL)
			return out->length + PIECE > out->limit ? "it is too large unpacked" : "out of memory";
		stream->next_out = (Bytef *)room;
		stream->avail_out = PIECE;
		code = inflate(stream, Z_NO_FLUSH);
		buffer_added(out, PIECE - stream->avail_out);
		if (code == Z_OK && stream->avail_in == 0 && stream->avail_out > 0)
			return "it ends in the middle";
	}
	if (code == Z_BUF_ERROR)
		return "it ends in the middle";
	return code == Z_STREAM_END ? NULL : code == Z_MEM_ERROR ? "out of memory" : "it is damaged";
}

void unpack_inflate(struct unpacker *unpacker, struct text bytes, enum inflate_form form)
{
	const int bits = form == INFLATE_GZIP ? WINDOW_BITS + GZIP_TOO : -WINDOW_BITS;
	z_stream stream = { .next_in = (const Bytef *)bytes.bytes, .avail_in = (uInt)bytes.length };
	struct buffer out;
	const char *trouble;

	if (bytes.length > UINT_MAX || inflateInit2(&stream, bits) != Z_OK) {
		unpacker->no_memory = true;
		return;
	}
	buffer_init(&out, unpacker->left);
	trouble = run(&stream, &out);
	inflateEnd(&stream);
	unpacker->left -= out.length;
	if (trouble != NULL)
		unpack_broken(unpacker, trouble);
	else
		(void)unpack_document(unpacker, buffer_text(&out));
	buffer_done(&out);
}

/* -- What it is ------------------------------------------------------------------------------------------ */

/* Without the mark of UTF-8 that some programs put before it. */
static struct text without_mark(struct text bytes)
{
	return text_starts(bytes, TEXT("\xef\xbb\xbf")) ? text_from(bytes, 3) : bytes;
}

bool unpack_document(struct unpacker *unpacker, struct text bytes)
{
	const struct text document = without_mark(bytes);
	const struct text trimmed = text_trim(document);

	if (!text_starts(trimmed, TEXT("<")) && !text_starts(trimmed, TEXT("{")))
		return false;
	/* Blanks are allowed before JSON; XML begins with its first byte, whatever stood before it. */
	unpacker->sink->found(unpacker->sink->context, trimmed.bytes[0] == '{' ? UNPACK_JSON : UNPACK_XML, trimmed);
	return true;
}

bool unpack_content(struct unpacker *unpacker, struct text bytes)
{
	if (text_starts(bytes, TEXT("\x1f\x8b")) && bytes.length >= LEAST) {
		unpack_inflate(unpacker, bytes, INFLATE_GZIP);
		return true;
	}
	if (text_starts(bytes, TEXT("PK\x03\x04"))) {
		unpack_archive(unpacker, bytes);
		return true;
	}
	return unpack_document(unpacker, bytes);
}

enum error unpack(struct text file, const struct unpack_sink *sink)
{
	struct unpacker unpacker = { .sink = sink, .left = UNPACK_BYTES_MAX };

	if (!unpack_content(&unpacker, file))
		unpack_message(&unpacker, file);
	return unpacker.no_memory ? ERR_NO_MEMORY : OK;
}
