/* The role and mail's side of it, over a real channel. */
#include "sasl/role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "io/channel.h"
#include "sasl/asker.h"

struct world {
	struct loop *loop;
	struct sasl_role *role;
	struct sasl_asker *asker;
	struct loop_timer *look;
	struct sasl_dialogue *dialogue;
	enum sasl_result result;
	char challenge[512], user[64];
	unsigned wanted_mechanisms;
	int calls, wanted_calls;
};

static struct accounts *accounts_of(const char *file)
{
	struct accounts *accounts;

	must(accounts_new(text_of(file), NULL, 0, &accounts) == OK);
	return accounts;
}

static void connect_both(struct world *world)
{
	int fds[2];

	must(channel_pair(fds) == OK);
	must(sasl_asker_set_channel(world->asker, fds[0]));
	must(sasl_role_add_channel(world->role, fds[1]));
}

/* Look again until what the test waits for is there. */
static void look(void *context)
{
	struct world *world = context;

	if (world->calls >= world->wanted_calls && sasl_asker_mechanisms(world->asker) == world->wanted_mechanisms)
		loop_stop(world->loop);
	else
		loop_timer_set(world->look, 1);
}

static void wait_for(struct world *world, int calls, unsigned mechanisms)
{
	world->wanted_calls = calls;
	world->wanted_mechanisms = mechanisms;
	loop_timer_set(world->look, 0);
	loop_run(world->loop);
}

static int set_up(void **state)
{
	static struct world world;
	struct accounts *accounts = accounts_of("alice:$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq."
						"qc.eoxqOmSuNp2xS0ktL3nh/\n");

	world = (struct world){ .loop = loop_new() };
	world.role = sasl_role_new(&(struct sasl_sources){ .accounts = accounts });
	world.asker = sasl_asker_new(world.loop);
	world.look = loop_timer_new(world.loop, look, &world);
	must(world.role != NULL && world.asker != NULL && world.look != NULL);
	accounts_unref(accounts);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	sasl_dialogue_free(world->dialogue);
	sasl_asker_free(world->asker);
	sasl_role_free(world->role);
	loop_timer_free(world->look);
	loop_free(world->loop);
	return 0;
}

static void answered(void *context, const struct sasl_answer *answer)
{
	struct world *world = context;

	world->result = answer->result;
	snprintf(world->challenge, sizeof world->challenge, "%.*s", TEXT_FORMAT(answer->challenge));
	snprintf(world->user, sizeof world->user, "%.*s", TEXT_FORMAT(answer->user));
	world->calls++;
}

static void begin(struct world *world, enum sasl_mechanism mechanism, struct text response)
{
	const struct sasl_facts facts = { .mechanism = mechanism };

	sasl_dialogue_free(world->dialogue);
	world->dialogue = sasl_dialogue_begin(world->asker, &facts, response, answered, world);
	assert_non_null(world->dialogue);
}

enum { PASSWORDS = 1u << SASL_PLAIN | 1u << SASL_LOGIN };

static void right_and_wrong(void **state)
{
	struct world *world = *state;

	connect_both(world);
	wait_for(world, 0, PASSWORDS);
	begin(world, SASL_PLAIN, TEXT("\0alice\0password"));
	wait_for(world, 1, PASSWORDS);
	assert_int_equal(world->result, SASL_SUCCESS);
	assert_string_equal(world->user, "alice");
	begin(world, SASL_PLAIN, TEXT("\0alice\0passwort"));
	wait_for(world, 2, PASSWORDS);
	assert_int_equal(world->result, SASL_FAILURE);
	begin(world, SASL_LOGIN, TEXT(""));
	wait_for(world, 3, PASSWORDS);
	assert_int_equal(world->result, SASL_CONTINUE);
	sasl_dialogue_step(world->dialogue, TEXT("alice"));
	wait_for(world, 4, PASSWORDS);
	sasl_dialogue_step(world->dialogue, TEXT("password"));
	wait_for(world, 5, PASSWORDS);
	assert_int_equal(world->result, SASL_SUCCESS);
}

