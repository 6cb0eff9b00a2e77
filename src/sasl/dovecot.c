#include "sasl/dovecot.h"

#include "base/base64.h"

/* -- Reading -------------------------------------------------------------------------------- */

static bool read_number(struct text digits, uint32_t *out_number)
{
	uint64_t number;

	if (!text_to_u64(digits, &number) || number > UINT32_MAX)
		return false;
	*out_number = (uint32_t)number;
	return true;
}

/* \001 0, 1, t, n and r stand for NUL, \001, tab, LF and CR. */
static enum error unescape(struct text word, struct arena *arena, struct text *out_text)
{
	char *room = arena_alloc(arena, word.length + 1);
	size_t length = 0;

	if (room == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < word.length; i++) {
		char c = word.bytes[i];

		if (c == '\001') {
			if (++i == word.length)
				return ERR_SYNTAX;
			c = word.bytes[i];
			c = c == '0' ? '\0' : c == '1' ? '\001' : c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
		}
		room[length++] = c;
	}
	*out_text = (struct text){ room, length };
	return OK;
}

static bool is_name(struct text name)
{
	for (size_t i = 0; i < name.length; i++)
		if ((unsigned char)name.bytes[i] < ' ' || name.bytes[i] == 0x7f)
			return false;
	return name.length > 0 && name.length <= SASL_NAME_MAX;
}

static enum error read_base64(struct text word, struct arena *arena, struct text *out_bytes)
{
	const enum error error = base64_decode_strict(word, arena, out_bytes);

	return error == OK && out_bytes->length > SASL_BYTES_MAX ? ERR_SYNTAX : error;
}

static enum error read_version(struct text rest, struct dovecot_line *line)
{
	struct text major;

	return text_cut(&rest, '\t', &major) && read_number(major, &line->number) ? OK : ERR_SYNTAX;
}

/* It cannot be told a channel binding, and what is private is not for offering. */
static enum error read_mechanism(struct text rest, struct dovecot_line *line)
{
	struct text word;

	if (!text_cut(&rest, '\t', &word))
		return ERR_SYNTAX;
	line->known = sasl_mechanism_find(word, &line->mechanism) && line->mechanism != SASL_SCRAM_SHA_256_PLUS;
	while (text_cut(&rest, '\t', &word))
		line->known &= !text_equal(word, TEXT("private"));
	return OK;
}

static enum error read_challenge(struct text rest, struct arena *arena, struct dovecot_line *line)
{
	struct text word;

	/* Nothing at all is a challenge of no bytes. */
	return text_cut(&rest, '\t', &word) ? read_base64(word, arena, &line->bytes) : OK;
}

static enum error read_success(struct text rest, struct arena *arena, struct dovecot_line *line)
{
	struct text word;
	enum error error = OK;

	while (error == OK && text_cut(&rest, '\t', &word)) {
		if (text_starts(word, TEXT("user=")))
			error = unescape(text_from(word, 5), arena, &line->user);
		else if (text_starts(word, TEXT("resp=")))
			error = read_base64(text_from(word, 5), arena, &line->bytes);
		else if (text_equal(word, TEXT("nologin")))
			line->refused = true;
	}
	return error == OK && !is_name(line->user) ? ERR_SYNTAX : error;
}

static enum error read_failure(struct text rest, struct dovecot_line *line)
{
	struct text word;

	while (text_cut(&rest, '\t', &word)) {
		line->temporary |= text_equal(word, TEXT("temp")) || text_equal(word, TEXT("code=temp_fail"));
		if (text_equal(word, TEXT("user_disabled")) || text_equal(word, TEXT("code=user_disabled")))
			line->reason = TEXT("the user is disabled in Dovecot");
		else if (text_equal(word, TEXT("pass_expired")) || text_equal(word, TEXT("code=pass_expired")))
			line->reason = TEXT("the password has expired in Dovecot");
	}
	if (line->temporary)
		line->reason = TEXT("Dovecot cannot check now");
	return OK;
}

