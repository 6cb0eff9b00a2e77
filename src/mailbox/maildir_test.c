/* Maildirs on a real disk: folders, names, line ends, failures that leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mailbox/batch.h"
#include "mailbox/copy.h"
#include "mailbox/maildir_testing.h"

struct place {
	char root[64];
	struct maildir_writer *writer;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	testing_folder_make(place->root);
	place->writer = maildir_writer_new(TEXT("mail.example.org"));
	assert_non_null(place->writer);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	testing_folder_remove(place->root);
	maildir_writer_free(place->writer);
	free(place);
	return 0;
}

static void names_are_as_the_specification_says(void **state)
{
	const struct maildir_moment moment = { .unix_us = 1700000000000042, .pid = 77, .counter = 3 };
	char room[MAILDIR_NAME_SIZE];

	(void)state;
	assert_string_equal(maildir_name_print(&moment, TEXT("mx.example.org"), room).bytes,
	    "1700000000.M000042P77Q3.mx.example.org");
	assert_string_equal(
	    maildir_name_print(&moment, TEXT("a/b:c"), room).bytes, "1700000000.M000042P77Q3.a\\057b\\072c");
}

static enum error deliver(struct place *place, const char *folder, int body_fd, uint64_t size)
{
	const struct maildir_mail mail = { TEXT_EMPTY, body_fd, size, TEXT("bob@example.net"), TEXT("alice@example.org") };
	struct maildir maildir;
	struct maildir_file file;
	char path[128];
	enum error error;

	snprintf(path, sizeof path, "%s/%s", place->root, folder);
	error = maildir_open(&(struct maildir_place){ .path = path }, &maildir);
	if (error != OK)
		return error;
	error = maildir_write(place->writer, &maildir, &mail, &file);
	if (error != OK) {
		maildir_done(&maildir);
		return error;
	}
	assert_int_equal(testing_file_count(path, "tmp"), 1);
	assert_int_equal(testing_file_count(path, "new"), 0);
	assert_int_equal(maildir_flush(&file), OK);
	assert_int_equal(maildir_flush_all(&file), OK);
	assert_int_equal(maildir_publish(&file), OK);
	assert_int_equal(maildir_flush_new(&file), OK);
	maildir_close(&file);
	maildir_done(&maildir);
	return OK;
}

static void a_message_arrives_with_its_folders(void **state)
{
	struct place *place = *state;
	const struct text body = TEXT("Subject: x\r\n\r\nline\rwith CR\r\n\0\xff\n\r\r\nend\r");
	const int body_fd = testing_body_file(body);
	char path[128], got[512];
	struct stat status;

	assert_int_equal(deliver(place, "example.org/alice", body_fd, body.length), OK);
	snprintf(path, sizeof path, "%s/example.org/alice", place->root);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	assert_int_equal(testing_file_count(path, "tmp"), 0);
	assert_int_equal(testing_file_count(path, "cur"), 0);
	assert_int_equal(testing_file_count(path, "new"), 1);

	const struct text want = TEXT("Return-Path: <bob@example.net>\nDelivered-To: alice@example.org\n"
	                              "Subject: x\n\nline\rwith CR\n\0\xff\n\r\nend\r");
	const struct text whole = { got, testing_read_only_file(path, "new", got, sizeof got) };

	assert_true(text_equal(whole, want));
	close(body_fd);
}

/* A CR LF across the border of two reads, at every place around it. */
static void line_ends_across_reads(void **state)
{
	struct place *place = *state;
	static char body[COPY_ROOM + 8], want[COPY_ROOM + 8], got[COPY_ROOM + 512];

	for (size_t at = COPY_ROOM - 3; at < COPY_ROOM + 3; at++) {
		char folder[32], path[128];

		memset(body, 'x', sizeof body);
		memset(want, 'x', sizeof want);
		memcpy(body + at, "\r\n", 2);
		want[at] = '\n';
		const int body_fd = testing_body_file((struct text){ body, sizeof body });

		snprintf(folder, sizeof folder, "m%zu", at);
		snprintf(path, sizeof path, "%s/%s", place->root, folder);
		assert_int_equal(deliver(place, folder, body_fd, sizeof body), OK);

		const size_t length = testing_read_only_file(path, "new", got, sizeof got);

		assert_true(length > sizeof body - 1);
		assert_memory_equal(got + length - (sizeof body - 1), want, sizeof body - 1);
		close(body_fd);
	}
}

