#include "sasl/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))
#include <uthash.h>

#include "base/must.h"
#include "sasl/dovecot.h"
#include "sasl/role.h"

enum { OUTPUT_MAX = 1 << 20, SCRATCH_BYTES_MAX = 256 << 10, PROTOCOL_MAJOR = 1 };

/* A login under way; in the order of the last word about it. */
struct login {
	UT_hash_handle hh;          /* By our number for Dovecot. */
	UT_hash_handle hh_mail;     /* By mail's number. */
	struct login *next, *prev;
	uint32_t number;
	uint64_t mail_number;
	int64_t due_ms;
	bool waits;                 /* For Dovecot; else for the client. */
};

struct relay {
	const struct relay_handler *handler;
	void *context;
	int fd;                     /* -1: away. */
	bool greeted;               /* DONE was said. */
	int64_t due_ms;             /* Away: when to try again. Not greeted: until when to be. */
	int64_t wait_ms;
	struct buffer input, output;
	struct arena *scratch;      /* For one line. */
	bool was_there;
	unsigned mechanisms, announced; /* In force; of the greeting under way. */
	uint32_t last_number;
	struct login *by_number, *by_mail_number, *logins;
	struct sockaddr_un address;
};

/* -- Logins ------------------------------------------------------------------------------------ */

static void forget(struct relay *relay, struct login *login)
{
	HASH_DELETE(hh, relay->by_number, login);
	HASH_DELETE(hh_mail, relay->by_mail_number, login);
	DL_DELETE(relay->logins, login);
	free(login);
}

static void give(struct relay *relay, const struct sasl_answer *answer)
{
	relay->handler->answered(relay->context, answer);
}

static void give_trouble(struct relay *relay, uint64_t mail_number, struct text reason)
{
	const struct sasl_answer answer = { .number = mail_number, .result = SASL_TROUBLE, .reason = reason };

	give(relay, &answer);
}

/* Dovecot is told, if it can be; a login that is forgotten there ends by itself. */
static void cancel(struct relay *relay, struct login *login)
{
	if (relay->greeted)
		(void)!dovecot_print_cancel(&relay->output, login->number);
	forget(relay, login);
}

static void give_up(struct relay *relay, struct login *login, struct text reason)
{
	const uint64_t mail_number = login->mail_number;
	const bool waits = login->waits;

	cancel(relay, login);
	if (waits)
		give_trouble(relay, mail_number, reason);
}

/* NULL: no memory. */
static struct login *add_login(struct relay *relay, uint64_t mail_number)
{
	struct login *login = calloc(1, sizeof *login);

	if (login == NULL)
		return NULL;
	login->number = ++relay->last_number;
	login->mail_number = mail_number;
	DL_APPEND(relay->logins, login);
	HASH_ADD(hh, relay->by_number, number, sizeof login->number, login);
	if (login->hh.tbl != NULL)
		HASH_ADD(hh_mail, relay->by_mail_number, mail_number, sizeof login->mail_number, login);
	if (login->hh.tbl != NULL && login->hh_mail.tbl != NULL)
		return login;
	if (login->hh.tbl != NULL)
		HASH_DELETE(hh, relay->by_number, login);
	DL_DELETE(relay->logins, login);
	free(login);
	return NULL;
}

static struct login *find_login(struct relay *relay, uint64_t mail_number)
{
	struct login *login;

	HASH_FIND(hh_mail, relay->by_mail_number, &mail_number, sizeof mail_number, login);
	return login;
}

/* -- Coming and going ----------------------------------------------------------------------------- */

static void go_away(struct relay *relay, enum error why, int64_t now_ms)
{
	const bool was_there = relay->greeted || relay->wait_ms == 0;

	if (relay->fd >= 0)
		close(relay->fd);
	relay->fd = -1;
	relay->greeted = false;
	buffer_release(&relay->input);
	buffer_release(&relay->output);
	relay->wait_ms = relay->wait_ms == 0 ? RELAY_WAIT_MS_MIN
	    : relay->wait_ms > RELAY_WAIT_MS_MAX / 2 ? RELAY_WAIT_MS_MAX
						     : relay->wait_ms * 2;
	relay->due_ms = now_ms + relay->wait_ms;
	while (relay->logins != NULL)
		give_up(relay, relay->logins, TEXT("Dovecot went away"));
	if (was_there)
		relay->handler->changed(relay->context, false, why);
}

