/* Aggregate reports of DMARC: each element that counts is known by its path, all others are passed over. */
#include <expat.h>
#include <limits.h>

#include "reports/reading.h"

enum { PATH_MAX_BYTES = 256, COUNT_MAX_DIGITS = 15 };

struct reader {
	XML_Parser parser;
	struct arena *arena;
	struct dmarc_reading reading;
	struct dmarc_record record, *last;
	struct text count, begin, end;
	char path[PATH_MAX_BYTES];     /* "feedback/record/row"; without what is too deep or too long. */
	size_t path_length;
	unsigned depth, path_depth;
	char room[READING_TEXT_MAX];   /* The text of the element that began last. */
	size_t room_length;
	bool takes_text;
	bool no_memory;
	struct text trouble;           /* Static; empty: none of ours. */
};

/* -- What counts -------------------------------------------------------------------------------- */

struct known {
	const char *path;
	struct text *(*place)(struct reader *reader);
};

#define PLACE(name, field) \
	static struct text *place_##name(struct reader *reader) { return &reader->field; }
PLACE(organization, reading.organization)
PLACE(id, reading.id)
PLACE(begin, begin)
PLACE(end, end)
PLACE(domain, reading.domain)
PLACE(p, reading.p)
PLACE(sp, reading.sp)
PLACE(np, reading.np)
PLACE(source_ip, record.source_ip)
PLACE(count, count)
PLACE(disposition, record.disposition)
PLACE(dkim, record.dkim)
PLACE(spf, record.spf)
PLACE(reason, record.reason)
PLACE(header_from, record.header_from)
#undef PLACE

static const struct known known[] = {
	{ "feedback/report_metadata/org_name", place_organization },
	{ "feedback/report_metadata/report_id", place_id },
	{ "feedback/report_metadata/date_range/begin", place_begin },
	{ "feedback/report_metadata/date_range/end", place_end },
	{ "feedback/policy_published/domain", place_domain },
	{ "feedback/policy_published/p", place_p },
	{ "feedback/policy_published/sp", place_sp },
	{ "feedback/policy_published/np", place_np },
	{ "feedback/record/row/source_ip", place_source_ip },
	{ "feedback/record/row/count", place_count },
	{ "feedback/record/row/policy_evaluated/disposition", place_disposition },
	{ "feedback/record/row/policy_evaluated/dkim", place_dkim },
	{ "feedback/record/row/policy_evaluated/spf", place_spf },
	{ "feedback/record/row/policy_evaluated/reason/type", place_reason },
	{ "feedback/record/identifiers/header_from", place_header_from },
};

static bool path_is(const struct reader *reader, const char *path)
{
	return reader->depth == reader->path_depth &&
	    text_equal((struct text){ reader->path, reader->path_length }, text_of(path));
}

static const struct known *known_element(const struct reader *reader)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (path_is(reader, known[i].path))
			return &known[i];
	return NULL;
}

static void stop(struct reader *reader, const char *trouble)
{
	reader->trouble = text_of(trouble);
	XML_StopParser(reader->parser, XML_FALSE);
}

static bool read_number(struct text digits, uint64_t *out_number)
{
	return digits.length <= COUNT_MAX_DIGITS && text_to_u64(digits, out_number);
}

static void lower(struct reader *reader, struct text *name)
{
	struct text copy;

	if (!arena_copy(reader->arena, *name, &copy)) {
		reader->no_memory = true;
		return;
	}
	for (size_t i = 0; i < copy.length; i++)
		((char *)copy.bytes)[i] = byte_lower(copy.bytes[i]);
	*name = copy;
}

static void keep_record(struct reader *reader)
{
	struct dmarc_record *record = arena_alloc(reader->arena, sizeof *record);

	if (record == NULL) {
		reader->no_memory = true;
		XML_StopParser(reader->parser, XML_FALSE);
		return;
	}
	if (!read_number(reader->count, &reader->record.count)) {
		stop(reader, "a row has no count");
		return;
	}
	if (reader->reading.record_count == READING_ROWS_MAX) {
		stop(reader, "too many rows");
		return;
	}
	*record = reader->record;
	*(reader->last != NULL ? &reader->last->next : &reader->reading.records) = record;
	reader->last = record;
	reader->reading.record_count++;
}

/* -- What expat tells ------------------------------------------------------------------------------ */

static void element_begins(void *context, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *reader = context;
	const char *colon = strrchr(name, ':');
	const struct text local = text_of(colon ? colon + 1 : name);

	(void)attributes;
	if (++reader->depth > READING_DEPTH_MAX) {
		stop(reader, "elements are nested too deep");
		return;
	}
	if (reader->depth == 1 && !text_equal(local, TEXT("feedback"))) {
		stop(reader, "it is not about DMARC");
		return;
	}
	reader->takes_text = false;
	if (reader->path_depth != reader->depth - 1 || reader->path_length + 1 + local.length > PATH_MAX_BYTES)
		return;
	if (reader->path_length > 0)
		reader->path[reader->path_length++] = '/';
	memcpy(reader->path + reader->path_length, local.bytes, local.length);
	reader->path_length += local.length;
	reader->path_depth++;
	reader->room_length = 0;
	reader->takes_text = known_element(reader) != NULL;
	if (path_is(reader, "feedback/record")) {
		reader->record = (struct dmarc_record){ 0 };
		reader->count = TEXT_EMPTY;
	}
}

