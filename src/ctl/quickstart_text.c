#include "conf/conf.h"
#include "ctl/quickstart.h"

enum { POLICY_AGE_S = 86400, POLICY_BYTES_MAX = 1024 };

/* -- Files --------------------------------------------------------------------------- */

static bool has_ip6(const struct quickstart *quickstart)
{
	for (size_t i = 0; i < quickstart->address_count; i++)
		if (quickstart->addresses[i].family == ENDPOINT_IP6)
			return true;
	return false;
}

/* On every address that the records name. */
static bool print_listen(const struct quickstart *quickstart, const char *remark, unsigned port, const char *words, struct buffer *out)
{
	return buffer_print(out, "%slisten \"*:%u\" { %s }\n", remark, port, words) &&
	    (!has_ip6(quickstart) || buffer_print(out, "%slisten \"[::]:%u\" { %s }\n", remark, port, words));
}

static bool print_submission(const struct quickstart *quickstart, const char *remark, struct buffer *out)
{
	return print_listen(quickstart, remark, 465, "role = submission tls = implicit", out) &&
	    print_listen(quickstart, remark, 587, "role = submission tls = required", out);
}

bool quickstart_web_is_public(const struct quickstart *quickstart)
{
	return !endpoint_is_loopback(&quickstart->web);
}

/* The policy that print_id() makes the record's id of. */
static bool print_web(const struct quickstart *quickstart, const char *remark, struct buffer *out)
{
	char room[ENDPOINT_TEXT_MAX];
	const bool public = quickstart_web_is_public(quickstart);

	return buffer_print(out, "%sweb { listen = \"%s\"%s mta-sts = testing mta-sts-age = %ds }\n", remark,
	    endpoint_print(&quickstart->web, room).bytes, public ? " tls = yes tokens = \"web-tokens\"" : "", POLICY_AGE_S);
}

static bool print_front_end(const struct quickstart *quickstart, struct buffer *out)
{
	char room[ENDPOINT_TEXT_MAX];

	return quickstart_web_is_public(quickstart) ||
	    (buffer_print(out, "\n# The web server of this machine is to pass https://mta-sts.%.*s/.well-known/mta-sts.txt to http://%s, with the Host field.\n",
		 TEXT_FORMAT(quickstart->domain), endpoint_print(&quickstart->web, room).bytes) &&
		print_web(quickstart, "", out));
}

/* What needs a certificate waits behind # until there is one. */
static bool print_tls(const struct quickstart *quickstart, struct buffer *out)
{
	const struct text host = quickstart->hostname;
	const bool public = quickstart_web_is_public(quickstart);

	if (quickstart->certificate != NULL)
		return print_submission(quickstart, "", out) &&
		    buffer_print(out, "\ntls { certificate = \"%s\" key = \"%s\" }\n", quickstart->certificate, quickstart->key) &&
		    (!public || print_web(quickstart, "", out));
	return buffer_append(out, TEXT("# Without a certificate nobody can log in. When it is there, take the # away from these lines, and reload.\n")) &&
	    print_submission(quickstart, "#", out) &&
	    buffer_print(out,
		"#tls { certificate = \"/etc/letsencrypt/live/%.*s/fullchain.pem\"\n"
		"#      key = \"/etc/letsencrypt/live/%.*s/privkey.pem\" }\n",
		TEXT_FORMAT(host), TEXT_FORMAT(host)) &&
	    (!public || print_web(quickstart, "#", out));
}

