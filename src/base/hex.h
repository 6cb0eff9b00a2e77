/* Hexadecimal digits, two for a byte. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* What a digit of either case stands for; -1: it is none. */
int hex_value(char digit);

/* In lower case, with a NUL behind them: 2 * count + 1 bytes. */
void hex_print(const uint8_t *bytes, size_t count, char *out_digits);

#endif
