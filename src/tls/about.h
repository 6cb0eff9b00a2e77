/* What a certificate says of itself, for who looks at it from outside. */
#ifndef TLS_ABOUT_H
#define TLS_ABOUT_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct tls_certificate_about {
	int64_t not_before_s, not_after_s; /* Unix time. */
	bool is_for_host;
};

/* The first in a PEM file. ERR_SYNTAX: there is none, or it cannot be read. */
[[nodiscard]] enum error tls_certificate_look(const char *path, struct text host, struct tls_certificate_about *out_about);

/* Does a TLSA record, as rdata, mean it? Only usage 3 is compared; ERR_DENIED: it does not, or is of another. */
[[nodiscard]] enum error tls_certificate_compare(const char *path, struct text tlsa);

#endif
