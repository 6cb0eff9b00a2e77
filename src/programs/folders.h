/* Folders that a configuration names. */
#ifndef PROGRAMS_FOLDERS_H
#define PROGRAMS_FOLDERS_H

#include <limits.h>

#include "conf/conf.h"
#include "supervisor/privilege.h"

/* The part of a path, or of a template before its first percent sign, up to the last slash. Empty: there is none, or it is
 * the root. False: too long. */
bool folders_parent(const char *path, char room[PATH_MAX]);

/* Make those, and the log file, that the roles could not make once they have dropped their privileges. Else stderr says why. */
bool folders_make(const struct conf *conf, const struct privilege *privilege);

#endif
