#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/packet.h"

static const struct plan_settings settings = { .wait_s = 3600, .retire_s = 1000 };
static const struct dkim_manner manner = { .now_s = 0 };
static const struct text domain = { "example.org", 11 };

struct place {
	char root[32], path[64];
	struct arena *arena;
	struct buffer complaints;
	struct keys_folder folder;
};

static int begin(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	snprintf(place->root, sizeof place->root, "/tmp/keys_test_XXXXXX");
	assert_non_null(mkdtemp(place->root));
	snprintf(place->path, sizeof place->path, "%s/dkim", place->root);
	place->arena = arena_new(8 << 20);
	buffer_init(&place->complaints, 1 << 16);
	*state = place;
	return 0;
}

static int end(void **state)
{
	struct place *place = *state;
	char path[128];

	keys_folder_close(&place->folder);
	buffer_done(&place->complaints);
	arena_free(place->arena);
	static const char *const names[] = { "state", "one._domainkey.example.org.pem", "two._domainkey.example.org.pem",
		"weak._domainkey.example.org.pem" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", place->path, names[i]);
		unlink(path);
	}
	rmdir(place->path);
	rmdir(place->root);
	free(place);
	return 0;
}

static void open_folder(struct place *place)
{
	assert_true(keys_folder_open(place->path, true, place->arena, &place->folder, &place->complaints));
}

static void add(struct place *place, const char *selector, unsigned bits, int64_t now_s)
{
	struct private_key *key;

	assert_int_equal(private_key_make(KEY_RSA, bits, &key), OK);
	assert_int_equal(keys_folder_write_key(&place->folder, domain, text_of(selector), key), OK);
	assert_int_equal(keys_folder_write_key(&place->folder, domain, text_of(selector), key), ERR_EXISTS);
	assert_int_equal(key_plan_add(&place->folder.plan, domain, text_of(selector), KEY_RSA, now_s), OK);
	key_plan_seen(&place->folder.plan, key_plan_find(&place->folder.plan, domain, text_of(selector)), &settings, now_s);
	private_key_free(key);
}

/* Who signs for the domain at that moment, as the packet has it. */
static const char *signing(struct place *place, int64_t now_s, bool right)
{
	static char selector[64];
	struct dkim_signing found[DKIM_KEYS_MAX];
	struct key_plan plan = { .arena = place->arena };
	struct signing_keys *keys;
	struct buffer packet;

	buffer_init(&packet, KEYS_PACKET_MAX);
	assert_int_equal(keys_pack(place->path, 1000, &packet, &place->complaints), right);
	keys = keys_unpack(buffer_text(&packet), &manner, &plan);
	assert_non_null(keys);
	/* The plan is whole, whatever became of a key. */
	assert_int_equal(plan.count, 2);
	assert_true(text_equal(plan.keys[0].selector, TEXT("one")) && text_equal(plan.keys[1].domain, domain));
	assert_int_equal(plan.keys[0].until_s, 4600);
	assert_int_equal(plan.keys[1].active_s, 4600);
	const size_t count = signing_keys_find(keys, TEXT("news.example.org"), now_s, found);

	assert_true(count <= 1);
	const struct text name = count > 0 ? found[0].selector : TEXT("nobody");

	snprintf(selector, sizeof selector, "%.*s", TEXT_FORMAT(name));
	signing_keys_unref(keys);
	buffer_done(&packet);
	return selector;
}

static void keys_are_kept_and_handed_over(void **state)
{
	struct place *place = *state;
	struct stat stat_;
	char path[128];

	open_folder(place);
	add(place, "one", 2048, 1000);
	add(place, "two", 2048, 1000);
	assert_int_equal(keys_folder_write_plan(&place->folder), OK);
	keys_folder_close(&place->folder);
	snprintf(path, sizeof path, "%s/one._domainkey.example.org.pem", place->path);
	assert_int_equal(stat(path, &stat_), 0);
	assert_int_equal(stat_.st_mode & 07777, 0600);
	assert_int_equal(stat(place->path, &stat_), 0);
	assert_int_equal(stat_.st_mode & 07777, 0700);
	/* One packet serves before and after the change. */
	assert_string_equal(signing(place, 999, true), "nobody");
	assert_string_equal(signing(place, 1000, true), "one");
	assert_string_equal(signing(place, 4599, true), "one");
	assert_string_equal(signing(place, 4600, true), "two");
	assert_int_equal(place->complaints.length, 0);
	unlink(path);
	assert_string_equal(signing(place, 4600, false), "two");
	assert_true(text_find(buffer_text(&place->complaints), TEXT("dkim/state:2: one of example.org: its key is missing")) <
	    place->complaints.length);
	open_folder(place);
	assert_int_equal(place->folder.plan.count, 2);
}

static void weak_keys_are_told(void **state)
{
	static const struct {
		unsigned bits;
		bool taken;
		const char *said;
	} rows[] = { { 512, false, "under 1024 bits" }, { 1024, true, "warning: an RSA key of under 2048 bits" },
		{ 2048, true, "" } };
	struct place *place = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		open_folder(place);
		add(place, "weak", rows[i].bits, 1000);
		struct private_key *key = NULL;

		buffer_clear(&place->complaints);
		assert_int_equal(
		    keys_folder_read_key(&place->folder, &place->folder.plan.keys[0], &key, &place->complaints), rows[i].taken);
		assert_int_equal(text_find(buffer_text(&place->complaints), text_of(rows[i].said)) < place->complaints.length,
		    rows[i].said[0] != '\0');
		private_key_free(key);
		keys_folder_remove_key(&place->folder, domain, TEXT("weak"));
		keys_folder_close(&place->folder);
	}
}

static void nonsense_is_no_packet(void **state)
{
	static const char *const rows[] = { "\1", "\377\377example", "\3\0abc\3\0def01234567012345670\0" };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_null(keys_unpack(text_of(rows[i]), &manner, NULL));
	struct signing_keys *keys = keys_unpack(TEXT_EMPTY, &manner, NULL);

	assert_non_null(keys);
	signing_keys_unref(keys);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
	struct place *place = *state;
	struct buffer packet;

	buffer_init(&packet, KEYS_PACKET_MAX);
	assert_false(keys_pack(place->path, 1, &packet, &place->complaints));
	assert_true(place->complaints.length > 0);
	buffer_done(&packet);
	place->folder.fd = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(keys_are_kept_and_handed_over, begin, end),
		cmocka_unit_test_setup_teardown(weak_keys_are_told, begin, end), cmocka_unit_test(nonsense_is_no_packet),
		cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_told, begin, end) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
