#include "sasl/role.h"

#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))
#include <uthash.h>

#include "base/clock.h"
#include "base/must.h"
#include "io/channel.h"
#include "sasl/message.h"
#include "sasl/relay.h"

_Static_assert((int)SASL_MESSAGE_MAX <= (int)CHANNEL_MESSAGE_MAX, "requests and answers fit their channel");

/* An exchange under way; it belongs to the thread of its channel. */
struct open_exchange {
	UT_hash_handle hh;
	uint64_t number;
	struct sasl_sources sources;    /* Shares (R2). */
	struct sasl_secrets secrets;
	struct sasl_exchange *exchange;
};

struct channel_thread {
	struct sasl_role *role;
	pthread_t thread;
	int fd, wake;                   /* The channel; an eventfd by which new sources are told. */
	bool sound;                     /* Mail is there, and keeps to the protocol. */
	struct open_exchange *open;     /* Hash; in the order of their beginning. */
	struct relay *relay;            /* NULL: passwords are checked here. */
	bool tokens;                    /* Are judged here. */
};

struct sasl_role {
	pthread_mutex_t lock;           /* Guards sources. */
	struct sasl_sources sources;
	atomic_bool lacks_dovecot;      /* So that its going and coming is told once, not by each thread. */
	char salt_key[32];
	struct channel_thread *threads[SASL_CHANNELS_MAX];
	unsigned thread_count;
};

static bool find(void *context, struct text name, struct text *out_stored, struct text *out_name)
{
	return accounts_find(context, name, out_stored, out_name);
}

static struct sasl_sources share(const struct sasl_sources *sources)
{
	struct sasl_sources shared = *sources;

	accounts_ref(shared.accounts);
	if (shared.tokens != NULL)
		token_rules_ref(shared.tokens);
	return shared;
}

static void release(const struct sasl_sources *sources)
{
	accounts_unref(sources->accounts);
	token_rules_unref(sources->tokens);
}

static struct sasl_sources sources_now(struct sasl_role *role)
{
	pthread_mutex_lock(&role->lock);
	const struct sasl_sources sources = share(&role->sources);

	pthread_mutex_unlock(&role->lock);
	return sources;
}

/* -- Exchanges ------------------------------------------------------------------------------- */

static void open_exchange_free(struct channel_thread *thread, struct open_exchange *open)
{
	HASH_DELETE(hh, thread->open, open);
	sasl_exchange_free(open->exchange);
	release(&open->sources);
	free(open);
}

static struct open_exchange *find_exchange(struct channel_thread *thread, uint64_t number)
{
	struct open_exchange *open;

	HASH_FIND(hh, thread->open, &number, sizeof number, open);
	return open;
}

/* NULL: no memory. */
static struct open_exchange *begin(struct channel_thread *thread, const struct sasl_request *request)
{
	struct open_exchange *open = calloc(1, sizeof *open);
	const struct sasl_facts facts = { .mechanism = request->mechanism, .binding = request->binding, .now_s = time(NULL) };

	if (open == NULL)
		return NULL;
	open->number = request->number;
	open->sources = sources_now(thread->role);
	open->secrets = (struct sasl_secrets){ .find = find,
		.context = open->sources.accounts,
		.salt_key = { thread->role->salt_key, sizeof thread->role->salt_key },
		.tokens = open->sources.tokens };
	if (sasl_exchange_new(&open->secrets, &facts, &open->exchange) == OK) {
		HASH_ADD(hh, thread->open, number, sizeof open->number, open);
		if (open->hh.tbl != NULL)
			return open;
	}
	sasl_exchange_free(open->exchange);
	release(&open->sources);
	free(open);
	return NULL;
}

/* The exchange that a request is about; NULL: it is unknown or cannot be begun. */
static struct open_exchange *exchange_of(struct channel_thread *thread, const struct sasl_request *request)
{
	struct open_exchange *open = find_exchange(thread, request->number);

	if (request->kind == SASL_STEP)
		return open;
	if (open != NULL)
		open_exchange_free(thread, open);
	if (HASH_COUNT(thread->open) == SASL_EXCHANGES_MAX)
		open_exchange_free(thread, thread->open); /* R1 */
	return begin(thread, request);
}

/* -- Answering ----------------------------------------------------------------------------------- */

/* False: mail is gone. */
static bool send_answer(int fd, const struct sasl_answer *answer)
{
	char room[SASL_MESSAGE_MAX];
	const size_t length = sasl_answer_encode(answer, room);
	const bool sent = channel_send_wait(fd, (struct text){ room, length }, NULL, 0) == OK;

	explicit_bzero(room, length);
	return sent;
}

