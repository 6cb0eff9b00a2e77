/* The parts of conf_build() that have files of their own. For conf only. */
#ifndef CONF_BUILD_PRIVATE_H
#define CONF_BUILD_PRIVATE_H

#include "conf/build.h"

/* Each reads its sections of the file; domains and listeners are built before. */
void conf_build_routes(struct reading *reading, struct conf *conf);
void conf_build_pools(struct reading *reading, struct conf *conf); /* Before those who name them. */
struct part;
void conf_build_relays(const struct part *part, struct conf_relays *relays);
struct text conf_build_pool_name(const struct part *part, const struct conf *conf); /* Empty: none. */
bool conf_name_valid(struct text name); /* Of a pipe or a pool. */
void conf_build_webhooks(struct reading *reading, struct conf *conf);
void conf_build_pipes(struct reading *reading, struct conf *conf);
void conf_build_destinations(struct reading *reading, struct conf *conf);
void conf_build_dkim(struct reading *reading, struct conf *conf);
void conf_build_reports(struct reading *reading, struct conf *conf);
void conf_build_strangers(struct reading *reading, struct conf *conf);

#endif
