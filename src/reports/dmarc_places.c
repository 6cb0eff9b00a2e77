/*     RECORD ──► for each address:  same domain? ──yes──────────────────────────────────────► it counts
 *     of the                            │ no                                                     ▲
 *     domain                            ├─ may be the same organization ──► WALK ──the same──────┤
 *                                       └─ another ──► PERMISSION ──given────────────────────────┘
 *
 * The first WALK needs the domain's own ORGANIZATION: the rest of the walk whose first answer was the record. */
#include "reports/dmarc_places.h"

#include "auth/domain.h"
#include "base/must.h"

/* -- Addresses -------------------------------------------------------------------------------- */

/* A limit behind "!", as RFC 7489 §6.2 had it: "10m". False: it is none. */
static bool read_limit(struct text words, uint64_t *out_bytes)
{
	static const char units[] = "kmgt";
	uint64_t bytes;
	unsigned shift = 0;

	if (words.length > 0 && !byte_is_digit(words.bytes[words.length - 1])) {
		const char *unit = strchr(units, byte_lower(words.bytes[--words.length]));

		if (unit == NULL || *unit == '\0')
			return false;
		shift = 10 * ((unsigned)(unit - units) + 1);
	}
	if (!text_to_u64(words, &bytes))
		return false;
	*out_bytes = bytes > UINT64_MAX >> shift ? UINT64_MAX : bytes << shift;
	return true;
}

/* False: it is no address that a report can be mailed to. */
static bool read_place(struct text uri, struct arena *arena, struct report_place *out_place)
{
	const size_t mark = text_find_byte_last(uri, '!');
	uint64_t bytes_max = 0;

	if (mark < uri.length && read_limit(text_from(uri, mark + 1), &bytes_max))
		uri.length = mark;
	if (report_place_parse(uri, arena, out_place) != OK || out_place->kind != REPORT_BY_MAIL)
		return false;
	out_place->bytes_max = bytes_max;
	return domain_is_name(out_place->address.domain) && out_place->address.domain.bytes[0] != '[' &&
	    text_is_ascii(out_place->address.domain) && text_is_ascii(out_place->address.local);
}

static bool is_known(const struct dmarc_places *places, const struct report_place *place)
{
	for (size_t i = 0; i < places->count; i++)
		if (text_equal(places->places[i].address.local, place->address.local) &&
		    text_equal_nocase(places->places[i].address.domain, place->address.domain))
			return true;
	return false;
}

static void read_places(struct dmarc_places *places, struct text uris)
{
	struct report_place place;
	struct text uri;

	while (places->count < DMARC_PLACES_MAX && text_cut(&uris, ',', &uri))
		if (read_place(text_trim(uri), places->arena, &place) && !is_known(places, &place))
			places->places[places->count++] = place;
}

/* -- One after another -------------------------------------------------------------------------- */

static void keep(struct dmarc_places *places)
{
	places->next++;
}

static void drop(struct dmarc_places *places)
{
	places->count--;
	memmove(&places->places[places->next], &places->places[places->next + 1],
	    (places->count - places->next) * sizeof places->places[0]);
}

static struct text other_domain(const struct dmarc_places *places)
{
	return places->places[places->next].address.domain;
}

static void ask_permission(struct dmarc_places *places)
{
	const struct text other = other_domain(places);

	places->stage = PLACES_PERMISSION;
	if (!arena_print(places->arena, &places->permission, "%.*s._report._dmarc.%.*s", TEXT_FORMAT(places->domain),
		TEXT_FORMAT(other))) {
		places->failed = true;
		drop(places);
	} else if (!domain_is_name(places->permission)) {
		drop(places);
	} else {
		return;
	}
	places->stage = PLACES_DONE;
}

/* The domain's organization is known: is the address within? */
static void compare(struct dmarc_places *places)
{
	const struct text other = other_domain(places), organization = dmarc_walk_organization(&places->own);

	places->stage = PLACES_DONE;
	if (text_equal_nocase(other, organization)) {
		keep(places);
	} else if (domain_is_within(other, organization)) {
		dmarc_walk_start(&places->other, other, places->arena);
		if (places->other.target.length > 0)
			places->stage = PLACES_WALK;
		else
			ask_permission(places);
	} else {
		ask_permission(places);
	}
}

