#include "auth/dmarc_record.h"

#include "auth/tags.h"

const char *dmarc_policy_word(enum dmarc_policy policy)
{
	static const char *const words[] = { [DMARC_UNSET] = "none",
		[DMARC_NONE] = "none",
		[DMARC_QUARANTINE] = "quarantine",
		[DMARC_REJECT] = "reject" };
	return words[policy];
}

/* False: it is no policy. */
static bool read_policy(struct text value, enum dmarc_policy *out_policy)
{
	for (enum dmarc_policy policy = DMARC_NONE; policy <= DMARC_REJECT; policy++) {
		if (text_equal_nocase(value, text_of(dmarc_policy_word(policy)))) {
			*out_policy = policy;
			return true;
		}
	}
	return false;
}

/* Does the list of URIs hold one that reports can be sent to? Old ones may have a size behind "!". */
static bool has_mailto(struct text uris)
{
	struct text uri;

	while (text_cut(&uris, ',', &uri)) {
		uri = text_trim(uri);
		if (text_starts_nocase(uri, TEXT("mailto:")) && text_find_byte(uri, '@') < uri.length)
			return true;
	}
	return false;
}

/* One tag; *flawed becomes true when a policy makes no sense. */
static void read_tag(const struct tag *tag, struct dmarc_record *record, bool *flawed)
{
	const struct text name = tag->name, value = tag->value;

	if (text_equal_nocase(name, TEXT("p")))
		*flawed |= !read_policy(value, &record->policy);
	else if (text_equal_nocase(name, TEXT("sp")))
		*flawed |= !read_policy(value, &record->subdomain_policy);
	else if (text_equal_nocase(name, TEXT("np")))
		*flawed |= !read_policy(value, &record->absent_policy);
	else if (text_equal_nocase(name, TEXT("psd")))
		record->psd = text_equal_nocase(value, TEXT("y")) ? DMARC_PSD_YES
		    : text_equal_nocase(value, TEXT("n"))         ? DMARC_PSD_NO
								  : DMARC_PSD_UNKNOWN;
	else if (text_equal_nocase(name, TEXT("adkim")))
		record->dkim_strict = text_equal_nocase(value, TEXT("s"));
	else if (text_equal_nocase(name, TEXT("aspf")))
		record->spf_strict = text_equal_nocase(value, TEXT("s"));
	else if (text_equal_nocase(name, TEXT("t")))
		record->testing = text_equal_nocase(value, TEXT("y"));
	else if (text_equal_nocase(name, TEXT("rua")))
		record->rua = value;
	else if (text_equal_nocase(name, TEXT("ruf")))
		record->ruf = value;
	else if (text_equal_nocase(name, TEXT("fo")))
		record->fo = value;
}

bool dmarc_record_read(struct text text, struct dmarc_record *out_record)
{
	struct dmarc_record record = { 0 };
	struct tag tag;
	bool flawed = false;

	/* The version comes first, and in this case (§4.7). */
	if (!tags_next(&text, &tag) || !text_equal_nocase(tag.name, TEXT("v")) ||
	    !text_equal(tag.value, TEXT("DMARC1")))
		return false;
	while (tags_next(&text, &tag))
		read_tag(&tag, &record, &flawed);
	if (flawed || record.policy == DMARC_UNSET) {
		record.unusable = !has_mailto(record.rua);
		record.policy = DMARC_NONE;
		record.subdomain_policy = record.absent_policy = DMARC_UNSET;
	}
	*out_record = record;
	return true;
}