bool quickstart_print_conf(const struct quickstart *quickstart, struct buffer *out)
{
	return buffer_print(out,
		   "# Mail for %.*s. See postroad.conf(5). `postroad check` tells whether this file is right, `postroad reload` puts\n"
		   "# it into force, `postroad doctor` looks at what is around it.\n"
		   "hostname = \"%.*s\"\n"
		   "domains  = {\"%.*s\"}\n\n",
		   TEXT_FORMAT(quickstart->domain), TEXT_FORMAT(quickstart->hostname), TEXT_FORMAT(quickstart->domain)) &&
	    print_listen(quickstart, "", 25, "role = mx", out) && print_tls(quickstart, out) && print_front_end(quickstart, out) &&
	    buffer_append(out,
		TEXT("\nusers    = \"users\"        # postroad user add NAME\n"
		     "aliases  = \"aliases\"\n"
		     "dkim     { keys = \"dkim\" }\n"
		     "srs      { secret-file = \"srs.secret\" }\n")) &&
	    buffer_append(out, quickstart->installed
		    ? TEXT("mailbox  { path = \"/var/mail/%d/%u\" }\n"
			   "spool    { path = \"/var/lib/postroad/spool\" }\n")
		    : TEXT("mailbox  { path = \"mail/%d/%u\" }\n"
			   "spool    { path = \"spool\" }\n"
			   "control  = \"control.sock\"\n"
			   "run-as   = \"\"\n"));
}

/* RFC 2142, and those whom the records name. */
bool quickstart_print_aliases(const struct quickstart *quickstart, struct buffer *out)
{
	static const char *const names[] = { "abuse", "hostmaster", "webmaster", "mailer-daemon" };
	bool fits = buffer_append(out, TEXT("# Who gets the mail for these names; postroad reload puts changes into force.\n"));

	if (quickstart->user.length > 0 && !text_equal_nocase(quickstart->user, TEXT("postmaster")))
		fits = fits && buffer_print(out, "postmaster: %.*s\n", TEXT_FORMAT(quickstart->user));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!text_equal_nocase(quickstart->user, text_of(names[i])))
			fits = fits && buffer_print(out, "%s: postmaster\n", names[i]);
	return fits;
}

/* -- Records ------------------------------------------------------------------------- */

/* Those of one family; ENDPOINT_NONE: of all. */
static bool print_addresses(
    const struct quickstart *quickstart, enum endpoint_family family, const char *prefix, struct text name, struct buffer *out)
{
	bool fits = true;

	if (quickstart->address_count == 0)
		return buffer_print(out, "; %s%.*s. IN A (and AAAA): the addresses of this server, from --ip\n", prefix,
		    TEXT_FORMAT(name));
	for (size_t i = 0; i < quickstart->address_count && fits; i++) {
		char room[ENDPOINT_TEXT_MAX];

		if (family != ENDPOINT_NONE && quickstart->addresses[i].family != family)
			continue;
		fits = buffer_print(out, "%s%.*s. IN %s %.*s\n", prefix, TEXT_FORMAT(name),
		    quickstart->addresses[i].family == ENDPOINT_IP6 ? "AAAA" : "A",
		    TEXT_FORMAT(endpoint_print_ip(&quickstart->addresses[i], room)));
	}
	return fits;
}

/* The name under which the reverse of an address is asked for (RFC 1035 §3.5, RFC 3596 §2.5). */
static bool print_reverse(const struct endpoint *address, struct buffer *out)
{
	bool fits = buffer_append(out, TEXT("; "));

	if (address->family != ENDPOINT_IP6)
		return fits &&
		    buffer_print(out, "%u.%u.%u.%u.in-addr.arpa.", address->ip[3], address->ip[2], address->ip[1], address->ip[0]);
	for (size_t i = 16; i-- > 0 && fits;)
		fits = buffer_print(out, "%x.%x.", address->ip[i] & 15u, address->ip[i] >> 4);
	return fits && buffer_append(out, TEXT("ip6.arpa."));
}

static bool print_reverses(const struct quickstart *quickstart, struct buffer *out)
{
	bool fits = buffer_append(out, TEXT("\n; Of the reverse names the owner of the network has the zone: ask him for these.\n"));

	if (quickstart->address_count == 0)
		return fits &&
		    buffer_print(out, "; the address of this server IN PTR %.*s.\n", TEXT_FORMAT(quickstart->hostname));
	for (size_t i = 0; i < quickstart->address_count && fits; i++)
		fits = print_reverse(&quickstart->addresses[i], out) &&
		    buffer_print(out, " IN PTR %.*s.\n", TEXT_FORMAT(quickstart->hostname));
	return fits;
}

