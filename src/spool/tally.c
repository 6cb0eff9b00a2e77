#include "spool/tally.h"

#include <xxhash.h>

#include "base/must.h"
#include "spool/codec.h"
#include "spool/engine.h"
#include "spool/tally_op.h"

enum { DAY_MS = 24 * 3600 * 1000, SET_SIZE = 1 + 4 + 2 };

uint32_t tally_day(int64_t now_ms)
{
	return (uint32_t)(now_ms / DAY_MS);
}

/* -- Operations -------------------------------------------------------------------- */

static char *put_set(char *at, const struct tally_set *set)
{
	must(set->domain.length > 0 && set->domain.length <= ADDRESS_DOMAIN_MAX);
	must(memchr(set->domain.bytes, 0, set->domain.length) == NULL);
	at = put_u8(at, (uint8_t)set->kind);
	at = put_u32(at, set->day);
	at = put_u16(at, (uint16_t)set->domain.length);
	return at + domain_lower(set->domain, at).length;
}

void spool_change_tally(struct spool_change *change, const struct tally_set *set, struct text row, uint32_t count)
{
	must(row.length > 0 && row.length <= TALLY_ROW_BYTES_MAX);

	char *room = change_add_op(change, OP_TALLY, 0, count, SET_SIZE + set->domain.length + row.length);

	if (room != NULL)
		put_text(put_set(room, set), row);
}

void spool_change_tally_drop(struct spool_change *change, const struct tally_set *set, uint64_t total)
{
	char *room = change_add_op(change, OP_TALLY_DROP, 0, 0, SET_SIZE + set->domain.length + sizeof total);

	if (room != NULL)
		put_u64(put_set(room, set), total);
}

struct tally_op tally_op_view(const struct op *op)
{
	struct tally_op view = { 0 };
	uint8_t kind;
	uint16_t length;
	const char *at = get_u8(op->bytes.bytes, &kind);

	view.set.kind = (enum tally_kind)kind;
	at = get_u16(get_u32(at, &view.set.day), &length);
	view.set.domain = (struct text){ at, length };
	if (op->kind == OP_TALLY_DROP)
		get_u64(at + length, &view.total);
	else
		view.row = text_from(op->bytes, SET_SIZE + (size_t)length);
	return view;
}

bool tally_set_equal(const struct tally_set *a, const struct tally_set *b)
{
	return a->kind == b->kind && a->day == b->day && text_equal(a->domain, b->domain);
}

bool tally_total_after(const struct spool_change *change, size_t end, const struct tally_set *set, bool there, uint64_t *total)
{
	struct op op;

	for (size_t at = 0; at < end && change_next(change, &at, &op);) {
		if (op.kind != OP_TALLY && op.kind != OP_TALLY_DROP)
			continue;

		const struct tally_op view = tally_op_view(&op);

		if (!tally_set_equal(&view.set, set))
			continue;
		*total = op.kind == OP_TALLY ? (there ? *total : 0) + op.number : 0;
		there = op.kind == OP_TALLY;
	}
	return there;
}

/* -- Rows and bounds ---------------------------------------------------------------- */

uint64_t tally_row_key(struct text row)
{
	return XXH3_64bits(row.bytes, row.length);
}

uint64_t tally_row_bytes(const struct tally_op *op)
{
	return op->set.domain.length + op->row.length + TALLY_ROW_BYTES_ASIDE;
}

bool tally_takes_row(const struct tally_sum *set, const struct tally_sum *account, const struct tally_op *op)
{
	return set->rows < TALLY_ROWS_MAX && account->bytes + tally_row_bytes(op) <= TALLY_DAY_BYTES_MAX;
}

bool tally_takes_set(const struct tally_sum *account)
{
	return account->rows < TALLY_SETS_MAX;
}

void tally_sum_write(const struct tally_sum *sum, char room[TALLY_SUM_SIZE])
{
	put_u64(put_u64(put_u64(put_u32(room, sum->rows), sum->bytes), sum->total), sum->overflow);
}

enum error tally_sum_read(struct text record, struct tally_sum *out_sum)
{
	if (record.length != TALLY_SUM_SIZE)
		return ERR_CORRUPT;
	get_u64(get_u64(get_u64(get_u32(record.bytes, &out_sum->rows), &out_sum->bytes), &out_sum->total), &out_sum->overflow);
	return OK;
}

/* -- Reading ------------------------------------------------------------------------ */

enum error spool_tally_sets(struct spool *spool, enum tally_kind kind, uint32_t until_day,
    const struct tally_set *after, size_t max, struct arena *arena, struct tally_listed **out_sets, size_t *out_count)
{
	const struct tally_query query = { .kind = kind, .until_day = until_day, .after = after, .max = max };

	return spool->engine->tally_sets(spool, &query, arena, out_sets, out_count);
}

enum error spool_tally_rows(struct spool *spool, const struct tally_set *set, uint64_t from, size_t max,
    struct arena *arena, struct tally_row **out_rows, size_t *out_count)
{
	char room[ADDRESS_DOMAIN_MAX];
	const struct tally_set lower = { set->kind, set->day, domain_lower(set->domain, room) };

	return spool->engine->tally_rows(spool, &lower, from, max, arena, out_rows, out_count);
}
