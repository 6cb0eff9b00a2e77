#include "sim/ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "io/sim/world.h"

enum {
	NAME_SIZE = 64,
	PLACES_MAX = 8,
	COMPLAINTS_MAX = 64 << 10,
	LATE_MS_MAX = 8 * 3600000, /* Beyond a lifetime: a node may have been down. */
	TEXT_MAX = 1 << 20
};

struct place { /* Where a letter is to go. */
	char address[NAME_SIZE];
	bool promised, reported;
	unsigned arrivals, causes;
};

struct letter {
	char from[NAME_SIZE];
	struct buffer text;
	size_t body; /* Where it begins: what comes before is added to. */
	struct place places[PLACES_MAX];
	size_t place_count;
	unsigned dots;
	bool report_failed;
};

struct known { /* A message on a node. */
	unsigned node;
	queue_id id;
	int letter;         /* That it is, or that its report is about; -1: none of ours. */
	bool is_report;
	int64_t arrived_ms;
};

enum death { DEATH_NONE, DEATH_PROCESS, DEATH_POWER };

struct passage { /* One recipient of it. */
	unsigned node;
	queue_id id;
	char address[NAME_SIZE];
	bool at_stake, is_over;
	uint64_t breaks;    /* When it was. */
	enum death death;   /* Since it was at stake last. */
	bool owes_name;     /* The doubt is to be named. */
};

struct ledger {
	struct sim_world *world;
	int64_t lifetime_ms;
	struct letter *letters;
	size_t letter_count;
	struct known *known;
	size_t known_count;
	struct passage *passages;
	size_t passage_count;
	struct buffer complaints;
	struct ledger_counts counts;
};

/* The pieces grow one by one: worlds are small. Whoever runs, they are the world's. */
static void *one_more(const struct ledger *ledger, void *pieces, size_t *count, size_t size)
{
	if ((*count & (*count - 1)) == 0) { /* A power of two: double. */
		struct sim_process *runner = sim_run_as(ledger->world, NULL);

		pieces = reallocarray(pieces, *count ? *count * 2 : 1, size);
		must(pieces != NULL);
		sim_run_as(ledger->world, runner);
	}
	memset((char *)pieces + *count * size, 0, size);
	++*count;
	return pieces;
}

static void keep_name(char room[NAME_SIZE], struct text name)
{
	must(name.length < NAME_SIZE);
	memcpy(room, name.bytes, name.length);
	room[name.length] = '\0';
}

void ledger_complain(struct ledger *ledger, const char *format, ...)
{
	char line[500];
	va_list values;

	va_start(values, format);
	const int length = vsnprintf(line, sizeof line, format, values);

	va_end(values);
	must(length >= 0);
	sim_tell(ledger->world, "WRONG: %s", line);
	struct sim_process *runner = sim_run_as(ledger->world, NULL);

	(void)!buffer_print(&ledger->complaints, "%s\n", line);
	sim_run_as(ledger->world, runner);
}

/* -- Letters ------------------------------------------------------------------------------ */

struct ledger *ledger_new(struct sim_world *world, int64_t lifetime_ms)
{
	struct ledger *ledger = calloc(1, sizeof *ledger);

	must(ledger != NULL);
	ledger->world = world;
	ledger->lifetime_ms = lifetime_ms;
	buffer_init(&ledger->complaints, COMPLAINTS_MAX);
	return ledger;
}

void ledger_free(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	for (size_t i = 0; i < ledger->letter_count; i++)
		buffer_done(&ledger->letters[i].text);
	free(ledger->letters);
	free(ledger->known);
	free(ledger->passages);
	buffer_done(&ledger->complaints);
	free(ledger);
}