/* False: mail is gone. */
static bool answer_here(struct channel_thread *thread, const struct sasl_request *request)
{
	struct sasl_answer answer = { .number = request->number, .result = SASL_TROUBLE };
	struct buffer challenge;

	if (request->kind == SASL_ABORT) {
		struct open_exchange *open = find_exchange(thread, request->number);

		if (open != NULL)
			open_exchange_free(thread, open);
		return true;
	}
	struct open_exchange *open = exchange_of(thread, request);

	buffer_init(&challenge, SASL_BYTES_MAX);
	if (open != NULL)
		answer.result = sasl_exchange_step(open->exchange, request->response, &challenge);
	if (answer.result == SASL_CONTINUE || answer.result == SASL_SUCCESS)
		answer.challenge = buffer_text(&challenge);
	if (answer.result == SASL_SUCCESS)
		answer.user = sasl_exchange_user(open->exchange);
	if (answer.result == SASL_FAILURE)
		answer.reason = sasl_exchange_reason(open->exchange);
	const bool sent = send_answer(thread->fd, &answer);

	if (open != NULL && answer.result != SASL_CONTINUE)
		open_exchange_free(thread, open);
	buffer_done(&challenge);
	return sent;
}

/* -- Dovecot ------------------------------------------------------------------------------------- */

/* Whom it names is called as the users file has it, if it is there; else as Dovecot says, who knows its users. */
static void relay_answered(void *context, const struct sasl_answer *answer)
{
	struct channel_thread *thread = context;
	const struct sasl_sources sources = sources_now(thread->role);
	struct sasl_answer own = *answer;
	struct text stored, name;

	if (answer->result == SASL_SUCCESS && accounts_find(sources.accounts, answer->user, &stored, &name))
		own.user = name;
	thread->sound &= send_answer(thread->fd, &own);
	release(&sources);
}

/* A client that sees no AUTH asks its user for other settings, so before Dovecot was there for the first time we offer what
 * can be had of nearly every Dovecot. Who logs in then is told to try again later. */
static unsigned mechanisms_of(const struct channel_thread *thread, const struct sasl_sources *sources)
{
	const unsigned tokens = sources->tokens ? 1u << SASL_OAUTHBEARER : 0;

	if (thread->relay == NULL)
		return accounts_mechanisms(sources->accounts) | tokens;
	if (relay_was_there(thread->relay))
		return relay_mechanisms(thread->relay) | tokens;
	return 1u << SASL_PLAIN | 1u << SASL_LOGIN | tokens;
}

static void tell_mechanisms(struct channel_thread *thread)
{
	const struct sasl_sources sources = sources_now(thread->role);
	const bool is_known = thread->relay == NULL || relay_was_there(thread->relay);
	const struct sasl_answer news = { .number = 0,
		.result = is_known ? SASL_CONTINUE : SASL_TROUBLE,
		.mechanisms = mechanisms_of(thread, &sources) };

	thread->sound &= send_answer(thread->fd, &news);
	release(&sources);
}

static void relay_changed(void *context, bool there, enum error why)
{
	struct channel_thread *thread = context;

	if (there || !relay_was_there(thread->relay))
		tell_mechanisms(thread);
	if (atomic_exchange(&thread->role->lacks_dovecot, !there) != !there)
		fprintf(stderr, "postroad: Dovecot at %s %s%s\n", relay_path(thread->relay), there ? "checks passwords" : "is away: ",
		    there ? "" : error_text(why));
}

static const struct relay_handler relay_handler = { relay_answered, relay_changed };

/* New sources are there. */
static void take_sources(struct channel_thread *thread)
{
	const struct sasl_sources sources = sources_now(thread->role);
	uint64_t count;

	(void)!read(thread->wake, &count, sizeof count);
	thread->tokens = sources.tokens != NULL;
	if (thread->relay != NULL && strcmp(relay_path(thread->relay), sources.dovecot) != 0) {
		relay_free(thread->relay);
		thread->relay = NULL;
	}
	const bool is_new = thread->relay == NULL && sources.dovecot[0] != '\0';

	if (is_new) {
		thread->relay = relay_new(sources.dovecot, &relay_handler, thread);
		thread->sound &= thread->relay != NULL;
	}
	/* What a new Dovecot has is told when it says so, or is seen to be away. */
	if (!is_new)
		tell_mechanisms(thread);
	release(&sources);
}

/* -- The thread ------------------------------------------------------------------------------------ */

static bool is_for_dovecot(struct channel_thread *thread, const struct sasl_request *request)
{
	if (thread->relay == NULL)
		return false;
	if (request->kind == SASL_BEGIN)
		return request->mechanism != SASL_OAUTHBEARER || !thread->tokens;
	return find_exchange(thread, request->number) == NULL;
}

static void take_message(struct channel_thread *thread, struct channel_message *message)
{
	struct sasl_request request;
	const enum error error = channel_receive_now(thread->fd, message);

	if (error == ERR_BUSY)
		return;
	if (error != OK) {
		thread->sound = false;
		return;
	}
	if (message->fd_count > 0 || sasl_request_decode((struct text){ message->bytes, message->length }, &request) != OK)
		thread->sound = false;
	else if (is_for_dovecot(thread, &request))
		relay_ask(thread->relay, &request, clock_monotonic_ms());
	else
		thread->sound &= answer_here(thread, &request);
	explicit_bzero(message->bytes, message->length);
	channel_message_close(message);
}

