/* What chance leaves of a disk. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/must.h"
#include "crash/model.h"

enum { SECTOR = 512 };

static uint64_t chance(const struct cut *cut, uint64_t what, uint64_t part)
{
	const uint64_t words[3] = { cut->seed, what, part };

	return XXH3_64bits(words, sizeof words);
}

struct cut cut_make(uint64_t seed, uint64_t point, unsigned variant)
{
	static const unsigned keeps[] = { 0, 100, 50, 90, 10, 50, 100, 70 };
	static const unsigned tears[] = { 0, 0, 0, 20, 50, 40, 100, 5 };
	const uint64_t words[3] = { seed, point, variant };
	const uint64_t random = XXH3_64bits(words, sizeof words);

	return (struct cut){ random, keeps[random % 8], tears[random % 8] };
}

static bool is_kept(const struct cut *cut, uint64_t at)
{
	return chance(cut, at, 0) % 100 < cut->keep;
}

/* -- Names ----------------------------------------------------------------------------------------- */

struct object *cut_find(const struct cut *cut, struct object *folder, const char *label)
{
	struct name *name = NULL;
	struct object *target;

	HASH_FIND_STR(folder->names, label, name);
	target = name ? name->target : NULL;
	for (size_t i = 0; i < folder->change_count; i++) {
		const struct pending_name *change = &folder->changes[i];

		if (strcmp(change->name, label) == 0 && is_kept(cut, change->at * 2 + (change->target == NULL)))
			target = change->target;
	}
	return target;
}

struct object *cut_find_path(const struct cut *cut, const struct model *model, const char *path)
{
	struct object *object = model->root;
	char part[256];

	while (object != NULL && *path != '\0') {
		const size_t length = strcspn(path, "/");

		snprintf(part, sizeof part, "%.*s", (int)length, path);
		object = object->is_folder ? cut_find(cut, object, part) : NULL;
		path += length + (path[length] == '/');
	}
	return object;
}

bool cut_reaches(const struct cut *cut, const struct model *model, struct object *folder)
{
	for (; folder != model->root; folder = folder->parent)
		if (folder->parent == NULL || cut_find(cut, folder->parent, folder->label) != folder)
			return false;
	return true;
}

/* -- Bytes ----------------------------------------------------------------------------------------- */

/* A torn write: its beginning, or some of its sectors. Returns where its last kept byte ends. */
static uint64_t tear(const struct cut *cut, const struct pending_write *write, cut_piece *piece, void *context)
{
	const uint64_t random = chance(cut, write->at, 1);
	uint64_t end = 0;

	if (write->length <= SECTOR || random % 2 == 0) {
		end = random / 4 % write->length;
		if (random % 4 == 0)
			end -= end % SECTOR;
		if (end > 0)
			piece(context, write->offset, write->bytes, end);
		return write->offset + end;
	}
	for (uint64_t start = 0; start < write->length; start += SECTOR) {
		const uint64_t length = write->length - start < SECTOR ? write->length - start : SECTOR;

		if (chance(cut, write->at, 2 + start) % 2 == 0)
			continue;
		piece(context, write->offset + start, write->bytes + start, length);
		end = start + length;
	}
	return write->offset + end;
}

uint64_t cut_file(const struct cut *cut, const struct object *file, cut_piece *piece, void *context)
{
	uint64_t size = file->size;

	for (size_t i = 0; i < file->write_count; i++) {
		const struct pending_write *write = &file->writes[i];
		uint64_t end = write->offset + write->length;

		if (!is_kept(cut, write->at * 2))
			continue;
		if (write->bytes == NULL) {
			size = write->offset;
			continue;
		}
		if (write->length > 0 && chance(cut, write->at, 3) % 100 < cut->tear)
			end = tear(cut, write, piece, context);
		else
			piece(context, write->offset, write->bytes, write->length);
		if (end > size)
			size = end;
	}
	return size;
}

struct content {
	char *bytes;
	uint64_t room;
};

static void content_room(struct content *content, uint64_t size)
{
	if (size <= content->room)
		return;
	content->bytes = realloc(content->bytes, 2 * size);
	must(content->bytes != NULL);
	memset(content->bytes + content->room, 0, 2 * size - content->room);
	content->room = 2 * size;
}

static void content_piece(void *context, uint64_t offset, const char *bytes, uint64_t length)
{
	struct content *content = context;

	content_room(content, offset + length);
	memcpy(content->bytes + offset, bytes, length);
}

char *cut_content(const struct cut *cut, const struct object *file, uint64_t *out_size)
{
	struct content content = { 0 };

	content_room(&content, file->size + 1);
	if (file->size > 0)
		memcpy(content.bytes, file->durable, file->size);
	*out_size = cut_file(cut, file, content_piece, &content);
	content_room(&content, *out_size);
	return content.bytes;
}

/* -- The whole ------------------------------------------------------------------------------------- */

static void rebuild_file(const struct cut *cut, const struct object *file, const char *path)
{
	uint64_t size;
	char *content = cut_content(cut, file, &size);
	const int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(out >= 0);
	for (uint64_t done = 0; done < size;) {
		const ssize_t written = write(out, content + done, size - done);

		must(written > 0);
		done += (uint64_t)written;
	}
	close(out);
	free(content);
}

static void rebuild_name(const struct cut *cut, struct object *folder, const char *label, const char *path)
{
	struct object *object = cut_find(cut, folder, label);
	char below[4096];

	snprintf(below, sizeof below, "%s/%s", path, label);
	if (object == NULL || access(below, F_OK) == 0)
		return;
	if (!object->is_folder) {
		rebuild_file(cut, object, below);
		return;
	}
	must(mkdir(below, 0700) == 0);
	cut_rebuild(cut, object, below);
}

void cut_rebuild(const struct cut *cut, struct object *folder, const char *path)
{
	for (struct name *name = folder->names; name != NULL; name = name->hh.next)
		rebuild_name(cut, folder, name->name, path);
	for (size_t i = 0; i < folder->change_count; i++)
		rebuild_name(cut, folder, folder->changes[i].name, path);
}
