#include "ctl/message_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

/* CRLF for every bare LF. `to` has room for twice the bytes. */
static struct text with_crlf(struct message_file *message, struct text from, char *to)
{
	size_t length = 0;

	for (size_t i = 0; i < from.length; i++) {
		if (from.bytes[i] == '\n' && !message->after_cr)
			to[length++] = '\r';
		to[length++] = from.bytes[i];
		message->after_cr = from.bytes[i] == '\r';
	}
	return (struct text){ to, length };
}

static int complain(const struct message_file *message, const char *what, int code)
{
	fprintf(stderr, "postroad: %s: %s\n", message->name, what);
	return code;
}

static int append_line(struct message_file *message, struct text line)
{
	struct text rest = line;

	while (rest.length > 0) {
		const struct text part = text_part(rest, 0, MESSAGE_PIECE);

		if (!buffer_append(&message->header, with_crlf(message, part, message->out)))
			return complain(message, "the header is too large", EX_DATAERR);
		rest = text_from(rest, part.length);
	}
	return EX_OK;
}

static int read_header(struct message_file *message)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int code = EX_OK;
	bool first = true;

	while (code == EX_OK && !message->has_body && (length = getline(&line, &room, message->file)) > 0) {
		const struct text text = { line, (size_t)length };

		if (first)
			message->was_crlf = text_ends(text, TEXT("\r\n"));
		first = false;
		message->has_body = text_equal(text, TEXT("\n")) || text_equal(text, TEXT("\r\n"));
		code = append_line(message, text);
	}
	free(line);
	if (code == EX_OK && ferror(message->file))
		code = complain(message, strerror(errno), EX_NOINPUT);
	return code;
}

/* How large a file is; of a pipe nobody knows. */
static uint64_t size_of(FILE *file)
{
	struct stat about;

	return file != NULL && fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 ? (uint64_t)about.st_size : 0;
}

int message_file_open(struct message_file *message, const char *name)
{
	const bool standard = name == NULL || strcmp(name, "-") == 0;

	buffer_init(&message->header, MESSAGE_HEADER_MAX);
	message->has_body = message->after_cr = message->was_crlf = false;
	message->name = standard ? "standard input" : name;
	message->file = standard ? stdin : fopen(name, "re");
	message->progress = progress_begin("bytes", size_of(message->file));
	message->body_bytes = 0;
	if (message->file == NULL)
		return complain(message, strerror(errno), EX_NOINPUT);
	return read_header(message);
}

bool message_file_body(struct message_file *message, struct text *out_piece)
{
	const size_t length =
	    message->has_body ? fread(message->in, 1, sizeof message->in, message->file) : 0;

	if (ferror(message->file)) {
		progress_end(&message->progress);
		(void)complain(message, strerror(errno), EX_NOINPUT);
		return false;
	}
	message->body_bytes += length;
	if (length > 0)
		progress_show(&message->progress, message->body_bytes);
	else
		progress_end(&message->progress);
	*out_piece = with_crlf(message, (struct text){ message->in, length }, message->out);
	return true;
}

void message_file_close(struct message_file *message)
{
	progress_end(&message->progress);
	buffer_done(&message->header);
	if (message->file != NULL && message->file != stdin)
		fclose(message->file);
	message->file = NULL;
}
