/* Text: bytes and their length. Never NUL-terminated by promise, never owned.
 *
 * Values: copy freely. The bytes belong to an arena, a buffer or the program. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	const char *bytes; /* May be NULL when length is 0. */
	size_t length;
};

/* A text from a string literal, or from a C string. */
#define TEXT(literal) ((struct text){ ("" literal), sizeof(literal) - 1 })
#define TEXT_EMPTY ((struct text){ NULL, 0 })
static inline struct text text_of(const char *string)
{
	return (struct text){ string, string ? strlen(string) : 0 };
}

/* For printf("%.*s"): two arguments. */
#define TEXT_FORMAT(t) (int)(t).length, (t).length > 0 ? (t).bytes : ""

/* Byte for byte. */
static inline bool text_equal(struct text a, struct text b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

/* ASCII letters compare alike; bytes above 127 compare as they are. */
bool text_equal_nocase(struct text a, struct text b);

/* For tables and for choices that are to stay the same: what somebody may want to be alike needs a seed that is secret.
 * Parts are joined by giving the hash of one as the seed of the next. */
uint64_t text_hash(struct text text, uint64_t seed);
uint64_t text_hash_nocase(struct text text, uint64_t seed);

/* The part from `start` on, and `length` bytes from `start`; clipped at the end. */
static inline struct text text_from(struct text whole, size_t start)
{
	if (start >= whole.length)
		return (struct text){ whole.bytes ? whole.bytes + whole.length : NULL, 0 };
	return (struct text){ whole.bytes + start, whole.length - start };
}
static inline struct text text_part(struct text whole, size_t start, size_t length)
{
	struct text part = text_from(whole, start);

	if (part.length > length)
		part.length = length;
	return part;
}

/* Every text starts and ends with the empty one. */
static inline bool text_starts(struct text whole, struct text prefix)
{
	return whole.length >= prefix.length && text_equal(text_part(whole, 0, prefix.length), prefix);
}
bool text_starts_nocase(struct text whole, struct text prefix);
bool text_ends(struct text whole, struct text suffix);

/* <0, 0, >0, bytewise. */
int text_compare(struct text a, struct text b);


/* Index of the first (last) `byte`, or whole.length when absent. */
static inline size_t text_find_byte(struct text whole, char byte)
{
	const char *at = whole.length > 0 ? (const char *)memchr(whole.bytes, byte, whole.length) : NULL;

	return at ? (size_t)(at - whole.bytes) : whole.length;
}
size_t text_find_byte_last(struct text whole, char byte);
size_t text_find_line_end(struct text whole); /* The first CR or LF. */

/* Index of the first `part`, or whole.length when absent. */
size_t text_find(struct text whole, struct text part);

/* Without leading and trailing space, tab, CR and LF. */
struct text text_trim(struct text whole);

/* Cut the next piece up to `separator` off *rest into *out_piece; the separator
 * is dropped. False when *rest is used up (bytes == NULL). An empty text
 * yields one empty piece when its bytes pointer is not NULL. */
bool text_cut(struct text *rest, char separator, struct text *out_piece);

/* Decimal digits only, the whole text; false on overflow, sign, space or emptiness. */
bool text_to_u64(struct text digits, uint64_t *out_value);

/* All bytes below 128. */
bool text_is_ascii(struct text whole);

/* Well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms. */
bool text_is_utf8(struct text whole);

/* ASCII classes and case, free of the locale. */
static inline bool byte_is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static inline bool byte_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool byte_is_alnum(char c)
{
	return byte_is_digit(c) || byte_is_alpha(c);
}
static inline char byte_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}
static inline char byte_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

#endif
