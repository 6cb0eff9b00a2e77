/* The secrets of SRS, from the file that the configuration names.
 *
 * The supervisor makes the file when it is missing, looks at it and hands it on (handed.h); nobody else than the mail role has its copy. */
#ifndef PROGRAMS_SRS_SECRET_H
#define PROGRAMS_SRS_SECRET_H

#include "conf/conf.h"

/* Make the file with one secret in it, for its owner alone and durable, if there is none. False: a complaint tells why. */
[[nodiscard]] bool srs_secret_make(const struct conf *conf, struct buffer *complaints);

/* Is it kept from others? One that is missing will be made. Else a complaint tells. */
[[nodiscard]] bool srs_secret_is_kept(const struct conf *conf, struct buffer *complaints);

#endif
