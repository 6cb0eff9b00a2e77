/* The two halves of confine.h; each with errno on false. */
#ifndef SUPERVISOR_CONFINE_PRIVATE_H
#define SUPERVISOR_CONFINE_PRIVATE_H

#include "supervisor/confine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif
#ifndef CONFINE_SANITIZED
#define CONFINE_SANITIZED 0
#endif

/* -- confine_paths.c: Landlock -- */

bool confine_paths(const struct confine_path *paths, size_t count);

/* -- confine_calls.c: seccomp -- */

bool confine_calls(unsigned groups);

#endif
