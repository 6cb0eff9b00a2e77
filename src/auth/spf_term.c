#include "auth/spf_term.h"

#include "auth/spf_macro.h"

enum need { SPEC_NEVER, SPEC_OPTIONAL, SPEC_REQUIRED };

static const struct mechanism {
	const char *name;
	enum spf_kind kind;
	enum need spec;
	bool has_prefix;
} mechanisms[] = {
	{ "all", SPF_ALL, SPEC_NEVER, false },
	{ "include", SPF_INCLUDE, SPEC_REQUIRED, false },
	{ "a", SPF_A, SPEC_OPTIONAL, true },
	{ "mx", SPF_MX, SPEC_OPTIONAL, true },
	{ "ptr", SPF_PTR, SPEC_OPTIONAL, false },
	{ "ip4", SPF_IP4, SPEC_REQUIRED, false },
	{ "ip6", SPF_IP6, SPEC_REQUIRED, false },
	{ "exists", SPF_EXISTS, SPEC_REQUIRED, false },
};

bool spf_record_is(struct text record, struct text *out_terms)
{
	const struct text version = TEXT("v=spf1");

	if (!text_starts_nocase(record, version) ||
	    (record.length > version.length && record.bytes[version.length] != ' '))
		return false;
	*out_terms = text_from(record, version.length);
	return true;
}

/* Digits behind the last `mark` of the text, taken off it: "/24", "//64". No number without leading zeros but 0
 * itself is a prefix. True also when there is none. */
static bool take_prefix(struct text *text, struct text mark, uint64_t max, uint8_t *out_prefix)
{
	size_t start = text->length;
	uint64_t value;

	while (start > 0 && byte_is_digit(text->bytes[start - 1]))
		start--;
	const struct text digits = text_from(*text, start), before = text_part(*text, 0, start);

	if (!text_ends(before, mark))
		return true;
	if (!text_to_u64(digits, &value) || value > max || (digits.length > 1 && digits.bytes[0] == '0'))
		return false;
	*out_prefix = (uint8_t)value;
	text->length = start - mark.length;
	return true;
}

static bool take_prefixes(struct text *spec, struct spf_term *term)
{
	return take_prefix(spec, TEXT("//"), 128, &term->prefix6) &&
	    take_prefix(spec, TEXT("/"), 32, &term->prefix4) && (spec->length == 0 || spec->bytes[0] == ':');
}

static bool read_network(struct text text, struct spf_term *term)
{
	const size_t slash = text_find_byte(text, '/');
	const struct text digits = text_from(text, slash + 1);
	const enum endpoint_family family = term->kind == SPF_IP4 ? ENDPOINT_IP4 : ENDPOINT_IP6;
	struct endpoint address;

	/* What endpoint_parse_ip takes beyond an address: brackets, and "IPv6:". */
	if (text.length == 0 || text.bytes[0] == '[' || byte_lower(text.bytes[0]) == 'i' ||
	    !endpoint_parse_ip(text_part(text, 0, slash), &address) || address.family != family)
		return false;
	if (slash < text.length && (digits.length == 0 || (digits.length > 1 && digits.bytes[0] == '0')))
		return false;
	/* network_parse makes an IPv4-mapped network one of IPv4, with which our clients are compared. */
	return network_parse(text, &term->network);
}

static bool read_mechanism(struct text text, struct spf_term *term)
{
	size_t length = 0;

	while (length < text.length && text.bytes[length] != ':' && text.bytes[length] != '/')
		length++;
	struct text spec = text_from(text, length);

	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		const struct mechanism *mechanism = &mechanisms[i];

		if (!text_equal_nocase(text_part(text, 0, length), text_of(mechanism->name)))
			continue;
		term->kind = mechanism->kind;
		if (mechanism->has_prefix && !take_prefixes(&spec, term))
			return false;
		if (spec.length == 0)
			return mechanism->spec != SPEC_REQUIRED;
		if (mechanism->spec == SPEC_NEVER || spec.bytes[0] != ':')
			return false;
		term->domain_spec = text_from(spec, 1);
		return term->kind == SPF_IP4 || term->kind == SPF_IP6
		    ? read_network(term->domain_spec, term)
		    : spf_domain_spec_check(term->domain_spec);
	}
	return false;
}

/* name "=" with a name as modifiers have it; the length of the name, or 0. */
static size_t modifier_name_length(struct text text)
{
	size_t length = 0;

	while (length < text.length &&
	    (byte_is_alpha(text.bytes[length]) ||
		(length > 0 &&
		    (byte_is_digit(text.bytes[length]) || memchr("-_.", text.bytes[length], 3) != NULL))))
		length++;
	return length < text.length && text.bytes[length] == '=' ? length : 0;
}

static bool read_modifier(struct text text, size_t name_length, struct spf_term *term)
{
	const struct text name = text_part(text, 0, name_length);

	term->domain_spec = text_from(text, name_length + 1);
	term->kind = text_equal_nocase(name, TEXT("redirect")) ? SPF_REDIRECT
	    : text_equal_nocase(name, TEXT("exp"))             ? SPF_EXP
							       : SPF_UNKNOWN;
	return term->kind == SPF_UNKNOWN ? spf_macro_check(term->domain_spec, SPF_IN_DOMAIN)
					 : spf_domain_spec_check(term->domain_spec);
}

bool spf_term_next(struct text *rest, struct spf_term *out_term, bool *out_mistake)
{
	struct spf_term term = { .qualifier = AUTH_PASS, .prefix4 = 32, .prefix6 = 128 };
	struct text text;

	while (rest->length > 0 && rest->bytes[0] == ' ')
		*rest = text_from(*rest, 1);
	*out_mistake = false;
	if (rest->length == 0)
		return false;
	text = text_part(*rest, 0, text_find_byte(*rest, ' '));
	*rest = text_from(*rest, text.length);

	const size_t name_length = modifier_name_length(text);

	if (name_length == 0 && memchr("+-~?", text.bytes[0], 4) != NULL) {
		term.qualifier = text.bytes[0] == '-' ? AUTH_FAIL
		    : text.bytes[0] == '~'            ? AUTH_SOFTFAIL
		    : text.bytes[0] == '?'            ? AUTH_NEUTRAL
						      : AUTH_PASS;
		text = text_from(text, 1);
	}
	term.whole = text;
	*out_mistake =
	    name_length > 0 ? !read_modifier(text, name_length, &term) : !read_mechanism(text, &term);
	if (!*out_mistake)
		*out_term = term;
	return !*out_mistake;
}

bool spf_terms_check(struct text terms, struct text *out_redirect, struct text *out_exp)
{
	struct text redirect = TEXT_EMPTY, exp = TEXT_EMPTY;
	struct spf_term term;
	bool mistake;

	while (spf_term_next(&terms, &term, &mistake)) {
		struct text *once = term.kind == SPF_REDIRECT ? &redirect
		    : term.kind == SPF_EXP                    ? &exp
							      : NULL;

		if (once != NULL && once->length > 0)
			return false;
		if (once != NULL)
			*once = term.domain_spec;
	}
	if (mistake)
		return false;
	*out_redirect = redirect;
	*out_exp = exp;
	return true;
}
