/* From the parsed tree to the snapshot. */
#include "conf/conf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "conf/reading.h"
#include "mail/address.h"

enum { FILE_BYTES_MAX = 16 << 20, ARENA_BYTES = 64 << 20 };

/* One option in one section of the tree: what is written there, or the default. */
struct slot {
	struct reading *reading;
	const struct option *option;
	cfg_t *section;
	int line; /* 0: not written, or an empty list (libconfuse tells no line of it). */
	const char *folder;
};

static const struct option *find_option(const char *section, const char *name)
{
	for (size_t i = 0; i < conf_option_count; i++)
		if (strcmp(conf_options[i].section, section) == 0 && strcmp(conf_options[i].name, name) == 0)
			return &conf_options[i];
	must(!"an option that is not in options.def");
	return NULL;
}

static struct slot slot_of(struct reading *reading, const char *folder, cfg_t *section, const char *section_name, const char *name)
{
	return (struct slot){ .reading = reading,
		.option = find_option(section_name, name),
		.section = section,
		.line = section ? reading_line(reading, section, name) : 0,
		.folder = folder };
}

static struct text copied(struct reading *reading, struct text text)
{
	struct text copy = TEXT("");

	if (!arena_copy(reading->arena, text, &copy))
		reading_complain(reading, 0, "larger than any sensible configuration");
	return copy;
}

/* The single value as written, else the default; bytes NULL when there is neither. */
static struct text slot_text(const struct slot *slot)
{
	if (slot->line == 0)
		return text_of(slot->option->value);

	const struct text text = text_of(cfg_getstr(slot->section, slot->option->name));

	if (slot->option->availability == AVAILABLE_LATER)
		reading_complain(slot->reading, slot->line, "\"%s\" cannot be acted upon by this version (hint: remove it)",
		    slot->option->name);
	return text.bytes ? text : TEXT("");
}

static void complain_value(const struct slot *slot, struct text text, const char *right)
{
	reading_complain(slot->reading, slot->line, "%s%s%s = \"%.*s\": %s", slot->option->section,
	    slot->option->section[0] ? " " : "", slot->option->name, TEXT_FORMAT(text), right);
}

static const char *as_path(const struct slot *slot)
{
	const struct text text = slot_text(slot);
	struct text path = TEXT("");

	if (text.length == 0 || text.bytes[0] == '/')
		return copied(slot->reading, text).bytes;
	if (!arena_print(slot->reading->arena, &path, "%s/%.*s", slot->folder, TEXT_FORMAT(text)))
		reading_complain(slot->reading, slot->line, "path too long");
	return path.bytes;
}

/* The range behind "min..max" of a table entry, read as this kind of value. */
static bool in_range(const struct option *option, uint64_t value, bool (*read)(struct text, uint64_t *))
{
	const struct text words = text_of(option->words);
	const size_t dots = text_find(words, TEXT(".."));
	uint64_t least = 0, most = UINT64_MAX;

	must(dots < words.length);
	must(read(text_part(words, 0, dots), &least) && read(text_from(words, dots + 2), &most));
	return value >= least && value <= most;
}

static bool read_duration(struct text text, uint64_t *out_ms)
{
	int64_t ms;

	if (!value_duration(text, &ms))
		return false;
	*out_ms = (uint64_t)ms;
	return true;
}

static uint64_t as_quantity_of(const struct slot *slot, struct text text)
{
	const enum option_kind kind = slot->option->kind;
	bool (*read)(struct text, uint64_t *) = kind == KIND_SIZE ? value_size
	    : kind == KIND_NUMBER                                 ? text_to_u64
								  : read_duration;
	uint64_t value = 0;
	char right[128];

	if (read(text, &value) && in_range(slot->option, value, read))
		return value;
	snprintf(right, sizeof right, "not %s from %s",
	    kind == KIND_SIZE         ? "a size (hint: like 50M; K, M and G are units)"
	        : kind == KIND_NUMBER ? "a number"
				      : "a duration (hint: like 30s; units are ms, s, m, h, d)",
	    slot->option->words);
	complain_value(slot, text, right);
	return value;
}

static uint64_t as_quantity(const struct slot *slot)
{
	return as_quantity_of(slot, slot_text(slot));
}

