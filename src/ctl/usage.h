/* How each command is called: what it says of itself when asked, or when it was called otherwise. What a shell completes comes from
 * here, too (tools/make_completion.py). */
#ifndef CTL_USAGE_H
#define CTL_USAGE_H

#include <stdbool.h>
#include <stdio.h>

/* Is there such a command? */
bool ctl_usage_known(const char *command);

/* False: there is no such command. */
bool ctl_usage_print(const char *command, FILE *out);

/* On standard error; gives EX_USAGE. */
int ctl_usage(const char *command);

/* The command that was meant by this word, as far as one can guess; NULL: one cannot. Static. */
const char *ctl_usage_guess(const char *word);

#endif
