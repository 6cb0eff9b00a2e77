#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/table.h"
#include "conf/value.h"

#define SMALL "hostname = \"mail.example.org\"\ndomains = {\"example.org\"}\nlisten \"127.0.0.1:2525\" { role = mx }\n"

static struct conf *load(const char *text, struct buffer *complaints)
{
	buffer_init(complaints, 64 << 10);
	return conf_load_text("/etc/postroad/t.conf", text, complaints);
}

/* For files that are right. */
static struct conf *load_right(const char *text)
{
	struct buffer complaints;
	struct conf *conf = load(text, &complaints);

	if (conf == NULL || complaints.length > 0)
		fail_msg("%s\nsaid: %.*s", text, TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return conf;
}

static void the_smallest_file_has_sensible_defaults(void **state)
{
	struct conf *conf = load_right(SMALL);

	(void)state;
	assert_string_equal(conf->path, "/etc/postroad/t.conf");
	assert_string_equal(conf->folder, "/etc/postroad");
	assert_string_equal(conf->users, "");
	assert_string_equal(conf->aliases, "");
	assert_string_equal(conf->separator.bytes, "+");
	assert_string_equal(conf->run_as, "postroad");
	assert_string_equal(conf->control, "/run/postroad/control.sock");
	assert_int_equal(conf->lanes, 0);
	assert_int_equal(conf->listener_count, 1);
	assert_int_equal(conf->listeners[0].endpoint.port, 2525);
	assert_int_equal(conf->listeners[0].tls, CONF_TLS_NONE);
	assert_string_equal(conf->listeners[0].text.bytes, "127.0.0.1:2525");
	assert_int_equal(conf->relay_from_count, 2);
	assert_int_equal(conf->route_count, 0);
	assert_string_equal(conf->mailbox.path, "/var/mail/%d/%u");
	assert_string_equal(conf->mailbox.lmtp.bytes, "");
	assert_int_equal(conf->dns.server_count, 0);
	assert_string_equal(conf->dns.zone, "");
	assert_int_equal(conf->sender_check, CONF_SENDER_ENVELOPE);
	assert_int_equal(conf->limits.user_messages.count, 0);
	assert_string_equal(conf->dkim.keys, "");
	assert_true(conf->dkim.sign);
	assert_int_equal(conf->dkim.oversigned_count, 8);
	assert_int_equal(conf->dkim.publish_wait_ms, 3600 * 1000);
	assert_int_equal(conf->outbound.port, 25);
	assert_int_equal(conf->outbound.source_count, 0);
	assert_int_equal(conf->outbound.concurrency, 20);
	assert_int_equal(conf->outbound.command_ms, 5 * 60 * 1000);
	assert_false(conf->outbound.prefer_ip6);
	assert_true(conf->outbound.mta_sts);
	assert_true(conf->reports.tls);
	assert_false(conf->reports.dmarc);
	assert_false(conf->reports.failures);
	assert_string_equal(conf->reports.contact.local.bytes, "postmaster");
	assert_string_equal(conf->reports.contact.domain.bytes, "example.org");
	assert_string_equal(conf->reports.organization.bytes, "");
	assert_string_equal(conf->spool.path, "/var/lib/postroad/spool");
	assert_int_equal(conf->spool.size, 64ULL << 30);
	assert_int_equal(conf->queue.retry_count, 7);
	assert_int_equal(conf->queue.retry_ms[0], 60 * 1000);
	assert_int_equal(conf->queue.retry_ms[6], 4 * 3600 * 1000);
	assert_int_equal(conf->queue.lifetime_ms, 5LL * 24 * 3600 * 1000);
	assert_int_equal(conf->limits.message_size, 50 << 20);
	assert_int_equal(conf->limits.recipients, 1000);
	assert_int_equal(conf->limits.connections, 20000);
	assert_int_equal(conf->history_messages, 100000);
	assert_string_equal(conf->log.to, "stderr");
	assert_false(conf->log.json);
	conf_free(conf);
}

static void everything_of_this_version_is_read(void **state)
{
	struct conf *conf = load_right(SMALL
	    "users = \"users\"\naliases = '/etc/aliases'\nrelay-from = {\"10.0.0.0/8\"}\nseparator = -\nlanes = 3\n"
	    "domains += {\"B\xc3\xbc" "cher.example\", example.net}\ncontrol = sock\nrun-as = \"\"\n"
	    "listen \"unix:lmtp.sock\" { role = lmtp }\nlisten \":587\" { role = submission }\nlisten \"*:26\" {}\n"
	    "listen \"[::]:25\" {} // as a peer\n"
	    "route \"partner.test\" { via = {\"127.0.0.1:2526\", \"mx.partner.test\", \"[::1]:26\", \"mx.test:2\"} }\n"
	    "route \"*\" { via = {\"unix:s\", \"127.0.0.1:24\"} lmtp = yes user = \"u@x\" password-file = p }\nmailbox { path = \"mail/%d/%u\" }\ntls { }\n"
	    "dns { server = {\"127.0.0.1@5353\", \"::1\"} trust-anchor = a }\n"
	    "outbound { port = 2525 concurrency = 3 source = {\"192.0.2.1\"} idle = 0s prefer-ip6 = on mta-sts = no }\n"
	    "queue { retry = {\"1s\", \"250ms\"} /* quick */ lifetime = 1d warn-after = 0s }\n"
	    "spool { engine = lmdb size = 2g }\n"
	    "reports { tls = no dmarc = yes failures = yes contact = \"tls@x.test\" organization = \"Widgets\" }\n"
	    "user \"news\" { send-as = {\"*\"} messages = \"1000/1h\" }\n"
	    "user \"bob@example.org\" { send-as = {\"@a.test\", \"x@b.test\"} recipients = none }\n"
	    "sender-check = both\nlimits { message-size = 512K errors = 5 user-messages = \"10/1m\" user-recipients = \"20/1d\" }\n"
	    "log { format = json to = \"log\" } # the end");

	(void)state;
	assert_int_equal(conf->domain_count, 3);
	assert_string_equal(conf->domains[1].bytes, "xn--bcher-kva.example");
	assert_string_equal(conf->users, "/etc/postroad/users");
	assert_string_equal(conf->aliases, "/etc/aliases");
	assert_string_equal(conf->control, "/etc/postroad/sock");
	assert_string_equal(conf->separator.bytes, "-");
	assert_string_equal(conf->run_as, "");
	assert_int_equal(conf->lanes, 3);
	assert_int_equal(conf->relay_from_count, 1);
	assert_int_equal(conf->listener_count, 5);
	assert_string_equal(conf->listeners[1].endpoint.path, "/etc/postroad/lmtp.sock");
	assert_int_equal(conf->listeners[2].role, CONF_ROLE_SUBMISSION);
	assert_int_equal(conf->listeners[2].endpoint.family, ENDPOINT_IP4);
	assert_int_equal(conf->listeners[3].endpoint.port, 26);
	assert_int_equal(conf->listeners[4].endpoint.family, ENDPOINT_IP6);
	assert_int_equal(conf->route_count, 2);
	assert_int_equal(conf->routes[0].via_count, 4);
	assert_string_equal(conf->routes[1].via[0].bytes, "unix:/etc/postroad/s");
	assert_true(conf->routes[1].lmtp);
	assert_string_equal(conf->routes[0].password_file, "");
	assert_string_equal(conf->routes[1].user.bytes, "u@x"); /* In clear text, but nobody is on the way. */
	assert_string_equal(conf->routes[1].password_file, "/etc/postroad/p");
	assert_string_equal(conf->mailbox.path, "/etc/postroad/mail/%d/%u");
	assert_int_equal(conf->dns.server_count, 2);
	assert_string_equal(conf->dns.trust_anchor, "/etc/postroad/a");
	assert_int_equal(conf->outbound.source_count, 1);
	assert_int_equal(conf->outbound.idle_ms, 0);
	assert_true(conf->outbound.prefer_ip6);
	assert_false(conf->outbound.mta_sts);
	assert_false(conf->reports.tls);
	assert_true(conf->reports.dmarc);
	assert_true(conf->reports.failures);
	assert_memory_equal(conf->reports.contact.local.bytes, "tls", conf->reports.contact.local.length);
	assert_memory_equal(conf->reports.contact.domain.bytes, "x.test", conf->reports.contact.domain.length);
	assert_string_equal(conf->reports.organization.bytes, "Widgets");
	assert_int_equal(conf->queue.retry_count, 2);
	assert_int_equal(conf->queue.retry_ms[1], 250);
	assert_int_equal(conf->queue.warn_after_ms, 0);
	assert_int_equal(conf->spool.size, 2ULL << 30);
	assert_int_equal(conf->limits.message_size, 512 << 10);
	assert_int_equal(conf->limits.errors, 5);
	assert_int_equal(conf->sender_check, CONF_SENDER_BOTH);
	assert_int_equal(conf->named_user_count, 2);
	assert_string_equal(conf->named_users[0].send_as[0].bytes, "*");
	assert_int_equal(conf->named_users[0].messages.count, 1000);
	assert_int_equal(conf->named_users[0].recipients.count, 20); /* Though the limits stand behind. */
	assert_int_equal(conf->named_users[1].send_as_count, 2);
	assert_int_equal(conf->named_users[1].messages.period_ms, 60000);
	assert_int_equal(conf->named_users[1].recipients.count, 0);
	assert_true(conf->log.json);
	assert_string_equal(conf->log.to, "/etc/postroad/log");
	conf_free(conf);
}

static void tls_is_offered_where_there_is_a_certificate(void **state)
{
	struct conf *conf = load_right(SMALL
	    "tls { certificate = c.pem key = /k.pem ca = ca.pem client-ca = clients.pem }\n"
	    "listen \":26\" { tls = none }\nlisten \":465\" { role = submission tls = implicit }\n"
	    "listen \":587\" { role = submission tls = required }\nlisten \"unix:lmtp\" { role = lmtp }\n"
	    "route \"a.test\" { via = {a} }\nroute \"b.test\" { via = {a} tls = required }\noutbound { tls = none dane = no }\n"
	    "route \"c.test\" { tls = dane }\ndns { trust-anchor = \"root.key\" }\n");
	static const enum conf_tls expected[] = { CONF_TLS_STARTTLS, CONF_TLS_NONE, CONF_TLS_IMPLICIT, CONF_TLS_REQUIRED,
		CONF_TLS_NONE };
	struct buffer summary;

	(void)state;
	assert_int_equal(conf->tls.certificate_count, 1);
	assert_string_equal(conf->tls.certificates[0].bytes, "/etc/postroad/c.pem");
	assert_string_equal(conf->tls.keys[0].bytes, "/k.pem");
	assert_string_equal(conf->tls.authorities, "/etc/postroad/ca.pem");
	assert_string_equal(conf->tls.client_authorities, "/etc/postroad/clients.pem");
	for (size_t i = 0; i < conf->listener_count; i++)
		assert_int_equal(conf->listeners[i].tls, expected[i]);
	assert_int_equal(conf->routes[0].tls, CONF_TLS_STARTTLS);
	assert_int_equal(conf->routes[1].tls, CONF_TLS_REQUIRED);
	assert_int_equal(conf->routes[2].tls, CONF_TLS_DANE);
	assert_int_equal(conf->routes[2].via_count, 0);
	assert_int_equal(conf->outbound.tls, CONF_TLS_NONE);
	assert_false(conf->outbound.dane);
	buffer_init(&summary, 1 << 16);
	assert_true(conf_summary(conf, &summary));
	assert_true(text_find(buffer_text(&summary), TEXT("warning")) == summary.length);
	buffer_done(&summary);
	conf_free(conf);
}

static void required_tls_for_all_the_world_is_warned_of(void **state)
{
	struct conf *conf = load_right(SMALL "tls { certificate = {a, b} key = {c, d} }\nlisten \":25\" { tls = required }\n");
	struct buffer summary;

	(void)state;
	assert_int_equal(conf->tls.certificate_count, 2);
	buffer_init(&summary, 1 << 16);
	assert_true(conf_summary(conf, &summary));
	assert_true(text_find(buffer_text(&summary), TEXT("t.conf:5: warning: ")) < summary.length);
	buffer_done(&summary);
	conf_free(conf);
}

/* += adds to the default; = replaces it, also by nothing. */
static void lists_grow_and_are_emptied(void **state)
{
	struct conf *conf = load_right(SMALL "relay-from += {\"10.0.0.0/8\"}\n");

	(void)state;
	assert_int_equal(conf->relay_from_count, 3);
	conf_free(conf);
	conf = load_right(SMALL "relay-from = {}\n");
	assert_int_equal(conf->relay_from_count, 0);
	conf_free(conf);
	conf = load_right("hostname = a.test\ndomains = {}\nlisten \":25\" {}\n");
	assert_int_equal(conf->domain_count, 0);
	conf_free(conf);
}

/* SMALL has three lines: what is added begins in line 4. */
static const struct {
	const char *text;
	const char *complaints; /* All of them, without the file's name. */
} wrong[] = {
	{ "domains = {\"a.test\"}\nlisten \"127.0.0.1:25\" {}\n", "1: hostname is missing (hint: hostname = \"mail.example.org\")\n" },
	{ "hostname = \"a.test\"\ndomains = {\"a.test\"}\n", "1: nothing listens (hint: listen \"0.0.0.0:25\" { role = mx })\n" },
	{ "hostname = a.test\nlisten \":25\" {}\n",
	    "1: no domains and no route (hint: domains = {\"example.org\"}, or domains = {} for a server that only sends)\n" },
	{ "hostname = a.test\ndomains = {}\nrelay-from = {}\nlisten \":25\" {}\n",
	    "1: no domains and no relay-from: every message would be refused (hint: fill one of them)\n" },
	/* Names. */
	{ SMALL "hostnam = \"x\"\n", "4: unknown option \"hostnam\" (hint: did you mean \"hostname\"?)\n" },
	{ SMALL "\nrelay_from = {\"x\"}\n", "5: unknown option \"relay_from\" (hint: did you mean \"relay-from\"?)\n" },
	{ SMALL "outbound { prot = 25 }\n", "4: unknown option \"prot\" in section outbound (hint: did you mean \"port\"?)\n" },
	{ SMALL "lisen \"127.0.0.1:1\" {\n}\n", "4: unknown option \"lisen\" (hint: did you mean \"listen\"?)\n" },
	{ SMALL "bananas = 1\n", "4: unknown option \"bananas\" (hint: postroad.conf(5) lists all options)\n" },
	{ SMALL "log {\n users = 1 }\n", "5: unknown option \"users\" in section log (hint: it belongs outside of any section)\n" },
	{ SMALL "users { }\n", "4: users is no section (hint: users = ...)\n" },
	{ SMALL "log = text\n", "4: log is a section (hint: log { ... })\n" },
	{ SMALL "listen { }\n", "4: listen wants a title (hint: listen \"0.0.0.0:25\" { ... })\n" },
	{ SMALL "queue \"x\" { }\n", "4: queue takes no title (hint: queue { ... })\n" },
	/* Things that stand twice. */
	{ SMALL "dkim {\n oversign = {\"Subject\", \"Received\"} }\n",
	    "5: dkim oversign: \"Received\" is added on the way, which would break every signature (hint: leave it out)\n" },
	{ SMALL "dkim { oversign = {\"Sub ject\"} }\n",
	    "4: dkim oversign: \"Sub ject\" is no name of a header field (hint: \"Subject\")\n" },
	{ SMALL "dkim { expire = 400d }\n", "4: dkim expire = \"400d\" is out of range (hint: from 0s to 365d)\n" },
	{ SMALL "hostname = a.test\n", "4: hostname stands in line 1 already (hint: keep one of them)\n" },
	{ SMALL "log { to = a\n to = b }\n", "5: to stands in line 4 already (hint: keep one of them)\n" },
	{ SMALL "log { }\nlog { to = stderr }\n", "5: log stands in line 4 already (hint: keep one of them)\n" },
	{ SMALL "listen \"127.0.0.1:2525\" {\n}\n", "4: listen \"127.0.0.1:2525\" stands in line 3 already (hint: keep one of them)\n" },
	{ SMALL "listen \":1\" {}\nlisten \"*:1\" {}\n", "5: listen \"*:1\" is the same as that of line 4 (hint: keep one of them)\n" },
	{ SMALL "route \"A.test\" { via = {b} }\nroute \"a.test\" { via = {b} }\n",
	    "5: route \"a.test\" is the same as that of line 4 (hint: keep one of them)\n" },
	{ SMALL "domains += {\"EXAMPLE.org\"}\n", "2: domains = \"example.org\" stands there twice (hint: keep one of them)\n" },
	{ SMALL "user \"a\" { }\nuser \"A\" { }\n", "5: user \"A\" is the same as that of line 4 (hint: keep one of them)\n" },
	/* Values. */
	{ SMALL "user \"a\" {\n send-as = {bob}\n}\n",
	    "5: user send-as = \"bob\" is nobody (hint: sales@example.org, @example.org or *)\n" },
	{ SMALL "user \"a\" {\n messages = 5\n}\n",
	    "5: user messages = \"5\" is not a rate (hint: a number and a duration from 1s to 30d, like 100/1h, or none)\n" },
	{ SMALL "users = {\"a\"}\n", "4: users takes one value (hint: leave out the braces)\n" },
	{ SMALL "users += a\n", "4: users takes one value (hint: = in place of +=)\n" },
	{ SMALL "outbound {\n port = 70000\n}\n", "5: outbound port = \"70000\" is out of range (hint: from 1 to 65535)\n" },
	{ SMALL "outbound { port = smtp }\n", "4: outbound port = \"smtp\" is not a number (hint: digits only)\n" },
	{ SMALL "limits { message-size = 10X }\n",
	    "4: limits message-size = \"10X\" is not a size (hint: a number with the unit K, M or G, like 50M)\n" },
	{ SMALL "limits { message-size = 18446744073709551615G }\n",
	    "4: limits message-size = \"18446744073709551615G\" is not a size (hint: a number with the unit K, M or G, like 50M)\n" },
	{ SMALL "limits { idle = 2h }\n", "4: limits idle = \"2h\" is out of range (hint: from 1s to 1h)\n" },
	{ SMALL "queue { lifetime = 5 }\n",
	    "4: queue lifetime = \"5\" is not a duration (hint: a number with the unit ms, s, m, h or d, like 30s)\n" },
	{ SMALL "queue { retry = {} }\n", "4: queue retry is empty (hint: like {\"1m\", \"5m\"})\n" },
	{ SMALL "queue { retry = {\"0s\"} }\n", "4: queue retry = \"0s\" is out of range (hint: from 1ms to 30d)\n" },
	{ SMALL "queue {\n lifetime = 1h\n warn-after = 2h\n}\n",
	    "6: queue warn-after is longer than lifetime (hint: a shorter one, or 0s for no warning)\n" },
	{ SMALL "listen \"nowhere\" {\n role = mx\n}\n",
	    "4: listen \"nowhere\" is not ADDRESS:PORT (hint: like 0.0.0.0:25, [::]:25 or *:25)\n" },
	{ SMALL "listen \"127.0.0.1\" {}\n", "4: listen \"127.0.0.1\" is not ADDRESS:PORT (hint: like 0.0.0.0:25, [::]:25 or *:25)\n" },
	{ SMALL "listen \":26\" {\n\n role = mailer }\n",
	    "6: listen role = \"mailer\" is not a word for this (hint: one of: mx submission lmtp)\n" },
	{ SMALL "block-list \"no zone\" {}\n", "4: block-list \"no zone\" is no domain (hint: like zen.spamhaus.org)\n" },
	{ SMALL "allow-list \"a.test\" { replies = {} }\n", "4: allow-list \"a.test\" has no replies (hint: 127.0.0.0/16)\n" },
	{ SMALL "listen \":2525\" { proxy = yes }\n",
	    "4: listen \":2525\" would send everybody away: proxy-from is empty (hint: proxy-from = {\"192.0.2.7\"})\n" },
	{ SMALL "relay-from = {}\nlisten \":587\" { role = submission }\n",
	    "5: listen \":587\" would refuse everybody: relay-from is empty and nobody can log in without users and TLS "
	    "(hint: relay-from = {\"127.0.0.1\"})\n" },
	{ SMALL "mailbox { path = \"/a/%u\"\n lmtp = \"unix:/b\" }\n", "5: mailbox has both path and lmtp (hint: keep one of them)\n" },
	{ SMALL "mailbox { path = \"/a\" }\n", "4: mailbox path = \"/a\" is one for all users (hint: %u is the user)\n" },
	{ SMALL "mailbox { path = \"/%u/%x\" }\n",
	    "4: mailbox path = \"/%u/%x\" has a % that stands for nothing (hint: %u, %d, %t or %%)\n" },
	{ SMALL "dns { zone = \"z\" server = {\"127.0.0.1\"} }\n",
	    "4: dns has a zone and somebody to ask (hint: keep the zone, or server and config)\n" },
	{ SMALL "dns { server = {\"localhost\"} }\n",
	    "4: dns server = \"localhost\" is not an address (hint: like 127.0.0.1 or 127.0.0.1@5353)\n" },
	{ SMALL "dns { server = {\"127.0.0.1\"} }\nroute \"x.test\" { tls = dane }\n",
	    "5: route \"x.test\" demands DANE, and nothing in the DNS is validated (hint: dns { trust-anchor = "
	    "\"/usr/share/dns/root.key\" })\n" },
	{ SMALL "route \"x.test\" {}\n", "4: route \"x.test\" leads nowhere (hint: via = {\"mx.example.net:25\"})\n" },
	{ SMALL "route \"x.test\" { via = {a}\n lmtp = yes\n fallback = {b} }\n",
	    "6: route \"x.test\" speaks LMTP and has a fallback (hint: a relay does not know the mailboxes; leave one of them out)\n" },
	{ SMALL "route \"x.test\" {\n fallback = {a, b, c, d, e} }\n", "5: too many fallback relays (hint: at most 4)\n" },
	{ SMALL "route \"x.test\" {\n pool = p }\noutbound { pool = q }\npool P { addresses = {192.0.2.1} }\n",
	    "5: route pool = \"p\" is not there (hint: pool \"p\" { addresses = {\"192.0.2.1\"} })\n"
	    "6: outbound pool = \"q\" is not there (hint: pool \"q\" { addresses = {\"192.0.2.1\"} })\n" },
	{ SMALL "pool a { }\npool \"b c\" {\n addresses = {a}\n hostname = \"x y\" }\n",
	    "4: pool \"a\" has no addresses (hint: addresses = {\"192.0.2.1\"})\n"
	    "5: pool \"b c\" is no name (hint: letters, digits, - and _)\n"
	    "6: pool addresses = \"a\" is not an IP address (hint: like 192.0.2.1 or 2001:db8::1)\n"
	    "7: pool hostname = \"x y\" is not a host name (hint: like mail.example.org)\n" },
	{ SMALL "pool a { addresses = {192.0.2.1} }\npool 'a' { addresses = {192.0.2.2} }\n",
	    "5: pool \"a\" stands in line 4 already (hint: keep one of them)\n" },
	{ SMALL "pool a { addresses = {192.0.2.1} }\noutbound { source = {192.0.2.2}\n pool = a }\n",
	    "6: outbound has both source and pool (hint: keep one of them; a pool has addresses of its own)\n" },
	{ SMALL "pool a {\n socks5 = 'proxy.test' }\npool b {\n socks5 = 'unix:/s' }\npool c {\n socks5 = '192.0.2.1:0' }\n",
	    "5: pool socks5 = \"proxy.test\" is no address (hint: like 127.0.0.1:1080 or [2001:db8::1]:1080)\n"
	    "7: pool socks5 = \"unix:/s\" is no address (hint: like 127.0.0.1:1080 or [2001:db8::1]:1080)\n"
	    "9: pool socks5 = \"192.0.2.1:0\" is no address (hint: like 127.0.0.1:1080 or [2001:db8::1]:1080)\n" },
	{ SMALL "pool a {\n addresses = {192.0.2.1}\n socks5 = '192.0.2.1' }\n",
	    "4: pool \"a\" has both addresses and socks5 (hint: keep one of them; who is called sees the proxy's address)\n" },
	{ SMALL "pool a {\n addresses = {192.0.2.1}\n user = u password-file = p }\npool b { socks5 = '192.0.2.1' user = u }\n",
	    "4: pool \"a\" has half of a login (hint: socks5, user and password-file)\n"
	    "7: pool \"b\" has half of a login (hint: socks5, user and password-file)\n" },
	{ SMALL "destination \"x y\" { rate = \"10/1m\" }\ndestination \"x.test\" {}\ndestination \"X.test\" { connections = 2 concurrency = 3 }\n"
	    "destination \"big\" { mx = {\"a b\"} connections = 1001 rate = \"9/1s\" }\n",
	    "4: destination \"x y\" is not a domain (hint: example.net, .example.net or *; or say its hosts: mx = {\".example.net\"})\n"
	    "5: destination \"x.test\" fixes nothing (hint: concurrency = 5)\n"
	    "6: destination \"X.test\" has more deliveries than connections at one time (hint: concurrency = 2)\n"
	    "6: destination \"X.test\" is the same as that of line 5 (hint: keep one of them)\n"
	    "7: destination mx = \"a b\" is not a host (hint: mx.example.net or .example.net)\n"
	    "7: destination connections = \"1001\" is out of range (hint: from 0 to 1000)\n" },
	{ SMALL "route \"x.test\" {\n via = {\"a b\"} }\n",
	    "5: route via = \"a b\" is not a host (hint: NAME, NAME:PORT, ADDRESS:PORT or unix:PATH)\n" },
	{ SMALL "route \"x.test\" { via = {a}\n from = {bob, \".x y\", \"@[192.0.2.1]\", \"@\"} }\n",
	    "5: route from = \"bob\" is not a sender (hint: bob@example.org, @example.org, .example.org or <>)\n"
	    "5: route from = \".x y\" is not a sender (hint: bob@example.org, @example.org, .example.org or <>)\n"
	    "5: route from = \"@[192.0.2.1]\" is not a sender (hint: bob@example.org, @example.org, .example.org or <>)\n"
	    "5: route from = \"@\" is not a sender (hint: bob@example.org, @example.org, .example.org or <>)\n" },
	{ SMALL "route \"example.org\" {\n from = {\"<>\"} }\n",
	    "5: route \"example.org\" cannot be for some senders only (hint: the domain is ours; leave from out)\n" },
	{ SMALL "route \"*\" { from = {\"@a.test\", \"b@a.test\"} }\nroute '*' { via = {a} }\nroute \"*\" { from = {\"B@a.test\"} }\n",
	    "6: route \"*\" is the same as that of line 4 (hint: keep one of them)\n" },
	{ SMALL "route \"x.test\" {}\nroute \"x.test\" { vai = {a} }\n",
	    "4: route \"x.test\" leads nowhere (hint: via = {\"mx.example.net:25\"})\n"
	    "5: unknown option \"vai\" in section route (hint: postroad.conf(5) lists all options)\n"
	    "5: route \"x.test\" leads nowhere (hint: via = {\"mx.example.net:25\"})\n"
	    "5: route \"x.test\" is the same as that of line 4 (hint: keep one of them)\n" },
	{ SMALL "route \"x.test\" { via = {\"a:0\"} }\n",
	    "4: route via = \"a:0\" is not a host (hint: NAME, NAME:PORT, ADDRESS:PORT or unix:PATH)\n" },
	{ SMALL "route \"x y\" { via = {a} }\n", "4: route \"x y\" is not for a domain (hint: example.net, .example.net or *)\n" },
	{ SMALL "relay-from = {\"10.0.0.0/40\"}\n",
	    "4: relay-from = \"10.0.0.0/40\" is neither an address nor a network (hint: like 192.0.2.1 or 192.0.2.0/24)\n" },
	{ SMALL "reports { contact = nobody }\n",
	    "4: reports contact = \"nobody\" is not an address (hint: like postmaster@example.org)\n" },
	{ SMALL "outbound { source = {\"a\"} prefer-ip6 = 2 }\n",
	    "4: outbound source = \"a\" is not an IP address (hint: like 192.0.2.1 or 2001:db8::1)\n"
	    "4: outbound prefer-ip6 = \"2\" is neither yes nor no (hint: yes or no)\n" },
	{ SMALL "separator = \"@\"\n", "4: separator = \"@\" cannot divide a name (hint: \"+\" or \"-\")\n" },
	{ SMALL "log { to = \"\" }\n", "4: log to = \"\" leads nowhere (hint: stderr, syslog or a path)\n" },
	{ "hostname = \"not a\nname\"\ndomains = {a}\nlisten \":25\" {}\n",
	    "1: hostname = \"not a?name\" is not a host name (hint: like mail.example.org)\n" },
	{ SMALL "listen \":465\" {\n tls = implicit }\n",
	    "5: listen \":465\" wants TLS, and there is no certificate (hint: tls { certificate = \"fullchain.pem\" key = "
	    "\"privkey.pem\" })\n" },
	{ SMALL "tls {\n key = k\n certificate = {c, d}\n}\n",
	    "4: tls has 2 certificates and 1 keys (hint: a key for each, in the same order)\n" },
	{ SMALL "users = u\noauth { issuer = i keys = k }\n",
	    "5: oauth lacks one of keys, issuer and audience (hint: all three, for a token of anybody for anybody proves nothing)\n" },
	{ SMALL "oauth { issuer = i keys = k audience = {a}\n claim = \"\" }\n",
	    "4: oauth needs users (hint: users = \"/etc/postroad/users\", whose names may log in)\n"
	    "5: oauth claim = \"\" names nobody (hint: \"email\" or \"sub\")\n" },
	{ SMALL "auth { dovecot = \"127.0.0.1:1234\" }\n",
	    "4: auth dovecot = \"127.0.0.1:1234\" is no socket of this machine (hint: unix:/run/dovecot/auth-client)\n" },
	{ SMALL "route \"*\" {\n via = {a}\n tls = required\n user = u }\n", "4: route \"*\" has half of a login (hint: user and password-file)\n" },
	{ SMALL "route \"*\" {\n via = {a}\n tls = required\n password-file = p }\n",
	    "4: route \"*\" has half of a login (hint: user and password-file)\n" },
	{ SMALL "route \"*\" {\n via = {\"127.0.0.1\", \"192.0.2.1\"}\n user = u\n password-file = p }\n",
	    "4: route \"*\" logs in where others may listen (hint: tls = required, or tls = implicit for port 465)\n" },
	{ SMALL "route \"*\" {\n via = {localhost}\n tls = none user = u\n password-file = p }\n",
	    "4: route \"*\" logs in where others may listen (hint: tls = required, or tls = implicit for port 465)\n" },
	{ SMALL "route \"a.test\" { via = {a} tls = required user = u password-file = p }\n"
	        "route \"b.test\" { via = {a} tls = implicit user = u password-file = q }\n",
	    "5: route \"b.test\" has another password-file than that of line 4 for the same user and hosts (hint: keep one of them)\n" },
	{ SMALL "web { listen = \"elsewhere\" }\n", "4: web listen = \"elsewhere\" is no address (hint: 127.0.0.1:8025)\n" },
	{ SMALL "web { listen = \"127.0.0.1\" tls = yes }\n",
	    "4: web wants TLS, and there is no certificate (hint: tls { certificate = \"fullchain.pem\" key = \"privkey.pem\" })\n" },
	{ SMALL "web { listen = \"0.0.0.0:8025\" }\n",
	    "4: web listens beyond this machine and has no tokens (hint: tokens = \"web-tokens\")\n"
	    "4: web listens beyond this machine without TLS (hint: tls = yes, or tls = no where the network is trusted)\n" },
	/* What this version cannot do. */
	{ SMALL "spool { engine = postgres }\n",
	    "4: spool engine = \"postgres\" cannot be had (hint: the PostgreSQL engine is not built into this version)\n" },
	/* Syntax. */
	{ SMALL "outbound {\n", "4: what begins here has no end (hint: a } is missing)\n" },
	{ SMALL "outbound {\n port = 25\nlog { to = stderr }\n",
	    "6: section \"log\" begins inside section outbound (hint: a } is missing before it)\n" },
	{ SMALL "relay-from = {\"a\", \n", "4: what begins here has no end (hint: a } is missing)\n" },
	{ SMALL "outbound }\n", "4: missing opening brace for section 'outbound' (hint: name { ... })\n" },
	{ SMALL "}\n", "4: unexpected closing brace (hint: a { is missing, or there is one } too many)\n" },
	{ SMALL "users \"x\"\n", "4: missing equal sign after option 'users' (hint: name = value)\n" },
	{ SMALL "\nrelay-from = {\"::1\" \"127.0.0.1\"}\n",
	    "5: unexpected token '127.0.0.1' (hint: values with blanks or signs want quotes, lists want commas)\n" },
	/* Several at once, in the order of the file. */
	{ "listen \"x\" {}\nhostname = \"a b\"\nlog { formt = xml\n format = xml }\nqueue { lifetime = soon }\nunknwon = {a,\n b}\ndomains = {\"..\"}\n",
	    "1: listen \"x\" is not ADDRESS:PORT (hint: like 0.0.0.0:25, [::]:25 or *:25)\n"
	    "2: hostname = \"a b\" is not a host name (hint: like mail.example.org)\n"
	    "3: unknown option \"formt\" in section log (hint: did you mean \"format\"?)\n"
	    "4: log format = \"xml\" is not a word for this (hint: one of: text json)\n"
	    "5: queue lifetime = \"soon\" is not a duration (hint: a number with the unit ms, s, m, h or d, like 30s)\n"
	    "6: unknown option \"unknwon\" (hint: postroad.conf(5) lists all options)\n"
	    "8: domains = \"..\" is not a domain (hint: like example.org)\n" },
};

/* Is `said` the expected complaints, each behind the file's name? */
static bool said_is(struct text said, const char *expected)
{
	struct text rest = text_of(expected), line;

	while (text_cut(&rest, '\n', &line) && (line.length > 0 || rest.bytes != NULL)) {
		const struct text file = TEXT("/etc/postroad/t.conf:");

		if (!text_starts(said, file) || !text_starts(text_from(said, file.length), line))
			return false;
		said = text_from(said, file.length + line.length);
		if (!text_starts(said, TEXT("\n")))
			return false;
		said = text_from(said, 1);
	}
	return said.length == 0;
}

static void wrong_files_are_refused_with_all_reasons(void **state)
{
	unsigned failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct buffer complaints;
		struct conf *conf = load(wrong[i].text, &complaints);

		if (conf != NULL || !said_is(buffer_text(&complaints), wrong[i].complaints)) {
			print_message("--- %s\nexpected: %s\nsaid: %.*s\n", wrong[i].text, wrong[i].complaints,
			    TEXT_FORMAT(buffer_text(&complaints)));
			failures++;
		}
		conf_free(conf);
		buffer_done(&complaints);
	}
	assert_int_equal(failures, 0);
}