/* Position among the words of an ENUM. */
static unsigned as_word(const struct slot *slot)
{
	const struct text text = slot_text(slot);
	struct text rest = text_of(slot->option->words), word;
	char right[160];

	for (unsigned i = 0; text_cut(&rest, ' ', &word); i++) {
		if (!text_equal(text, word))
			continue;
		if (i > 0 && slot->option->availability == AVAILABLE_WORD_FIRST)
			complain_value(slot, text, "this version cannot do that yet");
		return i;
	}
	snprintf(right, sizeof right, "not one of: %s", slot->option->words);
	complain_value(slot, text, right);
	return 0;
}

static bool as_bool(const struct slot *slot)
{
	const struct text text = slot_text(slot);
	const bool yes = text_equal(text, TEXT("yes")) || text_equal(text, TEXT("true")) || text_equal(text, TEXT("on"));

	if (!yes && !text_equal(text, TEXT("no")) && !text_equal(text, TEXT("false")) && !text_equal(text, TEXT("off")))
		complain_value(slot, text, "neither yes nor no");
	return yes;
}

/* -- lists ------------------------------------------------------------------- */

/* The values of a list as written, else of its default. A section that is not written has no tree: then the
 * default is read here. */
static const struct text *slot_list(const struct slot *slot, size_t *out_count)
{
	struct text rest = text_of(slot->section ? NULL : slot->option->value), item;
	size_t count = slot->section ? cfg_size(slot->section, slot->option->name) : rest.bytes != NULL;

	for (size_t i = 0; i < rest.length; i++)
		count += rest.bytes[i] == ',';

	struct text *list = arena_array(slot->reading->arena, count, sizeof *list);

	*out_count = 0;
	for (size_t i = 0; list != NULL && i < count; i++) {
		if (slot->section)
			item = text_of(cfg_getnstr(slot->section, slot->option->name, (unsigned)i));
		else
			must(text_cut(&rest, ',', &item));
		list[(*out_count)++] = copied(slot->reading, text_trim(item));
	}
	return list;
}

static const struct text *as_names(const struct slot *slot, size_t *out_count)
{
	const struct text *list = slot_list(slot, out_count);
	struct text *names = arena_array(slot->reading->arena, *out_count, sizeof *names);

	for (size_t i = 0; names != NULL && i < *out_count; i++) {
		if (!address_domain_valid(list[i], true) || list[i].bytes[0] == '[' ||
		    address_domain_to_ascii(list[i], slot->reading->arena, &names[i]) != OK)
			complain_value(slot, list[i], "not a domain name (hint: like example.org)");
		for (size_t k = 0; k < i; k++)
			if (text_equal(names[i], names[k]))
				complain_value(slot, list[i], "stands there twice");
	}
	return names;
}

static const struct network *as_networks(const struct slot *slot, size_t *out_count)
{
	const struct text *list = slot_list(slot, out_count);
	struct network *networks = arena_array(slot->reading->arena, *out_count, sizeof *networks);

	for (size_t i = 0; networks != NULL && i < *out_count; i++)
		if (!network_parse(list[i], &networks[i]))
			complain_value(slot, list[i], "neither an address nor a network (hint: like 192.0.2.0/24)");
	return networks;
}

static const struct endpoint *as_addresses(const struct slot *slot, size_t *out_count)
{
	const struct text *list = slot_list(slot, out_count);
	struct endpoint *addresses = arena_array(slot->reading->arena, *out_count, sizeof *addresses);

	for (size_t i = 0; addresses != NULL && i < *out_count; i++)
		if (!endpoint_parse_ip(list[i], &addresses[i]))
			complain_value(slot, list[i], "not an IP address");
	return addresses;
}

static const int64_t *as_durations(const struct slot *slot, size_t *out_count)
{
	const struct text *list = slot_list(slot, out_count);
	int64_t *durations = arena_array(slot->reading->arena, *out_count, sizeof *durations);

	if (*out_count == 0)
		reading_complain(slot->reading, slot->line, "%s is empty (hint: like {\"1m\", \"5m\"})", slot->option->name);
	for (size_t i = 0; durations != NULL && i < *out_count; i++)
		durations[i] = (int64_t)as_quantity_of(slot, list[i]);
	return durations;
}

/* A host, a host with a port, an address with one, or a socket's path, made absolute. */
static struct text host_of(const struct slot *slot, struct text text)
{
	struct endpoint endpoint;
	const size_t colon = text_find_byte_last(text, ':');
	uint64_t port = 25;
	struct text absolute;

