/* A row is a letter for each word and each yes or no, and then the texts, each ended by a NUL. */
#include "dsn/dmarc_result.h"

#include "base/must.h"

enum { OPTIONS_MAX = 16, IP_MAX = 46, NAME_MAX_BYTES = 255, LETTERS = 12, TEXTS = 5, UNSAID = '-' };

_Static_assert(LETTERS + OPTIONS_MAX + IP_MAX + 3 * NAME_MAX_BYTES + TEXTS <= DMARC_RESULT_ROW_MAX,
    "a row holds the longest of all texts but signatures");

/* -- Words ---------------------------------------------------------------------------------- */

struct word {
	char letter;
	const char *word;
};

static const struct word policies[] = { { 'n', "none" }, { 'q', "quarantine" }, { 'r', "reject" }, { 0, NULL } };
static const struct word dispositions[] = { { 'n', "none" }, { 'p', "pass" }, { 'q', "quarantine" }, { 'r', "reject" },
	{ 0, NULL } };
static const struct word overrides[] = { { 'l', "local_policy" }, { 'm', "mailing_list" }, { 'o', "other" },
	{ 'p', "policy_test_mode" }, { 't', "trusted_forwarder" }, { 0, NULL } };
static const struct word results[] = { { 'n', "none" }, { 'p', "pass" }, { 'f', "fail" }, { 's', "softfail" },
	{ 'l', "policy" }, { 'u', "neutral" }, { 't', "temperror" }, { 'e', "permerror" }, { 0, NULL } };

static char letter_of(const struct word *words, const char *word)
{
	for (; word != NULL && words->word != NULL; words++)
		if (strcmp(words->word, word) == 0)
			return words->letter;
	return UNSAID;
}

/* False: no such letter. */
static bool word_of(const struct word *words, char letter, const char **out_word)
{
	for (; words->word != NULL; words++) {
		if (words->letter == letter) {
			*out_word = words->word;
			return true;
		}
	}
	*out_word = NULL;
	return letter == UNSAID;
}

static char letter_if(bool yes)
{
	return yes ? 'y' : 'n';
}

/* -- Encoding --------------------------------------------------------------------------------- */

/* R2 */
static char *put(char *at, struct text field, size_t max)
{
	field = text_part(field, 0, max);
	for (size_t i = 0; i < field.length; i++) {
		const char byte = field.bytes[i];
		const bool fits = (unsigned char)byte > ' ' && byte != '\x7f' && strchr("&<>\"'", byte) == NULL;

		*at++ = fits ? byte_lower(byte) : '?';
	}
	*at++ = '\0';
	return at;
}

/* Domain, selector and result of those for which there is room. */
static char *put_signatures(char *at, const char *end, const struct dmarc_result *result)
{
	for (size_t i = 0; i < result->signature_count && i < DMARC_RESULT_SIGNATURES_MAX; i++) {
		const struct dmarc_result_signature *signature = &result->signatures[i];

		if (signature->domain.length > NAME_MAX_BYTES || signature->selector.length > NAME_MAX_BYTES ||
		    signature->domain.length + signature->selector.length + 3 > (size_t)(end - at))
			break;
		*at++ = letter_of(results, signature->result);
		at = put(at, signature->domain, NAME_MAX_BYTES);
		at = put(at, signature->selector, NAME_MAX_BYTES);
	}
	return at;
}

struct text dmarc_result_encode(const struct dmarc_result *result, char room[DMARC_RESULT_ROW_MAX])
{
	const struct dmarc_published *published = &result->published;
	char *at = room;

