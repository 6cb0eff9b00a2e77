/* What the tables say in prose: the manual page and the annotated sample file. */
#include "conf/conf.h"
#include "conf/table.h"

static const char *kind_prose(const struct option *option)
{
	static const char *const prose[] = {
		[KIND_STRING] = "string",
		[KIND_NAME] = "host name",
		[KIND_PATH] = "path",
		[KIND_ENDPOINT] = "address:port or unix:path",
		[KIND_ENUM] = "word",
		[KIND_BOOL] = "yes or no",
		[KIND_NUMBER] = "number",
		[KIND_SIZE] = "size",
		[KIND_DURATION] = "duration",
		[KIND_RATE] = "rate",
		[KIND_STRINGS] = "{strings}",
		[KIND_NAMES] = "{domains}",
		[KIND_NETWORKS] = "{networks}",
		[KIND_ADDRESSES] = "{addresses}",
		[KIND_HOSTS] = "{hosts}",
		[KIND_DURATIONS] = "{durations}",
		[KIND_PATHS] = "{paths}",
	};

	return prose[option->kind];
}

/* The value as it would be written in the file. */
static bool print_value(const struct option *option, const char *value, struct buffer *out)
{
	struct text rest = text_of(value), item;
	bool first = true, ok;

	if (!option_is_list(option))
		return buffer_print(out, option->kind == KIND_ENUM || option->kind == KIND_NUMBER || option->kind == KIND_BOOL
		        ? "%s" : "\"%s\"", value);
	ok = buffer_append(out, TEXT("{"));
	while (ok && text_cut(&rest, ',', &item)) {
		ok = buffer_print(out, "%s\"%.*s\"", first ? "" : ", ", TEXT_FORMAT(text_trim(item)));
		first = false;
	}
	return ok && buffer_append(out, TEXT("}"));
}

/* -- postroad.conf(5) -------------------------------------------------------- */

enum { MDOC_COLUMNS = 78, VALUE_BYTES_MAX = 4096 };

static bool mdoc_word(struct text word, bool line_begins, struct buffer *out)
{
	bool ok = true;

	/* Else it would be taken for a request. */
	if (line_begins && (text_starts(word, TEXT(".")) || text_starts(word, TEXT("'"))))
		ok = buffer_append(out, TEXT("\\&"));
	for (size_t i = 0; ok && i < word.length; i++)
		ok = word.bytes[i] == '\\' ? buffer_append(out, TEXT("\\e")) : buffer_append(out, text_part(word, i, 1));
	return ok;
}

/* Prose for mdoc(7): short lines, and each sentence begins one. */
static bool mdoc_prose(const char *prose, struct buffer *out)
{
	struct text rest = text_of(prose), word;
	bool ok = true, sentence_ended = false;
	size_t column = 0;

	while (ok && text_cut(&rest, ' ', &word)) {
		const bool line_begins = column == 0 || sentence_ended || column + 1 + word.length > MDOC_COLUMNS;

		if (column > 0)
			ok = buffer_append(out, line_begins ? TEXT("\n") : TEXT(" "));
		ok = ok && mdoc_word(word, line_begins, out);
		column = (line_begins ? 0 : column + 1) + word.length;
		sentence_ended = text_ends(word, TEXT("."));
	}
	return ok && buffer_append(out, TEXT("\n"));
}

static bool manual_words(const struct option *option, struct buffer *out)
{
	struct text rest = text_of(option->words), word;
	bool ok = true, first = true;

	if (option->words == NULL)
		return true;
	if (option->kind != KIND_ENUM) {
		const size_t dots = text_find(rest, TEXT(".."));

		return buffer_print(out, "From %.*s to %s.\n", (int)dots, option->words, option->words + dots + 2);
	}
	while (ok && text_cut(&rest, ' ', &word)) {
		ok = buffer_print(out, "%s%.*s", first ? "One of: " : ", ", TEXT_FORMAT(word));
		first = false;
	}
	return ok && buffer_append(out, TEXT(".\n"));
}

