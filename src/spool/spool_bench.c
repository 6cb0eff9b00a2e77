/* What a message costs in the spool, from its arrival to its end.
 *
 *     spool_bench [FOLDER [MESSAGES [THREADS [SESSIONS [BYTES [QUEUED]]]]]]
 *
 * Each thread has a port and so many sessions; each session puts a message with its history and
 * waits until it is durable, reads its envelope and body, retires it, and begins anew. QUEUED messages
 * are put in before and stay, in a line of their own. Figures of wall time depend on the disk; CPU per
 * message is what this program is for. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "spool/spool.h"

enum { DOMAINS = 500, THREADS_MAX = 64, SESSIONS_MAX = 4096 };

struct bench {
	struct spool *spool;
	size_t messages, sessions, bytes; /* Messages: of each thread. */
	bool keep;                        /* Only put. */
	queue_id first_id;
};

struct session {
	struct lane *lane;
	queue_id id;
	bool retiring;
};

struct lane {
	const struct bench *bench;
	struct spool_port *port;
	struct arena *arena;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t woken;
	bool rung;
	queue_id next_id;
	size_t begun, ended;
	struct session *sessions;
	char *body;
	char room[SPOOL_CHUNK_SIZE];
};

static void wake(void *context)
{
	struct lane *lane = context;

	pthread_mutex_lock(&lane->mutex);
	lane->rung = true;
	pthread_cond_signal(&lane->woken);
	pthread_mutex_unlock(&lane->mutex);
}

static void session_done(void *context, enum error result);

static void put_message(struct session *session)
{
	struct lane *lane = session->lane;
	struct spool_change *change = spool_change_new();
	char domain[32], address[64];
	const int domain_length = snprintf(domain, sizeof domain, "host%zu.example", lane->begun % DOMAINS);
	const int length = snprintf(address, sizeof address, "user%zu@%s", lane->begun % 1000, domain);
	const struct text addresses[] = { TEXT("sender@example.org"), { address, (size_t)length } };
	struct recipient recipient = {
		.address = { .local = TEXT("user"), .domain = { domain, (size_t)domain_length } },
		.due_ms = queue_id_time_ms(lane->next_id),
	};
	const struct message message = {
		.envelope = {
			.id = lane->next_id, .reverse_path = { TEXT("sender"), TEXT("example.org") },
			.client = TEXT("client.example.org[192.0.2.1]"), .body_size = lane->bench->bytes,
		},
		.recipients = &recipient, .recipient_count = 1,
	};
	struct message stored = message;

	must(change != NULL);
	lane->begun++;
	lane->next_id += (1 << 16) + 1;
	session->id = message.envelope.id;
	session->retiring = false;
	for (size_t at = 0; at < lane->bench->bytes; at += SPOOL_CHUNK_SIZE)
		spool_change_put_chunk(change, session->id, stored.envelope.chunk_count++,
		    text_part((struct text){ lane->body, lane->bench->bytes }, at, SPOOL_CHUNK_SIZE));
	spool_change_put_message(change, &stored);
	spool_change_record(change, session->id,
	    TEXT("received: about as many bytes as the stored form of an event has, with its sender, client and size ..."),
	    addresses, 2);
	spool_submit(lane->port, change, session_done, session);
}

static void deliver(struct session *session)
{
	struct lane *lane = session->lane;
	struct spool_change *change = spool_change_new();
	struct message message;
	size_t length;

	arena_reset(lane->arena);
	must(change != NULL);
	must(spool_read_message(lane->bench->spool, session->id, lane->arena, &message) == OK);
	for (uint32_t i = 0; i < message.envelope.chunk_count; i++)
		must(spool_read_chunk(lane->bench->spool, session->id, i, lane->room, &length) == OK);
	session->retiring = true;
	spool_change_retire(change, session->id, 0);
	spool_change_record(change, session->id,
	    TEXT("delivered: recipient, host and its address, reply code, status and the reply in its own words"), NULL, 0);
	spool_change_record(change, session->id, TEXT("finished: delay"), NULL, 0);
	spool_submit(lane->port, change, session_done, session);
}

static void session_done(void *context, enum error result)
{
	struct session *session = context;

	must(result == OK);
	if (!session->retiring && !session->lane->bench->keep) {
		deliver(session);
		return;
	}
	session->lane->ended++;
	if (session->lane->begun < session->lane->bench->messages)
		put_message(session);
}

