#include "sasl/bearer.h"

enum { SEPARATOR = 1 };

/* A saslname (RFC 5801 §4): "=2C" is a comma and "=3D" an equals sign, and no other "=" may stand in it. */
static enum error unescape(struct text name, struct arena *arena, struct text *out_name)
{
	char *room = arena_alloc(arena, name.length + 1);
	size_t length = 0;

	if (room == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < name.length; i++) {
		const struct text code = text_part(name, i, 3);
		char c = name.bytes[i];

		if (c == '=') {
			if (!text_equal(code, TEXT("=2C")) && !text_equal(code, TEXT("=3D")))
				return ERR_SYNTAX;
			c = code.bytes[2] == 'C' ? ',' : '=';
			i += 2;
		}
		if (c == '\0')
			return ERR_SYNTAX;
		room[length++] = c;
	}
	*out_name = (struct text){ room, length };
	return OK;
}

/* "n,a=alice@example.org," or "n,,"; "y" is as good as "n". This mechanism has no binding (RFC 7628 §3.1), so "p" is none of it. */
static enum error read_header(struct text *rest, struct arena *arena, struct text *out_authorization)
{
	struct text flag, name;

	if (!text_cut(rest, ',', &flag) || !text_cut(rest, ',', &name) || rest->bytes == NULL ||
	    (!text_equal(flag, TEXT("n")) && !text_equal(flag, TEXT("y"))))
		return ERR_SYNTAX;
	*out_authorization = TEXT_EMPTY;
	if (name.length == 0)
		return OK;
	return text_starts(name, TEXT("a=")) && name.length > 2 ? unescape(text_from(name, 2), arena, out_authorization)
								: ERR_SYNTAX;
}

/* "Bearer TOKEN" (RFC 6750 §2.1); another scheme has no token for us. */
static struct text token_of(struct text credentials)
{
	return text_starts_nocase(credentials, TEXT("Bearer ")) ? text_trim(text_from(credentials, 7)) : TEXT_EMPTY;
}

/* Pairs behind a separator, each ending with one, and one more at the end. */
static enum error read_pairs(struct text rest, struct bearer *bearer)
{
	struct text piece;

	if (!text_cut(&rest, SEPARATOR, &piece) || piece.length > 0)
		return ERR_SYNTAX;
	while (text_cut(&rest, SEPARATOR, &piece) && piece.length > 0) {
		if (text_find_byte(piece, '=') == piece.length)
			return ERR_SYNTAX;
		if (text_starts(piece, TEXT("auth=")))
			bearer->token = token_of(text_from(piece, 5));
	}
	/* The separator at the end leaves an empty piece, and an empty rest behind it. */
	return piece.length == 0 && rest.bytes != NULL && rest.length == 0 ? OK : ERR_SYNTAX;
}

enum error bearer_read(struct text response, struct arena *arena, struct bearer *out_bearer)
{
	struct bearer bearer = { TEXT_EMPTY, TEXT_EMPTY };
	struct text rest = response;
	enum error error = response.length > 0 ? read_header(&rest, arena, &bearer.authorization) : ERR_SYNTAX;

	if (error == OK)
		error = read_pairs(rest, &bearer);
	if (error == OK)
		*out_bearer = bearer;
	return error;
}
