/* postroad send, sendmail(1): hand in one message and forget it.
 *
 * The control connection becomes an SMTP session: the message is the server's when that says 250, and
 * not before. Whatever goes wrong earlier is told by the exit code. */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buffer.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/hand_over.h"
#include "ctl/usage.h"
#include "mail/address_list.h"
#include "mail/header.h"

enum { HEADER_BYTES_MAX = 1 << 20, RECIPIENTS_MAX = 1000, PIECE = 32 << 10 };

struct mailing {
	struct arena *arena;
	const char *hostname;
	struct text sender;        /* As printed; empty: the null path. */
	struct address recipients[RECIPIENTS_MAX];
	size_t recipient_count;
	struct text header;        /* With its empty line; read ahead for -t. */
	const char *envelope_id, *notify, *ret;
	bool from_header, dot_is_text, verbose, server_session;
	struct hand_over over;
};

/* -- words ------------------------------------------------------------------- */

/* Who is named in To and in Bcc gets one copy. */
static void drop_duplicates(struct mailing *mailing, size_t first_new)
{
	size_t kept = first_new;

	for (size_t i = first_new; i < mailing->recipient_count; i++) {
		bool known = false;

		for (size_t k = 0; k < kept && !known; k++)
			known = address_equal(&mailing->recipients[i], &mailing->recipients[k]);
		if (!known)
			mailing->recipients[kept++] = mailing->recipients[i];
	}
	mailing->recipient_count = kept;
}

static bool add_recipients(struct mailing *mailing, struct text list)
{
	const size_t before = mailing->recipient_count;
	const enum error error = address_list_parse(list, text_of(mailing->hostname), mailing->arena, mailing->recipients,
	    RECIPIENTS_MAX, &mailing->recipient_count);

	if (error == OK) {
		drop_duplicates(mailing, before);
		return true;
	}
	fprintf(stderr, "sendmail: \"%.*s\": %s\n", TEXT_FORMAT(list),
	    error == ERR_TOO_LARGE ? "too many recipients" : "is not an address");
	return false;
}

static bool set_sender(struct mailing *mailing, struct text text)
{
	struct address address;
	size_t count = 0;

	if (text.length == 0 || text_equal(text, TEXT("<>"))) {
		mailing->sender = TEXT("");
		return true;
	}
	if (address_list_parse(text, text_of(mailing->hostname), mailing->arena, &address, 1, &count) != OK || count != 1 ||
	    !address_print(&address, mailing->arena, &mailing->sender)) {
		fprintf(stderr, "sendmail: \"%.*s\" is not a sender\n", TEXT_FORMAT(text));
		return false;
	}
	return true;
}

static bool set_default_sender(struct mailing *mailing)
{
	const struct passwd *who = getpwuid(getuid());
	struct text sender;

	return arena_print(mailing->arena, &sender, "%s@%s", who ? who->pw_name : "nobody", mailing->hostname) &&
	    set_sender(mailing, sender);
}

/* An option with a value. */
static int read_value(struct mailing *mailing, char letter, const char *value)
{
	switch (letter) {
	case 'o':
		mailing->dot_is_text = mailing->dot_is_text || value[0] == 'i';
		break;
	case 'f':
	case 'r':
		return set_sender(mailing, text_of(value)) ? EX_OK : EX_USAGE;
	case 'N':
		mailing->notify = value;
		break;
	case 'R':
		mailing->ret = value;
		break;
	case 'V':
		mailing->envelope_id = value;
		break;
	case 'b':
		if (strcmp(value, "s") != 0 && strcmp(value, "m") != 0)
			return ctl_usage("send");
		mailing->server_session = value[0] == 's';
		break;
	default: /* It tunes other servers. */
		break;
	}
	return EX_OK;
}

/* One word of options: letters without value may stand together (-ti); a value ends the word, or is the
 * next one. The options of sendmail(1) that only tune other servers are taken and ignored. */
static int read_options(struct mailing *mailing, const char *word, const char *next, bool *out_used_next)
{
	static const char with_value[] = "frFNRVBXOLCh", with_joined_value[] = "obeAdmp";

	for (const char *at = word + 1; *at != '\0'; at++) {
		if (strchr(with_joined_value, *at) != NULL)
			return read_value(mailing, *at, at + 1);
		if (strchr(with_value, *at) != NULL) {
			*out_used_next = at[1] == '\0';
			if (*out_used_next && next == NULL)
				return ctl_usage("send");
			return read_value(mailing, *at, *out_used_next ? next : at + 1);
		}
		if (strchr("tivnUG", *at) == NULL)
			return ctl_usage("send");
		mailing->from_header = mailing->from_header || *at == 't';
		mailing->dot_is_text = mailing->dot_is_text || *at == 'i';
		mailing->verbose = mailing->verbose || *at == 'v';
	}
	return EX_OK;
}