/* A thread's number is its own among all processes and threads, as the protocol wants it of each connection. */
static void come(struct relay *relay, int64_t now_ms)
{
	relay->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (relay->fd < 0 || connect(relay->fd, (const struct sockaddr *)&relay->address, sizeof relay->address) != 0) {
		go_away(relay, error_from_errno(errno), now_ms);
		return;
	}
	relay->announced = 0;
	relay->due_ms = now_ms + RELAY_GREETING_MS;
	if (!dovecot_print_hello(&relay->output, (uint32_t)gettid()))
		go_away(relay, ERR_NO_MEMORY, now_ms);
}

static void be_there(struct relay *relay)
{
	relay->greeted = relay->was_there = true;
	relay->wait_ms = 0;
	relay->mechanisms = relay->announced;
	relay->handler->changed(relay->context, true, OK);
}

/* -- What Dovecot says ---------------------------------------------------------------------------- */

static void take_answer(struct relay *relay, const struct dovecot_line *line)
{
	struct login *login;
	struct sasl_answer answer = { .result = SASL_FAILURE, .reason = line->reason };

	HASH_FIND(hh, relay->by_number, &line->number, sizeof line->number, login);
	if (login == NULL || !login->waits) /* L2 */
		return;
	answer.number = login->mail_number;
	if (line->word == DOVECOT_CONT)
		answer.result = SASL_CONTINUE;
	else if (line->word == DOVECOT_OK && !line->refused)
		answer.result = SASL_SUCCESS;
	else if (line->word == DOVECOT_FAIL && line->temporary)
		answer.result = SASL_TROUBLE;
	if (line->refused)
		answer.reason = TEXT("Dovecot lets this user log in elsewhere only");
	if (answer.result == SASL_CONTINUE || answer.result == SASL_SUCCESS)
		answer.challenge = line->bytes;
	if (answer.result == SASL_SUCCESS)
		answer.user = line->user;
	login->waits = false;
	if (answer.result != SASL_CONTINUE)
		forget(relay, login);
	give(relay, &answer);
}

static enum error take_line(struct relay *relay, struct text text)
{
	struct dovecot_line line;

	arena_reset(relay->scratch);
	const enum error error = dovecot_line_read(text, relay->scratch, &line);

	if (error != OK)
		return error;
	switch (line.word) {
	case DOVECOT_VERSION:
		return line.number == PROTOCOL_MAJOR ? OK : ERR_UNSUPPORTED;
	case DOVECOT_MECH:
		if (line.known)
			relay->announced |= 1U << line.mechanism;
		break;
	case DOVECOT_DONE:
		if (!relay->greeted)
			be_there(relay);
		break;
	case DOVECOT_CONT:
	case DOVECOT_OK:
	case DOVECOT_FAIL:
		take_answer(relay, &line);
		break;
	case DOVECOT_OTHER:
		break;
	}
	return OK;
}

/* The whole lines that are there. */
static enum error take_lines(struct relay *relay)
{
	enum error error = OK;

	while (error == OK) {
		const struct text held = buffer_text(&relay->input);
		const size_t end = text_find_byte(held, '\n');

		if (end == held.length)
			break;
		error = take_line(relay, text_part(held, 0, end));
		buffer_consume(&relay->input, end + 1);
	}
	return error;
}

static enum error receive(struct relay *relay)
{
	enum { PIECE = 4096 };
	char *room = buffer_reserve(&relay->input, PIECE);

	if (room == NULL)
		return ERR_TOO_LARGE;
	const ssize_t received = recv(relay->fd, room, PIECE, MSG_DONTWAIT);

	if (received < 0)
		return errno == EAGAIN || errno == EINTR ? OK : error_from_errno(errno);
	if (received == 0)
		return ERR_CLOSED;
	buffer_added(&relay->input, (size_t)received);
	return take_lines(relay);
}

