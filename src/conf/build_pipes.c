/* Pipes: commands that take messages. */
#include "conf/build_private.h"
#include "conf/part.h"
#include "mail/address.h"

enum { WORDS_MAX = 64, NAME_MAX_BYTES = 64 };

/* It stands in logs, and in names of destinations. */
bool conf_name_valid(struct text name)
{
	for (size_t i = 0; i < name.length; i++)
		if (!byte_is_alnum(name.bytes[i]) && name.bytes[i] != '-' && name.bytes[i] != '_' && name.bytes[i] != '.')
			return false;
	return name.length > 0 && name.length <= NAME_MAX_BYTES;
}

static bool is_ours(const struct conf *conf, struct text domain, struct arena *arena)
{
	struct text ascii;

	for (size_t i = 0; i < conf->domain_count && address_domain_to_ascii(domain, arena, &ascii) == OK; i++)
		if (text_equal_nocase(ascii, conf->domains[i]))
			return true;
	return false;
}

static void build_recipients(const struct part *part, const struct conf *conf, struct conf_pipe *pipe)
{
	struct reading *reading = part->reading;

	pipe->recipients = part_texts(part, "for", &pipe->recipient_count);
	if (pipe->recipient_count == 0)
		reading_complain(reading, part->line, "pipe \"%.*s\" is for nobody (hint: for = {\"name@example.org\"})",
		    TEXT_FORMAT(part->title));
	for (size_t i = 0; i < pipe->recipient_count; i++) {
		const struct text recipient = pipe->recipients[i];
		const size_t at = text_find_byte_last(recipient, '@');

		if (at == recipient.length || at > ADDRESS_LOCAL_MAX || !is_ours(conf, text_from(recipient, at + 1), reading->arena))
			reading_complain(reading, part_line(part, "for"),
			    "pipe for = \"%.*s\" is no recipient of ours (hint: name@example.org or @example.org, of one of domains)",
			    TEXT_FORMAT(recipient));
	}
}

static void build_pipe(const struct part *part, const struct conf *conf, struct conf_pipe *pipe)
{
	struct reading *reading = part->reading;

	pipe->line = part->line;
	pipe->name = TEXT("");
	if (!arena_copy(reading->arena, part->title, &pipe->name) || !conf_name_valid(pipe->name))
		reading_complain(reading, part->line, "pipe \"%.*s\" is no name (hint: letters, digits, - and _)", TEXT_FORMAT(part->title));
	build_recipients(part, conf, pipe);
	pipe->words = part_texts(part, "command", &pipe->word_count);
	if (pipe->word_count == 0 || pipe->word_count > WORDS_MAX || pipe->words[0].bytes[0] != '/')
		reading_complain(reading, pipe->word_count == 0 ? part->line : part_line(part, "command"),
		    "pipe \"%.*s\" has no command (hint: command = {\"/usr/local/bin/ticket\", \"--new\"}, with the whole path first)",
		    TEXT_FORMAT(part->title));
	pipe->user = part_text(part, "user");
	if (pipe->user.length == 0 || text_equal(pipe->user, TEXT("root")))
		reading_complain(reading, pipe->user.length == 0 ? part->line : part_line(part, "user"),
		    "pipe \"%.*s\" has no user to run as (hint: user = \"ticket\", anybody but root)", TEXT_FORMAT(part->title));
	pipe->limit_ms = (int64_t)part_quantity(part, "time-limit");
}

void conf_build_pipes(struct reading *reading, struct conf *conf)
{
	const unsigned count = part_count(reading, "pipe");
	struct conf_pipe *pipes = arena_array(reading->arena, count + 1, sizeof *pipes);

	if (pipes == NULL || count > CONF_PIPES_MAX) {
		reading_complain(reading, 1, "too many pipes (hint: at most %d)", CONF_PIPES_MAX);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		const struct part part = part_nth(reading, "pipe", i);

		build_pipe(&part, conf, &pipes[i]);
		for (unsigned k = 0; k < i; k++)
			if (text_equal(pipes[k].name, pipes[i].name))
				reading_complain(reading, part.line, "pipe \"%.*s\" is the same as that of line %d (hint: give it another name)",
				    TEXT_FORMAT(part.title), pipes[k].line);
	}
	conf->pipes = pipes;
	conf->pipe_count = count;
}
