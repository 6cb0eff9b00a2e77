#include "programs/srs_secret.h"

#include "base/hex.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_BYTES = 32 };

static const char head[] = "# Secrets of rewritten senders (srs in postroad.conf): the first makes addresses, all are good.\n";

static bool print_secret(struct buffer *out)
{
	uint8_t secret[SECRET_BYTES];
	char digits[2 * SECRET_BYTES + 1];
	const bool drawn = getrandom(secret, sizeof secret, 0) == sizeof secret;

	hex_print(secret, drawn ? sizeof secret : 0, digits);
	const bool printed = drawn && buffer_print(out, "%s%s\n", head, digits);

	explicit_bzero(secret, sizeof secret);
	explicit_bzero(digits, sizeof digits);
	return printed;
}

/* Its name must survive a power cut, too: addresses go out with it. */
static bool flush_folder(const char *path)
{
	const size_t slash = text_find_byte_last(text_of(path), '/');
	char folder[4096] = ".";

	if (slash >= sizeof folder)
		return false;
	if (slash < strlen(path)) {
		memcpy(folder, path, slash);
		folder[slash] = '\0';
	}
	const int fd = open(folder[0] != '\0' ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool flushed = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return flushed;
}

static bool fill(int fd, const char *path)
{
	struct buffer text;

	buffer_init_secret(&text, sizeof head + 2 * SECRET_BYTES + 2);
	const bool filled = print_secret(&text) && write(fd, buffer_text(&text).bytes, text.length) == (ssize_t)text.length &&
	    fsync(fd) == 0 && flush_folder(path);

	buffer_done(&text);
	return filled;
}

bool srs_secret_make(const struct conf *conf, struct buffer *complaints)
{
	const char *path = conf->srs.secret_file;
	const int fd = path[0] != '\0' ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600) : -1;
	bool made = fd >= 0 || path[0] == '\0' || errno == EEXIST;

	if (fd >= 0) {
		made = fill(fd, path);
		const int number = errno;

		close(fd);
		if (!made)
			unlink(path);
		errno = number;
	}
	if (!made)
		(void)!buffer_print(complaints, "%s: cannot be made: %s (hint: make its folder, or name another in srs secret-file)\n",
		    path, strerror(errno));
	return made;
}

bool srs_secret_is_kept(const struct conf *conf, struct buffer *complaints)
{
	struct stat about;

	if (conf->srs.secret_file[0] == '\0' || stat(conf->srs.secret_file, &about) != 0)
		return true;
	const bool kept = S_ISREG(about.st_mode) && (about.st_mode & (S_IROTH | S_IWOTH)) == 0;

	if (!kept)
		(void)!buffer_print(complaints, "%s: everybody on this machine may read or change it (hint: chmod 600 FILE)\n",
		    conf->srs.secret_file);
	return kept;
}