/* No file, whatever its bytes, is refused without a word or accepted with one. */
static void every_cut_and_every_changed_byte_is_answered(void **state)
{
	static const char whole[] = SMALL "route \"*\" { via = {\"a\", 'b'} lmtp = yes } # x\nqueue { retry = {1s} } /* y */\n";
	static const char bytes[] = "{}=\"'\\#\n+$/ \x01\xff";
	char text[sizeof whole];

	(void)state;
	for (size_t at = 0; at + 1 < sizeof whole; at++) {
		for (size_t b = 0; b < sizeof bytes; b++) { /* The NUL at the end cuts the text. */
			struct buffer complaints;

			for (size_t i = 0; i < sizeof whole; i++)
				text[i] = whole[i];
			text[at] = bytes[b];
			struct conf *conf = load(text, &complaints);

			if ((conf == NULL) == (complaints.length == 0))
				fail_msg("%s\nsaid: %.*s", text, TEXT_FORMAT(buffer_text(&complaints)));
			conf_free(conf);
			buffer_done(&complaints);
		}
	}
}

static void a_rate_is_a_number_and_a_duration(void **state)
{
	static const char *const not_rates[] = { "", "100", "100/", "/1h", "0/1h", "100/1", "100/0s", "100/999ms", "100/31d", "1000001/1h",
		"100/1h/1h", "-1/1h", "100 / 1h", "None" };
	struct rate rate = { 7, 7 };

	(void)state;
	assert_true(value_rate(TEXT("100/1h"), &rate));
	assert_true(rate.count == 100 && rate.period_ms == 3600 * 1000);
	assert_true(value_rate(TEXT("1000000/30d"), &rate));
	assert_true(rate.count == RATE_COUNT_MAX && rate.period_ms == RATE_PERIOD_MS_MAX);
	for (size_t i = 0; i < sizeof not_rates / sizeof not_rates[0]; i++)
		assert_false(value_rate(text_of(not_rates[i]), &rate));
	assert_true(value_rate(TEXT("none"), &rate));
	assert_int_equal(rate.count, 0);
}