/* Until poll has to return without being asked; -1: never. */
static int wait_ms(const struct channel_thread *thread)
{
	const int64_t due_ms = thread->relay ? relay_due_ms(thread->relay) : INT64_MAX;
	const int64_t wait = due_ms - clock_monotonic_ms();

	return due_ms == INT64_MAX ? -1 : wait < 0 ? 0 : wait > RELAY_PATIENCE_MS ? RELAY_PATIENCE_MS : (int)wait;
}

static void work(struct channel_thread *thread, struct channel_message *message)
{
	struct pollfd watched[3] = { { .fd = thread->fd, .events = POLLIN }, { .fd = thread->wake, .events = POLLIN },
		{ .fd = thread->relay ? relay_fd(thread->relay) : -1 } };

	if (watched[2].fd >= 0)
		watched[2].events = relay_events(thread->relay);
	if (poll(watched, 3, wait_ms(thread)) < 0)
		return;
	if (watched[2].revents != 0)
		relay_ready(thread->relay, watched[2].revents, clock_monotonic_ms());
	if (thread->relay != NULL)
		relay_turn(thread->relay, clock_monotonic_ms());
	if (watched[0].revents != 0)
		take_message(thread, message);
	if (watched[1].revents != 0)
		take_sources(thread);
}

static void *run(void *context)
{
	struct channel_thread *thread = context;
	struct channel_message *message = calloc(1, sizeof *message);

	thread->sound = message != NULL;
	while (thread->sound)
		work(thread, message);
	while (thread->open != NULL)
		open_exchange_free(thread, thread->open);
	relay_free(thread->relay);
	/* Mail hears that nobody answers any more. The descriptor stays ours until the thread is joined. */
	shutdown(thread->fd, SHUT_RDWR);
	free(message);
	return NULL;
}

/* -- Life -------------------------------------------------------------------------------------------- */

struct sasl_role *sasl_role_new(const struct sasl_sources *sources)
{
	struct sasl_role *role = calloc(1, sizeof *role);

	if (role == NULL)
		return NULL;
	must(pthread_mutex_init(&role->lock, NULL) == 0);
	json_object_seed(0); /* Now it may still open /dev/urandom; the first token is too late when the role is confined. */
	must(getrandom(role->salt_key, sizeof role->salt_key, 0) == (ssize_t)sizeof role->salt_key);
	role->sources = share(sources);
	return role;
}

/* The thread has ended, or is about to. */
static void bury(struct channel_thread *thread)
{
	close(thread->fd);
	close(thread->wake);
	free(thread);
}

void sasl_role_free(struct sasl_role *role)
{
	if (role == NULL)
		return;
	for (unsigned i = 0; i < role->thread_count; i++)
		shutdown(role->threads[i]->fd, SHUT_RDWR);
	for (unsigned i = 0; i < role->thread_count; i++) {
		pthread_join(role->threads[i]->thread, NULL);
		bury(role->threads[i]);
	}
	release(&role->sources);
	pthread_mutex_destroy(&role->lock);
	free(role);
}

/* Channels of a mail role that is gone. */
static void sweep(struct sasl_role *role)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < role->thread_count; i++) {
		if (pthread_tryjoin_np(role->threads[i]->thread, NULL) == 0)
			bury(role->threads[i]);
		else
			role->threads[kept++] = role->threads[i];
	}
	role->thread_count = kept;
}

static void wake(const struct channel_thread *thread)
{
	const uint64_t one = 1;

	(void)!write(thread->wake, &one, sizeof one);
}

bool sasl_role_add_channel(struct sasl_role *role, int fd)
{
	sweep(role);

	struct channel_thread *thread = role->thread_count < SASL_CHANNELS_MAX ? calloc(1, sizeof *thread) : NULL;
	const int wake_fd = thread ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

	if (wake_fd < 0) {
		free(thread);
		close(fd);
		return false;
	}
	*thread = (struct channel_thread){ .role = role, .fd = fd, .wake = wake_fd };
	wake(thread);
	if (pthread_create(&thread->thread, NULL, run, thread) != 0) {
		bury(thread);
		return false;
	}
	role->threads[role->thread_count++] = thread;
	return true;
}

void sasl_role_set_sources(struct sasl_role *role, const struct sasl_sources *sources)
{
	pthread_mutex_lock(&role->lock);
	const struct sasl_sources old = role->sources;

	role->sources = share(sources);
	pthread_mutex_unlock(&role->lock);
	release(&old);
	for (unsigned i = 0; i < role->thread_count; i++)
		wake(role->threads[i]);
}
