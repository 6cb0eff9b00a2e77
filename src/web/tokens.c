#include "web/tokens.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/digest.h"

enum { ARENA_BYTES = 4 << 20 };

struct token {
	struct text name;
	uint8_t hash[DIGEST_BYTES];
	unsigned scopes;
};

struct web_tokens {
	struct arena *arena;
	struct token *tokens;
	size_t count;
};

static const struct {
	const char *word;
	enum web_scope scope;
} scopes[] = {
	{ "metrics", WEB_METRICS }, { "read", WEB_READ }, { "change", WEB_CHANGE }, { "send", WEB_SEND }, { "admin", WEB_ADMIN },
};

enum { SCOPE_COUNT = sizeof scopes / sizeof scopes[0] };

const char *web_scope_word(enum web_scope scope)
{
	for (size_t i = 0; i < SCOPE_COUNT; i++)
		if (scopes[i].scope == scope)
			return scopes[i].word;
	return "";
}

static bool read_hash(struct text digits, uint8_t out_hash[DIGEST_BYTES])
{
	if (digits.length != 2 * DIGEST_BYTES)
		return false;
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		const int high = hex_value(digits.bytes[2 * i]), low = hex_value(digits.bytes[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out_hash[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_scopes(struct text words, unsigned *out_scopes)
{
	struct text word;

	*out_scopes = 0;
	while (text_cut(&words, ',', &word)) {
		size_t i = 0;

		while (i < SCOPE_COUNT && !text_equal(text_trim(word), text_of(scopes[i].word)))
			i++;
		if (i == SCOPE_COUNT)
			return false;
		*out_scopes |= scopes[i].scope;
	}
	return *out_scopes != 0;
}

/* What is wrong with a line; NULL: nothing. */
static const char *read_line(struct arena *arena, struct text line, struct token *out_token)
{
	struct text name, hash;

	if (!text_cut(&line, ':', &name) || name.length == 0 || !text_cut(&line, ':', &hash))
		return "is not NAME:SHA256:SCOPES";
	if (!read_hash(hash, out_token->hash))
		return "has no SHA-256 behind its name";
	if (!read_scopes(line, &out_token->scopes))
		return "has a scope that there is not";
	return arena_copy(arena, name, &out_token->name) ? NULL : "is too much";
}

struct web_tokens *web_tokens_new(const char *name, struct text file, struct buffer *complaints)
{
	struct web_tokens *tokens = calloc(1, sizeof *tokens);
	bool right = tokens != NULL && (tokens->arena = arena_new(ARENA_BYTES)) != NULL &&
	    (tokens->tokens = arena_array(tokens->arena, WEB_TOKENS_MAX, sizeof *tokens->tokens)) != NULL;
	struct text line;
	unsigned number = 0;

	while (right && text_cut(&file, '\n', &line)) {
		const struct text trimmed = text_trim(line);

		number++;
		if (trimmed.length == 0 || trimmed.bytes[0] == '#')
			continue;
		const char *wrong = tokens->count == WEB_TOKENS_MAX ? "is one too many"
		                                                    : read_line(tokens->arena, trimmed, &tokens->tokens[tokens->count]);

		if (wrong != NULL) {
			(void)!buffer_print(complaints,
			    "%s:%u: this line %s (hint: NAME, the output of sha256sum for the token, and some of "
			    "metrics,read,change,send,admin)\n",
			    name, number, wrong);
			right = false;
		}
		tokens->count++;
	}
	if (right)
		return tokens;
	web_tokens_free(tokens);
	return NULL;
}

void web_tokens_free(struct web_tokens *tokens)
{
	if (tokens != NULL)
		arena_free(tokens->arena);
	free(tokens);
}

/* In a time that does not tell how much was right. */
static bool same(const uint8_t *a, const uint8_t *b)
{
	uint8_t differs = 0;

	for (size_t i = 0; i < DIGEST_BYTES; i++)
		differs |= a[i] ^ b[i];
	return differs == 0;
}

unsigned web_tokens_scopes(const struct web_tokens *tokens, struct text token, struct text *out_name)
{
	struct digest *digest = digest_new();
	uint8_t hash[DIGEST_BYTES];
	unsigned found = 0;

	if (digest == NULL)
		return 0;
	digest_add(digest, token);
	digest_end(digest, hash);
	digest_free(digest);
	for (size_t i = 0; i < tokens->count; i++)
		if (same(hash, tokens->tokens[i].hash)) {
			found = tokens->tokens[i].scopes;
			*out_name = tokens->tokens[i].name;
		}
	return found;
}
