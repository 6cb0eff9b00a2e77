#include "base/hex.h"

#include "base/text.h"

int hex_value(char digit)
{
	const char lower = byte_lower(digit);

	return byte_is_digit(digit) ? digit - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void hex_print(const uint8_t *bytes, size_t count, char *out_digits)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		out_digits[2 * i] = digits[bytes[i] >> 4];
		out_digits[2 * i + 1] = digits[bytes[i] & 15];
	}
	out_digits[2 * count] = '\0';
}
