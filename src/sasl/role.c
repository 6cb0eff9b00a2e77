#include "sasl/role.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))
#include <uthash.h>

#include "base/must.h"
#include "io/channel.h"
#include "sasl/message.h"

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
	int fd;
	struct open_exchange *open;     /* Hash; in the order of their beginning. */
};

struct sasl_role {
	pthread_mutex_t lock;           /* Guards sources. */
	struct sasl_sources sources;
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
	return (struct sasl_sources){ .accounts = accounts_ref(sources->accounts),
		.tokens = sources->tokens ? token_rules_ref(sources->tokens) : NULL };
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

static unsigned mechanisms_of(const struct sasl_sources *sources)
{
	return accounts_mechanisms(sources->accounts) | (sources->tokens ? 1u << SASL_OAUTHBEARER : 0);
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

static bool serve(struct channel_thread *thread, const struct sasl_request *request)
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

static void *run(void *context)
{
	struct channel_thread *thread = context;
	struct channel_message *message = calloc(1, sizeof *message);
	bool sound = message != NULL;

	while (sound && channel_receive_wait(thread->fd, message) == OK) {
		struct sasl_request request;

		sound = message->fd_count == 0 &&
		    sasl_request_decode((struct text){ message->bytes, message->length }, &request) == OK &&
		    serve(thread, &request);
		explicit_bzero(message->bytes, message->length);
		channel_message_close(message);
	}
	while (thread->open != NULL)
		open_exchange_free(thread, thread->open);
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
	must(getrandom(role->salt_key, sizeof role->salt_key, 0) == (ssize_t)sizeof role->salt_key);
	role->sources = share(sources);
	return role;
}

/* The thread has ended, or is about to. */
static void bury(struct channel_thread *thread)
{
	close(thread->fd);
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

static void tell_mechanisms(int fd, const struct sasl_sources *sources)
{
	const struct sasl_answer news = { .number = 0, .result = SASL_CONTINUE, .mechanisms = mechanisms_of(sources) };

	(void)!send_answer(fd, &news);
}

bool sasl_role_add_channel(struct sasl_role *role, int fd)
{
	sweep(role);

	struct channel_thread *thread = role->thread_count < SASL_CHANNELS_MAX ? calloc(1, sizeof *thread) : NULL;

	if (thread == NULL) {
		close(fd);
		return false;
	}
	*thread = (struct channel_thread){ .role = role, .fd = fd };
	tell_mechanisms(fd, &role->sources);
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
		tell_mechanisms(role->threads[i]->fd, sources);
}