static void failures_leave_nothing_behind(void **state)
{
	struct place *place = *state;
	static char big[8192];
	const struct text body = { big, sizeof big };
	const int body_fd = testing_body_file(body);
	struct rlimit old, small;
	char path[128];

	snprintf(path, sizeof path, "%s/alice", place->root);
	assert_int_equal(deliver(place, "alice", body_fd, body.length + 1), ERR_CORRUPT); /* A short body. */
	assert_int_equal(testing_file_count(path, "tmp"), 0);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	const enum error error = deliver(place, "alice", body_fd, body.length);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(error, ERR_TOO_LARGE);
	assert_int_equal(testing_file_count(path, "tmp"), 0);
	assert_int_equal(testing_file_count(path, "new"), 0);

	snprintf(path, sizeof path, "%s/file", place->root);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_not_equal(deliver(place, "file", body_fd, body.length), OK);
	assert_int_not_equal(deliver(place, "file/below", body_fd, body.length), OK);
	close(body_fd);
}

static void a_batch_fails_only_what_failed(void **state)
{
	struct place *place = *state;
	static struct batch batch;
	const struct text body = TEXT("hello\r\n");
	const int body_fd = testing_body_file(body);
	struct maildir_mail mail = { TEXT_EMPTY, body_fd, body.length, TEXT_EMPTY, TEXT_EMPTY };
	char path_template[128], path[128];

	snprintf(path_template, sizeof path_template, "%s/%%d/%%u", place->root);
	for (unsigned i = 0; i < 8; i++) {
		const struct text users[] = { TEXT("a"), TEXT("b"), TEXT("../c"), TEXT("d") };
		const struct mailbox_parts parts = { users[i % 4], TEXT("x.test"), TEXT_EMPTY, false };

		mail.body_size = body.length + (i == 1); /* Not as long as it is said to be. */
		batch_add(&batch, place->writer, text_of(path_template), &parts, &(struct owner){ 0 }, &mail)->number = i;
	}
	batch_commit(&batch);
	assert_int_equal(batch.count, 8);
	for (unsigned i = 0; i < 8; i++) {
		const struct verdict verdict = batch_verdict(&batch.items[i]);

		assert_int_equal(batch.items[i].number, i);
		assert_int_equal(verdict.code, i % 4 == 2 ? 550 : i == 1 ? 451 : 250);
	}
	batch_clear(&batch);
	snprintf(path, sizeof path, "%s/x.test/a", place->root);
	assert_int_equal(testing_file_count(path, "new"), 2);
	snprintf(path, sizeof path, "%s/x.test/b", place->root);
	assert_int_equal(testing_file_count(path, "new"), 1);
	assert_int_equal(testing_file_count(path, "tmp"), 0);
	close(body_fd);
}

static void many_folders_share_flushes(void **state)
{
	struct place *place = *state;
	static struct batch batch;
	const struct text body = TEXT("hello\r\n");
	const struct maildir_mail mail = { body, -1, body.length, TEXT_EMPTY, TEXT_EMPTY };
	char path_template[128], user[8];

	snprintf(path_template, sizeof path_template, "%s/%%u", place->root);
	for (unsigned i = 0; i < MAILBOX_BATCH_MAX; i++) {
		snprintf(user, sizeof user, "u%u", i);
		const struct mailbox_parts parts = { text_of(user), TEXT("x.test"), TEXT_EMPTY, false };

		batch_add(&batch, place->writer, text_of(path_template), &parts, &(struct owner){ 0 }, &mail);
	}
	batch_commit(&batch);
	for (unsigned i = 0; i < MAILBOX_BATCH_MAX; i++) {
		assert_int_equal(batch_verdict(&batch.items[i]).code, 250);
		assert_int_equal(testing_file_count(batch.items[i].path, "new"), 1);
	}
	batch_clear(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_as_the_specification_says),
		cmocka_unit_test_setup_teardown(a_message_arrives_with_its_folders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(line_ends_across_reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_leave_nothing_behind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_batch_fails_only_what_failed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_folders_share_flushes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