static void complaints_are_bounded(void **state)
{
	struct buffer complaints, text;

	(void)state;
	buffer_init(&text, 1 << 20);
	for (unsigned i = 0; i < 5000; i++)
		assert_true(buffer_print(&text, "bananas%u = 1\n", i));
	assert_true(buffer_append(&text, (struct text){ "", 1 }));
	assert_null(load(buffer_text(&text).bytes, &complaints));
	assert_true(text_ends(buffer_text(&complaints), TEXT("more is wrong than is told here\n")));
	assert_true(complaints.length < 20000);
	buffer_done(&complaints);
	buffer_done(&text);
}

static void the_sample_is_a_right_file(void **state)
{
	struct buffer sample;

	(void)state;
	buffer_init(&sample, 1 << 20);
	assert_true(conf_print_sample(&sample) && buffer_append(&sample, (struct text){ "", 1 }));
	conf_free(load_right(buffer_text(&sample).bytes));
	buffer_done(&sample);
}

/* What an option cannot be without, behind it in its section; and behind the section. */
static const char *companion_of(const struct option *option)
{
	if (text_equal(text_of(option->section), TEXT("route")) && !option_is_list(option))
		return text_equal(text_of(option->name), TEXT("user"))           ? " via = {a} tls = required password-file = p"
		    : text_equal(text_of(option->name), TEXT("password-file")) ? " via = {a} tls = required user = u"
		                                                               : " via = {a}";
	if (text_equal(text_of(option->section), TEXT("pool")) && !option_is_list(option))
		return text_equal(text_of(option->name), TEXT("user"))           ? " socks5 = '192.0.2.1' password-file = p"
		    : text_equal(text_of(option->name), TEXT("password-file")) ? " socks5 = '192.0.2.1' user = u"
		    : text_equal(text_of(option->name), TEXT("socks5"))        ? ""
		                                                               : " addresses = {192.0.2.1}";
	if (text_equal(text_of(option->section), TEXT("webhook")))
		return text_equal(text_of(option->name), TEXT("url"))           ? " secret-file = s"
		    : text_equal(text_of(option->name), TEXT("secret-file")) ? " url = 'https://example.org/'"
		                                                             : " url = 'https://example.org/' secret-file = s";
	if (text_equal(text_of(option->section), TEXT("pipe")))
		return text_equal(text_of(option->name), TEXT("for"))     ? " command = {/bin/c} user = u"
		    : text_equal(text_of(option->name), TEXT("command")) ? " for = {a@example.org} user = u"
		    : text_equal(text_of(option->name), TEXT("user"))    ? " for = {a@example.org} command = {/bin/c}"
		                                                         : " for = {a@example.org} command = {/bin/c} user = u";
	if (text_equal(text_of(option->section), TEXT("destination")))
		return text_equal(text_of(option->name), TEXT("concurrency")) ? " rate = 9/1m" : " concurrency = 4";
	if (text_equal(text_of(option->section), TEXT("tls")) && option_is_list(option))
		return text_equal(text_of(option->name), TEXT("key")) ? " certificate = c" : " key = k";
	if (!text_equal(text_of(option->section), TEXT("oauth")))
		return "";
	return text_equal(text_of(option->name), TEXT("keys"))      ? " issuer = i audience = {a}"
	    : text_equal(text_of(option->name), TEXT("issuer"))   ? " keys = k audience = {a}"
	    : text_equal(text_of(option->name), TEXT("audience")) ? " keys = k issuer = i"
	                                                          : " keys = k issuer = i audience = {a}";
}

