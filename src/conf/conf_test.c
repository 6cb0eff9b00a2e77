#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/table.h"

#define SMALL "hostname = \"mail.example.org\"\ndomains = {\"example.org\"}\nlisten \"127.0.0.1:2525\" { role = mx }\n"

static struct conf *load(const char *text, struct buffer *complaints)
{
	buffer_init(complaints, 64 << 10);
	return conf_load_text("/etc/postroad/t.conf", text, complaints);
}

static void the_smallest_file_has_sensible_defaults(void **state)
{
	struct buffer complaints;
	struct conf *conf = load(SMALL, &complaints);

	(void)state;
	if (conf == NULL)
		fail_msg("%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	assert_string_equal(conf->spool.path, "/var/lib/postroad/spool");
	assert_int_equal(conf->queue.retry_count, 7);
	assert_int_equal(conf->queue.retry_ms[6], 4 * 3600 * 1000);
	assert_int_equal(conf->limits.message_size, 50 << 20);
	assert_int_equal(conf->relay_from_count, 2);
	assert_int_equal(conf->outbound.port, 25);
	assert_int_equal(conf->listeners[0].endpoint.port, 2525);
	assert_string_equal(conf->log.to, "stderr");
	conf_free(conf);
	buffer_done(&complaints);
}

static void everything_of_this_version_is_read(void **state)
{
	struct buffer complaints;
	struct conf *conf = load(SMALL
	    "users = \"users\"\naliases = \"/etc/aliases\"\nrelay-from = {\"10.0.0.0/8\"}\n"
	    "listen \"unix:lmtp.sock\" { role = lmtp }\nlisten \":587\" { role = submission }\n"
	    "route \"partner.test\" { via = {\"127.0.0.1:2526\", \"mx.partner.test\"} }\n"
	    "route \"*\" { via = {\"unix:s\"} lmtp = yes }\nmailbox { path = \"mail/%d/%u\" }\n"
	    "dns { server = {\"127.0.0.1@5353\"} }\noutbound { port = 2525 concurrency = 3 }\n"
	    "queue { retry = {\"1s\", \"250ms\"} lifetime = 1d warn-after = 1h }\nlog { format = json to = \"log\" }\n", &complaints);

	(void)state;
	if (conf == NULL)
		fail_msg("%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	assert_string_equal(conf->users, "/etc/postroad/users");
	assert_string_equal(conf->mailbox.path, "/etc/postroad/mail/%d/%u");
	assert_string_equal(conf->listeners[1].endpoint.path, "/etc/postroad/lmtp.sock");
	assert_int_equal(conf->listeners[2].role, CONF_ROLE_SUBMISSION);
	assert_int_equal(conf->queue.retry_ms[1], 250);
	assert_int_equal(conf->route_count, 2);
	assert_string_equal(conf->routes[1].via[0].bytes, "unix:/etc/postroad/s");
	assert_true(conf->routes[1].lmtp);
	assert_true(conf->log.json);
	conf_free(conf);
	buffer_done(&complaints);
}

static const struct {
	const char *text;
	const char *complaint; /* Must be in what is said. */
} wrong[] = {
	{ "domains = {\"a.test\"}\nlisten \"127.0.0.1:25\" {}\n", "hostname is missing" },
	{ SMALL "hostnam = \"x\"\n", "t.conf:4: unknown option \"hostnam\" (hint: did you mean \"hostname\"?)" },
	{ SMALL "outbound { prot = 25 }\n", "did you mean \"port\"?" },
	{ SMALL "outbound {\n port = 70000\n}\n", "t.conf:5: outbound port = \"70000\": not a number from 1..65535" },
	{ SMALL "limits { message-size = 10X }\n", "t.conf:4: limits message-size = \"10X\": not a size" },
	{ SMALL "queue { lifetime = soon }\n", "not a duration" },
	{ SMALL "queue { retry = {} }\n", "retry is empty" },
	{ SMALL "queue { lifetime = 1h warn-after = 2h }\n", "warn-after is longer than lifetime" },
	{ SMALL "listen \"127.0.0.1:2525\" {}\n", "2525" },
	{ SMALL "listen \"nowhere\" {}\n", "not ADDRESS:PORT" },
	{ SMALL "listen \"127.0.0.1:26\" { role = mailer }\n", "not one of: mx submission lmtp" },
	{ SMALL "listen \"127.0.0.1:465\" { tls = implicit }\n", "this version cannot do that yet" },
	{ SMALL "web { listen = \"127.0.0.1:8025\" }\n", "cannot be acted upon by this version" },
	{ SMALL "mailbox { path = \"/a\" lmtp = \"unix:/b\" }\n", "both path and lmtp" },
	{ SMALL "dns { zone = \"z\" server = {\"127.0.0.1\"} }\n", "both zone and server" },
	{ SMALL "route \"x.test\" {}\n", "leads nowhere" },
	{ SMALL "route \"x.test\" { via = {\"a b\"} }\n", "not a host" },
	{ SMALL "relay-from = {\"10.0.0.0/40\"}\n", "neither an address nor a network" },
	{ SMALL "hostname = \"not a name\"\n", "not a host name" },
	{ SMALL "outbound {\n", "t.conf" },
};

static void wrong_files_are_refused_with_the_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct buffer complaints;
		struct conf *conf = load(wrong[i].text, &complaints);
		const struct text said = buffer_text(&complaints);

		if (conf != NULL || text_find(said, text_of(wrong[i].complaint)) == said.length)
			fail_msg("%s\nsaid: %.*s", wrong[i].text, TEXT_FORMAT(said));
		buffer_done(&complaints);
	}
}

static void several_mistakes_are_told_at_once(void **state)
{
	struct buffer complaints;
	struct conf *conf = load("hostname = \"a b\"\nlisten \"x\" {}\nlog { format = xml }\ndomains = {\"a\"}\n", &complaints);
	const struct text said = buffer_text(&complaints);

	(void)state;
	assert_null(conf);
	assert_true(text_find(said, TEXT("t.conf:1:")) < said.length);
	assert_true(text_find(said, TEXT("not ADDRESS:PORT")) < said.length);
	assert_true(text_find(said, TEXT("not one of: text json")) < said.length);
	buffer_done(&complaints);
}

/* Every commented option of the sample, uncommented, is accepted as it stands. */
static void the_sample_is_a_right_file_and_the_manual_is_whole(void **state)
{
	struct buffer sample, manual, complaints;
	struct conf *conf;

	(void)state;
	buffer_init(&sample, 1 << 20);
	buffer_init(&manual, 1 << 20);
	assert_true(conf_print_sample(&sample) && conf_print_manual(&manual) && buffer_append(&sample, (struct text){ "", 1 }));
	conf = load(buffer_text(&sample).bytes, &complaints);
	if (conf == NULL)
		fail_msg("%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	for (size_t i = 0; i < conf_option_count; i++) {
		char entry[96];

		snprintf(entry, sizeof entry, ".It Ic %s\n", conf_options[i].name);
		assert_true(text_find(buffer_text(&manual), text_of(entry)) < manual.length);
	}
	conf_free(conf);
	buffer_done(&sample);
	buffer_done(&manual);
	buffer_done(&complaints);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_file_has_sensible_defaults),
		cmocka_unit_test(everything_of_this_version_is_read),
		cmocka_unit_test(wrong_files_are_refused_with_the_reason),
		cmocka_unit_test(several_mistakes_are_told_at_once),
		cmocka_unit_test(the_sample_is_a_right_file_and_the_manual_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
