#include "queue/turns.h"

#include <stdlib.h>

#include <utlist.h>

#include "base/must.h"

static unsigned level_of(int32_t priority)
{
	must(priority >= PRIORITY_MIN && priority <= PRIORITY_MAX);
	return (unsigned)(priority - PRIORITY_MIN);
}

static struct turn_sender *find_sender(const struct turn_book *book, const struct turn_key *key)
{
	struct turn_sender *sender;

	HASH_FIND(hh, book->senders, key, sizeof *key, sender);
	return sender;
}

/* NULL: no memory. */
static struct turn_sender *sender_new(struct turn_line *line, struct turn_book *book, const struct turn_key *key)
{
	struct turn_sender *sender = calloc(1, sizeof *sender);

	if (sender == NULL)
		return NULL;
	sender->key = *key;
	HASH_ADD(hh, book->senders, key, sizeof sender->key, sender);
	if (sender->hh.tbl == NULL) {
		free(sender);
		return NULL;
	}
	DL_APPEND(line->senders[level_of(key->priority)], sender);
	return sender;
}

/* T3. */
static struct turn_sender *spare_sender(struct turn_line *line, const struct turn_key *key)
{
	struct turn_sender *sender = &line->spare;

	if (sender->seats == NULL) {
		*sender = (struct turn_sender){ .key = *key };
		DL_APPEND(line->senders[level_of(key->priority)], sender);
	}
	return sender;
}

static void sender_free(struct turn_line *line, struct turn_book *book, struct turn_sender *sender)
{
	const unsigned level = level_of(sender->key.priority);

	must(sender->seats == NULL);
	DL_DELETE(line->senders[level], sender);
	if (sender == &line->spare)
		return;
	HASH_DELETE(hh, book->senders, sender);
	free(sender);
}

void turn_line_join(struct turn_line *line, struct turn_book *book, struct turn_seat *seat)
{
	const struct turn_key key = { line, seat->flow.sender, seat->flow.priority };
	struct turn_sender *sender = find_sender(book, &key);

	must(seat->sender == NULL);
	if (sender == NULL)
		sender = sender_new(line, book, &key);
	if (sender == NULL)
		sender = spare_sender(line, &key);
	seat->sender = sender;
	DL_APPEND(sender->seats, seat);
	line->count++;
}

static void take_out(struct turn_line *line, struct turn_seat *seat)
{
	must(seat->sender != NULL && seat->sender->key.line == line && line->count > 0);
	DL_DELETE(seat->sender->seats, seat);
	seat->sender = NULL;
	seat->prev = seat->next = NULL;
	line->count--;
}

void turn_line_leave(struct turn_line *line, struct turn_book *book, struct turn_seat *seat)
{
	struct turn_sender *sender = seat->sender;

	take_out(line, seat);
	if (sender->seats == NULL)
		sender_free(line, book, sender);
}

/* T1. Somebody waits. */
static unsigned choose_level(struct turn_line *line)
{
	unsigned top = PRIORITY_COUNT - 1, chosen;

	while (line->senders[top] == NULL)
		must(top-- > 0);
	chosen = top;
	if (line->streak >= TURNS_STREAK_MAX)
		for (unsigned level = top; level-- > 0;)
			if (line->senders[level] != NULL && (chosen == top || line->passed[level] > line->passed[chosen]))
				chosen = level;
	line->streak = chosen == top ? line->streak + 1 : 0;
	for (unsigned level = 0; level < PRIORITY_COUNT; level++)
		line->passed[level] = level == chosen || line->senders[level] == NULL ? 0 : line->passed[level] + 1;
	return chosen;
}

struct turn_seat *turn_line_next(struct turn_line *line, struct turn_book *book)
{
	if (line->count == 0)
		return NULL;

	struct turn_sender **senders = &line->senders[choose_level(line)];
	struct turn_sender *sender = *senders;
	struct turn_seat *seat = sender->seats;

	take_out(line, seat);
	if (sender->seats == NULL) {
		sender_free(line, book, sender);
	} else { /* T2 */
		DL_DELETE(*senders, sender);
		DL_APPEND(*senders, sender);
	}
	return seat;
}