static const char *follower_of(const struct option *option)
{
	return text_equal(text_of(option->name), TEXT("pool"))      ? "pool newsletters { addresses = {192.0.2.1} }\npool everyday { addresses = {\"::1\"} }\n"
	    : text_equal(text_of(option->section), TEXT("listen")) ? "tls { certificate = c key = k }\n"
	    : text_equal(text_of(option->section), TEXT("oauth"))   ? "users = u\n"
	                                                            : "";
}

/* One option, with its example or default, in a file that is right otherwise. */
static bool print_file(const struct option *option, const char *value, struct buffer *out)
{
	const struct section *section = conf_section_find(text_of(option->section));
	struct text rest = text_of(value), item;
	bool ok = buffer_append(out, section == NULL && text_equal(text_of(option->name), TEXT("hostname")) ? TEXT("domains = {a}\nlisten \":25\" {}\n")
	        : text_equal(text_of(option->name), TEXT("domains"))                     ? TEXT("hostname = a.test\nlisten \":25\" {}\n")
	                                                                                 : TEXT(SMALL));

	if (section != NULL)
		ok = ok && buffer_print(out, "%s ", section->name);
	if (section != NULL && section->title != NULL)
		ok = ok && buffer_print(out, "\"%s\" ", section->example);
	ok = ok && buffer_print(out, "%s%s = ", section ? "{ " : "", option->name);
	if (!option_is_list(option))
		ok = ok && buffer_print(out, "\"%s\"", value);
	for (bool first = true; option_is_list(option) && text_cut(&rest, ',', &item); first = false)
		ok = ok && buffer_print(out, "%s\"%.*s\"", first ? "{" : ", ", TEXT_FORMAT(text_trim(item)));
	if (option_is_list(option))
		ok = ok && buffer_append(out, TEXT("}"));
	ok = ok && buffer_append(out, text_of(companion_of(option)));
	return ok && buffer_print(out, "%s%s", section ? " }\n" : "\n", follower_of(option)) && buffer_append(out, (struct text){ "", 1 });
}

