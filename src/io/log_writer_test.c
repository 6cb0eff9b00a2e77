/* The log's writer: whole lines from many threads, counted losses, a new file after a rename. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/log_writer.h"

static void folder_make(char room[64])
{
	snprintf(room, 64, "/tmp/postroad-log-XXXXXX");
	assert_non_null(mkdtemp(room));
}

static struct log_writer *writer_open(const char *path, bool json)
{
	const struct log_writer_settings settings = { .target = LOG_TO_PATH, .path = path, .json = json };
	struct log_writer *writer;

	assert_int_equal(log_writer_open(&settings, &writer), OK);
	return writer;
}

static size_t read_file(const char *path, char *room, size_t size)
{
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	const size_t length = fread(room, 1, size, file);

	fclose(file);
	return length;
}

enum { THREADS = 4, LINES = 500 };

struct talker {
	struct log_writer *writer;
	int number;
};

static void *talk(void *context)
{
	const struct talker *talker = context;
	char line[64];

	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof line, "%d %d", talker->number, i);
		log_writer_write(talker->writer, text_of(line));
	}
	return NULL;
}

static void lines_of_many_threads_stay_whole(void **state)
{
	static char room[THREADS * LINES * 16];
	struct talker talkers[THREADS];
	pthread_t threads[THREADS];
	int next[THREADS] = { 0 };
	char folder[64], path[80];

	(void)state;
	folder_make(folder);
	snprintf(path, sizeof path, "%s/log", folder);
	struct log_writer *writer = writer_open(path, false);

	for (int i = 0; i < THREADS; i++) {
		talkers[i] = (struct talker){ writer, i };
		assert_int_equal(pthread_create(&threads[i], NULL, talk, &talkers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_writer_close(writer);

	struct text rest = { room, read_file(path, room, sizeof room) }, line;

	while (rest.length > 0 && text_cut(&rest, '\n', &line)) {
		const int thread = line.bytes[0] - '0';
		uint64_t number;

		assert_in_range(thread, 0, THREADS - 1);
		assert_true(text_to_u64(text_from(line, 2), &number));
		assert_int_equal(number, next[thread]++);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(next[i], LINES);
	remove(path);
	rmdir(folder);
}

static void a_line_stays_one_line(void **state)
{
	char folder[64], path[80], room[64];

	(void)state;
	folder_make(folder);
	snprintf(path, sizeof path, "%s/log", folder);
	struct log_writer *writer = writer_open(path, false);

	log_writer_write(writer, TEXT("one\r\nforged"));
	log_writer_close(writer);
	assert_true(text_equal((struct text){ room, read_file(path, room, sizeof room) }, TEXT("one  forged\n")));
	remove(path);
	rmdir(folder);
}

static void a_renamed_file_is_left_after_reopen(void **state)
{
	char folder[64], path[80], old[80], room[64];

	(void)state;
	folder_make(folder);
	snprintf(path, sizeof path, "%s/log", folder);
	snprintf(old, sizeof old, "%s/log.1", folder);
	struct log_writer *writer = writer_open(path, false);

	assert_int_equal(rename(path, old), 0);
	log_writer_reopen(writer);
	log_writer_write(writer, TEXT("new"));
	log_writer_close(writer);
	assert_int_equal(read_file(old, room, sizeof room), 0);
	assert_true(text_equal((struct text){ room, read_file(path, room, sizeof room) }, TEXT("new\n")));
	remove(path);
	remove(old);
	rmdir(folder);
}

struct reader {
	const char *path;
	char *room;
	size_t size, length;
};

static void *read_fifo(void *context)
{
	struct reader *reader = context;

	reader->length = read_file(reader->path, reader->room, reader->size);
	return NULL;
}

/* A pipe that nobody reads is the slowest disk there is. */
static void what_does_not_fit_is_counted(void **state)
{
	enum { SIZE = 1000, COUNT = 4000, ROOM = 8 << 20 };
	char folder[64], path[80], line[SIZE];
	struct reader reader = { path, malloc(ROOM), ROOM, 0 };
	pthread_t thread;

	(void)state;
	memset(line, 'x', sizeof line);
	folder_make(folder);
	snprintf(path, sizeof path, "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	const int held = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct log_writer *writer = writer_open(path, true);

	for (int i = 0; i < COUNT; i++)
		log_writer_write(writer, (struct text){ line, sizeof line });
	const uint64_t lost_in_all = log_writer_lost(writer);

	assert_int_equal(pthread_create(&thread, NULL, read_fifo, &reader), 0);
	log_writer_close(writer);
	close(held);
	pthread_join(thread, NULL);

	struct text rest = { reader.room, reader.length }, piece;
	uint64_t seen = 0, lost = 0, some;

	while (rest.length > 0 && text_cut(&rest, '\n', &piece)) {
		const struct text head = TEXT("{\"event\":\"log-lost\",\"lines\":");

		if (!text_starts(piece, head)) {
			assert_int_equal(piece.length, SIZE);
			seen++;
			continue;
		}
		assert_true(text_to_u64(text_part(piece, head.length, piece.length - head.length - 1), &some));
		lost += some;
	}
	assert_true(lost > 0);
	assert_int_equal(lost, lost_in_all);
	assert_int_equal(seen + lost, COUNT);
	free(reader.room);
	remove(path);
	rmdir(folder);
}

/* /dev/full takes nothing. */
static void what_cannot_be_written_is_counted(void **state)
{
	struct log_writer *writer = writer_open("/dev/full", false);

	(void)state;
	log_writer_write(writer, TEXT("one"));
	log_writer_write(writer, TEXT("two"));
	for (unsigned tries = 0; log_writer_lost(writer) < 2 && tries < UINT32_MAX; tries++)
		sched_yield();
	assert_int_equal(log_writer_lost(writer), 2);
	log_writer_close(writer);
}

static void a_path_that_cannot_be_opened_is_told(void **state)
{
	const struct log_writer_settings settings = { .target = LOG_TO_PATH, .path = "/nonexistent/folder/log" };
	struct log_writer *writer = NULL;

	(void)state;
	assert_int_equal(log_writer_open(&settings, &writer), ERR_NOT_FOUND);
	assert_null(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_many_threads_stay_whole),
		cmocka_unit_test(a_line_stays_one_line),
		cmocka_unit_test(a_renamed_file_is_left_after_reopen),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(what_cannot_be_written_is_counted),
		cmocka_unit_test(a_path_that_cannot_be_opened_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
