/* What is found in files, archives and messages; and in those that were made to do harm. */
#include "reports/unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "dsn/gzip.h"

enum { TEST_BYTES_MAX = 128 << 20 };

struct world {
	struct arena *arena;
	struct buffer file, packed, heard; /* Heard: "xml N\n", "json N\n", "broken: ...\n". */
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	world->arena = arena_new(TEST_BYTES_MAX);
	buffer_init(&world->file, TEST_BYTES_MAX);
	buffer_init(&world->packed, TEST_BYTES_MAX);
	buffer_init(&world->heard, TEST_BYTES_MAX);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	buffer_done(&world->file);
	buffer_done(&world->packed);
	buffer_done(&world->heard);
	arena_free(world->arena);
	free(world);
	return 0;
}

static void found(void *context, enum unpack_form form, struct text document)
{
	struct world *world = context;

	assert_true(buffer_print(&world->heard, "%s %.*s\n", form == UNPACK_XML ? "xml" : "json",
	    document.length < 100 ? (int)document.length : 100, document.bytes));
}

static void broken(void *context, struct text trouble)
{
	struct world *world = context;

	assert_true(buffer_print(&world->heard, "broken: %.*s\n", TEXT_FORMAT(trouble)));
}

static void open_file(struct world *world, struct text file)
{
	const struct unpack_sink sink = { found, broken, world };

	buffer_clear(&world->heard);
	assert_int_equal(unpack(file, &sink), OK);
}

static void assert_heard(const struct world *world, const char *words)
{
	const struct text heard = buffer_text(&world->heard);

	if (!text_equal(heard, text_of(words)))
		fail_msg("heard: %.*s", TEXT_FORMAT(heard));
}

static void put(struct world *world, const char *words)
{
	assert_true(buffer_append(&world->file, text_of(words)));
}

static struct text gzip(struct world *world, struct text bytes)
{
	buffer_clear(&world->packed);
	assert_true(gzip_pack(bytes, &world->packed));
	return buffer_text(&world->packed);
}

/* -- Plain and gzip ------------------------------------------------------------------------------------ */

static void a_document_is_found_as_it_is_and_packed(void **state)
{
	struct world *world = *state;

	open_file(world, TEXT("<a/>"));
	assert_heard(world, "xml <a/>\n");
	open_file(world, TEXT("\xef\xbb\xbf \n{}"));
	assert_heard(world, "json {}\n");
	open_file(world, gzip(world, TEXT(" <a/>")));
	assert_heard(world, "xml <a/>\n");
	open_file(world, gzip(world, TEXT("neither")));
	assert_heard(world, "");
	open_file(world, TEXT(""));
	assert_heard(world, "");
}

static void damaged_bytes_are_told(void **state)
{
	struct world *world = *state;
	struct text packed = gzip(world, TEXT("<feedback>something that is longer than a few bytes</feedback>"));
	char *bytes = (char *)packed.bytes;

	open_file(world, text_part(packed, 0, packed.length - 12));
	assert_heard(world, "broken: it ends in the middle\n");
	bytes[packed.length - 5] ^= 1;
	open_file(world, packed);
	assert_heard(world, "broken: it is damaged\n");
	bytes[packed.length - 5] ^= 1;
	bytes[12] = (char)0xff;
	open_file(world, packed);
	assert_heard(world, "broken: it is damaged\n");
}

/* U1 */
static void a_bomb_does_not_go_off(void **state)
{
	struct world *world = *state;
	char *zeros = buffer_reserve(&world->file, UNPACK_BYTES_MAX + 1);

	memset(zeros, ' ', UNPACK_BYTES_MAX + 1);
	open_file(world, gzip(world, (struct text){ zeros, UNPACK_BYTES_MAX + 1 }));
	assert_heard(world, "broken: it is too large unpacked\n");
}

/* -- Zip -------------------------------------------------------------------------------------------------- */

static void number(struct buffer *out, size_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++, value >>= 8)
		assert_true(buffer_append(out, (struct text){ (const char[]){ (char)(value & 0xff) }, 1 }));
}

