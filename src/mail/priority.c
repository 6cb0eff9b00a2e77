#include "mail/priority.h"

bool priority_parse(struct text text, int8_t *out_priority)
{
	const bool low = text.length == 2 && text.bytes[0] == '-' && text.bytes[1] != '0';
	const struct text digit = text_from(text, low);

	if (digit.length != 1 || !byte_is_digit(digit.bytes[0]))
		return false;
	const int value = digit.bytes[0] - '0';

	*out_priority = (int8_t)(low ? -value : value);
	return true;
}

bool priority_parse_field(struct text value, int8_t *out_priority)
{
	const struct text trimmed = text_trim(value);
	size_t end = 0;

	while (end < trimmed.length && trimmed.bytes[end] != ' ' && trimmed.bytes[end] != '\t' && trimmed.bytes[end] != '(')
		end++;
	return priority_parse(text_part(trimmed, 0, end), out_priority);
}
