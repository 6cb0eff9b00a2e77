/* What the tests of this folder share: a folder of their own, and a look into a Maildir. */
#ifndef MAILBOX_MAILDIR_TESTING_H
#define MAILBOX_MAILDIR_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

static inline void testing_folder_make(char room[64])
{
	snprintf(room, 64, "/tmp/postroad-mailbox-XXXXXX");
	assert_non_null(mkdtemp(room));
}

static inline int testing_remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static inline void testing_folder_remove(const char *path)
{
	assert_int_equal(nftw(path, testing_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Files in a folder of a Maildir; *out_name becomes the path of the last one. */
static inline size_t testing_list(const char *maildir, const char *folder, char *out_name, size_t size)
{
	char path[512];
	size_t count = 0;

	snprintf(path, sizeof path, "%s/%s", maildir, folder);
	DIR *entries = opendir(path);

	assert_non_null(entries);
	for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (out_name != NULL)
			snprintf(out_name, size, "%s/%s", path, entry->d_name);
	}
	closedir(entries);
	return count;
}

static inline size_t testing_file_count(const char *maildir, const char *folder)
{
	return testing_list(maildir, folder, NULL, 0);
}

static inline size_t testing_read_only_file(const char *maildir, const char *folder, char *room, size_t size)
{
	char path[1024];

	assert_int_equal(testing_list(maildir, folder, path, sizeof path), 1);
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	const size_t length = fread(room, 1, size, file);

	fclose(file);
	return length;
}

static inline int testing_body_file(struct text body)
{
	const int fd = memfd_create("body", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, body.bytes, body.length), body.length);
	return fd;
}

#endif