static void each_option_takes_its_example_or_says_why_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_option_count; i++) {
		const struct option *option = &conf_options[i];
		struct buffer file, complaints;

		assert_non_null(option_example(option));
		buffer_init(&file, 4096);
		assert_true(print_file(option, option_example(option), &file));
		struct conf *conf = load(buffer_text(&file).bytes, &complaints);
		const bool refused = option->availability != NOW && option->kind != KIND_ENUM;

		if ((conf == NULL) != refused)
			fail_msg("%s\nsaid: %.*s", buffer_text(&file).bytes, TEXT_FORMAT(buffer_text(&complaints)));
		conf_free(conf);
		buffer_done(&complaints);
		buffer_done(&file);
	}
}

static void each_option_is_in_the_manual_and_the_sample(void **state)
{
	struct buffer manual, sample;

	(void)state;
	buffer_init(&manual, 1 << 20);
	buffer_init(&sample, 1 << 20);
	assert_true(conf_print_manual(&manual) && conf_print_sample(&sample));
	for (size_t i = 0; i < conf_option_count; i++) {
		char entry[96];

		snprintf(entry, sizeof entry, ".It Ic %s No = ", conf_options[i].name);
		assert_true(text_find(buffer_text(&manual), text_of(entry)) < manual.length);
		snprintf(entry, sizeof entry, "%s = ", conf_options[i].name);
		if (conf_options[i].availability == NOW)
			assert_true(text_find(buffer_text(&sample), text_of(entry)) < sample.length);
	}
	buffer_done(&manual);
	buffer_done(&sample);
}