	if (text_starts(text, TEXT("unix:")) && text.length > 5 && text.bytes[5] != '/' &&
	    arena_print(slot->reading->arena, &absolute, "unix:%s/%.*s", slot->folder, TEXT_FORMAT(text_from(text, 5))))
		text = absolute;
	if (endpoint_parse(text, 25, &endpoint))
		return text;
	if ((colon < text.length && (!text_to_u64(text_from(text, colon + 1), &port) || port == 0 || port > UINT16_MAX)) ||
	    !address_domain_valid(text_part(text, 0, colon), true))
		complain_value(slot, text, "not a host (hint: NAME, NAME:PORT, ADDRESS:PORT or unix:PATH)");
	return text;
}

static const struct text *as_hosts(const struct slot *slot, size_t *out_count)
{
	const struct text *list = slot_list(slot, out_count);
	struct text *hosts = arena_array(slot->reading->arena, *out_count, sizeof *hosts);

	for (size_t i = 0; hosts != NULL && i < *out_count; i++)
		hosts[i] = host_of(slot, list[i]);
	return hosts;
}

/* -- sections ---------------------------------------------------------------- */

struct building {
	struct reading *reading;
	struct conf *conf;
};

static struct slot option_of(const struct building *building, cfg_t *section, const char *section_name, const char *name)
{
	return slot_of(building->reading, building->conf->folder, section, section_name, name);
}

/* An untitled section, or NULL when it is not written (its options then have their defaults). */
static cfg_t *section_of(const struct building *building, const char *name)
{
	return cfg_size(building->reading->tree, name) > 0 ? cfg_getsec(building->reading->tree, name) : NULL;
}

#define AT(section, name) (&(struct slot[1]){ option_of(building, section##_section, #section, name) }[0])

static void build_top(const struct building *building)
{
	struct conf *conf = building->conf;
	cfg_t *tree = building->reading->tree;
	const struct slot hostname = option_of(building, tree, "", "hostname");
	const struct slot domains = option_of(building, tree, "", "domains");
	const struct slot users = option_of(building, tree, "", "users"), aliases = option_of(building, tree, "", "aliases");
	const struct slot control = option_of(building, tree, "", "control"), run_as = option_of(building, tree, "", "run-as");
	const struct slot relay_from = option_of(building, tree, "", "relay-from");
	const struct slot separator = option_of(building, tree, "", "separator"), lanes = option_of(building, tree, "", "lanes");

	conf->hostname = copied(building->reading, slot_text(&hostname));
	if (conf->hostname.length == 0)
		reading_complain(building->reading, hostname.line, "hostname is missing (hint: hostname = \"mail.example.org\")");
	else if (!address_domain_valid(conf->hostname, false) || conf->hostname.bytes[0] == '[')
		complain_value(&hostname, conf->hostname, "not a host name (hint: like mail.example.org)");
	conf->domains = as_names(&domains, &conf->domain_count);
	conf->users = as_path(&users);
	conf->aliases = as_path(&aliases);
	conf->control = as_path(&control);
	if (strlen(conf->control) > ENDPOINT_PATH_MAX)
		reading_complain(building->reading, control.line, "control: the path of a socket has at most %d bytes", ENDPOINT_PATH_MAX);
	conf->run_as = copied(building->reading, slot_text(&run_as)).bytes;
	conf->separator = copied(building->reading, slot_text(&separator));
	if (conf->separator.length > 1)
		complain_value(&separator, conf->separator, "more than one character");
	conf->relay_from = as_networks(&relay_from, &conf->relay_from_count);
	conf->lanes = (unsigned)as_quantity(&lanes);
}

static bool listen_endpoint(const struct conf *conf, struct arena *arena, struct text title, struct endpoint *out_endpoint)
{
	struct text whole = title;

	if ((text_starts(title, TEXT("*:")) && !arena_print(arena, &whole, "0.0.0.0:%.*s", TEXT_FORMAT(text_from(title, 2)))) ||
	    (text_starts(title, TEXT(":")) && !arena_print(arena, &whole, "0.0.0.0%.*s", TEXT_FORMAT(title))) ||
	    (text_starts(title, TEXT("unix:")) && title.length > 5 && title.bytes[5] != '/' &&
	        !arena_print(arena, &whole, "unix:%s/%.*s", conf->folder, TEXT_FORMAT(text_from(title, 5)))))
		return false;
	return endpoint_parse(whole, 0, out_endpoint) && (out_endpoint->port != 0 || out_endpoint->family == ENDPOINT_UNIX);
}