bool quickstart_print_records(const struct quickstart *quickstart, struct buffer *out)
{
	const struct text domain = quickstart->domain, host = quickstart->hostname;

	return buffer_print(out, "; To be published in the zone of %.*s.\n; Who takes its mail, and where that is:\n", TEXT_FORMAT(domain)) &&
	    buffer_print(out, "%.*s. IN MX 10 %.*s.\n", TEXT_FORMAT(domain), TEXT_FORMAT(host)) &&
	    print_addresses(quickstart, ENDPOINT_NONE, "", host, out) &&
	    buffer_append(out, TEXT("\n; Who sends its mail (SPF):\n")) &&
	    buffer_print(out, "%.*s. IN TXT \"v=spf1 mx -all\"\n", TEXT_FORMAT(domain)) &&
	    (text_equal(domain, host) || buffer_print(out, "%.*s. IN TXT \"v=spf1 a -all\"\n", TEXT_FORMAT(host))) &&
	    buffer_append(out, TEXT("\n; The keys that sign its mail (DKIM):\n"));
}

/* RFC 8461: a policy for testing, that nobody's mail waits for a mistake. */
static bool print_id(const struct quickstart *quickstart, struct buffer *out)
{
	const struct conf_sts sts = { .mode = CONF_STS_TESTING, .hosts = &quickstart->hostname, .host_count = 1,
		.age_ms = (int64_t)POLICY_AGE_S * 1000 };
	char id[CONF_STS_ID_SIZE];
	struct buffer policy;

	buffer_init(&policy, POLICY_BYTES_MAX);
	const bool fits = conf_sts_print(&sts, &policy);

	conf_sts_id(buffer_text(&policy), id);
	buffer_done(&policy);
	return fits && buffer_append(out, text_of(id));
}

static bool print_sts(const struct quickstart *quickstart, struct buffer *out)
{
	const struct text domain = quickstart->domain;
	const enum endpoint_family family = quickstart_web_is_public(quickstart) ? quickstart->web.family : ENDPOINT_NONE;

	return buffer_append(out, TEXT("\n; TLS for mail that comes in (MTA-STS). The server has the policy, see web in its configuration; when you change it,\n"
				    "; postroad doctor tells the new id.\n")) &&
	    buffer_print(out, "_mta-sts.%.*s. IN TXT \"v=STSv1; id=", TEXT_FORMAT(domain)) && print_id(quickstart, out) &&
	    buffer_append(out, TEXT("\"\n")) && print_addresses(quickstart, family, "mta-sts.", domain, out);
}

bool quickstart_print_more_records(const struct quickstart *quickstart, struct buffer *out)
{
	const struct text domain = quickstart->domain, host = quickstart->hostname;

	return buffer_append(out, TEXT("\n; What others are to do with mail that is not ours, and to tell us (DMARC). When the reports are good, p=quarantine,\n"
				       "; and then p=reject:\n")) &&
	    buffer_print(out, "_dmarc.%.*s. IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@%.*s\"\n", TEXT_FORMAT(domain),
		TEXT_FORMAT(domain)) &&
	    print_sts(quickstart, out) && buffer_append(out, TEXT("\n; Who hears how TLS went (TLS-RPT):\n")) &&
	    buffer_print(out, "_smtp._tls.%.*s. IN TXT \"v=TLSRPTv1; rua=mailto:postmaster@%.*s\"\n", TEXT_FORMAT(domain),
		TEXT_FORMAT(domain)) &&
	    buffer_append(out, TEXT("\n; Where mail programs hand in mail (RFC 6186, RFC 8314):\n")) &&
	    buffer_print(out, "_submissions._tcp.%.*s. IN SRV 0 1 465 %.*s.\n_submission._tcp.%.*s. IN SRV 5 1 587 %.*s.\n",
		TEXT_FORMAT(domain), TEXT_FORMAT(host), TEXT_FORMAT(domain), TEXT_FORMAT(host)) &&
	    buffer_print(out,
		"\n; Only where the zone is signed (DNSSEC): the key of the certificate (DANE). The digest is of\n"
		"; openssl x509 -in CERTIFICATE -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum\n"
		"; _25._tcp.%.*s. IN TLSA 3 1 1 DIGEST\n",
		TEXT_FORMAT(host)) &&
	    print_reverses(quickstart, out);
}