static void look(struct dmarc_places *places)
{
	const struct text other = other_domain(places);
	struct question question;

	if (text_equal_nocase(other, places->domain))
		keep(places);
	else if (!text_equal_nocase(domain_suffix(other, 1), domain_suffix(places->domain, 1)))
		ask_permission(places);
	else if (dmarc_walk_question(&places->own, &question))
		places->stage = PLACES_ORGANIZATION;
	else if (places->own.failed)
		ask_permission(places); /* It may be given all the same. */
	else
		compare(places);
}

static void go_on(struct dmarc_places *places)
{
	while (places->stage == PLACES_DONE && places->next < places->count)
		look(places);
}

/* -- Answers ------------------------------------------------------------------------------------- */

static void hear_record(struct dmarc_places *places, const struct answer *answer)
{
	dmarc_walk_answer(&places->own, answer);
	places->stage = PLACES_DONE;
	places->failed = places->own.failed;
	if (!places->failed && places->own.count > 0) {
		const struct dmarc_record *record = &places->own.found[0].record;

		read_places(places, places->kind == DMARC_AGGREGATE ? record->rua : record->ruf);
	}
}

static void hear_organization(struct dmarc_places *places, const struct answer *answer)
{
	struct question question;

	dmarc_walk_answer(&places->own, answer);
	if (!dmarc_walk_question(&places->own, &question))
		places->stage = PLACES_DONE; /* Looked at again. */
}

static void hear_walk(struct dmarc_places *places, const struct answer *answer)
{
	struct question question;

	dmarc_walk_answer(&places->other, answer);
	if (dmarc_walk_question(&places->other, &question))
		return;
	places->stage = PLACES_DONE;
	if (!places->other.failed &&
	    text_equal_nocase(dmarc_walk_organization(&places->other), dmarc_walk_organization(&places->own)))
		keep(places);
	else
		ask_permission(places);
}

/* Who permits it may name another address, within the same domain (RFC 9990 §4). False: that one is known already. */
static bool replace(struct dmarc_places *places, const struct dmarc_record *record)
{
	struct report_place *place = &places->places[places->next], other;
	struct text uris = places->kind == DMARC_AGGREGATE ? record->rua : record->ruf, uri;

	while (text_cut(&uris, ',', &uri)) {
		if (!read_place(text_trim(uri), places->arena, &other) ||
		    !text_equal_nocase(other.address.domain, place->address.domain))
			continue;
		if (text_equal(other.address.local, place->address.local))
			return true;
		if (is_known(places, &other))
			return false;
		*place = other;
		return true;
	}
	return true;
}

static void hear_permission(struct dmarc_places *places, const struct answer *answer)
{
	struct dmarc_record record;

	places->stage = PLACES_DONE;
	places->failed |= answer->status == ANSWER_FAILED;
	for (size_t i = 0; i < answer->count; i++) {
		if (!dmarc_record_read(answer->records[i].text, &record))
			continue;
		if (replace(places, &record))
			keep(places);
		else
			drop(places);
		return;
	}
	drop(places); /* P1 */
}

/* -- The outside ----------------------------------------------------------------------------------- */

void dmarc_places_start(
    struct dmarc_places *places, enum dmarc_report_kind kind, struct text domain, struct arena *arena)
{
	*places = (struct dmarc_places){ .arena = arena, .kind = kind, .domain = domain };
	dmarc_walk_start(&places->own, domain, arena);
	if (places->own.target.length > 0)
		return;
	places->stage = PLACES_DONE;
	places->failed = places->own.failed;
}

bool dmarc_places_question(const struct dmarc_places *places, struct question *out_question)
{
	switch (places->stage) {
	case PLACES_RECORD:
	case PLACES_ORGANIZATION:
		return dmarc_walk_question(&places->own, out_question);
	case PLACES_WALK:
		return dmarc_walk_question(&places->other, out_question);
	case PLACES_PERMISSION:
		*out_question = (struct question){ QUESTION_TXT, places->permission };
		return true;
	case PLACES_DONE:
		break;
	}
	return false;
}

void dmarc_places_answer(struct dmarc_places *places, const struct answer *answer)
{
	static void (*const hear[])(struct dmarc_places *, const struct answer *) = { [PLACES_RECORD] = hear_record,
		[PLACES_ORGANIZATION] = hear_organization,
		[PLACES_WALK] = hear_walk,
		[PLACES_PERMISSION] = hear_permission,
		[PLACES_DONE] = NULL };

	must(hear[places->stage] != NULL);
	hear[places->stage](places, answer);
	go_on(places);
}
