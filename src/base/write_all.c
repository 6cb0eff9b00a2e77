#include "base/write_all.h"

#include <errno.h>
#include <unistd.h>

bool write_all(int fd, struct text bytes)
{
	while (bytes.length > 0) {
		const ssize_t written = write(fd, bytes.bytes, bytes.length);

		if (written < 0 && errno != EINTR)
			return false;
		bytes = text_from(bytes, written > 0 ? (size_t)written : 0);
	}
	return true;
}
