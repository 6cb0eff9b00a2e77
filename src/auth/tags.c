#include "auth/tags.h"

/* ALPHA *(ALPHA / DIGIT / "_"). */
static bool is_name(struct text text)
{
	if (text.length == 0 || !byte_is_alpha(text.bytes[0]))
		return false;
	for (size_t i = 0; i < text.length; i++)
		if (!byte_is_alnum(text.bytes[i]) && text.bytes[i] != '_')
			return false;
	return true;
}

/* Visible bytes, and blanks and folding between them; 8-bit bytes as far as they are UTF-8 (RFC 8616). */
static bool is_value(struct text text)
{
	for (size_t i = 0; i < text.length; i++) {
		const char c = text.bytes[i];

		if ((c >= 0 && c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
			return false;
	}
	return text_is_utf8(text);
}

bool tags_next(struct text *rest, struct tag *out_tag)
{
	struct text spec;

	if (!text_cut(rest, ';', &spec) || (text_trim(spec).length == 0 && rest->bytes == NULL))
		return false;

	const size_t equals = text_find_byte(spec, '=');
	const struct text name = text_trim(text_part(spec, 0, equals));

	*out_tag = (struct tag){ 0 };
	if (equals < spec.length && is_name(name)) {
		out_tag->name = name;
		out_tag->raw = text_from(spec, equals + 1);
		out_tag->value = text_trim(out_tag->raw);
	}
	return true;
}

enum error tags_parse(struct text text, struct tag_list *out_list)
{
	struct tag_list list = { .count = 0 };
	struct text known;
	struct tag tag;

	while (tags_next(&text, &tag)) {
		if (tag.name.length == 0 || !is_value(tag.value) || tags_find(&list, tag.name, &known))
			return ERR_SYNTAX;
		if (list.count == TAGS_MAX)
			return ERR_TOO_LARGE;
		list.tags[list.count++] = tag;
	}
	*out_list = list;
	return OK;
}

bool tags_find(const struct tag_list *list, struct text name, struct text *out_value)
{
	for (size_t i = 0; i < list->count; i++) {
		if (text_equal(list->tags[i].name, name)) {
			*out_value = list->tags[i].value;
			return true;
		}
	}
	return false;
}

bool tags_list_holds(struct text list, struct text word)
{
	struct text one;

	while (text_cut(&list, ':', &one))
		if (text_equal_nocase(text_trim(one), word))
			return true;
	return false;
}
