#include "smtp/capabilities.h"

struct word {
	const char *word;
	uint32_t bit;
};

static const struct word keywords[] = {
#define CAPABILITY(name, keyword, rfc) { keyword, CAPABILITY_##name },
	CAPABILITY_LIST(CAPABILITY)
#undef CAPABILITY
};

static const struct word mechanisms[] = {
#define MECHANISM(name, word) { word, MECHANISM_##name },
	MECHANISM_LIST(MECHANISM)
#undef MECHANISM
};

static uint32_t bit_of(const struct word *words, size_t count, struct text word)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal_nocase(text_of(words[i].word), word))
			return words[i].bit;
	return 0;
}

/* The next word of *rest, words being parted by spaces or tabs; false at the end. */
static bool next_word(struct text *rest, struct text *out_word)
{
	const struct text trimmed = text_trim(*rest);
	size_t end = 0;

	if (trimmed.length == 0)
		return false;
	while (end < trimmed.length && trimmed.bytes[end] != ' ' && trimmed.bytes[end] != '\t')
		end++;
	*out_word = text_part(trimmed, 0, end);
	*rest = text_from(trimmed, end);
	return true;
}

/* RFC 1870 §4: no number or 0 means that there is no fixed limit. */
static void read_size(struct capabilities *capabilities, struct text rest)
{
	struct text word;
	uint64_t size;

	capabilities->size_max = 0;
	if (next_word(&rest, &word) && text_to_u64(word, &size))
		capabilities->size_max = size;
}

/* RFC 2852 §3: the shortest time that it takes. */
static void read_deliverby(struct capabilities *capabilities, struct text rest)
{
	struct text word;
	uint64_t seconds;

	capabilities->by_min_s = 0;
	if (next_word(&rest, &word) && text_to_u64(word, &seconds))
		capabilities->by_min_s = seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

static void read_mechanisms(struct capabilities *capabilities, struct text rest)
{
	struct text word;

	while (next_word(&rest, &word))
		capabilities->mechanisms |= bit_of(mechanisms, sizeof mechanisms / sizeof *mechanisms, word);
}

/* RFC 9422 §3.1: name=value, 1 to 999999. A value beyond that is no limit. */
static void read_limits(struct capabilities *capabilities, struct text rest)
{
	struct text word, name;
	uint64_t value;

	while (next_word(&rest, &word)) {
		if (!text_cut(&word, '=', &name) || !text_to_u64(word, &value) || value == 0 || value > 999999)
			continue;
		if (text_equal_nocase(name, TEXT("MAILMAX")))
			capabilities->mail_max = (uint32_t)value;
		else if (text_equal_nocase(name, TEXT("RCPTMAX")))
			capabilities->rcpt_max = (uint32_t)value;
		else if (text_equal_nocase(name, TEXT("RCPTDOMAINMAX")))
			capabilities->rcpt_domain_max = (uint32_t)value;
	}
}

void capabilities_add_line(struct capabilities *capabilities, struct text line)
{
	struct text keyword;
	uint32_t bit;

	/* "AUTH=LOGIN PLAIN" is how some servers said it before RFC 2554. */
	if (text_starts_nocase(line, TEXT("AUTH="))) {
		keyword = text_part(line, 0, 4);
		line = text_from(line, 5);
	} else if (!next_word(&line, &keyword)) {
		return;
	}
	bit = bit_of(keywords, sizeof keywords / sizeof *keywords, keyword);
	capabilities->offered |= bit;
	if (bit == CAPABILITY_SIZE)
		read_size(capabilities, line);
	else if (bit == CAPABILITY_AUTH)
		read_mechanisms(capabilities, line);
	else if (bit == CAPABILITY_LIMITS)
		read_limits(capabilities, line);
	else if (bit == CAPABILITY_DELIVERBY)
		read_deliverby(capabilities, line);
}
