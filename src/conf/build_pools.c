/* Pools: addresses of ours that mail leaves from. */
#include "conf/build_private.h"
#include "conf/part.h"

enum { PROXY_PORT = 1080, LOGIN_PART_MAX = 255 }; /* RFC 1929 §2 */

static void build_proxy_login(const struct part *part, struct conf_pool *pool)
{
	struct reading *reading = part->reading;

	pool->user = part_text(part, "user");
	pool->password_file = part_path(part, "password-file");
	pool->login_place = TEXT("");
	if ((pool->user.length > 0) != (pool->password_file[0] != '\0') || (pool->user.length > 0 && pool->proxy.family == ENDPOINT_NONE))
		reading_complain(reading, part->line, "pool \"%.*s\" has half of a login (hint: socks5, user and password-file)", TEXT_FORMAT(part->title));
	if (pool->user.length > LOGIN_PART_MAX)
		reading_complain(reading, part_line(part, "user"), "pool user is too long (hint: at most %d bytes)", LOGIN_PART_MAX);
	if (!arena_print(reading->arena, &pool->login_place, "the proxy of pool %.*s", TEXT_FORMAT(pool->name)))
		pool->login_place = TEXT("");
}

/* What others see is the proxy's address; ours would be a promise that nobody keeps. */
static void build_proxy(const struct part *part, struct conf_pool *pool)
{
	struct reading *reading = part->reading;
	const struct text proxy = part_text(part, "socks5");

	if (proxy.length > 0 &&
	    (!endpoint_parse(proxy, PROXY_PORT, &pool->proxy) || pool->proxy.family == ENDPOINT_UNIX || pool->proxy.port == 0)) {
		reading_complain(reading, part_line(part, "socks5"), "pool socks5 = \"%.*s\" is no address (hint: like 127.0.0.1:1080 or [2001:db8::1]:1080)",
		    TEXT_FORMAT(proxy));
		pool->proxy = (struct endpoint){ .family = ENDPOINT_NONE };
	}
	if (proxy.length > 0 && pool->address_count > 0)
		reading_complain(reading, part->line, "pool \"%.*s\" has both addresses and socks5 (hint: keep one of them; who is called sees the proxy's address)",
		    TEXT_FORMAT(part->title));
	if (proxy.length == 0 && pool->address_count == 0)
		reading_complain(reading, part->line, "pool \"%.*s\" has no addresses (hint: addresses = {\"192.0.2.1\"})",
		    TEXT_FORMAT(part->title));
	build_proxy_login(part, pool);
}

static void build_pool(const struct part *part, const struct conf *conf, struct conf_pool *pool)
{
	struct reading *reading = part->reading;

	pool->name = TEXT("");
	pool->line = part->line;
	if (!arena_copy(reading->arena, part->title, &pool->name) || !conf_name_valid(pool->name))
		reading_complain(reading, part->line, "pool \"%.*s\" is no name (hint: letters, digits, - and _)", TEXT_FORMAT(part->title));
	pool->addresses = part_addresses(part, "addresses", &pool->address_count);
	build_proxy(part, pool);
	pool->hostname = part_hostname(part, "hostname");
	if (pool->hostname.length == 0)
		pool->hostname = conf->hostname;
}

/* That a name stands twice was seen when the file was read. */
void conf_build_pools(struct reading *reading, struct conf *conf)
{
	const unsigned count = part_count(reading, "pool");
	unsigned logins = 0;
	struct conf_pool *pools = arena_array(reading->arena, count + 1, sizeof *pools);

	if (pools == NULL || count > CONF_POOLS_MAX) {
		reading_complain(reading, 1, "too many pools (hint: at most %d)", CONF_POOLS_MAX);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		const struct part part = part_nth(reading, "pool", i);

		build_pool(&part, conf, &pools[i]);
		logins += pools[i].user.length > 0;
	}
	if (logins > CONF_POOL_LOGINS_MAX)
		reading_complain(reading, 1, "too many pools with a login (hint: at most %d)", CONF_POOL_LOGINS_MAX);
	conf->pools = pools;
	conf->pool_count = count;
}

struct text conf_build_pool_name(const struct part *part, const struct conf *conf)
{
	const struct text name = part_text(part, "pool");
	const int line = part_line(part, "pool");

	for (size_t i = 0; i < conf->pool_count; i++)
		if (text_equal(conf->pools[i].name, name))
			return name;
	if (line > 0)
		reading_complain(part->reading, line, "%s pool = \"%.*s\" is not there (hint: pool \"%.*s\" { addresses = {\"192.0.2.1\"} })",
		    part->section, TEXT_FORMAT(name), TEXT_FORMAT(name.length > 0 ? name : TEXT("NAME")));
	return TEXT("");
}
