/* From the parsed tree to the snapshot: one function for each part of the file. For conf only. */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include "conf/conf.h"
#include "conf/reading.h"

/* Fill `conf`, which holds its path and folder and is zero otherwise. Whether it may be used is told by
 * reading->complaint_count. */
void conf_build(struct reading *reading, struct conf *conf);

#endif
