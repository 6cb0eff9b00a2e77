/* postroad quickstart, in two parts: what is written and published (quickstart_text.c, pure), and doing it (quickstart.c).
 *
 * Private to this folder. */
#ifndef CTL_QUICKSTART_H
#define CTL_QUICKSTART_H

#include "base/buffer.h"
#include "base/endpoint.h"

enum { QUICKSTART_ADDRESSES_MAX = 8 };

struct quickstart { /* Borrows. */
	struct text domain, hostname;
	struct text user;        /* Who reads the mail for postmaster; empty: nobody yet. */
	bool installed;          /* In the system's place, so that mail goes to /var; else all is beside the configuration. */
	const char *certificate, *key; /* Paths; NULL: there is none yet. */
	struct endpoint web;     /* Where the MTA-STS policy is served: to everybody by HTTPS, or on loopback to a web server that stands before us. */
	struct endpoint addresses[QUICKSTART_ADDRESSES_MAX];
	size_t address_count;
};

/* The files. False: out is full. */
[[nodiscard]] bool quickstart_print_conf(const struct quickstart *quickstart, struct buffer *out);
[[nodiscard]] bool quickstart_print_aliases(const struct quickstart *quickstart, struct buffer *out);

/* Does it need a certificate and tokens, since others than a web server of ours ask it? */
bool quickstart_web_is_public(const struct quickstart *quickstart);

/* The zone fragment, in two parts: the records of DKIM stand between them. */
[[nodiscard]] bool quickstart_print_records(const struct quickstart *quickstart, struct buffer *out);
[[nodiscard]] bool quickstart_print_more_records(const struct quickstart *quickstart, struct buffer *out);

#endif