static void *run_lane(void *context)
{
	struct lane *lane = context;

	for (size_t i = 0; i < lane->bench->sessions && lane->begun < lane->bench->messages; i++) {
		lane->sessions[i].lane = lane;
		put_message(&lane->sessions[i]);
	}
	while (lane->ended < lane->bench->messages) {
		pthread_mutex_lock(&lane->mutex);
		while (!lane->rung)
			pthread_cond_wait(&lane->woken, &lane->mutex);
		lane->rung = false;
		pthread_mutex_unlock(&lane->mutex);
		spool_port_poll(lane->port);
	}
	return NULL;
}

static struct lane *lane_new(const struct bench *bench, size_t number)
{
	struct lane *lane = calloc(1, sizeof *lane);

	must(lane != NULL);
	lane->bench = bench;
	lane->next_id = bench->first_id + number;
	lane->arena = arena_new(1 << 20);
	lane->sessions = calloc(bench->sessions, sizeof *lane->sessions);
	lane->body = malloc(bench->bytes + 1);
	must(lane->arena != NULL && lane->sessions != NULL && lane->body != NULL);
	memset(lane->body, 'x', bench->bytes);
	pthread_mutex_init(&lane->mutex, NULL);
	pthread_cond_init(&lane->woken, NULL);
	must(spool_port_open(bench->spool, 0, wake, lane, &lane->port) == OK);
	return lane;
}

static void lane_free(struct lane *lane)
{
	spool_port_close(lane->port);
	arena_free(lane->arena);
	free(lane->sessions);
	free(lane->body);
	free(lane);
}

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double kernel_seconds(void)
{
	struct rusage usage;

	must(getrusage(RUSAGE_SELF, &usage) == 0);
	return (double)usage.ru_stime.tv_sec + 1e-6 * (double)usage.ru_stime.tv_usec;
}

struct sample {
	double wall, cpu, kernel;
	struct spool_totals totals;
};

static struct sample sample_now(struct spool *spool)
{
	struct sample sample = {
		.wall = seconds_of(CLOCK_MONOTONIC),
		.cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID),
		.kernel = kernel_seconds(),
	};

	must(spool_totals(spool, &sample.totals) == OK);
	return sample;
}

static void report(const char *what, double messages, const struct sample *a, const struct sample *b)
{
	const double commits = (double)(b->totals.commits - a->totals.commits);

	printf("%s: %.0f messages/s, %.1f us CPU a message (%.1f of it in the kernel), %.0f commits, %.1f changes each\n",
	    what, messages / (b->wall - a->wall), (b->cpu - a->cpu) / messages * 1e6,
	    (b->kernel - a->kernel) / messages * 1e6, commits,
	    (double)(b->totals.changes - a->totals.changes) / commits);
}

static void run(const char *what, const struct bench *bench, size_t threads)
{
	struct lane *lanes[THREADS_MAX];
	const struct sample before = sample_now(bench->spool);

	for (size_t i = 0; i < threads; i++) {
		lanes[i] = lane_new(bench, i);
		must(pthread_create(&lanes[i]->thread, NULL, run_lane, lanes[i]) == 0);
	}
	for (size_t i = 0; i < threads; i++) {
		pthread_join(lanes[i]->thread, NULL);
		lane_free(lanes[i]);
	}

	const struct sample after = sample_now(bench->spool);

	report(what, (double)(bench->messages * threads), &before, &after);
}

static size_t number_of(int count, char **words, int at, size_t fallback, size_t max)
{
	uint64_t number;

	if (at >= count)
		return fallback;
	must(text_to_u64(text_of(words[at]), &number) && number > 0);
	return number < max ? (size_t)number : max;
}

int main(int count, char **words)
{
	const struct spool_lmdb_settings settings = {
		.path = count > 1 ? words[1] : "/tmp/spool-bench", .history_max = 100000
	};
	const size_t messages = number_of(count, words, 2, 200000, (size_t)1 << 40);
	const size_t threads = number_of(count, words, 3, 2, THREADS_MAX);
	const size_t queued = number_of(count, words, 6, 0, (size_t)1 << 30);
	struct bench bench = {
		.messages = queued / threads,
		.keep = true,
		.first_id = (queue_id)1 << 50,
		.sessions = number_of(count, words, 4, 64, SESSIONS_MAX),
		.bytes = number_of(count, words, 5, 4096, (size_t)64 << 20),
	};
	const enum error error = spool_lmdb_open(&settings, &bench.spool);

	if (error != OK) {
		fprintf(stderr, "%s: %s\n", settings.path, error_text(error));
		return 1;
	}
	if (queued > 0)
		run("queued", &bench, threads);
	bench.messages = messages / threads;
	bench.keep = false;
	bench.first_id = (queue_id)2 << 50;
	run("through", &bench, threads);
	spool_close(bench.spool);
	return 0;
}