static void mail_may_leave_from_pools(void **state)
{
	struct conf *conf = load_right(SMALL
	    "route \"x.test\" { pool = news }\noutbound { pool = usual }\npool news { addresses = {192.0.2.1, \"2001:db8::1\"} hostname = out.test }\n"
	    "pool usual { addresses = {192.0.2.9} }\n");
	struct buffer summary;

	(void)state;
	assert_int_equal(conf->pool_count, 2);
	assert_string_equal(conf->pools[0].name.bytes, "news");
	assert_int_equal(conf->pools[0].address_count, 2);
	assert_int_equal(conf->pools[0].addresses[1].family, ENDPOINT_IP6);
	assert_string_equal(conf->pools[0].hostname.bytes, "out.test");
	assert_string_equal(conf->pools[1].hostname.bytes, conf->hostname.bytes);
	assert_string_equal(conf->routes[0].pool.bytes, "news");
	assert_int_equal(conf->routes[0].via_count, 0);
	assert_string_equal(conf->outbound.pool.bytes, "usual");
	buffer_init(&summary, 1 << 16);
	assert_true(conf_summary(conf, &summary));
	assert_true(text_find(buffer_text(&summary), TEXT("pool news greets as out.test\n      from        192.0.2.1, 2001:db8::1\n")) < summary.length);
	buffer_done(&summary);
	conf_free(conf);
}