static enum dovecot_word find_word(struct text word)
{
	static const struct {
		struct text text;
		enum dovecot_word word;
	} words[] = { { { "VERSION", 7 }, DOVECOT_VERSION }, { { "MECH", 4 }, DOVECOT_MECH }, { { "DONE", 4 }, DOVECOT_DONE },
		{ { "CONT", 4 }, DOVECOT_CONT }, { { "OK", 2 }, DOVECOT_OK }, { { "FAIL", 4 }, DOVECOT_FAIL } };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_equal(word, words[i].text))
			return words[i].word;
	return DOVECOT_OTHER;
}

static enum error read_answer(struct text rest, struct arena *arena, struct dovecot_line *line)
{
	struct text number;

	if (!text_cut(&rest, '\t', &number) || !read_number(number, &line->number))
		return ERR_SYNTAX;
	return line->word == DOVECOT_CONT ? read_challenge(rest, arena, line)
	    : line->word == DOVECOT_OK    ? read_success(rest, arena, line)
	                                  : read_failure(rest, line);
}

enum error dovecot_line_read(struct text line, struct arena *arena, struct dovecot_line *out_line)
{
	struct dovecot_line read = { .word = DOVECOT_OTHER };
	struct text rest = line, word = TEXT_EMPTY;
	enum error error = OK;

	(void)text_cut(&rest, '\t', &word);
	read.word = find_word(word);
	if (read.word == DOVECOT_VERSION)
		error = read_version(rest, &read);
	else if (read.word == DOVECOT_MECH)
		error = read_mechanism(rest, &read);
	else if (read.word == DOVECOT_CONT || read.word == DOVECOT_OK || read.word == DOVECOT_FAIL)
		error = read_answer(rest, arena, &read);
	if (error == OK)
		*out_line = read;
	return error;
}

/* -- Printing ------------------------------------------------------------------------------- */

bool dovecot_print_hello(struct buffer *out, uint32_t process)
{
	return buffer_print(out, "VERSION\t1\t1\nCPID\t%u\n", process);
}

/* D2. An address of a network has no byte that wants escaping. */
static bool is_plain(struct text word)
{
	for (size_t i = 0; i < word.length; i++)
		if (!byte_is_alnum(word.bytes[i]) && word.bytes[i] != '.' && word.bytes[i] != ':')
			return false;
	return word.length > 0;
}

static bool fits(struct text base64)
{
	enum { OTHER_WORDS_MAX = 512 };

	return base64.length <= DOVECOT_REQUEST_MAX - OTHER_WORDS_MAX;
}

bool dovecot_print_begin(
    struct buffer *out, uint32_t number, const struct sasl_request *request, struct arena *arena)
{
	struct text base64 = TEXT_EMPTY;
	const struct text client = is_plain(request->client) ? request->client : TEXT_EMPTY;

	if (!base64_encode(request->response, arena, &base64) || !fits(base64))
		return false;
	/* Behind resp nothing may stand. A response that was not given is none. */
	return buffer_print(out, "AUTH\t%u\t%s\tservice=smtp\tsecured%s%.*s%s%.*s\n", number, sasl_mechanism_word(request->mechanism),
	    client.length > 0 ? "\trip=" : "", TEXT_FORMAT(client), base64.length > 0 ? "\tresp=" : "", TEXT_FORMAT(base64));
}

bool dovecot_print_step(struct buffer *out, uint32_t number, struct text response, struct arena *arena)
{
	struct text base64;

	return base64_encode(response, arena, &base64) && fits(base64) &&
	    buffer_print(out, "CONT\t%u\t%.*s\n", number, TEXT_FORMAT(base64));
}

bool dovecot_print_cancel(struct buffer *out, uint32_t number)
{
	return buffer_print(out, "CANCEL\t%u\n", number);
}
