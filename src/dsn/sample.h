/* Reports to look at: one of each kind, for golden tests and for the parsers of others. */
#ifndef DSN_SAMPLE_H
#define DSN_SAMPLE_H

#include "dsn/dsn.h"

/* What samples there are, in order. */
enum { DSN_SAMPLE_COUNT = 6 };
const char *dsn_sample_name(unsigned number);

/* The facts of sample `number`. Static. */
const struct dsn_report *dsn_sample(unsigned number);

#endif
