#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "conf/strays.h"

static const struct text names[] = { TEXT("zoe"), TEXT("alice"), TEXT("bob@example.net") };

/* A configuration with these lines behind the least it needs. */
static struct conf *conf_of(const char *lines)
{
	struct buffer complaints;
	char text[1024];

	buffer_init(&complaints, 4096);
	snprintf(text, sizeof text, "hostname = \"mail.example.org\" domains = {\"example.org\"} users = \"/users\" listen \"[::1]:25\" {}\n%s", lines);
	struct conf *conf = conf_load_text("/postroad.conf", text, &complaints);

	if (conf == NULL)
		fail_msg("%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return conf;
}

static void assert_complains(const char *lines, const char *expected)
{
	struct conf *conf = conf_of(lines);
	struct buffer complaints;

	buffer_init(&complaints, 4096);
	assert_int_equal(conf_users_exist(conf, names, sizeof names / sizeof names[0], &complaints), expected[0] == '\0');
	if (!text_equal(buffer_text(&complaints), text_of(expected)))
		fail_msg("said: %.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	conf_free(conf);
}

static void each_that_nobody_has_is_named_with_its_line(void **state)
{
	(void)state;
	assert_complains("", "");
	assert_complains("user \"Alice\" { messages = \"5/1h\" }\nuser \"bob@example.net\" { messages = none }\n", "");
	assert_complains("user \"alice@example.org\" { messages = \"5/1h\" }\n\nuser \"bob\" { }\nuser \"carol\" { }\n",
	    "/postroad.conf:2: user \"alice@example.org\" is not among /users (hint: there it is \"alice\")\n"
	    "/postroad.conf:4: user \"bob\" is not among /users (hint: there it is \"bob@example.net\")\n"
	    "/postroad.conf:5: user \"carol\" is not among /users (hint: postroad user add, or take the section out)\n");
}

static void some_users_are_known_to_others_only(void **state)
{
	struct conf *own = conf_of(""), *dovecot = conf_of("auth { dovecot = \"unix:/run/auth\" }\n"),
		    *front = conf_of("xclient-from = {\"192.0.2.1\"}\n");

	(void)state;
	assert_true(conf_knows_its_users(own));
	assert_false(conf_knows_its_users(dovecot));
	assert_false(conf_knows_its_users(front));
	conf_free(own);
	conf_free(dovecot);
	conf_free(front);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_that_nobody_has_is_named_with_its_line),
		cmocka_unit_test(some_users_are_known_to_others_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
