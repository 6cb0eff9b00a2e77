/* Troubles: what a part of the server meets again and again while it lasts, told once when it begins and once
 * when it is over.
 *
 *   T1  A trouble lasts while at least one reporter is in it. Its begin and its end are one event each, whatever
 *       number of lanes meets it.
 *   T2  A reporter begins and ends in turns; it remembers in which of the two it is.
 *
 * A value shared by all lanes: zero it to begin, release nothing. */
#ifndef EVENTS_TROUBLES_H
#define EVENTS_TROUBLES_H

#include <stdatomic.h>

#include "events/sink.h"

enum trouble {
#define TROUBLE(name, word, prose) TROUBLE_##name,
#include "events/troubles.def"
#undef TROUBLE
	TROUBLE_COUNT
};

struct troubles {
	_Atomic unsigned reporters[TROUBLE_COUNT]; /* That are in it. */
};

/* Any thread, to its own sink. `why` is the reason of the first to begin. */
void trouble_begin(
    struct troubles *troubles, enum trouble trouble, enum error why, const struct event_sink *sink, int64_t now_ms);
void trouble_end(struct troubles *troubles, enum trouble trouble, const struct event_sink *sink, int64_t now_ms);

/* As the log names it, and what it means. Static. */
const char *trouble_word(enum trouble trouble);
const char *trouble_prose(enum trouble trouble);

#endif
