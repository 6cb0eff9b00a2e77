#include "events/troubles.h"

#include "base/must.h"

static const struct {
	const char *word, *prose;
} table[TROUBLE_COUNT] = {
#define TROUBLE(name, word_, prose_) [TROUBLE_##name] = { .word = #word_, .prose = prose_ },
#include "events/troubles.def"
#undef TROUBLE
};

const char *trouble_word(enum trouble trouble)
{
	must(trouble < TROUBLE_COUNT);
	return table[trouble].word;
}

const char *trouble_prose(enum trouble trouble)
{
	must(trouble < TROUBLE_COUNT);
	return table[trouble].prose;
}

static void report(
    const struct event_sink *sink, enum event_kind kind, enum trouble trouble, const char *why, int64_t now_ms)
{
	struct event event = { .kind = kind, .time_ms = now_ms };

	event.fields[EVENT_FIELD_PART] = text_of(trouble_word(trouble));
	if (why != NULL)
		event.fields[EVENT_FIELD_REASON] = text_of(why);
	sink->report(sink->context, &event);
}

void trouble_begin(
    struct troubles *troubles, enum trouble trouble, enum error why, const struct event_sink *sink, int64_t now_ms)
{
	must(trouble < TROUBLE_COUNT && why != OK);
	if (atomic_fetch_add(&troubles->reporters[trouble], 1) == 0)
		report(sink, EVENT_TROUBLE, trouble, error_text(why), now_ms);
}

void trouble_end(struct troubles *troubles, enum trouble trouble, const struct event_sink *sink, int64_t now_ms)
{
	must(trouble < TROUBLE_COUNT);

	const unsigned before = atomic_fetch_sub(&troubles->reporters[trouble], 1);

	must(before > 0); /* T2 */
	if (before == 1)
		report(sink, EVENT_TROUBLE_OVER, trouble, NULL, now_ms);
}