static int read_words(struct mailing *mailing, int count, char **words)
{
	int i = 0, code = EX_OK;

	for (; code == EX_OK && i < count && words[i][0] == '-' && words[i][1] != '\0'; i++) {
		bool used_next = false;

		if (strcmp(words[i], "--") == 0) {
			i++;
			break;
		}
		code = read_options(mailing, words[i], i + 1 < count ? words[i + 1] : NULL, &used_next);
		i += used_next;
	}
	for (; code == EX_OK && i < count; i++)
		if (!add_recipients(mailing, text_of(words[i])))
			code = EX_USAGE;
	return code;
}

/* -- the conversation -------------------------------------------------------- */

static int refused(const struct mailing *mailing, int code, struct text about)
{
	if (code == 0) {
		fprintf(stderr, "sendmail: the server closed the connection\n");
		return EX_TEMPFAIL;
	}
	fprintf(stderr, "sendmail: %.*s: %s\n", TEXT_FORMAT(about), mailing->over.reply);
	return code / 100 == 4 ? EX_TEMPFAIL : code == 550 ? EX_NOUSER : EX_UNAVAILABLE;
}

static int say_envelope(struct mailing *mailing)
{
	int code = hand_over_reply(&mailing->over);
	bool utf8 = !text_is_ascii(mailing->sender);

	if (code != 220)
		return refused(mailing, code, TEXT("greeting"));
	code = hand_over_say(&mailing->over, "EHLO %s\r\n", mailing->hostname);
	if (code != 250)
		return refused(mailing, code, TEXT("EHLO"));
	for (size_t i = 0; i < mailing->recipient_count; i++)
		utf8 = utf8 || !text_is_ascii(mailing->recipients[i].local) || !text_is_ascii(mailing->recipients[i].domain);
	code = hand_over_say(&mailing->over, "MAIL FROM:<%.*s> BODY=8BITMIME%s%s%s%s%s\r\n", TEXT_FORMAT(mailing->sender),
	    utf8 ? " SMTPUTF8" : "", mailing->ret ? " RET=" : "", mailing->ret ? mailing->ret : "",
	    mailing->envelope_id ? " ENVID=" : "", mailing->envelope_id ? mailing->envelope_id : "");
	if (code != 250)
		return refused(mailing, code, TEXT("sender"));
	for (size_t i = 0; i < mailing->recipient_count; i++) {
		struct text printed;

		if (!address_print(&mailing->recipients[i], mailing->arena, &printed))
			return EX_OSERR;
		code = hand_over_say(&mailing->over, "RCPT TO:<%.*s>%s%s\r\n", TEXT_FORMAT(printed), mailing->notify ? " NOTIFY=" : "",
		    mailing->notify ? mailing->notify : "");
		if (code / 100 != 2)
			return refused(mailing, code, printed);
	}
	code = hand_over_say(&mailing->over, "DATA\r\n");
	return code == 354 ? EX_OK : refused(mailing, code, TEXT("DATA"));
}

static bool is_lone_dot(struct text line)
{
	return text_equal(line, TEXT(".\n")) || text_equal(line, TEXT(".\r\n")) || text_equal(line, TEXT("."));
}

/* Standard input up to its end, or to a line with a dot alone. */
static int send_body(struct mailing *mailing)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	bool ok = hand_over_text(&mailing->over, mailing->header);

	while (ok && (length = getline(&line, &room, stdin)) > 0) {
		const struct text text = { line, (size_t)length };

		if (!mailing->dot_is_text && !mailing->over.in_line && is_lone_dot(text))
			break;
		ok = hand_over_text(&mailing->over, text);
	}
	free(line);
	if (ok && ferror(stdin)) {
		fprintf(stderr, "sendmail: the message cannot be read\n");
		return EX_NOINPUT; /* Closing the connection before the dot takes nothing in. */
	}
	const int code = ok ? hand_over_end(&mailing->over) : 0;

	if (code != 250)
		return refused(mailing, code, TEXT("message"));
	if (mailing->verbose)
		printf("%s\n", mailing->over.reply);
	(void)!hand_over_put(&mailing->over, TEXT("QUIT\r\n"));
	return EX_OK;
}

