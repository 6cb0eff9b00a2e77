/* Our own mistakes.
 *
 * must(truth) states what the code around it relies on. It is always compiled
 * in; a broken truth ends this one process with the place on stderr, and its
 * supervisor starts another. Never use it for what the world or the network
 * may do: that is `enum error` or `struct verdict`. */
#ifndef BASE_MUST_H
#define BASE_MUST_H

/* What must() calls when its truth is broken: say where, and abort. */
_Noreturn void must_fail(const char *truth, const char *file, int line);

#define must(truth) ((truth) ? (void)0 : must_fail(#truth, __FILE__, __LINE__))

#endif