unsigned ledger_write(struct ledger *ledger, const char *from, size_t size)
{
	const unsigned number = (unsigned)ledger->letter_count;

	ledger->letters = one_more(ledger, ledger->letters, &ledger->letter_count, sizeof *ledger->letters);
	struct letter *letter = &ledger->letters[number];

	keep_name(letter->from, text_of(from));
	buffer_init(&letter->text, TEXT_MAX);
	must(buffer_print(&letter->text, "Message-ID: <letter.%u.@sim>\r\nFrom: <%s>\r\nSubject: %u\r\n\r\n", number, from,
	    number));
	letter->body = letter->text.length;
	while (letter->text.length < size) {
		const uint64_t bits = sim_draw(ledger->world);

		/* Lines of many lengths; some begin with a dot. */
		must(buffer_print(&letter->text, "%s%0*llx\r\n", bits % 5 == 0 ? "." : "", (int)(bits % 70),
		    (unsigned long long)bits));
	}
	return number;
}

struct text ledger_text(const struct ledger *ledger, unsigned letter)
{
	return buffer_text(&ledger->letters[letter].text);
}

static struct place *place_of(struct letter *letter, struct text address)
{
	for (size_t i = 0; i < letter->place_count; i++)
		if (text_equal_nocase(text_of(letter->places[i].address), address))
			return &letter->places[i];
	must(letter->place_count < PLACES_MAX);
	struct place *place = &letter->places[letter->place_count++];

	keep_name(place->address, address);
	return place;
}

void ledger_dot(struct ledger *ledger, unsigned letter)
{
	ledger->letters[letter].dots++;
}

void ledger_promise(struct ledger *ledger, unsigned letter, const char *place)
{
	place_of(&ledger->letters[letter], text_of(place))->promised = true;
}

/* -- Arrivals -------------------------------------------------------------------------------- */

/* The number in the first "<letter.N.@sim>"; -1: none. */
static int letter_named_in(const struct ledger *ledger, struct text text)
{
	static const char mark[] = "<letter.";
	struct text rest = text_from(text, text_find(text, TEXT("<letter.")));
	struct text digits;
	uint64_t number;

	rest = text_from(rest, sizeof mark - 1);
	if (!text_cut(&rest, '.', &digits) || !text_to_u64(digits, &number) || number >= ledger->letter_count)
		return -1;
	return (int)number;
}

/* A report: whom it gives up. */
static void read_report(struct ledger *ledger, struct letter *letter, struct text mail)
{
	struct text line, last = TEXT_EMPTY;

	while (text_cut(&mail, '\n', &line)) {
		line = text_trim(line);
		if (text_starts_nocase(line, TEXT("Final-Recipient: rfc822;")))
			last = text_trim(text_from(line, sizeof "Final-Recipient: rfc822;" - 1));
		if (text_equal_nocase(line, TEXT("Action: failed")) && last.length > 0) {
			struct place *place = place_of(letter, last);

			ledger->counts.reported += !place->reported;
			place->reported = true;
		}
	}
}

static void compare(struct ledger *ledger, unsigned number, struct text place, struct text mail)
{
	const struct letter *letter = &ledger->letters[number];
	const struct text sent = text_from(buffer_text(&letter->text), 0);

	if (!text_ends(mail, sent)) /* L2 */
		ledger_complain(ledger, "letter %u came to %.*s changed", number, TEXT_FORMAT(place));
}

void ledger_arrival(struct ledger *ledger, struct text address, struct text mail)
{
	const int number = letter_named_in(ledger, mail);

	if (number < 0) {
		ledger_complain(ledger, "mail that nobody wrote came to %.*s", TEXT_FORMAT(address));
		return;
	}
	struct letter *letter = &ledger->letters[number];

	if (text_find(mail, TEXT("multipart/report")) < mail.length) {
		sim_tell(ledger->world, "a report about letter %d is at %.*s", number, TEXT_FORMAT(address));
		if (text_equal_nocase(address, text_of(letter->from)) || text_starts(address, TEXT("postmaster@")))
			read_report(ledger, letter, mail);
		return;
	}
	sim_tell(ledger->world, "letter %d is at %.*s", number, TEXT_FORMAT(address));
	compare(ledger, (unsigned)number, address, mail);
	struct place *place = place_of(letter, address);

	if (place->arrivals++ == 0)
		ledger->counts.delivered++;
	else
		ledger->counts.copies++;
}

