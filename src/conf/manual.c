/* What the table says in prose: the manual page, the sample file, and the summary of `postroad check`. */
#include <string.h>

#include "conf/conf.h"
#include "conf/table.h"

static const char *kind_prose(const struct option *option)
{
	switch (option->kind) {
	case KIND_STRING:
		return "string";
	case KIND_NAME:
		return "domain name";
	case KIND_PATH:
		return "path";
	case KIND_ENDPOINT:
		return "address and port, or unix:path";
	case KIND_ENUM:
		return "one word";
	case KIND_BOOL:
		return "yes or no";
	case KIND_NUMBER:
		return "number";
	case KIND_SIZE:
		return "size";
	case KIND_DURATION:
		return "duration";
	case KIND_STRINGS:
	case KIND_HOSTS:
		return "list of strings";
	case KIND_NAMES:
		return "list of domain names";
	case KIND_NETWORKS:
		return "list of networks";
	case KIND_ADDRESSES:
		return "list of addresses";
	case KIND_DURATIONS:
		return "list of durations";
	}
	return "";
}

static bool manual_option(const struct option *option, struct buffer *out)
{
	return buffer_print(out, ".It Ic %s\n%s.\n%s", option->name, kind_prose(option), option->prose) &&
	    (option->words == NULL || buffer_print(out, "\nAllowed: %s.", option->words)) &&
	    (option->value == NULL || buffer_print(out, "\nDefault: %s.", option->value[0] ? option->value : "empty")) &&
	    (option->availability == AVAILABLE_NOW ||
	        buffer_print(out, "\n%s",
	            option->availability == AVAILABLE_LATER ? "Refused by this version." : "This version takes the first only.")) &&
	    buffer_append(out, TEXT("\n"));
}

static bool manual_options(const char *section, struct buffer *out)
{
	bool ok = buffer_append(out, TEXT(".Bl -tag -width Ds\n"));

	for (size_t i = 0; ok && i < conf_option_count; i++)
		if (strcmp(conf_options[i].section, section) == 0)
			ok = manual_option(&conf_options[i], out);
	return ok && buffer_append(out, TEXT(".El\n"));
}

bool conf_print_manual(struct buffer *out)
{
	bool ok = buffer_append(out,
		      TEXT(".Dd November 24, 2026\n.Dt POSTROAD.CONF 5\n.Os\n.Sh NAME\n.Nm postroad.conf\n"
		           ".Nd configuration of the postroad mail server\n.Sh DESCRIPTION\n"
		           "One file in the syntax of libconfuse:\n.Ql name = value ,\nlists in braces, sections in braces after "
		           "their name and title.\nComments begin with\n.Ql # .\nSizes take the units K, M and G; durations ms, s, m, h and d.\n"
		           "A relative path belongs to the folder of the file.\n.Xr postroad 8\n.Cm check\nnames what is wrong in a file, "
		           "with its line and what would be right.\n.Sh OPTIONS\n")) &&
	    manual_options("", out);

	for (size_t i = 0; ok && i < conf_section_count; i++) {
		const struct section *section = &conf_sections[i];

		ok = buffer_print(out, ".Ss %s%s%s%s\n%s\n", section->name, section->titled ? " \\(dq" : "",
		         section->titled ? section->title : "", section->titled ? "\\(dq" : "", section->prose) &&
		    manual_options(section->name, out);
	}
	return ok &&
	    buffer_append(out, TEXT(".Sh EXAMPLES\nThe smallest useful file:\n.Bd -literal -offset indent\n"
	                            "hostname = \"mail.example.org\"\ndomains  = {\"example.org\"}\n"
	                            "listen \"0.0.0.0:25\" { role = mx }\n.Ed\n.Sh SEE ALSO\n.Xr postroad 8\n"));
}

/* Prose as comment lines of at most 100 columns. */
static bool sample_comment(const char *prose, const char *indent, struct buffer *out)
{
	struct text rest = text_of(prose), word;
	size_t column = 0;
	bool ok = true;

	while (ok && text_cut(&rest, ' ', &word)) {
		if (column == 0 || column + word.length > 96) {
			ok = buffer_print(out, "%s%s#", column ? "\n" : "", indent);
			column = strlen(indent) + 1;
		}
		ok = ok && buffer_print(out, " %.*s", TEXT_FORMAT(word));
		column += word.length + 1;
	}
	return ok && buffer_append(out, TEXT("\n"));
}

static bool sample_value(const struct option *option, struct buffer *out)
{
	struct text rest = text_of(option->value), item;
	bool first = true, ok;

	if (!option_is_list(option))
		return buffer_print(out, "\"%s\"", option->value ? option->value : "");
	ok = buffer_append(out, TEXT("{"));
	while (ok && text_cut(&rest, ',', &item)) {
		ok = buffer_print(out, "%s\"%.*s\"", first ? "" : ", ", TEXT_FORMAT(text_trim(item)));
		first = false;
	}
	return ok && buffer_append(out, TEXT("}"));
}

static bool sample_options(const char *section, const char *indent, struct buffer *out)
{
	for (size_t i = 0; i < conf_option_count; i++) {
		const struct option *option = &conf_options[i];

		if (strcmp(option->section, section) != 0 || option->availability == AVAILABLE_LATER)
			continue;
		if (!sample_comment(option->prose, indent, out) || !buffer_print(out, "%s#%s = ", indent, option->name) ||
		    !sample_value(option, out) || !buffer_append(out, TEXT("\n")))
			return false;
	}
	return true;
}

bool conf_print_sample(struct buffer *out)
{
	bool ok = buffer_append(out, TEXT("# postroad.conf: every option with its default. See postroad.conf(5).\n\n"
	                                  "hostname = \"mail.example.org\"\ndomains = {\"example.org\"}\n"
	                                  "listen \"0.0.0.0:25\" { role = mx }\n\n")) &&
	    sample_options("", "", out);

	for (size_t i = 0; ok && i < conf_section_count; i++) {
		const struct section *section = &conf_sections[i];

		ok = buffer_append(out, TEXT("\n")) && sample_comment(section->prose, "", out) &&
		    buffer_print(out, "#%s%s%s%s {\n", section->name, section->titled ? " \"" : "",
		        section->titled ? section->title : "", section->titled ? "\"" : "") &&
		    sample_options(section->name, "#    ", out) && buffer_append(out, TEXT("#}\n"));
	}
	return ok;
}

bool conf_summary(const struct conf *conf, struct buffer *out)
{
	static const char *const roles[] = { "mx", "submission", "lmtp" };
	char room[ENDPOINT_TEXT_MAX];
	bool ok = buffer_print(out, "%s is right.\n  this server   %.*s\n  mail ends for", conf->path, TEXT_FORMAT(conf->hostname));

	for (size_t i = 0; ok && i < conf->domain_count; i++)
		ok = buffer_print(out, " %.*s", TEXT_FORMAT(conf->domains[i]));
	ok = ok && buffer_append(out, conf->domain_count ? TEXT("\n") : TEXT(" no domain\n"));
	for (size_t i = 0; ok && i < conf->listener_count; i++)
		ok = buffer_print(out, "  listens on    %s (%s)\n", endpoint_print(&conf->listeners[i].endpoint, room).bytes,
		    roles[conf->listeners[i].role]);
	return ok && buffer_print(out, "  mailboxes     %s\n  spool         %s\n  log           %s\n",
	    conf->mailbox.lmtp.length > 0 ? conf->mailbox.lmtp.bytes : conf->mailbox.path, conf->spool.path, conf->log.to);
}