/* D1, and between two characters. */
static struct text heard_text(const struct reader *reader)
{
	struct text text = { reader->room, reader->room_length };

	while (!text_is_utf8(text) && text.length > 0)
		text.length--;
	return text_trim(text);
}

static void element_ends(void *context, const XML_Char *name)
{
	struct reader *reader = context;
	const struct known *element = reader->takes_text ? known_element(reader) : NULL;

	(void)name;
	if (element != NULL && !arena_copy(reader->arena, heard_text(reader), element->place(reader))) {
		reader->no_memory = true;
		XML_StopParser(reader->parser, XML_FALSE);
	}
	reader->takes_text = false;
	if (path_is(reader, "feedback/record"))
		keep_record(reader);
	if (reader->path_depth == reader->depth) {
		const size_t slash = text_find_byte_last((struct text){ reader->path, reader->path_length }, '/');

		reader->path_length = slash < reader->path_length ? slash : 0;
		reader->path_depth--;
	}
	reader->depth--;
}

static void characters(void *context, const XML_Char *bytes, int length)
{
	struct reader *reader = context;
	const size_t room = READING_TEXT_MAX - reader->room_length;
	const size_t taken = (size_t)length < room ? (size_t)length : room;

	if (!reader->takes_text)
		return;
	memcpy(reader->room + reader->room_length, bytes, taken);
	reader->room_length += taken;
}

static void document_type(
    void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public, int has_internal_subset)
{
	(void)name, (void)system, (void)public, (void)has_internal_subset;
	stop(context, "it has a document type");
}

/* -- The whole ---------------------------------------------------------------------------------------- */

static enum error finish(struct reader *reader, bool parsed, struct text *out_trouble)
{
	struct dmarc_reading *reading = &reader->reading;
	uint64_t begin = 0, end = 0;

	if (parsed && !reader->no_memory) {
		lower(reader, &reading->domain);
		if (reading->domain.length == 0)
			reader->trouble = TEXT("it tells of no domain");
		else if (!read_number(reader->begin, &begin) || !read_number(reader->end, &end))
			reader->trouble = TEXT("it has no range of time");
	}
	if (reader->no_memory)
		return ERR_NO_MEMORY;
	reading->begin_s = (int64_t)begin;
	reading->end_s = (int64_t)end;
	if (reader->trouble.length > 0)
		*out_trouble = reader->trouble;
	else if (!parsed && !arena_print(reader->arena, out_trouble, "line %lu: %s",
				(unsigned long)XML_GetCurrentLineNumber(reader->parser),
				XML_ErrorString(XML_GetErrorCode(reader->parser))))
		return ERR_NO_MEMORY;
	return parsed && reader->trouble.length == 0 ? OK : ERR_SYNTAX;
}

static enum error parse(struct text xml, struct arena *arena, struct dmarc_reading *out_reading, struct text *out_trouble)
{
	struct reader reader = { .arena = arena, .parser = XML_ParserCreate(NULL) };
	enum error error;

	if (reader.parser == NULL)
		return ERR_NO_MEMORY;
	XML_SetUserData(reader.parser, &reader);
	XML_SetElementHandler(reader.parser, element_begins, element_ends);
	XML_SetCharacterDataHandler(reader.parser, characters);
	XML_SetStartDoctypeDeclHandler(reader.parser, document_type);
	error = finish(&reader, XML_Parse(reader.parser, xml.bytes, (int)xml.length, XML_TRUE) == XML_STATUS_OK, out_trouble);
	XML_ParserFree(reader.parser);
	if (error == OK)
		*out_reading = reader.reading;
	return error;
}

/* Question marks for bytes that are no UTF-8: some who report pass on what a stranger wrote into a header. */
static bool mend(struct text xml, struct arena *arena, struct text *out_mended)
{
	if (!arena_copy(arena, xml, out_mended))
		return false;
	for (size_t at = 0; at < xml.length;) {
		size_t length = 1;

		while (length <= 4 && !text_is_utf8(text_part(xml, at, length)))
			length++;
		if (length > 4) {
			((char *)out_mended->bytes)[at] = '?';
			length = 1;
		}
		at += length;
	}
	return true;
}

enum error dmarc_reading_make(
    struct text xml, struct arena *arena, struct dmarc_reading *out_reading, struct text *out_trouble)
{
	struct text mended;
	enum error error;

	if (xml.length > READING_XML_MAX) {
		*out_trouble = TEXT("it is too long");
		return ERR_SYNTAX;
	}
	error = parse(xml, arena, out_reading, out_trouble);
	if (error != ERR_SYNTAX || text_is_utf8(xml))
		return error;
	return mend(xml, arena, &mended) ? parse(mended, arena, out_reading, out_trouble) : ERR_NO_MEMORY;
}
