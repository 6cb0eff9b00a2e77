/* postroad check --replay. */
#ifndef PROGRAMS_WHAT_IF_H
#define PROGRAMS_WHAT_IF_H

#include <stdbool.h>

/* Does one of the words ask for it? */
bool what_if_is_asked(int count, char **words);

/* `config`: the new configuration. Changes the order of the words. Gives an exit code. */
int what_if(const char *config, int count, char **words);

#endif
