/* The record of RFC 8460 §3. It is written in the form of MTA-STS: fields between semicolons, with blanks around those. */
#include "dsn/tls_report.h"

enum { NAME_MAX_BYTES = 32 };

static struct text trim_blanks(struct text text)
{
	while (text.length > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t'))
		text = text_from(text, 1);
	while (text.length > 0 && (text.bytes[text.length - 1] == ' ' || text.bytes[text.length - 1] == '\t'))
		text.length--;
	return text;
}

static bool is_name(struct text name)
{
	if (name.length == 0 || name.length > NAME_MAX_BYTES || !byte_is_alnum(name.bytes[0]))
		return false;
	for (size_t i = 1; i < name.length; i++)
		if (!byte_is_alnum(name.bytes[i]) && (name.bytes[i] == '\0' || strchr("_-.", name.bytes[i]) == NULL))
			return false;
	return true;
}

static bool is_extension_value(struct text value)
{
	for (size_t i = 0; i < value.length; i++)
		if (value.bytes[i] <= ' ' || value.bytes[i] > '~' || value.bytes[i] == '=')
			return false;
	return value.length > 0;
}

struct reading {
	struct arena *arena;
	struct report_place *places;
	size_t count;
	bool has_rua;
};

static enum error read_places(struct reading *reading, struct text value)
{
	struct text rest = value, uri;

	reading->has_rua = true;
	while (text_cut(&rest, ',', &uri)) {
		struct report_place place;
		const enum error error = report_place_parse(trim_blanks(uri), reading->arena, &place);

		if (error != OK && error != ERR_UNSUPPORTED)
			return error;
		if (error == OK && reading->count < TLS_REPORT_PLACES_MAX)
			reading->places[reading->count++] = place;
	}
	return OK;
}

static enum error read_field(struct reading *reading, struct text field)
{
	const size_t equals = text_find_byte(field, '=');
	const struct text name = text_part(field, 0, equals), value = text_from(field, equals + 1);

	if (equals == field.length || !is_name(name))
		return ERR_SYNTAX;
	if (text_equal(name, TEXT("rua")) && !reading->has_rua)
		return read_places(reading, value);
	return is_extension_value(value) ? OK : ERR_SYNTAX;
}

static enum error read_record(struct reading *reading, struct text record)
{
	struct text rest = record, field;
	enum error error = OK;

	(void)!text_cut(&rest, ';', &field); /* The version, which chose this record. */
	while (error == OK && text_cut(&rest, ';', &field)) {
		field = trim_blanks(field);
		if (rest.bytes == NULL && field.length == 0)
			break; /* Behind the last semicolon. */
		error = read_field(reading, field);
	}
	return error == OK && !reading->has_rua ? ERR_SYNTAX : error;
}

enum error tls_report_record_choose(const struct text *records, size_t count, struct arena *arena,
    struct report_place out_places[TLS_REPORT_PLACES_MAX], size_t *out_count)
{
	struct reading reading = { .arena = arena, .places = out_places };
	const struct text *chosen = NULL;

	for (size_t i = 0; i < count; i++) {
		const size_t semicolon = text_find_byte(records[i], ';');

		if (semicolon == records[i].length || !text_equal(trim_blanks(text_part(records[i], 0, semicolon)), TEXT("v=TLSRPTv1")) ||
		    !text_starts(records[i], TEXT("v")))
			continue;
		if (chosen != NULL)
			return ERR_SYNTAX;
		chosen = &records[i];
	}
	if (chosen == NULL)
		return ERR_NOT_FOUND;

	const enum error error = read_record(&reading, *chosen);

	if (error == OK)
		*out_count = reading.count;
	return error;
}
