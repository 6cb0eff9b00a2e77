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

json_t *admin_destination(const struct queue_destination *destination)
{
	const bool paused = destination->gate == QUEUE_GATE_PAUSED || destination->gate == QUEUE_GATE_DOWN;

	return json_pack("{s:s, s:I, s:I, s:I, s:o, s:b, s:o, s:o}", "gate", queue_gate_word(destination->gate),
	    "deliveries", (json_int_t)destination->in_flight, "concurrency", (json_int_t)destination->concurrency,
	    "waiting_domains", (json_int_t)destination->waiting_domains, "paused_until",
	    paused ? admin_time(destination->paused_until_ms) : json_null(), "trouble",
	    queue_destination_in_trouble(destination), "last_trouble", admin_verdict(&destination->last), "hosts",
	    admin_string(destination->hosts));
}
