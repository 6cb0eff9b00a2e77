/* The disk fails: P4, with LMDB's own writes and flushes failing on demand, and a spool that is full.
 *
 * This program's pwrite, writev and fdatasync stand before the C library's, for liblmdb too. */
#include "spool/test_support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DOMAIN TEXT("example.net")

enum { META_WRITE_MAX = 1024 }; /* LMDB writes its root as less than a page. */

static _Atomic int fail_data, fail_root, fail_flush; /* An errno; 0: let it pass. */

/* By their symbols: the headers may rename pwrite for large offsets. */
ssize_t faulty_pwrite(int file, const void *bytes, size_t length, off_t offset) __asm__("pwrite");
ssize_t faulty_writev(int file, const struct iovec *pieces, int count) __asm__("writev");
int faulty_fdatasync(int file) __asm__("fdatasync");

ssize_t faulty_pwrite(int file, const void *bytes, size_t length, off_t offset)
{
	const int failure = length < META_WRITE_MAX ? fail_root : fail_data;

	if (failure != 0) {
		errno = failure;
		return -1;
	}
	return syscall(SYS_pwrite64, file, bytes, length, offset);
}

ssize_t faulty_writev(int file, const struct iovec *pieces, int count)
{
	if (fail_data != 0) {
		errno = fail_data;
		return -1;
	}
	return syscall(SYS_writev, file, pieces, count);
}

int faulty_fdatasync(int file)
{
	if (fail_flush != 0) {
		errno = fail_flush;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, file);
}

static void a_failed_batch_leaves_nothing_behind(void **state)
{
	static const struct {
		_Atomic int *what;
		int number;
		enum error expected;
	} rows[] = {
		{ &fail_data, ENOSPC, ERR_NO_SPACE },
		{ &fail_data, EIO, ERR_IO },
		{ &fail_flush, EIO, ERR_IO },
		{ &fail_flush, ENOSPC, ERR_NO_SPACE },
		{ &fail_root, EIO, ERR_IO }, /* LMDB panics: the environment is opened again. */
		{ &fail_root, ENOSPC, ERR_NO_SPACE },
		{ &fail_root, EIO, ERR_IO },
	};
	struct recipient recipient = recipient_to(0, DOMAIN, 1);
	char folder[64], room[SPOOL_CHUNK_SIZE];
	queue_id id = 1;
	struct door door;
	size_t length;

	(void)state;
	folder_make(folder);
	door_open(&door, lmdb_open_in(folder), ALL_SHARDS);
	put_simple(&door, id, DOMAIN, 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		*rows[i].what = rows[i].number;
		for (int attempt = 0; attempt < 3; attempt++) {
			struct outcome outcomes[2] = { 0 };

			(void)spool_port_news(door.port, spool_shard_of(DOMAIN));
			spool_submit(door.port, message_change(id + 1, 3, &recipient, 1), outcome_done, &outcomes[0]);
			spool_submit(door.port, retire_change(id, 0), outcome_done, &outcomes[1]);
			while (outcomes[0].calls + outcomes[1].calls < 2)
				door_wait(&door);
			assert_int_equal(outcomes[0].result, rows[i].expected);
			assert_int_equal(outcomes[1].result, rows[i].expected);
			assert_true(spool_port_news(door.port, spool_shard_of(DOMAIN)) == INT64_MAX);
			assert_int_equal(spool_trouble(door.spool), rows[i].expected);
			assert_false(spool_has(&door, id + 1));
			assert_true(spool_has(&door, id)); /* Readers go on. */
			assert_int_equal(spool_read_chunk(door.spool, id, 0, room, &length), OK);
		}
		*rows[i].what = 0;
		assert_int_equal(door_commit(&door, message_change(id + 1, 3, &recipient, 1)), OK);
		assert_int_equal(spool_trouble(door.spool), OK);
		assert_int_equal(door_commit(&door, retire_change(id, 0)), OK);
		id++;
	}

	struct spool *spool = door.spool;

	door_close(&door);
	spool_close(spool);
	door_open(&door, lmdb_open_in(folder), ALL_SHARDS);
	assert_int_equal(spool_messages(&door), 1);
	assert_true(spool_has(&door, id));
	spool = door.spool;
	door_close(&door);
	spool_close(spool);
	folder_remove(folder);
}

/* Full: new mail is refused, what is here can still be updated, bounced and retired, and then there is room. */
static void a_full_spool_settles_and_goes_on(void **state)
{
	enum { SIZE = 4 << 20, ROUNDS = 5, MOST = 2000 };
	struct spool_lmdb_settings settings = { .size_bytes_max = SIZE, .history_max = 10 };
	struct recipient recipient = recipient_to(0, DOMAIN, 1);
	struct spool *spool;
	struct door door;
	char folder[64];
	queue_id first = 1, next = 1;

	(void)state;
	folder_make(folder);
	settings.path = folder;
	assert_int_equal(spool_lmdb_open(&settings, &spool), OK);
	door_open(&door, spool, ALL_SHARDS);
	for (int round = 0; round < ROUNDS; round++) {
		enum error error = OK;

		while (next - first < MOST && (error = door_commit(&door, message_change(next, 1, &recipient, 1))) == OK)
			next++;
		assert_int_equal(error, ERR_NO_SPACE);
		assert_int_equal(spool_trouble(spool), ERR_NO_SPACE);
		assert_false(spool_has(&door, next));
		assert_in_range(next - first, SIZE / 2 / 16384, MOST); /* Not because of a leak. */

		/* All that is settled now fits in the reserve. */
		for (; first < next; first++) {
			struct spool_change *change = spool_change_new();

			recipient.attempt_count++;
			spool_change_update(change, first, &recipient);
			spool_change_record(change, first, TEXT("deferred"), NULL, 0);
			assert_int_equal(door_commit(&door, change), OK);
			assert_int_equal(door_commit(&door, retire_change(first, 0)), OK);
		}
		assert_int_equal(spool_trouble(spool), ERR_NO_SPACE); /* Until new mail has found room. */
		assert_int_equal(spool_messages(&door), 0);
	}
	door_close(&door);
	spool_close(spool);
	folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_batch_leaves_nothing_behind),
		cmocka_unit_test(a_full_spool_settles_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