/* -- -t ---------------------------------------------------------------------- */

static bool is_recipient_field(struct text name)
{
	return text_equal_nocase(name, TEXT("To")) || text_equal_nocase(name, TEXT("Cc")) || text_equal_nocase(name, TEXT("Bcc"));
}

/* Read the header, take the recipients out of it, and leave Bcc out of what is sent. */
static int read_header(struct mailing *mailing)
{
	struct buffer whole, kept;
	struct header_field field;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int code = EX_OK;

	buffer_init(&whole, HEADER_BYTES_MAX);
	buffer_init(&kept, HEADER_BYTES_MAX + 2);
	while (code == EX_OK && (length = getline(&line, &room, stdin)) > 0) {
		if (!buffer_append(&whole, (struct text){ line, (size_t)length })) {
			fprintf(stderr, "sendmail: the header is larger than %d bytes\n", HEADER_BYTES_MAX);
			code = EX_DATAERR;
		}
		if (line[0] == '\n' || (line[0] == '\r' && line[1] == '\n'))
			break;
	}
	free(line);

	struct text rest = buffer_text(&whole);

	while (code == EX_OK && header_next(&rest, &field)) {
		if (is_recipient_field(field.name) && !add_recipients(mailing, field.value))
			code = EX_DATAERR;
		if (!text_equal_nocase(field.name, TEXT("Bcc")) && !buffer_append(&kept, field.whole))
			code = EX_OSERR;
	}
	if (code == EX_OK && (!buffer_append(&kept, TEXT("\n")) || !arena_copy(mailing->arena, buffer_text(&kept), &mailing->header)))
		code = EX_OSERR;
	buffer_done(&whole);
	buffer_done(&kept);
	return code;
}

/* -- -bs --------------------------------------------------------------------- */

/* Carry bytes from one descriptor to another until the end of the first. */
static void carry(int from, int to)
{
	char piece[PIECE];
	ssize_t length;

	while ((length = read(from, piece, sizeof piece)) > 0)
		for (ssize_t at = 0, sent; at < length; at += sent)
			if ((sent = write(to, piece + at, (size_t)(length - at))) <= 0)
				return;
}

/* An SMTP session on standard input and output. */
static int carry_session(int fd)
{
	const pid_t child = fork();

	if (child < 0)
		return EX_OSERR;
	if (child == 0) {
		carry(STDIN_FILENO, fd);
		shutdown(fd, SHUT_WR);
		_exit(0);
	}
	carry(fd, STDOUT_FILENO);
	/* The server has ended the session: nobody takes what may still come in. */
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	return EX_OK;
}

static int hand_in(struct mailing *mailing)
{
	int code = EX_OK;

	if (mailing->from_header)
		code = read_header(mailing);
	if (code == EX_OK && mailing->recipient_count == 0) {
		fprintf(stderr, "sendmail: no recipients\n");
		return EX_USAGE;
	}
	if (code == EX_OK)
		code = say_envelope(mailing);
	return code == EX_OK ? send_body(mailing) : code;
}

int ctl_send(const struct ctl_place *place, const char *hostname, int count, char **words)
{
	struct mailing *mailing = calloc(1, sizeof *mailing);
	struct ctl_client *client = NULL;
	int code = EX_OSERR;

	if (mailing != NULL)
		mailing->arena = arena_new(64 << 20);
	if (mailing == NULL || mailing->arena == NULL)
		goto done;
	mailing->hostname = hostname;
	mailing->over.fd = -1;
	code = set_default_sender(mailing) ? read_words(mailing, count, words) : EX_OSERR;
	if (code != EX_OK)
		goto done;

	const enum error error = ctl_client_open(place->control, &client);

	mailing->over.fd = error == OK ? ctl_client_into_smtp(client) : -1;
	if (mailing->over.fd < 0) {
		fprintf(stderr, "sendmail: no server at %s: %s; the message was not taken\n", place->control,
		    error_text(error != OK ? error : ERR_CLOSED));
		code = EX_TEMPFAIL;
	} else {
		code = mailing->server_session ? carry_session(mailing->over.fd) : hand_in(mailing);
	}
done:
	if (mailing != NULL) {
		if (mailing->over.fd >= 0)
			close(mailing->over.fd);
		arena_free(mailing->arena);
	}
	free(mailing);
	return code;
}