/* A value as it would be written; mdoc would take its quotes for its own. */
static bool mdoc_value(const char *what, const struct option *option, const char *value, struct buffer *out)
{
	struct buffer written;
	bool ok;

	buffer_init(&written, VALUE_BYTES_MAX);
	ok = buffer_print(out, "%s:\n.Ql ", what) && print_value(option, value, &written);
	for (size_t i = 0; ok && i < written.length; i++) {
		const struct text byte = text_part(buffer_text(&written), i, 1);

		ok = buffer_append(out, byte.bytes[0] == '"' ? TEXT("\\(dq") : byte);
	}
	buffer_done(&written);
	return ok && buffer_append(out, TEXT(" .\n"));
}

static bool manual_option(const struct option *option, struct buffer *out)
{
	const char *why = availability_why(option->availability);
	bool ok = buffer_print(out, ".It Ic %s No = Ar %s\n", option->name, kind_prose(option)) &&
	    mdoc_prose(option->prose, out) && manual_words(option, out);

	if (ok && option->value != NULL)
		ok = mdoc_value("Default", option, option->value, out);
	if (ok && option->example != NULL)
		ok = mdoc_value("Example", option, option->example, out);
	if (ok && why != NULL)
		ok = buffer_print(out, "%s:\n%s.\n", option->kind == KIND_ENUM ? "Only the first word is taken" : "Refused", why);
	return ok;
}

static bool manual_options(const char *section, struct buffer *out)
{
	bool ok = buffer_append(out, TEXT(".Bl -tag -width Ds\n"));

	for (size_t i = 0; ok && i < conf_option_count; i++)
		if (text_equal(text_of(conf_options[i].section), text_of(section)))
			ok = manual_option(&conf_options[i], out);
	return ok && buffer_append(out, TEXT(".El\n"));
}

static bool manual_section(const struct section *section, struct buffer *out)
{
	return (section->title ? buffer_print(out, ".Ss %s \\(dq%s\\(dq { ... }\n", section->name, section->title)
	                       : buffer_print(out, ".Ss %s { ... }\n", section->name)) &&
	    mdoc_prose(section->prose, out) && manual_options(section->name, out);
}

static const char manual_head[] =
    ".Dd November 24, 2026\n"
    ".Dt POSTROAD.CONF 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm postroad.conf\n"
    ".Nd configuration of the postroad mail server\n"
    ".Sh DESCRIPTION\n"
    "One file holds the whole configuration of\n"
    ".Xr postroad 8 .\n"
    "It has options, and sections of options:\n"
    ".Bd -literal -offset indent\n"
    "# a comment\n"
    "name = value\n"
    "name = {\"value\", \"value\"}\n"
    "section { name = value }\n"
    "section \\(dqtitle\\(dq { name = value }\n"
    ".Ed\n"
    ".Pp\n"
    "Values with blanks or signs stand in quotes.\n"
    "In place of\n"
    ".Ql =\n"
    "the sign\n"
    ".Ql +=\n"
    "adds to a list.\n"
    "In double quotes and in bare words\n"
    ".Ql ${NAME}\n"
    "is replaced by a variable of the environment.\n"
    "A size is a number with the unit K, M or G,\n"
    "a duration one with the unit ms, s, m, h or d.\n"
    "A rate is a number and a duration, like\n"
    ".Ql \\(dq100/1h\\(dq\n"
    "for a hundred that may come at once and from then on one every 36 seconds, or\n"
    ".Ql none .\n"
    "A relative path begins in the folder of the file, also as\n"
    ".Ql unix:PATH .\n"
    ".Pp\n"
    "Unknown options, bad values and impossible combinations are refused.\n"
    ".Ic postroad check\n"
    "names all of them, each with its line and what would be right.\n"
    ".Sh OPTIONS\n";

