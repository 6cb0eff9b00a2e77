#include "sasl/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first line. What is wrong with it, or NULL. */
static const char *take_line(const char *room, size_t length, struct text *out_secret)
{
	struct text line = text_part((struct text){ room, length }, 0, text_find_byte((struct text){ room, length }, '\n'));

	if (line.length > 0 && line.bytes[line.length - 1] == '\r')
		line.length--;
	if (line.length == 0)
		return "its first line is empty (hint: write the password there, and nothing else)";
	if (line.length > SASL_PASSWORD_MAX)
		return "its first line is too long for a password (hint: at most 1024 bytes)";
	if (text_find_byte(line, '\0') < line.length)
		return "it is no text (hint: write the password into it, and nothing else)";
	*out_secret = line;
	return NULL;
}

const char *secret_file_read(const char *path, bool private, char room[SECRET_ROOM_BYTES], struct text *out_secret)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t length = 0;
	ssize_t taken = 1;
	struct stat about;

	if (fd < 0)
		return strerror(errno);
	const bool known = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);

	while (known && taken > 0 && length < SECRET_ROOM_BYTES) {
		taken = read(fd, room + length, SECRET_ROOM_BYTES - length);
		length += taken > 0 ? (size_t)taken : 0;
	}
	close(fd);
	if (!known || taken < 0)
		return "it is no file that can be read";
	if (private && (about.st_mode & (S_IROTH | S_IWOTH)) != 0)
		return "everybody on this machine may read or change it (hint: chmod o= FILE)";
	return take_line(room, length, out_secret);
}