static struct text deflated(struct world *world, struct text bytes)
{
	z_stream stream = { .next_in = (const Bytef *)bytes.bytes, .avail_in = (uInt)bytes.length };
	char *room = arena_alloc(world->arena, bytes.length + 100);

	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_out = (Bytef *)room;
	stream.avail_out = (uInt)bytes.length + 100;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return (struct text){ room, stream.total_out };
}

struct entry {
	const char *name;
	struct text bytes;    /* As they are packed. */
	unsigned method, flags;
	size_t at;
};

static void put_head(struct buffer *out, const struct entry *entry)
{
	number(out, 20, 2);
	number(out, entry->flags, 2);
	number(out, entry->method, 2);
	number(out, 0, 8); /* Time and checksum, which nobody looks at. */
	number(out, entry->bytes.length, 4);
	number(out, 0, 4);
	number(out, strlen(entry->name), 2);
	number(out, 3, 2); /* Of something extra. */
}

static struct text zip(struct world *world, struct entry *entries, size_t count)
{
	struct buffer *out = &world->file;
	size_t directory;

	buffer_clear(out);
	for (size_t i = 0; i < count; i++) {
		entries[i].at = out->length;
		put(world, "PK\x03\x04");
		put_head(out, &entries[i]);
		put(world, entries[i].name);
		put(world, "xxx");
		assert_true(buffer_append(out, entries[i].bytes));
	}
	directory = out->length;
	for (size_t i = 0; i < count; i++) {
		put(world, "PK\x01\x02");
		number(out, 20, 2);
		put_head(out, &entries[i]);
		number(out, 1, 2); /* A comment. */
		number(out, 0, 8);
		number(out, entries[i].at, 4);
		put(world, entries[i].name);
		put(world, "xxxc");
	}
	put(world, "PK\x05\x06");
	{
		const size_t size = out->length - 4 - directory;

		number(out, 0, 4);
		number(out, count, 2);
		number(out, count, 2);
		number(out, size, 4);
		number(out, directory, 4);
		number(out, 7, 2);
	}
	put(world, "comment");
	return buffer_text(out);
}

static void the_entries_of_an_archive_are_found(void **state)
{
	struct world *world = *state;
	struct entry entries[] = {
		{ .name = "a.xml", .bytes = TEXT("<stored/>") },
		{ .name = "b.xml", .bytes = deflated(world, TEXT("<deflated/>")), .method = 8 },
		{ .name = "c.txt", .bytes = TEXT("words") },
		{ .name = "d.xml", .bytes = TEXT("<secret/>"), .flags = 1 },
		{ .name = "e.xml", .bytes = TEXT("<odd/>"), .method = 12 },
		{ .name = "f.json", .bytes = TEXT("{}") },
	};

	open_file(world, zip(world, entries, sizeof entries / sizeof *entries));
	assert_heard(world, "xml <stored/>\nxml <deflated/>\nbroken: an entry of the archive is encrypted\n"
			    "broken: an entry of the archive is packed in an unusual way\njson {}\n");
}

static void archives_may_be_damaged_anywhere(void **state)
{
	struct world *world = *state;
	struct entry entries[] = { { .name = "a", .bytes = TEXT("<a/>") },
		{ .name = "b", .bytes = deflated(world, TEXT("<b/>")), .method = 8 } };
	const struct text archive = zip(world, entries, 2);
	struct text copy;

	open_file(world, text_part(archive, 0, archive.length - 20));
	assert_heard(world, "broken: the archive has no end\n");
	for (size_t i = 4; i < archive.length; i++) {
		assert_true(arena_copy(world->arena, archive, &copy));
		((char *)copy.bytes)[i] ^= '\xff';
		open_file(world, copy);
		open_file(world, text_part(archive, 0, i));
	}
}

/* U1, U2: entries that all lead to the same bytes. */
static void an_archive_is_bounded(void **state)
{
	enum { LARGE = 16 << 20 };
	struct world *world = *state;
	struct entry entries[UNPACK_ENTRIES_MAX + 1];
	char *large = arena_alloc(world->arena, LARGE);
	struct text packed;

	memset(large, ' ', LARGE);
	packed = deflated(world, (struct text){ large, LARGE });
	for (size_t i = 0; i <= UNPACK_ENTRIES_MAX; i++)
		entries[i] = (struct entry){ .name = "a", .bytes = packed, .method = 8 };
	open_file(world, zip(world, entries, UNPACK_ENTRIES_MAX + 1));
	assert_true(text_starts(buffer_text(&world->heard), TEXT("broken: it is too large unpacked\n")));
	assert_true(text_ends(buffer_text(&world->heard), TEXT("broken: the archive has too many entries\n")));
}

