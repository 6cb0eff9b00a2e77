/* The loop's inside, for io only: here libuv is known. */
#ifndef IO_LOOP_PRIVATE_H
#define IO_LOOP_PRIVATE_H

#include <uv.h>

#include "base/buffer.h"
#include "io/loop.h"

enum { LOOP_READ_ROOM = 64 << 10 };

struct loop {
	uv_loop_t uv;
	uint64_t random;
	char *read_room; /* Lent to one read at a time: no idle stream holds a buffer. */
	struct buffer plain_room, wire_room; /* The same, for what comes out of filters. */
};

#endif
