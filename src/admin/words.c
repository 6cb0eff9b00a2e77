/* How admin says things in JSON. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin_private.h"
#include "mail/date.h"

json_t *admin_string(struct text text)
{
	if (text_is_utf8(text))
		return json_stringn(text.length > 0 ? text.bytes : "", text.length);

	json_t *string = NULL;
	char *clean = malloc(text.length * 3);

	if (clean != NULL) {
		size_t length = 0;

		for (size_t i = 0; i < text.length; i++) {
			const bool ascii = (unsigned char)text.bytes[i] < 0x80;

			memcpy(clean + length, ascii ? text.bytes + i : "\xef\xbf\xbd", ascii ? 1 : 3);
			length += ascii ? 1 : 3;
		}
		string = json_stringn(clean, length);
		free(clean);
	}
	return string;
}

struct text admin_bare_address(struct text address)
{
	const size_t type = text_find_byte(address, ';');

	if (type < address.length && text_find_byte(address, '"') > type)
		address = text_from(address, type + 1);
	const bool bracketed = address.length > 2 && address.bytes[0] == '<' && address.bytes[address.length - 1] == '>';

	return bracketed ? text_part(address, 1, address.length - 2) : address;
}

struct text admin_member(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return json_is_string(member)
	    ? (struct text){ json_string_value(member), json_string_length(member) }
	    : TEXT_EMPTY;
}

json_t *admin_time(int64_t unix_ms)
{
	char room[DATE_TEXT_SIZE];

	return json_string(date_print_rfc3339(unix_ms, room).bytes);
}

bool admin_verdict_words(const struct verdict *verdict, struct arena *arena, struct text *out_words)
{
	const struct enhanced_code *code = &verdict->enhanced;

	if (code->class == 0)
		return arena_print(arena, out_words, "%u %.*s", verdict->code, TEXT_FORMAT(verdict->text));
	return arena_print(arena, out_words, "%u %u.%u.%u %.*s", verdict->code, code->class, code->subject, code->detail,
	    TEXT_FORMAT(verdict->text));
}

json_t *admin_verdict(const struct verdict *verdict)
{
	if (verdict->code == 0)
		return json_null();

	struct arena *arena = arena_new(64 << 10);
	struct text words, line;
	json_t *string = NULL;

	if (arena != NULL && admin_verdict_words(verdict, arena, &words) &&
	    arena_print(arena, &line, "%.*s%s%.*s", TEXT_FORMAT(verdict->host), verdict->host.length > 0 ? " said: " : "",
	        TEXT_FORMAT(words)))
		string = admin_string(line);
	arena_free(arena);
	return string;
}

json_t *admin_failure(int exit_code, const char *format, ...)
{
	char sentence[512];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof sentence, format, list);
	va_end(list);
	return json_pack("{s:b, s:o, s:i}", "ok", 0, "error", admin_string(text_of(sentence)), "exit", exit_code);
}

/* What the configuration fixes for it. */
static json_t *limits_json(const struct queue_destination *destination)
{
	const struct shape_limits *limits = &destination->limits;
	json_t *object = json_pack("{s:o}", "by", admin_string(destination->shape));
	char room[64];

	if (limits->concurrency > 0)
		json_object_set_new(object, "concurrency", json_integer(limits->concurrency));
	if (limits->connections > 0)
		json_object_set_new(object, "connections", json_integer(limits->connections));
	if (limits->connection_messages > 0)
		json_object_set_new(object, "messages_per_connection", json_integer(limits->connection_messages));
	if (limits->rate.count > 0) {
		snprintf(room, sizeof room, "%u messages in %lld s", limits->rate.count, (long long)(limits->rate.period_ms + 999) / 1000);
		json_object_set_new(object, "rate", json_string(room));
	}
	return object;
}

json_t *admin_destination(const struct queue_destination *destination)
{
	const bool paused = destination->gate == QUEUE_GATE_PAUSED || destination->gate == QUEUE_GATE_DOWN;

	json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:o, s:b, s:o, s:o}", "gate", queue_gate_word(destination->gate),
	    "deliveries", (json_int_t)destination->in_flight, "concurrency", (json_int_t)destination->concurrency,
	    "waiting_domains", (json_int_t)destination->waiting_domains, "paused_until",
	    paused ? admin_time(destination->paused_until_ms) : json_null(), "trouble",
	    queue_destination_in_trouble(destination), "last_trouble", admin_verdict(&destination->last), "hosts",
	    admin_string(destination->hosts));

	if (destination->site.length > 0 && !text_equal(destination->site, destination->key)) /* Its hosts are known. */
		json_object_set_new(object, "site", admin_string(destination->site));
	if (destination->gate == QUEUE_GATE_PACED)
		json_object_set_new(object, "paced_until", admin_time(destination->paced_until_ms));
	if (destination->shape.length > 0)
		json_object_set_new(object, "limits", limits_json(destination));
	return object;
}

static json_t *offers_json(const struct capabilities *capabilities)
{
	static const char *const words[] = {
#define CAPABILITY(name, keyword, rfc) keyword,
		CAPABILITY_LIST(CAPABILITY)
#undef CAPABILITY
	};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (capabilities->offered >> i & 1)
			json_array_append_new(list, json_string(words[i]));
	return list;
}

json_t *admin_known_hosts(const struct queue_survey *survey)
{
	json_t *list = json_array();
	char room[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < survey->host_count; i++) {
		const struct queue_surveyed_host *host = &survey->hosts[i];
		json_t *object = json_pack("{s:s}", "endpoint", endpoint_print(&host->endpoint, room).bytes);

		if (host->heard_ms > 0) {
			json_object_set_new(object, "heard", admin_time(host->heard_ms));
			json_object_set_new(object, "tls", json_boolean(host->tls));
			json_object_set_new(object, "offers", offers_json(&host->capabilities));
		}
		if (host->capabilities.size_max > 0)
			json_object_set_new(object, "size", json_integer((json_int_t)host->capabilities.size_max));
		if (host->trouble.length > 0)
			json_object_set_new(object, "trouble", admin_string(host->trouble));
		if (host->rests_until_ms > 0)
			json_object_set_new(object, "rests_until", admin_time(host->rests_until_ms));
		json_array_append_new(list, object);
	}
	return list;
}