/* -- Messages -------------------------------------------------------------------------------------------------- */

static void put_base64(struct world *world, struct text bytes)
{
	struct text base64;

	assert_true(base64_encode(bytes, world->arena, &base64));
	for (; base64.length > 0; base64 = text_from(base64, 76)) {
		assert_true(buffer_append(&world->file, text_part(base64, 0, 76)));
		put(world, "\r\n");
	}
}

static void attachments_are_found(void **state)
{
	struct world *world = *state;

	put(world, "From: a@b.test\r\nContent-Type: multipart/mixed;\r\n boundary=\"=_ 1\"\r\n\r\npreamble\r\n--=_ 1\r\n"
		   "Content-Type: text/plain\r\n\r\n{ these are words }\r\n--=_ 1  \r\nContent-Type: application/gzip\r\n"
		   "Content-Transfer-Encoding: BASE64\r\n\r\n");
	put_base64(world, gzip(world, TEXT("<gzip/>")));
	put(world, "\r\n--=_ 1\r\nContent-Type: multipart/mixed; x=y; boundary = in\r\n\r\n--in\r\n"
		   "Content-Type: text/xml\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<q a=3D\"=\r\n1\"/>\r\n--in\r\n"
		   "Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\n{}\r\n--in--\r\n<epilogue/>\r\n--=_ 1\r\n"
		   "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n!!\r\n--=_ 1--\r\n<after/>\r\n");
	open_file(world, buffer_text(&world->file));
	assert_heard(world, "xml <gzip/>\nxml <q a=\"1\"/>\njson {}\nbroken: an attachment cannot be decoded\n");
}

static void a_message_may_be_nothing_but_a_report(void **state)
{
	struct world *world = *state;

	put(world, "Subject: Report domain: a.test\nContent-Type: application/zip; name=\"a.zip\"\nContent-Transfer-Encoding: base64\n\n");
	put_base64(world, gzip(world, TEXT("<a/>"))); /* Whatever it is called. */
	open_file(world, buffer_text(&world->file));
	assert_heard(world, "xml <a/>\n");
	open_file(world, TEXT("Subject: Hello\r\n\r\n<a/>\r\n"));
	assert_heard(world, "");
	open_file(world, TEXT("Content-Type: multipart/mixed\r\n\r\n--\r\n<a/>\r\n"));
	assert_heard(world, "");
	open_file(world, TEXT("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/xml\r\n\r\n<a/>"));
	assert_heard(world, "xml <a/>\n");
}

static void a_message_is_found_that_was_passed_on_whole(void **state)
{
	struct world *world = *state;

	open_file(world, TEXT("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n"
			      "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--c--\r\n--b--\r\n"));
	assert_heard(world, "xml <a/>\n");
}

/* U2 */
static void a_message_is_bounded(void **state)
{
	struct world *world = *state;

	put(world, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (size_t i = 0; i < UNPACK_PARTS_MAX + 10; i++)
		put(world, "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n");
	open_file(world, buffer_text(&world->file));
	assert_heard(world, "broken: the message has too many parts\n");
	buffer_clear(&world->file);
	for (size_t i = 0; i < UNPACK_DEPTH_MAX + 10; i++)
		assert_true(buffer_print(&world->file, "Content-Type: multipart/mixed; boundary=b%zu\r\n\r\n--b%zu\r\n", i, i));
	open_file(world, buffer_text(&world->file));
	assert_heard(world, "broken: the parts of the message are nested too deep\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_document_is_found_as_it_is_and_packed),
		TEST(damaged_bytes_are_told),
		TEST(a_bomb_does_not_go_off),
		TEST(the_entries_of_an_archive_are_found),
		TEST(archives_may_be_damaged_anywhere),
		TEST(an_archive_is_bounded),
		TEST(attachments_are_found),
		TEST(a_message_may_be_nothing_but_a_report),
		TEST(a_message_is_found_that_was_passed_on_whole),
		TEST(a_message_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
