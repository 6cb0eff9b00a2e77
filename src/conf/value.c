#include "conf/value.h"

struct unit {
	struct text name;
	uint64_t factor;
};

/* Digits, then a unit of the list; each takes at most `most`. */
static bool quantity(struct text text, const struct unit *units, size_t unit_count, uint64_t most, uint64_t *out_value)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < text.length && byte_is_digit(text.bytes[digits]))
		digits++;
	if (!text_to_u64(text_part(text, 0, digits), &number))
		return false;
	for (size_t i = 0; i < unit_count; i++) {
		if (!text_equal(text_from(text, digits), units[i].name))
			continue;
		if (number > most / units[i].factor)
			return false;
		*out_value = number * units[i].factor;
		return true;
	}
	return false;
}

bool value_size(struct text text, uint64_t *out_bytes)
{
	static const struct unit units[] = { { TEXT(""), 1 }, { TEXT("K"), 1 << 10 }, { TEXT("k"), 1 << 10 },
		{ TEXT("M"), 1 << 20 }, { TEXT("m"), 1 << 20 }, { TEXT("G"), 1 << 30 }, { TEXT("g"), 1 << 30 } };

	return quantity(text, units, sizeof units / sizeof units[0], UINT64_MAX, out_bytes);
}

bool value_duration(struct text text, uint64_t *out_ms)
{
	static const struct unit units[] = { { TEXT("ms"), 1 }, { TEXT("s"), 1000 }, { TEXT("m"), 60 * 1000 },
		{ TEXT("h"), 3600 * 1000 }, { TEXT("d"), 24 * 3600 * 1000 } };

	return quantity(text, units, sizeof units / sizeof units[0], INT64_MAX, out_ms);
}

bool value_rate(struct text text, struct rate *out_rate)
{
	const size_t slash = text_find_byte(text, '/');
	uint64_t count, period_ms;

	if (text_equal(text, TEXT("none"))) {
		*out_rate = (struct rate){ 0 };
		return true;
	}
	if (!text_to_u64(text_part(text, 0, slash), &count) || !value_duration(text_from(text, slash + 1), &period_ms) ||
	    count == 0 || count > RATE_COUNT_MAX || period_ms < RATE_PERIOD_MS_MIN || period_ms > RATE_PERIOD_MS_MAX)
		return false;
	*out_rate = (struct rate){ (uint32_t)count, (int64_t)period_ms };
	return true;
}

bool value_bool(struct text text, bool *out_bool)
{
	static const struct text yes[] = { TEXT("yes"), TEXT("true"), TEXT("on") };
	static const struct text no[] = { TEXT("no"), TEXT("false"), TEXT("off") };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (text_equal(text, yes[i]) || text_equal(text, no[i])) {
			*out_bool = text_equal(text, yes[i]);
			return true;
		}
	}
	return false;
}
