/* Connections that a pool's SOCKS5 proxy opens for us: what is said between us and the proxy, and whose fault it is when it opens none.
 *
 *   trouble                                          | fault of  | what becomes of the delivery
 *   the proxy is not there, hangs up, takes no login | the proxy | no other host is tried: it waits, and no host rests
 *   it does not get to the host, and blames nobody   | the way   | the next host; if all are so, it waits, and no host rests
 *   it says that the host cannot be reached, or it   | the host  | as if we had dialled ourselves
 *     was asked for it and says nothing in time      |           |
 *
 * While a proxy cannot be used one connection at a time tries it, and whoever else wants it hears at once what was wrong: else all its mail
 * would sit in places that the mail of others needs, for as long as a silent proxy takes to be given up.
 *
 * The host's name was looked up by us, and what it must prove is asked over what the proxy opened, so nothing of DANE and MTA-STS is the proxy's. */
#include "outbound/courier_private.h"

#include <stdlib.h>

#include "io/socks5.h"

struct proxied {
	struct outbound *outbound;
	uint64_t key;
	bool is_trial;
	struct endpoint proxy;
	struct logins *logins; /* Of which the password is; NULL: it wants none. */
	bool locked_out;       /* There is no password for it. */
	struct socks5 dialogue;
};

/* -- Those that fail ---------------------------------------------------------------- */

static uint64_t key_of(const struct outbound_pool *pool)
{
	char room[ENDPOINT_TEXT_MAX];

	return text_hash(endpoint_print(&pool->proxy, room), text_hash(pool->name, 0));
}

static struct failing_proxy *find_failing(const struct outbound *outbound, uint64_t key)
{
	for (size_t i = 0; i < FAILING_PROXIES_MAX; i++)
		if (outbound->failing[i].reason != NULL && outbound->failing[i].key == key)
			return (struct failing_proxy *)(uintptr_t)&outbound->failing[i];
	return NULL;
}

static void remember(const struct proxied *proxied)
{
	struct failing_proxy *failing = find_failing(proxied->outbound, proxied->key);

	for (size_t i = 0; failing == NULL && i < FAILING_PROXIES_MAX; i++)
		if (proxied->outbound->failing[i].reason == NULL) {
			failing = &proxied->outbound->failing[i];
			*failing = (struct failing_proxy){ .key = proxied->key };
		}
	if (failing != NULL)
		failing->reason = proxied->dialogue.reason;
}

static void forget(const struct proxied *proxied)
{
	struct failing_proxy *failing = find_failing(proxied->outbound, proxied->key);

	if (failing != NULL)
		*failing = (struct failing_proxy){ 0 };
}

static void note_trial(struct proxied *proxied)
{
	struct failing_proxy *failing = find_failing(proxied->outbound, proxied->key);

	if (failing == NULL)
		return;
	failing->trials++;
	proxied->is_trial = true;
}

/* The entry may be a newer one than that which it was a trial for. */
static void note_trial_over(const struct proxied *proxied)
{
	struct failing_proxy *failing = find_failing(proxied->outbound, proxied->key);

	if (proxied->is_trial && failing != NULL && failing->trials > 0)
		failing->trials--;
}

/* The proxy has failed, or has done what it could. */
static enum proxied_state settle(struct proxied *proxied)
{
	if (proxied->dialogue.state < SOCKS5_OPEN)
		return PROXIED_WAITS;
	if (proxied->dialogue.state == SOCKS5_FAILED && proxied->dialogue.fault == SOCKS5_PROXY)
		remember(proxied);
	else
		forget(proxied);
	return proxied->dialogue.state == SOCKS5_OPEN ? PROXIED_OPEN : PROXIED_FAILED;
}

/* -- A dialogue --------------------------------------------------------------------- */

struct proxied *proxied_new(struct outbound *outbound, const struct outbound_pool *pool, const struct endpoint *to)
{
	const struct next_hop key = { .user = pool->user, .via = &pool->login_place, .via_count = 1 };
	const struct client_login *login = pool->user.length > 0 ? logins_find(outbound->logins, &key) : NULL;
	struct proxied *proxied = calloc(1, sizeof *proxied);

	if (proxied == NULL)
		return NULL;
	proxied->outbound = outbound;
	proxied->proxy = pool->proxy;
	proxied->key = key_of(pool);
	note_trial(proxied);
	proxied->locked_out = pool->user.length > 0 && (login == NULL || login->password.length > SOCKS5_WORD_MAX);
	if (login != NULL && !proxied->locked_out) {
		const struct socks5_login words = { login->user, login->password };

		proxied->logins = logins_ref(outbound->logins);
		socks5_begin(&proxied->dialogue, to, &words);
	} else {
		socks5_begin(&proxied->dialogue, to, NULL);
	}
	return proxied;
}

