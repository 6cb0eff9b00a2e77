/* One section of the tree (or its top level), and its options as typed values. For conf only.
 *
 *   P1  Every function gives a value that can be used, the default or an empty one after a complaint.
 *   P2  Texts and lists live in the reading's arena, are NUL-terminated and never NULL.
 *   P3  An option that this version cannot act upon is complained about here, so nothing can forget it. */
#ifndef CONF_PART_H
#define CONF_PART_H

#include "base/endpoint.h"
#include "base/rate_table.h"
#include "conf/reading.h"

struct part {
	struct reading *reading;
	cfg_t *tree;
	const char *section;   /* "": the top level. */
	unsigned ordinal;
	int line;              /* Where it begins; 1 when it is not written. */
	struct text title;
};

struct part part_top(struct reading *reading);
struct part part_section(struct reading *reading, const char *section);

/* Of a section with titles; ordinal < part_count. */
unsigned part_count(const struct reading *reading, const char *section);
struct part part_nth(struct reading *reading, const char *section, unsigned ordinal);

/* The line of an option; 0 when it is not written. */
int part_line(const struct part *part, const char *name);

struct text part_text(const struct part *part, const char *name);
struct text part_hostname(const struct part *part, const char *name); /* Empty when not written. */
const char *part_path(const struct part *part, const char *name);     /* "" when there is none. */
struct text part_endpoint(const struct part *part, const char *name); /* Empty when there is none. */
unsigned part_word(const struct part *part, const char *name);        /* Position among its words. */
bool part_bool(const struct part *part, const char *name);
struct rate part_rate(const struct part *part, const char *name);
uint64_t part_quantity(const struct part *part, const char *name);    /* NUMBER, SIZE, DURATION (ms). */

const struct text *part_texts(const struct part *part, const char *name, size_t *out_count);
const struct text *part_paths(const struct part *part, const char *name, size_t *out_count);
const struct text *part_domains(const struct part *part, const char *name, size_t *out_count); /* A-labels. */
const struct text *part_hosts(const struct part *part, const char *name, size_t *out_count);
const struct network *part_networks(const struct part *part, const char *name, size_t *out_count);
const struct endpoint *part_addresses(const struct part *part, const char *name, size_t *out_count);
const int64_t *part_durations(const struct part *part, const char *name, size_t *out_count); /* At least one. */

/* "unix:" with its path made absolute; other text as it is. */
struct text part_unix_absolute(const struct part *part, struct text endpoint);

#endif