static enum error send_output(struct relay *relay)
{
	while (relay->output.length > 0) {
		const struct text text = buffer_text(&relay->output);
		const ssize_t sent = send(relay->fd, text.bytes, text.length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? OK : error_from_errno(errno);
		buffer_consume(&relay->output, (size_t)sent);
	}
	return OK;
}

/* -- What is asked ------------------------------------------------------------------------------------ */

static void send_now(struct relay *relay, int64_t now_ms)
{
	const enum error error = relay->fd >= 0 ? send_output(relay) : OK;

	if (error != OK)
		go_away(relay, error, now_ms);
}

/* The login is told to Dovecot. */
static bool print_request(struct relay *relay, const struct login *login, const struct sasl_request *request)
{
	const bool printed = request->kind == SASL_BEGIN
	    ? dovecot_print_begin(&relay->output, login->number, request, relay->scratch)
	    : dovecot_print_step(&relay->output, login->number, request->response, relay->scratch);

	arena_wipe(relay->scratch);
	return printed;
}

static void say(struct relay *relay, struct login *login, const struct sasl_request *request, int64_t now_ms)
{
	/* Those at the front are due first. */
	DL_DELETE(relay->logins, login);
	DL_APPEND(relay->logins, login);
	login->waits = true;
	login->due_ms = now_ms + RELAY_PATIENCE_MS;
	if (!print_request(relay, login, request))
		give_up(relay, login, TEXT("out of memory, or longer than Dovecot takes"));
	send_now(relay, now_ms);
}

void relay_ask(struct relay *relay, const struct sasl_request *request, int64_t now_ms)
{
	struct login *login = find_login(relay, request->number);

	if (login != NULL && request->kind != SASL_STEP) {
		cancel(relay, login);
		send_now(relay, now_ms);
		login = NULL;
	}
	if (request->kind == SASL_ABORT)
		return;
	if (request->kind == SASL_BEGIN && relay->greeted) {
		if (HASH_CNT(hh, relay->by_number) == SASL_EXCHANGES_MAX)
			give_up(relay, relay->logins, TEXT("too many logins at one time"));
		login = add_login(relay, request->number);
	}
	if (login != NULL && relay->greeted && !login->waits)
		say(relay, login, request, now_ms);
	else
		give_trouble(relay, request->number, relay->greeted ? TEXT("the login was given up") : TEXT("Dovecot is away"));
}

/* -- Polling -------------------------------------------------------------------------------------------- */

int relay_fd(const struct relay *relay)
{
	return relay->fd;
}

short relay_events(const struct relay *relay)
{
	return relay->output.length > 0 ? POLLIN | POLLOUT : POLLIN;
}

int64_t relay_due_ms(const struct relay *relay)
{
	if (!relay->greeted)
		return relay->due_ms;
	return relay->logins != NULL ? relay->logins->due_ms : INT64_MAX;
}

void relay_ready(struct relay *relay, short events, int64_t now_ms)
{
	enum error error = OK;

	if (relay->fd < 0)
		return;
	if (events & POLLOUT)
		error = send_output(relay);
	if (error == OK && events & (POLLIN | POLLHUP | POLLERR))
		error = receive(relay);
	if (error != OK)
		go_away(relay, error, now_ms);
}

void relay_turn(struct relay *relay, int64_t now_ms)
{
	if (relay->fd < 0) {
		if (now_ms >= relay->due_ms)
			come(relay, now_ms);
	} else if (!relay->greeted && now_ms >= relay->due_ms) {
		go_away(relay, ERR_TIMEOUT, now_ms);
	}
	/* A client that does not respond has a patience of its own, but the room here is not for ever. */
	while (relay->logins != NULL && now_ms >= relay->logins->due_ms)
		give_up(relay, relay->logins, TEXT("Dovecot does not answer"));
	send_now(relay, now_ms);
}

/* -- Life ------------------------------------------------------------------------------------------------- */

struct relay *relay_new(const char *path, const struct relay_handler *handler, void *context)
{
	struct relay *relay = calloc(1, sizeof *relay);

	must(strlen(path) < sizeof relay->address.sun_path);
	if (relay == NULL)
		return NULL;
	relay->scratch = arena_new(SCRATCH_BYTES_MAX);
	if (relay->scratch == NULL) {
		free(relay);
		return NULL;
	}
	relay->handler = handler;
	relay->context = context;
	relay->fd = -1;
	relay->address.sun_family = AF_UNIX;
	memcpy(relay->address.sun_path, path, strlen(path));
	buffer_init(&relay->input, DOVECOT_LINE_MAX);
	buffer_init_secret(&relay->output, OUTPUT_MAX);
	return relay;
}

void relay_free(struct relay *relay)
{
	if (relay == NULL)
		return;
	relay->greeted = false;
	while (relay->logins != NULL)
		give_up(relay, relay->logins, TEXT("Dovecot is asked no more"));
	if (relay->fd >= 0)
		close(relay->fd);
	buffer_done(&relay->input);
	buffer_done(&relay->output);
	arena_free(relay->scratch);
	free(relay);
}

const char *relay_path(const struct relay *relay)
{
	return relay->address.sun_path;
}

bool relay_was_there(const struct relay *relay)
{
	return relay->was_there;
}

unsigned relay_mechanisms(const struct relay *relay)
{
	return relay->mechanisms;
}