static void build_listeners(const struct building *building)
{
	struct conf *conf = building->conf;
	struct reading *reading = building->reading;
	const size_t count = cfg_size(reading->tree, "listen");
	struct conf_listener *listeners = arena_array(conf->arena, count, sizeof *listeners);

	if (count == 0)
		reading_complain(reading, 0, "nothing listens (hint: listen \"0.0.0.0:25\" { role = mx })");
	for (size_t i = 0; listeners != NULL && i < count; i++) {
		cfg_t *listen_section = cfg_getnsec(reading->tree, "listen", (unsigned)i);
		const struct text title = text_of(cfg_title(listen_section));

		listeners[i].role = (enum conf_role)as_word(AT(listen, "role"));
		(void)as_word(AT(listen, "tls"));
		if (!listen_endpoint(conf, conf->arena, title, &listeners[i].endpoint))
			reading_complain(reading, listen_section->line,
			    "listen \"%.*s\": not ADDRESS:PORT (hint: like 0.0.0.0:25 or [::]:25)", TEXT_FORMAT(title));
		for (size_t k = 0; k < i; k++)
			if (endpoint_equal(&listeners[k].endpoint, &listeners[i].endpoint))
				reading_complain(reading, listen_section->line, "listen \"%.*s\" stands there twice", TEXT_FORMAT(title));
	}
	conf->listeners = listeners;
	conf->listener_count = count;
}

static void build_routes(const struct building *building)
{
	struct conf *conf = building->conf;
	struct reading *reading = building->reading;
	const size_t count = cfg_size(reading->tree, "route");
	struct conf_route *routes = arena_array(conf->arena, count, sizeof *routes);

	for (size_t i = 0; routes != NULL && i < count; i++) {
		cfg_t *route_section = cfg_getnsec(reading->tree, "route", (unsigned)i);
		const struct text title = text_of(cfg_title(route_section));
		const struct text domain = text_starts(title, TEXT(".")) ? text_from(title, 1) : title;

		routes[i].pattern = copied(reading, title);
		routes[i].via = as_hosts(AT(route, "via"), &routes[i].via_count);
		routes[i].lmtp = as_bool(AT(route, "lmtp"));
		(void)as_word(AT(route, "tls"));
		(void)slot_text(AT(route, "user"));
		(void)slot_text(AT(route, "password-file"));
		if (!text_equal(title, TEXT("*")) && !address_domain_valid(domain, true))
			reading_complain(reading, route_section->line,
			    "route \"%.*s\": not a domain (hint: example.net, .example.net or *)", TEXT_FORMAT(title));
		if (routes[i].via_count == 0)
			reading_complain(reading, route_section->line,
			    "route \"%.*s\" leads nowhere (hint: via = {\"host.example.net:25\"})", TEXT_FORMAT(title));
	}
	conf->routes = routes;
	conf->route_count = count;
}

static void build_roads(const struct building *building)
{
	struct conf *conf = building->conf;
	cfg_t *mailbox_section = section_of(building, "mailbox"), *dns_section = section_of(building, "dns");
	cfg_t *outbound_section = section_of(building, "outbound");
	const struct slot *lmtp = AT(mailbox, "lmtp");
	const struct text lmtp_text = slot_text(lmtp);

	conf->mailbox.path = as_path(AT(mailbox, "path"));
	if (lmtp_text.length > 0)
		conf->mailbox.lmtp = copied(building->reading, host_of(lmtp, lmtp_text));
	if (lmtp->line > 0 && AT(mailbox, "path")->line > 0)
		reading_complain(building->reading, lmtp->line, "mailbox has both path and lmtp (hint: keep one)");

	conf->dns.servers = slot_list(AT(dns, "server"), &conf->dns.server_count);
	conf->dns.trust_anchor = as_path(AT(dns, "trust-anchor"));
	conf->dns.config = as_path(AT(dns, "config"));
	conf->dns.zone = as_path(AT(dns, "zone"));
	if (conf->dns.zone[0] != '\0' && conf->dns.server_count > 0)
		reading_complain(building->reading, AT(dns, "zone")->line, "dns has both zone and server (hint: keep one)");

	conf->outbound.port = (uint16_t)as_quantity(AT(outbound, "port"));
	conf->outbound.sources = as_addresses(AT(outbound, "source"), &conf->outbound.source_count);
	conf->outbound.concurrency = (unsigned)as_quantity(AT(outbound, "concurrency"));
	conf->outbound.connect_ms = (int64_t)as_quantity(AT(outbound, "connect-timeout"));
	conf->outbound.command_ms = (int64_t)as_quantity(AT(outbound, "command-timeout"));
	conf->outbound.final_ms = (int64_t)as_quantity(AT(outbound, "final-timeout"));
	conf->outbound.idle_ms = (int64_t)as_quantity(AT(outbound, "idle"));
	conf->outbound.prefer_ip6 = as_bool(AT(outbound, "prefer-ip6"));
}