/* -- Passages ------------------------------------------------------------------------------------ */

static struct known *known_of(struct ledger *ledger, unsigned node, queue_id id)
{
	for (size_t i = ledger->known_count; i > 0; i--)
		if (ledger->known[i - 1].id == id && ledger->known[i - 1].node == node)
			return &ledger->known[i - 1];
	return NULL;
}

static struct passage *passage_of(struct ledger *ledger, unsigned node, queue_id id, struct text address)
{
	for (size_t i = ledger->passage_count; i > 0; i--) {
		struct passage *passage = &ledger->passages[i - 1];

		if (passage->id == id && passage->node == node && text_equal(text_of(passage->address), address))
			return passage;
	}
	ledger->passages = one_more(ledger, ledger->passages, &ledger->passage_count, sizeof *ledger->passages);
	struct passage *passage = &ledger->passages[ledger->passage_count - 1];

	passage->node = node;
	passage->id = id;
	keep_name(passage->address, address);
	return passage;
}

/* A copy may be out there that we cannot know of. */
static void excuse(struct ledger *ledger, const struct passage *passage, uint64_t *cause)
{
	const struct known *known = known_of(ledger, passage->node, passage->id);

	++*cause;
	if (known != NULL && known->letter >= 0 && !known->is_report)
		place_of(&ledger->letters[known->letter], text_of(passage->address))->causes++;
}

static const char *id_text(queue_id id)
{
	static _Thread_local char room[QUEUE_ID_TEXT_SIZE];

	queue_id_print(id, room);
	return room;
}

void ledger_stake(struct ledger *ledger, const struct stake *stake)
{
	struct passage *passage = passage_of(ledger, stake->node, stake->id, stake->address);
	const bool was_stale = passage->at_stake && stake->breaks > passage->breaks;

	if (was_stale) {
		excuse(ledger, passage, &ledger->counts.by_connection);
	} else if (passage->is_over || passage->at_stake) { /* L3 */
		ledger->counts.unexplained++;
		ledger_complain(ledger, "%s to %s is delivered again %s", id_text(stake->id), passage->address,
		    passage->is_over ? "after its end" : "without a cause");
	}
	passage->at_stake = true;
	passage->breaks = stake->breaks;
	passage->death = DEATH_NONE;
}

void ledger_death(struct ledger *ledger, unsigned node, bool power_cut)
{
	for (size_t i = 0; i < ledger->passage_count; i++) {
		struct passage *passage = &ledger->passages[i];

		if (passage->node != node)
			continue;
		if (power_cut) /* The marks went with it. */
			passage->owes_name = false;
		if (!passage->at_stake || passage->is_over)
			continue;
		passage->at_stake = false;
		passage->death = power_cut ? DEATH_POWER : DEATH_PROCESS;
		passage->owes_name |= !power_cut;
		excuse(ledger, passage, power_cut ? &ledger->counts.by_power : &ledger->counts.by_crash);
	}
}

/* -- Facts -------------------------------------------------------------------------------------------- */

static void learn(struct ledger *ledger, unsigned node, const struct event *event)
{
	struct known *known;

	ledger->known = one_more(ledger, ledger->known, &ledger->known_count, sizeof *ledger->known);
	known = &ledger->known[ledger->known_count - 1];
	*known = (struct known){ .node = node, .id = event->id, .letter = -1, .arrived_ms = event->time_ms };
	if (event->kind == EVENT_RECEIVED) {
		known->letter = letter_named_in(ledger, event->fields[EVENT_FIELD_MESSAGE_ID]);
		/* A report that came from elsewhere bears another name. */
		known->is_report = known->letter < 0;
	} else {
		queue_id parent_id = 0;
		const struct known *parent = NULL;

		known->is_report = true;
		if (queue_id_parse(event->fields[EVENT_FIELD_PARENT], &parent_id))
			parent = known_of(ledger, node, parent_id);
		known->letter = parent != NULL ? parent->letter : -1;
	}
}