void proxied_free(struct proxied *proxied)
{
	if (proxied == NULL)
		return;
	note_trial_over(proxied);
	socks5_said(&proxied->dialogue);
	logins_unref(proxied->logins);
	free(proxied);
}

/* What one turn says is far less than a stream takes. */
static bool say(struct proxied *proxied, struct stream *stream)
{
	const bool said = stream_write(stream, socks5_say(&proxied->dialogue));

	socks5_said(&proxied->dialogue);
	return said;
}

static void break_off(struct proxied *proxied, enum socks5_fault fault, const char *reason)
{
	proxied->dialogue.state = SOCKS5_FAILED;
	proxied->dialogue.fault = fault;
	proxied->dialogue.reason = reason;
}

enum proxied_state proxied_opened(struct proxied *proxied, struct stream *stream)
{
	if (proxied->locked_out)
		break_off(proxied, SOCKS5_PROXY, "we are to log in there, and have no password for it");
	else if (!say(proxied, stream))
		break_off(proxied, SOCKS5_PROXY, "no memory for what is to be said");
	return settle(proxied);
}

enum proxied_state proxied_heard(struct proxied *proxied, struct stream *stream, struct text *bytes)
{
	*bytes = text_from(*bytes, socks5_received(&proxied->dialogue, *bytes));
	if (proxied->dialogue.state < SOCKS5_OPEN && !say(proxied, stream))
		break_off(proxied, SOCKS5_PROXY, "no memory for what is to be said");
	return settle(proxied);
}

void proxied_ended(struct proxied *proxied, enum error reason)
{
	break_off(proxied, SOCKS5_PROXY, error_text(reason));
	(void)settle(proxied);
}

/* Of a proxy that answered until it was to call the host. */
void proxied_timed_out(struct proxied *proxied)
{
	if (proxied->dialogue.state == SOCKS5_CONNECT)
		break_off(proxied, SOCKS5_HOST, "it has not reached the host in time");
	else
		break_off(proxied, SOCKS5_PROXY, "it does not answer in time");
	(void)settle(proxied);
}

enum connection_end proxied_end(const struct proxied *proxied)
{
	switch (proxied->dialogue.fault) {
	case SOCKS5_PROXY:
		return CONNECTION_PROXY_FAILED;
	case SOCKS5_WAY:
		return CONNECTION_WAY_FAILED;
	case SOCKS5_HOST:
	case SOCKS5_NO_FAULT:
		break;
	}
	return CONNECTION_FAILED;
}

/* -- What came of it ---------------------------------------------------------------- */

static bool print_unusable(struct arena *arena, const struct endpoint *proxy, const char *reason, struct text *out_text)
{
	char room[ENDPOINT_TEXT_MAX];

	return arena_print(arena, out_text, "our SOCKS5 proxy %s cannot be used: %s", endpoint_print(proxy, room).bytes, reason);
}

bool proxied_must_wait(const struct job *job, const struct host *host, struct verdict *out_trouble)
{
	const struct outbound_pool *pool = source_pool(job->outbound, &job->delivery->route->next_hop);
	const struct endpoint *proxy = source_proxy(pool, host);
	const struct failing_proxy *failing = proxy != NULL ? find_failing(job->outbound, key_of(pool)) : NULL;
	struct verdict trouble = VERDICT(451, 4, 4, 0, "our SOCKS5 proxy is in trouble");

	if (failing == NULL || failing->trials == 0)
		return false;
	(void)!print_unusable(job->delivery->arena, proxy, failing->reason, &trouble.text);
	*out_trouble = trouble;
	return true;
}

/* RFC 3463 §3.5: X.4.1 no answer from host, X.4.0 something else of the network. The second is no word of a host's. */
struct verdict proxied_trouble(const struct proxied *proxied, struct text host, struct arena *arena)
{
	struct verdict trouble = VERDICT(451, 4, 4, 0, "our SOCKS5 proxy is in trouble");
	const char *reason = proxied->dialogue.reason;
	char room[ENDPOINT_TEXT_MAX];
	const char *proxy = endpoint_print(&proxied->proxy, room).bytes;

	switch (proxied_end(proxied)) {
	case CONNECTION_PROXY_FAILED:
		(void)!print_unusable(arena, &proxied->proxy, reason, &trouble.text);
		break;
	case CONNECTION_WAY_FAILED:
		(void)!arena_print(arena, &trouble.text, "our SOCKS5 proxy %s does not get to %.*s: %s", proxy, TEXT_FORMAT(host), reason);
		break;
	default:
		trouble.enhanced.detail = 1;
		trouble.host = host;
		(void)!arena_print(arena, &trouble.text, "by our SOCKS5 proxy %s: %s", proxy, reason);
	}
	return trouble;
}