	*at++ = letter_of(policies, published->policy);
	*at++ = letter_of(policies, published->subdomains);
	*at++ = letter_of(policies, published->absent);
	*at++ = letter_if(published->dkim_strict);
	*at++ = letter_if(published->spf_strict);
	*at++ = letter_if(published->testing);
	*at++ = letter_of(dispositions, result->disposition);
	*at++ = letter_if(result->dkim_aligned);
	*at++ = letter_if(result->spf_aligned);
	*at++ = letter_of(overrides, result->override);
	*at++ = letter_of(results, result->spf);
	must(at - room <= LETTERS);
	at = put(at, published->failure_options, OPTIONS_MAX);
	at = put(at, result->client, IP_MAX);
	at = put(at, result->author, NAME_MAX_BYTES);
	at = put(at, result->sender, NAME_MAX_BYTES);
	at = put(at, result->spf_domain, NAME_MAX_BYTES);
	at = put_signatures(at, room + DMARC_RESULT_ROW_MAX, result);
	return (struct text){ room, (size_t)(at - room) };
}

/* -- Decoding --------------------------------------------------------------------------------- */

struct reading {
	struct text rest;
	bool failed;
};

static char read_letter(struct reading *reading)
{
	char letter = UNSAID;

	if (reading->rest.length == 0)
		reading->failed = true;
	else
		letter = reading->rest.bytes[0];
	reading->rest = text_from(reading->rest, 1);
	return letter;
}

static const char *read_word(struct reading *reading, const struct word *words)
{
	const char *word;

	reading->failed |= !word_of(words, read_letter(reading), &word);
	return word;
}

static bool read_bool(struct reading *reading)
{
	const char letter = read_letter(reading);

	reading->failed |= letter != 'y' && letter != 'n';
	return letter == 'y';
}

static struct text read_text(struct reading *reading)
{
	const size_t end = text_find_byte(reading->rest, '\0');
	const struct text field = text_part(reading->rest, 0, end);

	reading->failed |= end == reading->rest.length;
	reading->rest = text_from(reading->rest, end + 1);
	return field;
}

static void read_signatures(struct reading *reading, struct dmarc_result *result)
{
	while (!reading->failed && reading->rest.length > 0 && result->signature_count < DMARC_RESULT_SIGNATURES_MAX) {
		struct dmarc_result_signature *signature = &result->signatures[result->signature_count++];

		signature->result = read_word(reading, results);
		signature->domain = read_text(reading);
		signature->selector = read_text(reading);
		reading->failed |= signature->result == NULL;
	}
	reading->failed |= reading->rest.length > 0;
}

bool dmarc_result_decode(struct text row, struct dmarc_result *out_result)
{
	struct reading reading = { .rest = row };
	struct dmarc_result result = { 0 };
	struct dmarc_published *published = &result.published;

	published->policy = read_word(&reading, policies);
	published->subdomains = read_word(&reading, policies);
	published->absent = read_word(&reading, policies);
	published->dkim_strict = read_bool(&reading);
	published->spf_strict = read_bool(&reading);
	published->testing = read_bool(&reading);
	result.disposition = read_word(&reading, dispositions);
	result.dkim_aligned = read_bool(&reading);
	result.spf_aligned = read_bool(&reading);
	result.override = read_word(&reading, overrides);
	result.spf = read_word(&reading, results);
	published->failure_options = read_text(&reading);
	result.client = read_text(&reading);
	result.author = read_text(&reading);
	result.sender = read_text(&reading);
	result.spf_domain = read_text(&reading);
	read_signatures(&reading, &result);
	if (reading.failed || published->policy == NULL || result.disposition == NULL)
		return false;
	*out_result = result;
	return true;
}

bool dmarc_published_equal(const struct dmarc_published *a, const struct dmarc_published *b)
{
	return letter_of(policies, a->policy) == letter_of(policies, b->policy) &&
	    letter_of(policies, a->subdomains) == letter_of(policies, b->subdomains) &&
	    letter_of(policies, a->absent) == letter_of(policies, b->absent) && a->dkim_strict == b->dkim_strict &&
	    a->spf_strict == b->spf_strict && a->testing == b->testing &&
	    text_equal(a->failure_options, b->failure_options);
}
