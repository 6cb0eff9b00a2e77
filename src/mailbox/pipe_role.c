#include "mailbox/pipe_role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "io/channel.h"
#include "mailbox/copy.h"
#include "mailbox/request.h"

/* A command at work, and who is to hear of it. */
struct run {
	struct program_run program;
	uint64_t number;
	uint64_t channel;      /* By its serial number: it may be gone by then. */
	struct text name;      /* In room. */
	char room[MAILBOX_TEXT_MAX];
};

struct pipe_channel {
	int fd;
	uint64_t serial;
};

struct pipe_role {
	const struct program *programs;
	size_t program_count;
	struct pipe_channel channels[PIPE_CHANNEL_MAX];
	size_t channel_count;
	uint64_t serial_last;
	struct run runs[PIPE_RUNS_MAX];
	size_t run_count;
	int watch_fd; /* -1: none */
	void (*readable)(void *context);
	void *context;
	bool stopping;
	struct channel_message message;
	struct copy copy;
};

struct pipe_role *pipe_role_new(void)
{
	struct pipe_role *role = calloc(1, sizeof *role);

	if (role != NULL)
		role->watch_fd = -1;
	return role;
}

void pipe_role_free(struct pipe_role *role)
{
	if (role == NULL)
		return;
	for (size_t i = 0; i < role->run_count; i++)
		program_abandon(&role->runs[i].program); /* I4 */
	for (size_t i = 0; i < role->channel_count; i++)
		close(role->channels[i].fd);
	free(role);
}

void pipe_role_set_programs(struct pipe_role *role, const struct program *programs, size_t count)
{
	role->programs = programs;
	role->program_count = count;
}

bool pipe_role_add_channel(struct pipe_role *role, int fd)
{
	if (role->channel_count == PIPE_CHANNEL_MAX) {
		close(fd);
		return false;
	}
	role->channels[role->channel_count++] = (struct pipe_channel){ fd, ++role->serial_last };
	return true;
}

void pipe_role_watch(struct pipe_role *role, int fd, void (*readable)(void *context), void *context)
{
	role->watch_fd = fd;
	role->readable = readable;
	role->context = context;
}

void pipe_role_stop(struct pipe_role *role)
{
	role->stopping = true;
}

static void drop_channel(struct pipe_role *role, size_t index)
{
	close(role->channels[index].fd);
	role->channels[index] = role->channels[--role->channel_count];
}

/* -- Answers --------------------------------------------------------------------- */

static void answer(struct pipe_role *role, uint64_t serial, uint64_t number, struct text name, struct verdict verdict)
{
	char room[MAILBOX_MESSAGE_MAX], host[PROGRAM_LINE_MAX + 8];
	struct mailbox_answer answer = { number, verdict };

	snprintf(host, sizeof host, "pipe %.*s", TEXT_FORMAT(text_part(name, 0, PROGRAM_LINE_MAX)));
	answer.verdict.host = text_of(host);
	const size_t length = mailbox_answer_encode(&answer, room);

	must(length > 0);
	for (size_t i = 0; i < role->channel_count; i++) {
		if (role->channels[i].serial != serial)
			continue;
		if (channel_send_wait(role->channels[i].fd, (struct text){ room, length }, NULL, 0) != OK)
			drop_channel(role, i);
		return;
	}
}

static void end_run(struct pipe_role *role, size_t index, int status)
{
	struct run *run = &role->runs[index];
	char room[PROGRAM_WORDS_MAX];
	const struct text line = { run->program.line, run->program.line_length };

	answer(role, run->channel, run->number, run->name,
	    program_verdict(status, run->program.timed_out, line, room));
	if (index != --role->run_count) {
		*run = role->runs[role->run_count];
		run->name.bytes = run->room;
	}
}

static void look_after_runs(struct pipe_role *role)
{
	for (size_t i = role->run_count; i-- > 0;) {
		struct program_run *run = &role->runs[i].program;
		int status;

		if (run->output_fd >= 0)
			program_hear(run);
		if (!run->timed_out && clock_monotonic_ms() >= run->end_ms)
			program_expire(run);
		if (program_ended(run, &status))
			end_run(role, i, status);
	}
}

/* -- Requests -------------------------------------------------------------------- */

static const struct program *find_program(const struct pipe_role *role, struct text name)
{
	for (size_t i = 0; i < role->program_count; i++)
		if (text_equal(role->programs[i].name, name))
			return &role->programs[i];
	return NULL;
}

