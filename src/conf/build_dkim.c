/* What of our own mail is signed, and how. */
#include "conf/build_private.h"
#include "conf/part.h"

enum { OVERSIGNED_MAX = 32, FIELD_NAME_MAX = 76 };

/* RFC 5322 §2.2; and what is added on the way cannot be promised to stay as it is (RFC 6376 §5.4). */
static const char *wrong_with_field_name(struct text name)
{
	static const char *const added[] = { "Received", "Return-Path", "DKIM-Signature", "Authentication-Results", "ARC-Seal",
		"ARC-Message-Signature", "ARC-Authentication-Results", "Delivered-To" };

	for (size_t i = 0; i < name.length; i++)
		if (name.bytes[i] < '!' || name.bytes[i] > '~' || name.bytes[i] == ':' || name.bytes[i] == ';')
			return "is no name of a header field (hint: \"Subject\")";
	for (size_t i = 0; i < sizeof added / sizeof added[0]; i++)
		if (text_equal_nocase(name, text_of(added[i])))
			return "is added on the way, which would break every signature (hint: leave it out)";
	return name.length > 0 && name.length <= FIELD_NAME_MAX ? NULL : "is no name of a header field (hint: \"Subject\")";
}

void conf_build_dkim(struct reading *reading, struct conf *conf)
{
	const struct part dkim = part_section(reading, "dkim");

	conf->dkim.keys = part_path(&dkim, "keys");
	conf->dkim.sign = part_bool(&dkim, "sign");
	conf->dkim.oversigned = part_texts(&dkim, "oversign", &conf->dkim.oversigned_count);
	conf->dkim.expire_ms = (int64_t)part_quantity(&dkim, "expire");
	conf->dkim.publish_wait_ms = (int64_t)part_quantity(&dkim, "publish-wait");
	conf->dkim.retire_after_ms = (int64_t)part_quantity(&dkim, "retire-after");
	conf->dkim.rotate_after_ms = (int64_t)part_quantity(&dkim, "rotate-after");
	if (conf->dkim.oversigned_count > OVERSIGNED_MAX)
		reading_complain(reading, part_line(&dkim, "oversign"), "dkim oversign has too many names (hint: at most %d)",
		    OVERSIGNED_MAX);
	for (size_t i = 0; i < conf->dkim.oversigned_count; i++) {
		const char *wrong = wrong_with_field_name(conf->dkim.oversigned[i]);

		if (wrong != NULL)
			reading_complain(reading, part_line(&dkim, "oversign"), "dkim oversign: \"%s\" %s",
			    conf->dkim.oversigned[i].bytes, wrong);
	}
}
