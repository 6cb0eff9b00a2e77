/* Tallies of the memory engine: sorted arrays of sets, and of rows in each. */
#include <stdlib.h>

#include "base/must.h"
#include "spool/codec.h"
#include "spool/memory_state.h"
#include "spool/tally_op.h"

static struct text copied(struct text text)
{
	char *bytes = malloc(text.length + 1);

	must(bytes != NULL);
	return (struct text){ bytes, (size_t)(put_text(bytes, text) - bytes) };
}

/* Room for one more at `place` of an array of `count`, which is moved up. */
static void *opened(void *elements, size_t count, size_t *capacity, size_t place, size_t size)
{
	if (count == *capacity) {
		*capacity = *capacity ? *capacity * 2 : 4;
		elements = reallocarray(elements, *capacity, size);
		must(elements != NULL);
	}

	char *at = (char *)elements + place * size;

	memmove(at + size, at, (count - place) * size);
	return elements;
}

static int compare_sets(const struct tally_set *a, const struct tally_set *b)
{
	const size_t shared = a->domain.length < b->domain.length ? a->domain.length : b->domain.length;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->day != b->day)
		return a->day < b->day ? -1 : 1;

	const int order = shared > 0 ? memcmp(a->domain.bytes, b->domain.bytes, shared) : 0;

	return order != 0 ? order : (a->domain.length > b->domain.length) - (a->domain.length < b->domain.length);
}

/* The place of the first set at or above `set`; true: it is this one. */
static bool find(const struct memory_tallies *tallies, const struct tally_set *set, size_t *out_place)
{
	size_t low = 0, high = tallies->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_sets(&tallies->sets[middle]->set, set) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*out_place = low;
	return low < tallies->count && compare_sets(&tallies->sets[low]->set, set) == 0;
}

static struct memory_tally_set *find_or_make(struct memory_tallies *tallies, const struct tally_set *set)
{
	struct memory_tally_set *made;
	size_t place;

	if (find(tallies, set, &place))
		return tallies->sets[place];
	made = calloc(1, sizeof *made);
	must(made != NULL);
	made->set = (struct tally_set){ set->kind, set->day, copied(set->domain) };
	tallies->sets = opened(tallies->sets, tallies->count, &tallies->capacity, place, sizeof *tallies->sets);
	tallies->sets[place] = made;
	tallies->count++;
	return made;
}

static void take_out(struct memory_tallies *tallies, size_t place)
{
	struct memory_tally_set *set = tallies->sets[place];

	for (size_t i = 0; i < set->count; i++)
		free((char *)set->rows[i].bytes.bytes);
	free(set->rows);
	free((char *)set->set.domain.bytes);
	free(set);
	tallies->count--;
	memmove(tallies->sets + place, tallies->sets + place + 1, (tallies->count - place) * sizeof *tallies->sets);
}

static size_t row_place(const struct memory_tally_set *set, uint64_t key)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (set->rows[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_row(struct memory_tally_set *set, size_t place, struct memory_tally_row row)
{
	set->rows = opened(set->rows, set->count, &set->capacity, place, sizeof *set->rows);
	set->rows[place] = row;
	set->count++;
	set->sum.rows++;
}

void memory_tally_count(struct memory_tallies *tallies, const struct op *op)
{
	const struct tally_op view = tally_op_view(op);
	const uint64_t key = tally_row_key(view.row);
	size_t place;
	struct memory_tally_set *account =
	    find_or_make(tallies, &(struct tally_set){ view.set.kind, view.set.day, TEXT_EMPTY });

	if (!find(tallies, &view.set, &place)) {
		if (!tally_takes_set(&account->sum)) {
			account->sum.overflow += op->number;
			return;
		}
		account->sum.rows++;
	}

	struct memory_tally_set *set = find_or_make(tallies, &view.set);

	place = row_place(set, key);
	if (place < set->count && set->rows[place].key == key) {
		const bool same = text_equal(set->rows[place].bytes, view.row);

		*(same ? &set->rows[place].count : &set->sum.overflow) += op->number;
	} else if (tally_takes_row(&set->sum, &account->sum, &view)) {
		add_row(set, place, (struct memory_tally_row){ key, op->number, copied(view.row) });
		set->sum.bytes += tally_row_bytes(&view);
		account->sum.bytes += tally_row_bytes(&view);
	} else {
		set->sum.overflow += op->number;
	}
	set->sum.total += op->number;
}

enum error memory_tally_try_drop(
    const struct memory_tallies *tallies, const struct spool_change *change, size_t start, const struct op *op)
{
	const struct tally_op view = tally_op_view(op);
	size_t place;
	const bool there = find(tallies, &view.set, &place);
	uint64_t total = there ? tallies->sets[place]->sum.total : 0;

	return tally_total_after(change, start, &view.set, there, &total) && total == view.total ? OK : ERR_GONE;
}

void memory_tally_drop(struct memory_tallies *tallies, const struct op *op)
{
	const struct tally_op view = tally_op_view(op);
	const struct tally_set first = { view.set.kind, view.set.day, TEXT_EMPTY };
	size_t place, account;

	if (!find(tallies, &view.set, &place) || !find(tallies, &first, &account))
		return; /* This very change found no place for it. */
	tallies->sets[account]->sum.bytes -= tallies->sets[place]->sum.bytes;
	take_out(tallies, place);
	if (--tallies->sets[account]->sum.rows == 0)
		take_out(tallies, account);
}

void memory_tally_clear(struct memory_tallies *tallies)
{
	while (tallies->count > 0)
		take_out(tallies, tallies->count - 1);
	free(tallies->sets);
}

enum error memory_tally_list(const struct memory_tallies *tallies, const struct tally_query *query, struct arena *arena,
    struct tally_listed **out_sets, size_t *out_count)
{
	const struct tally_set first = { query->kind, 0, TEXT_EMPTY };
	size_t place, count = 0;

	if (find(tallies, query->after != NULL ? query->after : &first, &place) && query->after != NULL)
		place++;

	const size_t left = tallies->count - place;
	struct tally_listed *sets = arena_array(arena, left < query->max ? left : query->max, sizeof *sets);

	for (; sets != NULL && place < tallies->count && count < query->max; place++) {
		const struct memory_tally_set *set = tallies->sets[place];

		if (set->set.kind != query->kind || set->set.day > query->until_day)
			break;
		sets[count] = (struct tally_listed){ set->set, set->sum };
		if (!arena_copy(arena, set->set.domain, &sets[count++].set.domain))
			sets = NULL;
	}
	if (sets == NULL)
		return ERR_NO_MEMORY;
	*out_sets = sets;
	*out_count = count;
	return OK;
}

enum error memory_tally_read(const struct memory_tallies *tallies, const struct tally_set *set, uint64_t from, size_t max,
    struct arena *arena, struct tally_row **out_rows, size_t *out_count)
{
	size_t place, at;
	const struct memory_tally_set *found = find(tallies, set, &place) ? tallies->sets[place] : NULL;

	at = found != NULL ? row_place(found, from) : 0;

	const size_t left = found != NULL ? found->count - at : 0, count = left < max ? left : max;
	struct tally_row *rows = arena_array(arena, count, sizeof *rows);

	for (size_t i = 0; rows != NULL && i < count; i++) {
		rows[i] = (struct tally_row){ found->rows[at + i].key, found->rows[at + i].count, TEXT_EMPTY };
		if (!arena_copy(arena, found->rows[at + i].bytes, &rows[i].bytes))
			rows = NULL;
	}
	if (rows == NULL)
		return ERR_NO_MEMORY;
	*out_rows = rows;
	*out_count = count;
	return OK;
}
