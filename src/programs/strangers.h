/* What the configuration asks of strangers, as inbound takes it. */
#ifndef PROGRAMS_STRANGERS_H
#define PROGRAMS_STRANGERS_H

#include "conf/conf.h"
#include "inbound/vetting.h"

/* Lives in the arena and borrows from the configuration. Without memory nothing is asked of anybody. */
struct vetting_settings strangers_settings(const struct conf *conf, struct arena *arena);

#endif