static void build_rest(const struct building *building)
{
	struct conf *conf = building->conf;
	cfg_t *spool_section = section_of(building, "spool"), *queue_section = section_of(building, "queue");
	cfg_t *limits_section = section_of(building, "limits"), *history_section = section_of(building, "history");
	cfg_t *log_section = section_of(building, "log"), *web_section = section_of(building, "web");
	cfg_t *tls_section = section_of(building, "tls");

	(void)as_word(AT(spool, "engine"));
	conf->spool.path = as_path(AT(spool, "path"));
	conf->spool.size = as_quantity(AT(spool, "size"));

	conf->queue.retry_ms = as_durations(AT(queue, "retry"), &conf->queue.retry_count);
	conf->queue.lifetime_ms = (int64_t)as_quantity(AT(queue, "lifetime"));
	conf->queue.warn_after_ms = (int64_t)as_quantity(AT(queue, "warn-after"));
	if (AT(queue, "warn-after")->line > 0 && conf->queue.warn_after_ms > conf->queue.lifetime_ms)
		reading_complain(building->reading, AT(queue, "warn-after")->line, "warn-after is longer than lifetime");

	conf->limits.message_size = as_quantity(AT(limits, "message-size"));
	conf->limits.recipients = (unsigned)as_quantity(AT(limits, "recipients"));
	conf->limits.connections = (unsigned)as_quantity(AT(limits, "connections"));
	conf->limits.errors = (unsigned)as_quantity(AT(limits, "errors"));
	conf->limits.idle_ms = (int64_t)as_quantity(AT(limits, "idle"));
	conf->history_messages = (uint32_t)as_quantity(AT(history, "messages"));

	conf->log.json = as_word(AT(log, "format")) == 1;
	const struct text to = slot_text(AT(log, "to"));
	const bool word = text_equal(to, TEXT("stderr")) || text_equal(to, TEXT("syslog"));

	conf->log.to = word ? copied(building->reading, to).bytes : as_path(AT(log, "to"));
	(void)slot_text(AT(web, "listen"));
	(void)slot_text(AT(tls, "certificate"));
	(void)slot_text(AT(tls, "key"));
}

static struct conf *build(struct reading *reading, const char *path)
{
	struct conf *conf = arena_alloc(reading->arena, sizeof *conf);
	const struct text whole = text_of(path);
	const size_t slash = text_find_byte_last(whole, '/');
	const struct building building = { reading, conf };

	if (conf == NULL)
		return NULL;
	conf->arena = reading->arena;
	conf->path = copied(reading, whole).bytes;
	conf->folder = copied(reading, slash < whole.length ? text_part(whole, 0, slash) : TEXT(".")).bytes;
	build_top(&building);
	build_listeners(&building);
	build_routes(&building);
	build_roads(&building);
	build_rest(&building);
	if (conf->domain_count == 0 && conf->relay_from_count == 0)
		reading_complain(reading, 0, "no domains and no relay-from: every message would be refused");
	return reading->complaint_count == 0 ? conf : NULL;
}

struct conf *conf_load_text(const char *name, const char *text, struct buffer *complaints)
{
	struct reading reading = { .arena = arena_new(ARENA_BYTES), .complaints = complaints, .name = name };
	struct conf *conf = NULL;

	if (reading.arena == NULL)
		return NULL;
	if (reading_parse(&reading, text))
		conf = build(&reading, name);
	reading_done(&reading);
	if (conf == NULL)
		arena_free(reading.arena);
	return conf;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (file == NULL)
		return NULL;
	text = malloc(FILE_BYTES_MAX + 1);
	if (text != NULL) {
		size = fread(text, 1, FILE_BYTES_MAX, file);
		text[size] = '\0';
	}
	if (text != NULL && (ferror(file) || strlen(text) != size)) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

struct conf *conf_load(const char *path, struct buffer *complaints)
{
	char absolute[PATH_MAX];
	char *text = realpath(path, absolute) ? read_file(absolute) : NULL;

	if (text == NULL) {
		(void)!buffer_print(complaints, "%s: cannot be read (hint: name the file with -c FILE)\n", path);
		return NULL;
	}

	struct conf *conf = conf_load_text(absolute, text, complaints);

	free(text);
	return conf;
}

void conf_free(struct conf *conf)
{
	if (conf != NULL)
		arena_free(conf->arena);
}
