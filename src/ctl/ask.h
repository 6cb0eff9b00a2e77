/* Asking the server, or its spool when it does not run. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl/commands.h"

/* Options that a command's words may hold. Borrows the words. */
struct ctl_words {
	json_t *request;     /* {"do": ..., options as members} */
	const char *first;   /* The word that is no option; NULL: none. */
	bool json;           /* --json */
};

/* Reads `--json` and `--NAME VALUE` / `--NAME=VALUE` for the names in `options` (NULL-terminated) into a request.
 * False: an error was printed (EX_USAGE). The request is released by ctl_words_done. */
bool ctl_words_read(const char *verb, const char *const *options, int count, char **words, struct ctl_words *out);
void ctl_words_done(struct ctl_words *words);

/* Asks; gives the answer when it is {"ok": true}. Else prints why, gives NULL and *out_exit. `offline`: without a server
 * ask the spool. */
json_t *ctl_ask(const struct ctl_place *place, const json_t *request, bool offline, int *out_exit);

/* After a change of files that a running server has read. Where none runs, nobody has to be told. */
void ctl_tell_reload(const struct ctl_place *place);

/* A line on stderr, behind our name. Gives the code. */
[[gnu::format(printf, 2, 3)]] int ctl_complain(int code, const char *format, ...);

/* Print as JSON, indented, with a newline. */
void ctl_print_json(const json_t *value);

/* Take control bytes out of every string, however deep: what a stranger wrote into a header or a reply
 * must not speak to the operator's terminal. */
void ctl_make_printable(json_t *value);

/* A line of what a queue knows of a destination: "paused until 2026-..., 0 of at most 1 under way"; and another one, behind
 * `indent`, with the trouble, if it is in trouble. */
void ctl_print_state(const json_t *state, const char *indent);

/* What an event says, but for its time, kind and ID, and the end of the line: " from=<a@b> size=12". */
void ctl_print_facts(const json_t *event);

/* A string member, or `otherwise` when it is absent, null or no string. Borrows. */
const char *ctl_string(const json_t *object, const char *key, const char *otherwise);

/* A member that is a whole number; 0 when it is absent or none. */
long long ctl_number(const json_t *object, const char *key);

#endif
