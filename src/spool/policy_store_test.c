#include "spool/policy_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/test_support.h"

enum { SEED = 7 };

static struct policy_store *open_at(const char *path)
{
	struct policy_store *store;

	assert_int_equal(policy_store_open(path, SEED, &store), OK);
	return store;
}

static void put(struct policy_store *store, const char *domain, const char *value, int64_t used_ms, bool holds)
{
	policy_store_put(store, text_of(domain), &(struct policy_entry){ text_of(value), used_ms, holds });
}

static bool has(struct policy_store *store, const char *domain, const char *value)
{
	char room[POLICY_STORE_VALUE_MAX];
	struct text found;

	return policy_store_get(store, text_of(domain), room, &found) && text_equal(found, text_of(value));
}

static void one_value_a_domain(void **state)
{
	struct policy_store *store = open_at(NULL);

	(void)state;
	assert_false(has(store, "a.test", ""));
	put(store, "A.test", "one", 1, true);
	put(store, "b.test", "", 1, true);
	assert_true(has(store, "a.TEST", "one") && has(store, "b.test", ""));
	put(store, "a.test", "two", 1, true);
	assert_true(has(store, "a.test", "two"));
	policy_store_erase(store, TEXT("a.Test"));
	policy_store_erase(store, TEXT("c.test"));
	assert_false(has(store, "a.test", "two"));
	assert_true(has(store, "b.test", ""));
	policy_store_close(store);
}

static void the_largest(void **state)
{
	static char domain[POLICY_STORE_DOMAIN_MAX + 2], value[POLICY_STORE_VALUE_MAX + 1];
	struct policy_store *store = open_at(NULL);

	(void)state;
	memset(domain, 'd', POLICY_STORE_DOMAIN_MAX);
	memset(value, 'v', POLICY_STORE_VALUE_MAX);
	put(store, domain, value, 1, true);
	assert_true(has(store, domain, value));
	domain[POLICY_STORE_DOMAIN_MAX] = 'd';
	put(store, domain, value, 1, true);
	put(store, "", value, 1, true);
	assert_false(has(store, domain, value) || has(store, "", value));
	policy_store_close(store);
}

static void what_has_a_policy_stays_longest(void **state)
{
	struct policy_store *store = open_at(NULL);
	char domain[32];

	(void)state;
	for (unsigned i = 0; i < 20 * POLICY_STORE_ENTRIES; i++) {
		snprintf(domain, sizeof domain, "%u.test", i);
		put(store, domain, "x", i, i % 1000 == 0);
	}
	for (unsigned i = 0; i < 20 * POLICY_STORE_ENTRIES; i += 1000) {
		snprintf(domain, sizeof domain, "%u.test", i);
		assert_true(has(store, domain, "x"));
	}
	snprintf(domain, sizeof domain, "%u.test", 20 * POLICY_STORE_ENTRIES - 1);
	assert_true(has(store, domain, "x"));
	assert_false(has(store, "1.test", "x"));
	policy_store_close(store);
}

static void all_are_walked(void **state)
{
	struct policy_store *store = open_at(NULL);
	char domain[32], domain_room[POLICY_STORE_DOMAIN_MAX], room[POLICY_STORE_VALUE_MAX];
	struct text found, value;
	uint32_t at = 0;
	unsigned sum = 0;

	(void)state;
	assert_false(policy_store_next(store, &at, domain_room, &found, room, &value));
	for (unsigned i = 0; i < 100; i++) {
		snprintf(domain, sizeof domain, "%u.test", i);
		put(store, domain, domain, 1, true);
	}
	for (at = 0; policy_store_next(store, &at, domain_room, &found, room, &value); sum++)
		assert_true(text_equal(found, value));
	assert_int_equal(sum, 100);
	policy_store_close(store);
}

static void a_file_is_read_again_and_not_believed(void **state)
{
	char path[] = "/tmp/policy_store_test.XXXXXX";
	const int fd = mkstemp(path);
	struct policy_store *store;
	struct stat status;

	(void)state;
	assert_true(fd >= 0);
	store = open_at(path);
	put(store, "a.test", "one", 1, true);
	put(store, "b.test", "two", 1, true);
	policy_store_close(store);
	store = open_at(path);
	assert_true(has(store, "a.test", "one") && has(store, "b.test", "two"));
	policy_store_close(store);

	/* Somebody changes a byte of a value. */
	assert_int_equal(fstat(fd, &status), 0);
	char *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(bytes != MAP_FAILED);
	char *value = memmem(bytes, (size_t)status.st_size, "a.testone", 9);

	assert_non_null(value);
	value[6] = 'O';
	munmap(bytes, (size_t)status.st_size);
	store = open_at(path);
	assert_false(has(store, "a.test", "one") || has(store, "a.test", "One"));
	assert_true(has(store, "b.test", "two"));
	put(store, "a.test", "three", 1, true);
	assert_true(has(store, "a.test", "three"));
	policy_store_close(store);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_value_a_domain),
		cmocka_unit_test(the_largest),
		cmocka_unit_test(what_has_a_policy_stays_longest),
		cmocka_unit_test(all_are_walked),
		cmocka_unit_test(a_file_is_read_again_and_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