static void a_pool_may_have_a_proxy(void **state)
{
	struct conf *conf = load_right(SMALL "pool a { socks5 = '127.0.0.1' }\npool b { socks5 = '[2001:db8::1]:9050' user = u password-file = p }\n");
	struct buffer summary;
	char room[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_string_equal(endpoint_print(&conf->pools[0].proxy, room).bytes, "127.0.0.1:1080");
	assert_string_equal(conf->pools[0].password_file, "");
	assert_string_equal(endpoint_print(&conf->pools[1].proxy, room).bytes, "[2001:db8::1]:9050");
	assert_string_equal(conf->pools[1].user.bytes, "u");
	assert_string_equal(conf->pools[1].password_file, "/etc/postroad/p");
	assert_false(text_equal(conf->pools[0].login_place, conf->pools[1].login_place));
	buffer_init(&summary, 1 << 16);
	assert_true(conf_summary(conf, &summary));
	assert_true(text_find(buffer_text(&summary), TEXT("from        SOCKS5 proxy [2001:db8::1]:9050\n")) < summary.length);
	buffer_done(&summary);
	conf_free(conf);
}

static void routes_of_one_title_are_for_different_senders(void **state)
{
	struct conf *conf = load_right(SMALL
	    "route \"*\" { via = {a} }\nroute \"*\" { via = {b} from = {\"@x.test\"} }\n"
	    "route '*' { from = {\"bob@x.test\", \"<>\"} }\nroute y.test { via = {c} from = {\".x.test\"} tls = none }\n"
	    "route y.test { via = {d} }\n");

	(void)state;
	assert_int_equal(conf->route_count, 5);
	assert_string_equal(conf->routes[1].pattern.bytes, "*");
	assert_string_equal(conf->routes[1].via[0].bytes, "b");
	assert_string_equal(conf->routes[1].from[0].bytes, "@x.test");
	assert_string_equal(conf->routes[2].pattern.bytes, "*");
	assert_int_equal(conf->routes[2].from_count, 2);
	assert_int_equal(conf->routes[2].via_count, 0);
	assert_int_equal(conf->routes[3].tls, CONF_TLS_NONE);
	assert_string_equal(conf->routes[4].pattern.bytes, "y.test");
	assert_int_equal(conf->routes[4].from_count, 0);
	assert_int_equal(conf->routes[4].line, 8);
	conf_free(conf);
}

static void a_summary_names_what_matters(void **state)
{
	static const char *const words[] = { "mail.example.org", "example.org", "127.0.0.1:2525 (mx)", "/var/lib/postroad/spool",
		"partner.test", "mx.test:26" };
	struct conf *conf = load_right(SMALL "route \"partner.test\" { via = {\"mx.test:26\"} }\n");
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	assert_true(conf_summary(conf, &out));
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		assert_true(text_find(buffer_text(&out), text_of(words[i])) < out.length);
	buffer_done(&out);
	conf_free(conf);
}

static void a_summary_of_much_is_short(void **state)
{
	struct buffer file, out;

	(void)state;
	buffer_init(&file, 4 << 20);
	assert_true(buffer_append(&file, TEXT("hostname = a.test\nlisten \":25\" {}\ndomains = {a.test")));
	for (unsigned i = 0; i < 5000; i++)
		assert_true(buffer_print(&file, ", d%u.test", i));
	assert_true(buffer_append(&file, TEXT("}\n")));
	for (unsigned i = 0; i < 100; i++)
		assert_true(buffer_print(&file, "listen \":%u\" {}\nroute \"r%u.test\" { via = {a} }\n", i + 1000, i));
	assert_true(buffer_append(&file, (struct text){ "", 1 }));

	struct conf *conf = load_right(buffer_text(&file).bytes);

	buffer_init(&out, 4096);
	assert_int_equal(conf->domain_count, 5001);
	assert_true(conf_summary(conf, &out));
	assert_true(text_find(buffer_text(&out), TEXT(" and 4991 more\n")) < out.length);
	assert_true(text_find(buffer_text(&out), TEXT("routes: and 90 more\n")) < out.length);
	conf_free(conf);
	buffer_done(&out);
	buffer_done(&file);
}

static void files_are_read_from_disk(void **state)
{
	char path[] = "/tmp/postroad-conf-test-XXXXXX";
	const int fd = mkstemp(path);
	struct buffer complaints;
	struct conf *conf;

	(void)state;
	buffer_init(&complaints, 4096);
	assert_true(fd >= 0 && write(fd, SMALL "users = u\n", sizeof SMALL + 9) == (ssize_t)sizeof SMALL + 9);
	conf = conf_load(path, &complaints);
	assert_non_null(conf);
	assert_string_equal(conf->path, path);
	assert_string_equal(conf->users, "/tmp/u");
	conf_free(conf);

	assert_int_equal(write(fd, "\0", 1), 1);
	close(fd);
	assert_null(conf_load(path, &complaints));
	assert_true(text_find(buffer_text(&complaints), TEXT("it holds a NUL byte")) < complaints.length);
	unlink(path);
	buffer_clear(&complaints);
	assert_null(conf_load(path, &complaints));
	assert_true(text_find(buffer_text(&complaints), TEXT(":1: cannot be read: No such file")) < complaints.length);
	assert_null(conf_load("/tmp", &complaints));
	buffer_done(&complaints);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_file_has_sensible_defaults),
		cmocka_unit_test(everything_of_this_version_is_read),
		cmocka_unit_test(tls_is_offered_where_there_is_a_certificate),
		cmocka_unit_test(required_tls_for_all_the_world_is_warned_of),
		cmocka_unit_test(lists_grow_and_are_emptied),
		cmocka_unit_test(wrong_files_are_refused_with_all_reasons),
		cmocka_unit_test(every_cut_and_every_changed_byte_is_answered),
		cmocka_unit_test(a_rate_is_a_number_and_a_duration),
		cmocka_unit_test(complaints_are_bounded),
		cmocka_unit_test(the_sample_is_a_right_file),
		cmocka_unit_test(each_option_takes_its_example_or_says_why_not),
		cmocka_unit_test(each_option_is_in_the_manual_and_the_sample),
		cmocka_unit_test(mail_may_leave_from_pools),
		cmocka_unit_test(a_pool_may_have_a_proxy),
		cmocka_unit_test(routes_of_one_title_are_for_different_senders),
		cmocka_unit_test(a_summary_names_what_matters),
		cmocka_unit_test(a_summary_of_much_is_short),
		cmocka_unit_test(files_are_read_from_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