/* The message as the command reads it; -1: it cannot be made. */
static int make_message(struct pipe_role *role, const struct mailbox_request *request, int body_fd)
{
	const int fd = memfd_create("message", MFD_CLOEXEC);
	struct copy *copy = &role->copy;
	enum error error = OK;

	if (fd < 0)
		return -1;
	copy_start(copy, fd);
	copy_put(copy, TEXT("Return-Path: <"));
	copy_put(copy, request->return_path);
	copy_put(copy, TEXT(">\nDelivered-To: "));
	copy_put(copy, request->delivered_to);
	copy_put(copy, TEXT("\n"));
	if (body_fd < 0)
		copy_put_lines(copy, request->body);
	else
		error = copy_body(copy, body_fd, request->body_size);
	if (error == OK)
		error = copy_end(copy);
	if (error == OK)
		return fd;
	close(fd);
	return -1;
}

static struct verdict start(
    struct pipe_role *role, const struct mailbox_request *request, int body_fd, struct program_run *out_run)
{
	const struct program *program = find_program(role, request->parts.user);
	const struct text to = request->delivered_to;
	struct program_call call = { .sender = request->return_path,
		.recipient = to,
		.original = request->original,
		.local = text_part(to, 0, text_find_byte_last(to, '@')),
		.extension = request->parts.detail,
		.domain = request->parts.domain };

	if (program == NULL)
		return VERDICT(451, 4, 3, 5, "there is no such pipe any more");
	call.message_fd = make_message(role, request, body_fd);
	if (call.message_fd < 0)
		return VERDICT(451, 4, 3, 2, "short of memory or descriptors");
	const enum error error = program_start(program, &call, clock_monotonic_ms(), out_run);

	close(call.message_fd);
	return error == OK ? (struct verdict){ 0 } : VERDICT(451, 4, 3, 2, "the command could not be started");
}

/* False: the channel is to be dropped. */
static bool take_request(struct pipe_role *role, uint64_t serial)
{
	struct channel_message *message = &role->message;
	struct run *run = &role->runs[role->run_count];
	struct mailbox_request request;

	if (mailbox_request_decode((struct text){ message->bytes, message->length }, &request) != OK ||
	    message->fd_count != (request.body_size > MAILBOX_BODY_MAX ? 1 : 0)) {
		channel_message_close(message);
		return false;
	}
	const struct verdict verdict =
	    start(role, &request, message->fd_count > 0 ? message->fds[0] : -1, &run->program);

	if (verdict.code != 0) {
		answer(role, serial, request.number, request.parts.user, verdict);
	} else {
		run->number = request.number;
		run->channel = serial;
		memcpy(run->room, request.parts.user.bytes, request.parts.user.length);
		run->name = (struct text){ run->room, request.parts.user.length };
		role->run_count++;
	}
	channel_message_close(message);
	return true;
}

/* One request of each channel in turn, so that a busy lane does not starve the others. */
static void take_requests(struct pipe_role *role)
{
	bool any = true;

	while (any && role->run_count < PIPE_RUNS_MAX) {
		any = false;
		for (size_t i = role->channel_count; i-- > 0 && role->run_count < PIPE_RUNS_MAX;) {
			const struct pipe_channel channel = role->channels[i];
			const enum error error = channel_receive_now(channel.fd, &role->message);

			if (error == ERR_BUSY)
				continue;
			any = error == OK && take_request(role, channel.serial);
			/* An answer may have dropped it already. */
			if (!any && i < role->channel_count && role->channels[i].serial == channel.serial)
				drop_channel(role, i);
		}
	}
}

/* -- The loop --------------------------------------------------------------------- */

static int wait_ms(const struct pipe_role *role)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < role->run_count; i++)
		if (!role->runs[i].program.timed_out && role->runs[i].program.end_ms < least)
			least = role->runs[i].program.end_ms;
	if (least == INT64_MAX)
		return -1;
	const int64_t wait = least - clock_monotonic_ms();

	return wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

static size_t fill_watched(const struct pipe_role *role, struct pollfd *watched)
{
	size_t count = 0;

	watched[count++] = (struct pollfd){ .fd = role->watch_fd, .events = POLLIN };
	for (size_t i = 0; i < role->channel_count && role->run_count < PIPE_RUNS_MAX; i++)
		watched[count++] = (struct pollfd){ .fd = role->channels[i].fd, .events = POLLIN };
	for (size_t i = 0; i < role->run_count; i++) {
		watched[count++] = (struct pollfd){ .fd = role->runs[i].program.pid_fd, .events = POLLIN };
		watched[count++] = (struct pollfd){ .fd = role->runs[i].program.output_fd, .events = POLLIN };
	}
	return count;
}

void pipe_role_run(struct pipe_role *role)
{
	struct pollfd watched[1 + PIPE_CHANNEL_MAX + 2 * PIPE_RUNS_MAX];

	while (!role->stopping) {
		if (role->channel_count == 0 && role->watch_fd < 0)
			return;
		if (poll(watched, fill_watched(role, watched), wait_ms(role)) < 0) {
			must(errno == EINTR || errno == ENOMEM);
			continue;
		}
		const bool readable = watched[0].revents != 0;

		look_after_runs(role);
		take_requests(role);
		if (readable)
			role->readable(role->context);
	}
}
