#include "crash/ledger.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

static bool parse_id(const char *word, queue_id *out_id)
{
	return word != NULL && strlen(word) >= QUEUE_ID_TEXT_LENGTH &&
	    queue_id_parse((struct text){ word, QUEUE_ID_TEXT_LENGTH }, out_id);
}

struct promise *ledger_promise(struct ledger *ledger, queue_id id)
{
	struct promise *promise = NULL;

	HASH_FIND(hh, ledger->promises, &id, sizeof id, promise);
	if (promise != NULL)
		return promise;
	promise = calloc(1, sizeof *promise);
	must(promise != NULL);
	promise->id = id;
	HASH_ADD(hh, ledger->promises, id, sizeof promise->id, promise);
	return promise;
}

struct debt *ledger_debt(struct ledger *ledger, queue_id id, const char *address)
{
	struct promise *promise = ledger_promise(ledger, id);
	struct debt *debt = promise->debts;

	while (debt != NULL && strcmp(debt->address, address) != 0)
		debt = debt->next;
	if (debt != NULL)
		return debt;
	debt = calloc(1, sizeof *debt);
	must(debt != NULL);
	debt->address = strdup(address);
	debt->next = promise->debts;
	promise->debts = debt;
	return debt;
}

static bool read_note(struct ledger *ledger, const struct record *record)
{
	char *note = strndup(record->bytes, record->head.bytes_length), *rest = NULL;
	const char *word = strtok_r(note, " ", &rest), *address;
	const char *verb = word ? word : "";
	queue_id id;
	bool known = parse_id(strtok_r(NULL, " ", &rest), &id);

	if (known && strcmp(verb, "accepted") == 0) {
		ledger_promise(ledger, id)->accepted = true;
		ledger->accepted_count++;
		while ((address = strtok_r(NULL, " ", &rest)) != NULL)
			ledger_debt(ledger, id, address)->owed = true;
	} else if (known && strcmp(verb, "taken") == 0) {
		while ((address = strtok_r(NULL, " ", &rest)) != NULL)
			ledger_debt(ledger, id, address)->taken = true;
	} else if (known && strcmp(verb, "deleting") == 0) {
		ledger_promise(ledger, id)->deleting = true;
	} else {
		known = false;
	}
	free(note);
	return known;
}

/* Attempts and refusals are told, but are no part of the history; nor is the end, which follows from the rest. */
static bool has_history(const char *event)
{
	return strcmp(event, "attempt") != 0 && strcmp(event, "rejected") != 0 && strcmp(event, "finished") != 0 &&
	    strcmp(event, "in-doubt") != 0;
}

static bool read_line(struct ledger *ledger, const char *line, size_t length)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	const char *event = json_string_value(json_object_get(object, "event"));
	const char *to = json_string_value(json_object_get(object, "to"));
	queue_id id;
	bool told = event != NULL && has_history(event) && parse_id(json_string_value(json_object_get(object, "id")), &id);

	if (told) {
		ledger_promise(ledger, id)->told_steps++;
		ledger->told_count++;
		if (to != NULL && (strcmp(event, "delivered") == 0 || strcmp(event, "bounced") == 0 ||
		                      strcmp(event, "discarded") == 0 || strcmp(event, "expanded") == 0))
			ledger_debt(ledger, id, to)->told = true;
	}
	json_decref(object);
	return told;
}

static bool read_log(struct ledger *ledger, const char *bytes, size_t length)
{
	bool told = false;

	for (size_t i = 0; i < length; i++) {
		if (ledger->line_length == ledger->line_room) {
			ledger->line_room = 2 * ledger->line_room + 1024;
			ledger->line = realloc(ledger->line, ledger->line_room);
			must(ledger->line != NULL);
		}
		if (bytes[i] != '\n') {
			ledger->line[ledger->line_length++] = bytes[i];
			continue;
		}
		told |= read_line(ledger, ledger->line, ledger->line_length);
		ledger->line_length = 0;
	}
	return told;
}

bool ledger_read(struct ledger *ledger, const struct model *model, const struct record *record)
{
	if (record->head.kind == DISK_NOTE)
		return read_note(ledger, record);
	if (record->head.kind == DISK_CREATE && strcmp(record->path, "log") == 0)
		ledger->log = model->objects[model->object_count - 1];
	if (record->head.kind == DISK_WRITE && ledger->log != NULL && record->head.file == ledger->log->inode)
		return read_log(ledger, record->bytes, record->head.bytes_length);
	return false;
}

bool ledger_identify(const char *content, size_t size, queue_id *out_id, char out_address[320])
{
	char *text = strndup(content, size);
	char *end = strstr(text, "\n\n"), *received, *message, *to;
	bool found = false;

	if (end != NULL)
		*end = '\0';
	received = strstr(text, "SMTP id ");
	message = strstr(text, "\nMessage-ID: <");
	to = strstr(text, "\nDelivered-To: ");
	if (to != NULL && sscanf(to, "\nDelivered-To: %319s", out_address) == 1)
		found = received != NULL ? parse_id(received + strlen("SMTP id "), out_id)
		                         : message != NULL && parse_id(message + strlen("\nMessage-ID: <"), out_id);
	free(text);
	return found;
}