static const char manual_tail[] =
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa /etc/postroad/postroad.conf\n"
    "The configuration, unless\n"
    ".Fl c\n"
    "names another file.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    "The smallest useful file:\n"
    ".Bd -literal -offset indent\n"
    "hostname = \"mail.example.org\"\n"
    "domains  = {\"example.org\"}\n"
    "listen \"0.0.0.0:25\" { role = mx }\n"
    ".Ed\n"
    ".Pp\n"
    "A server that only sends, by way of another one:\n"
    ".Bd -literal -offset indent\n"
    "hostname = \"host.example.org\"\n"
    "domains  = {}\n"
    "listen \"127.0.0.1:25\" { role = submission }\n"
    "route \"*\" { via = {\"mail.example.org\"} }\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr postroad 8\n";

bool conf_print_manual(struct buffer *out)
{
	bool ok = buffer_append(out, text_of(manual_head)) && manual_options("", out);

	for (size_t i = 0; ok && i < conf_section_count; i++)
		ok = manual_section(&conf_sections[i], out);
	return ok && buffer_append(out, text_of(manual_tail));
}

/* -- postroad.conf.sample ---------------------------------------------------- */

enum { SAMPLE_COLUMNS = 100 };

/* Prose as comment lines. */
static bool sample_prose(const char *prose, const char *indent, struct buffer *out)
{
	struct text rest = text_of(prose), word;
	size_t column = 0;
	bool ok = true;

	while (ok && text_cut(&rest, ' ', &word)) {
		if (column == 0 || column + word.length + 1 > SAMPLE_COLUMNS) {
			ok = buffer_print(out, "%s%s#", column ? "\n" : "", indent);
			column = 8;
		}
		ok = ok && buffer_print(out, " %.*s", TEXT_FORMAT(word));
		column += word.length + 1;
	}
	return ok && buffer_append(out, TEXT("\n"));
}

/* Those without which there is no right file. */
static bool is_needed(const struct option *option)
{
	return option->section[0] == '\0' && (option->kind == KIND_NAME || option->kind == KIND_NAMES);
}

/* Each option with its default, or else an example; as a comment unless it is needed. */
static bool sample_options(const char *section, const char *indent, struct buffer *out)
{
	bool ok = true, first = true;

	for (size_t i = 0; ok && i < conf_option_count; i++) {
		const struct option *option = &conf_options[i];

		if (!text_equal(text_of(option->section), text_of(section)) || option->availability != NOW)
			continue;
		ok = (first || buffer_print(out, "%.*s\n", indent[0] == '#', indent)) && sample_prose(option->prose, indent, out) &&
		    buffer_print(out, "%s%s%s = ", indent, is_needed(option) ? "" : "#", option->name) &&
		    print_value(option, option_example(option), out) && buffer_append(out, TEXT("\n"));
		first = false;
	}
	return ok;
}

static bool section_is_available(const struct section *section)
{
	for (size_t i = 0; i < conf_option_count; i++)
		if (text_equal(text_of(conf_options[i].section), text_of(section->name)) && conf_options[i].availability == NOW)
			return true;
	return false;
}

/* The one listener stands there for good, other titled sections as comments; empty sections mean nothing. */
static bool sample_section(const struct section *section, struct buffer *out)
{
	const bool listens = text_equal(text_of(section->name), TEXT("listen"));
	const bool comment = section->title != NULL && !listens;
	bool ok = buffer_append(out, TEXT("\n")) && sample_prose(section->prose, "", out) &&
	    buffer_print(out, "%s%s", comment ? "#" : "", section->name);

	if (ok && section->title != NULL)
		ok = buffer_print(out, " \"%s\"", section->example);
	return ok && buffer_append(out, TEXT(" {\n")) && sample_options(section->name, comment ? "#\t" : "\t", out) &&
	    buffer_print(out, "%s}\n", comment ? "#" : "");
}

bool conf_print_sample(struct buffer *out)
{
	bool ok = buffer_append(out, TEXT("# postroad.conf: every option of this version, with its default or an example.\n"
	                                  "# postroad.conf(5) has the details; `postroad check` tells what is wrong.\n\n")) &&
	    sample_options("", "", out);

	for (size_t i = 0; ok && i < conf_section_count; i++)
		if (section_is_available(&conf_sections[i]))
			ok = sample_section(&conf_sections[i], out);
	return ok;
}
