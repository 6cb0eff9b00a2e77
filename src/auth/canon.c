#include "auth/canon.h"

#include <stdlib.h>

#include "base/must.h"

enum { ROOM = 4096 };

/* -- header ------------------------------------------------------------------ */

/* Bytes on their way into a digest, a piece at a time. */
struct writer {
	struct digest *digest;
	size_t length;
	char room[512];
};

static void writer_flush(struct writer *writer)
{
	digest_add(writer->digest, (struct text){ writer->room, writer->length });
	writer->length = 0;
}

static void put(struct writer *writer, char c)
{
	if (writer->length == sizeof writer->room)
		writer_flush(writer);
	writer->room[writer->length++] = c;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Part of a value: unfolded, runs of blanks as one space, none at the ends. *space and *begun live from part to part. */
static void put_relaxed(struct writer *writer, struct text part, bool *space, bool *begun)
{
	for (size_t i = 0; i < part.length; i++) {
		const char c = part.bytes[i];

		if (c == '\r' || c == '\n')
			continue;
		if (is_blank(c)) {
			*space = true;
			continue;
		}
		if (*space && *begun)
			put(writer, ' ');
		put(writer, c);
		*space = false;
		*begun = true;
	}
}

/* The value before and after a hole; without one, all of it before. */
static void relaxed_field(
    const struct header_field *field, struct text before, struct text after, struct digest *digest)
{
	struct writer writer = { .digest = digest };
	bool space = false, begun = false;

	for (size_t i = 0; i < field->name.length; i++)
		put(&writer, byte_lower(field->name.bytes[i]));
	put(&writer, ':');
	put_relaxed(&writer, before, &space, &begun);
	put_relaxed(&writer, after, &space, &begun);
	writer_flush(&writer);
}

void canon_field(enum canon canon, const struct header_field *field, struct digest *digest)
{
	if (canon == CANON_SIMPLE) {
		digest_add(digest, field->whole);
		/* A header that ends without a line end has one all the same. */
		if (!text_ends(field->whole, TEXT("\n")))
			digest_add(digest, TEXT("\r\n"));
		return;
	}
	relaxed_field(field, field->value, TEXT_EMPTY, digest);
	digest_add(digest, TEXT("\r\n"));
}

void canon_signature_field(
    enum canon canon, const struct header_field *field, struct text hole, struct digest *digest)
{
	const struct text whole = canon == CANON_SIMPLE ? field->whole : field->value;
	const size_t start = (size_t)(hole.bytes - whole.bytes);
	const struct text before = text_part(whole, 0, start);
	struct text after = text_from(whole, start + hole.length);

	must(hole.bytes >= whole.bytes && start + hole.length <= whole.length);
	if (canon == CANON_RELAXED) {
		relaxed_field(field, before, after, digest);
		return;
	}
	if (text_ends(after, TEXT("\r\n")))
		after.length -= 2;
	digest_add(digest, before);
	digest_add(digest, after);
}

/* -- body -------------------------------------------------------------------- */

struct body_hash {
	enum canon canon;
	uint64_t limit;
	uint64_t length;      /* Canonical bytes so far. */
	uint64_t empty_lines; /* Line ends that count only if something follows. */
	bool after_cr;        /* A CR that waits for its LF. */
	bool space;           /* Blanks that count only if something follows in the line. */
	struct digest *digest;
	size_t filled;
	char room[ROOM];
	uint8_t hash[DIGEST_BYTES];
};

struct body_hashes {
	struct body_hash *all[BODY_HASHES_MAX];
	size_t count;
	bool begun, ended;
};

static void body_flush(struct body_hash *body)
{
	digest_add(body->digest, (struct text){ body->room, body->filled });
	body->filled = 0;
}

static void body_put(struct body_hash *body, struct text bytes)
{
	const uint64_t left = body->length < body->limit ? body->limit - body->length : 0;

	body->length += bytes.length;
	if (bytes.length > left)
		bytes.length = (size_t)left;
	while (bytes.length > 0) {
		if (body->filled == ROOM)
			body_flush(body);
		const struct text part = text_part(bytes, 0, ROOM - body->filled);

		memcpy(body->room + body->filled, part.bytes, part.length);
		body->filled += part.length;
		bytes = text_from(bytes, part.length);
	}
}

static void put_line_ends(struct body_hash *body)
{
	for (; body->empty_lines > 0; body->empty_lines--)
		body_put(body, TEXT("\r\n"));
}

/* Bytes that are neither blanks nor part of a line end. */
static void put_content(struct body_hash *body, struct text bytes)
{
	put_line_ends(body);
	if (body->space)
		body_put(body, TEXT(" "));
	body->space = false;
	body_put(body, bytes);
}

/* One space between two words is how relaxed has it; what is at the end of the piece is not known yet. */
static bool is_lone_space(struct text bytes, size_t at)
{
	return bytes.bytes[at] == ' ' && at + 1 < bytes.length && !is_blank(bytes.bytes[at + 1]) &&
	    bytes.bytes[at + 1] != '\r';
}

/* Blanks and CR: every byte of every body is looked up here. */
static const bool is_special[256] = { [' '] = true, ['\t'] = true, ['\r'] = true };

/* How many bytes from the start, the first of which is neither blank nor CR, stand for themselves. */
static size_t plain_length(enum canon canon, struct text bytes)
{
	size_t length = 0;

	if (canon == CANON_SIMPLE)
		return text_find_byte(bytes, '\r');
	do {
		while (length < bytes.length && !is_special[(unsigned char)bytes.bytes[length]])
			length++;
	} while (length < bytes.length && is_lone_space(bytes, length) && length++ < bytes.length);
	return length;
}

static void body_add(struct body_hash *body, struct text bytes)
{
	while (bytes.length > 0) {
		size_t taken = 1;

		if (body->after_cr && bytes.bytes[0] == '\n') {
			body->after_cr = body->space = false;
			body->empty_lines++;
		} else if (body->after_cr) {
			put_content(body, TEXT("\r"));
			body->after_cr = false;
			taken = 0;
		} else if (bytes.bytes[0] == '\r') {
			body->after_cr = true;
		} else if (body->canon == CANON_RELAXED && is_blank(bytes.bytes[0])) {
			body->space = true;
		} else {
			taken = plain_length(body->canon, bytes);
			put_content(body, text_part(bytes, 0, taken));
		}
		bytes = text_from(bytes, taken);
	}
}

/* Empty lines at the end go. What is left ends with a line end; and where nothing is left, simple has one and relaxed
 * none (§3.4.3, §3.4.4). */
static void body_end(struct body_hash *body)
{
	if (body->after_cr)
		put_content(body, TEXT("\r"));
	body->empty_lines = body->length > 0 || body->canon == CANON_SIMPLE;
	put_line_ends(body);
	body_flush(body);
	digest_end(body->digest, body->hash);
}

struct body_hashes *body_hashes_new(void)
{
	return calloc(1, sizeof(struct body_hashes));
}

void body_hashes_free(struct body_hashes *hashes)
{
	for (size_t i = 0; hashes != NULL && i < hashes->count; i++) {
		digest_free(hashes->all[i]->digest);
		free(hashes->all[i]);
	}
	free(hashes);
}

bool body_hashes_want(struct body_hashes *hashes, enum canon canon, uint64_t limit, size_t *out_id)
{
	must(!hashes->begun);
	for (size_t i = 0; i < hashes->count; i++) {
		if (hashes->all[i]->canon == canon && hashes->all[i]->limit == limit) {
			*out_id = i;
			return true;
		}
	}
	struct body_hash *body = hashes->count < BODY_HASHES_MAX ? calloc(1, sizeof *body) : NULL;

	if (body == NULL)
		return false;
	body->canon = canon;
	body->limit = limit;
	body->digest = digest_new();
	if (body->digest == NULL) {
		free(body);
		return false;
	}
	*out_id = hashes->count;
	hashes->all[hashes->count++] = body;
	return true;
}

void body_hashes_add(struct body_hashes *hashes, struct text bytes)
{
	must(!hashes->ended);
	hashes->begun = true;
	for (size_t i = 0; i < hashes->count; i++)
		body_add(hashes->all[i], bytes);
}

void body_hashes_end(struct body_hashes *hashes)
{
	must(!hashes->ended);
	hashes->begun = hashes->ended = true;
	for (size_t i = 0; i < hashes->count; i++)
		body_end(hashes->all[i]);
}

const uint8_t *body_hashes_hash(const struct body_hashes *hashes, size_t id)
{
	must(hashes->ended && id < hashes->count);
	return hashes->all[id]->hash;
}

uint64_t body_hashes_length(const struct body_hashes *hashes, size_t id)
{
	must(hashes->ended && id < hashes->count);
	return hashes->all[id]->length;
}