static void end_passage(struct ledger *ledger, struct passage *passage, const struct event *event)
{
	const struct known *known = known_of(ledger, passage->node, passage->id);

	passage->is_over = true;
	passage->at_stake = false;
	if (known == NULL) {
		ledger_complain(ledger, "%s ends, but never began", id_text(passage->id));
		return;
	}
	if (event->time_ms - known->arrived_ms > ledger->lifetime_ms + LATE_MS_MAX) /* L5 */
		ledger_complain(ledger, "%s to %s ended after its lifetime", id_text(passage->id), passage->address);
	if (event->kind != EVENT_DELIVERED && known->is_report && known->letter >= 0)
		ledger->letters[known->letter].report_failed = true;
}

void ledger_fact(struct ledger *ledger, unsigned node, const struct event *event)
{
	const struct text recipient = event->fields[EVENT_FIELD_RECIPIENT];
	struct passage *passage;

	if (event->kind == EVENT_RECEIVED || event->kind == EVENT_GENERATED) {
		learn(ledger, node, event);
		return;
	}
	if (recipient.length == 0)
		return;
	passage = passage_of(ledger, node, event->id, recipient);
	switch (event->kind) {
	case EVENT_DEFERRED:
		if (passage->at_stake)
			excuse(ledger, passage, event->fields[EVENT_FIELD_HOST].length > 0 ? &ledger->counts.by_connection
			                                                                   : &ledger->counts.by_mailbox);
		passage->at_stake = false;
		break;
	case EVENT_IN_DOUBT:
		ledger->counts.doubts_named++;
		passage->owes_name = false;
		break;
	case EVENT_DELIVERED:
	case EVENT_BOUNCED:
	case EVENT_DISCARDED:
	case EVENT_EXPANDED:
		end_passage(ledger, passage, event);
		break;
	default:
		break;
	}
}

/* -- The accounts ---------------------------------------------------------------------------------------- */

static void settle_place(struct ledger *ledger, unsigned number, const struct place *place)
{
	const struct letter *letter = &ledger->letters[number];
	const unsigned first = letter->dots > 1 ? letter->dots : 1;

	if (place->arrivals > first + place->causes) { /* L4 */
		ledger->counts.unexplained++;
		ledger_complain(ledger, "letter %u came to %s %u times: %u final dots, %u causes", number, place->address,
		    place->arrivals, letter->dots, place->causes);
	}
	if (!place->promised)
		return;
	ledger->counts.promised++;
	if (place->arrivals > 0 || place->reported)
		return;
	if (letter->report_failed) {
		ledger->counts.to_postmaster++;
		return;
	}
	ledger->counts.lost++; /* L1 */
	ledger_complain(ledger, "letter %u from %s to %s is lost", number, letter->from, place->address);
}

struct text ledger_close(struct ledger *ledger)
{
	for (unsigned i = 0; i < ledger->letter_count; i++) {
		ledger->counts.by_client += ledger->letters[i].dots > 1 ? ledger->letters[i].dots - 1 : 0;
		for (size_t k = 0; k < ledger->letters[i].place_count; k++)
			settle_place(ledger, i, &ledger->letters[i].places[k]);
	}
	for (size_t i = 0; i < ledger->passage_count; i++) {
		const struct passage *passage = &ledger->passages[i];

		if (!passage->owes_name)
			continue;
		ledger->counts.unexplained++;
		ledger_complain(ledger, "%s to %s may have come twice, and nobody said so", id_text(passage->id),
		    passage->address);
	}
	return buffer_text(&ledger->complaints);
}

struct ledger_counts ledger_counts(const struct ledger *ledger) { return ledger->counts; }