static void without_a_role_it_is_trouble(void **state)
{
	struct world *world = *state;

	begin(world, SASL_PLAIN, TEXT("\0alice\0password"));
	assert_int_equal(world->calls, 0); /* K1 */
	wait_for(world, 1, 0);
	assert_int_equal(world->result, SASL_TROUBLE);
}

static void a_role_that_dies_is_trouble_until_another_comes(void **state)
{
	struct world *world = *state;
	struct accounts *accounts = accounts_of("bob:{PLAIN}x\n");

	connect_both(world);
	begin(world, SASL_LOGIN, TEXT(""));
	wait_for(world, 1, PASSWORDS);
	sasl_role_free(world->role);
	sasl_dialogue_step(world->dialogue, TEXT("alice"));
	wait_for(world, 2, PASSWORDS); /* K2 */
	assert_int_equal(world->result, SASL_TROUBLE);
	world->role = sasl_role_new(&(struct sasl_sources){ .accounts = accounts });
	must(world->role != NULL);
	accounts_unref(accounts);
	connect_both(world);
	begin(world, SASL_PLAIN, TEXT("\0bob\0x"));
	wait_for(world, 3, PASSWORDS | 1u << SASL_SCRAM_SHA_1 | 1u << SASL_SCRAM_SHA_256 | 1u << SASL_SCRAM_SHA_256_PLUS);
	assert_int_equal(world->result, SASL_SUCCESS);
}

static void new_accounts_are_told(void **state)
{
	struct world *world = *state;
	struct accounts *accounts = accounts_of("");

	connect_both(world);
	wait_for(world, 0, PASSWORDS);
	sasl_role_set_sources(world->role, &(struct sasl_sources){ .accounts = accounts });
	accounts_unref(accounts);
	wait_for(world, 0, 0);
	begin(world, SASL_PLAIN, TEXT("\0alice\0password"));
	wait_for(world, 1, 0);
	assert_int_equal(world->result, SASL_FAILURE);
}

/* Before it was there for the first time a guess is offered; what is known better stays. */
static void a_dovecot_that_is_away_is_trouble(void **state)
{
	struct world *world = *state;
	struct accounts *none = accounts_of(""), *bob = accounts_of("bob:{PLAIN}x\n");
	const struct sasl_sources away = { .accounts = none, .dovecot = "/nowhere/auth" };
	enum { ALL = PASSWORDS | 1u << SASL_SCRAM_SHA_1 | 1u << SASL_SCRAM_SHA_256 | 1u << SASL_SCRAM_SHA_256_PLUS };

	sasl_role_set_sources(world->role, &away);
	connect_both(world);
	wait_for(world, 0, PASSWORDS);
	begin(world, SASL_PLAIN, TEXT("\0alice\0password"));
	wait_for(world, 1, PASSWORDS);
	assert_int_equal(world->result, SASL_TROUBLE);
	sasl_role_set_sources(world->role, &(struct sasl_sources){ .accounts = bob });
	wait_for(world, 1, ALL);
	sasl_role_set_sources(world->role, &away);
	do { /* The role looks at its new sources when it comes to it. */
		begin(world, SASL_PLAIN, TEXT("\0bob\0x"));
		wait_for(world, world->calls + 1, ALL);
	} while (world->result != SASL_TROUBLE);
	accounts_unref(none);
	accounts_unref(bob);
}

static void a_freed_dialogue_hears_nothing(void **state)
{
	struct world *world = *state;

	connect_both(world);
	begin(world, SASL_PLAIN, TEXT("\0alice\0password"));
	sasl_dialogue_free(world->dialogue);
	world->dialogue = NULL;
	begin(world, SASL_PLAIN, TEXT("\0alice\0passwort"));
	wait_for(world, 1, PASSWORDS);
	assert_int_equal(world->result, SASL_FAILURE);
	assert_int_equal(world->calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(right_and_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_role_it_is_trouble, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_role_that_dies_is_trouble_until_another_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(new_accounts_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dovecot_that_is_away_is_trouble, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_freed_dialogue_hears_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
