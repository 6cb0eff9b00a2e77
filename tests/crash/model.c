/* The disk as the log tells it: what is durable and what is not. */
#include "crash/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

/* -- Objects --------------------------------------------------------------------------------------- */

static void *grow(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 8;
	array = realloc(array, *room * size);
	must(array != NULL);
	return array;
}

static struct object *object_new(struct model *model, uint64_t inode, bool is_folder)
{
	struct object *object = calloc(1, sizeof *object), *old = NULL;

	must(object != NULL);
	object->inode = inode;
	object->is_folder = is_folder;
	object->number = (uint32_t)model->object_count;
	model->objects = grow(model->objects, model->object_count, &model->object_room, sizeof *model->objects);
	model->objects[model->object_count++] = object;
	HASH_FIND(hh, model->by_inode, &inode, sizeof inode, old);
	if (old != NULL)
		HASH_DEL(model->by_inode, old);
	HASH_ADD(hh, model->by_inode, inode, sizeof object->inode, object);
	return object;
}

static struct object *object_of(struct model *model, uint64_t inode)
{
	struct object *object = NULL;

	HASH_FIND(hh, model->by_inode, &inode, sizeof inode, object);
	return object;
}

void model_init(struct model *model)
{
	*model = (struct model){ 0 };
	model->root = object_new(model, 0, true);
}

/* -- Names ----------------------------------------------------------------------------------------- */

static void names_set(struct name **names, const char *label, struct object *target)
{
	struct name *name = NULL;

	HASH_FIND_STR(*names, label, name);
	if (target == NULL) {
		if (name != NULL) {
			HASH_DEL(*names, name);
			free(name->name);
			free(name);
		}
		return;
	}
	if (name == NULL) {
		name = calloc(1, sizeof *name);
		must(name != NULL);
		name->name = strdup(label);
		HASH_ADD_KEYPTR(hh, *names, name->name, strlen(name->name), name);
	}
	name->target = target;
}

static struct object *names_find(struct name *names, const char *label)
{
	struct name *name = NULL;

	HASH_FIND_STR(names, label, name);
	return name ? name->target : NULL;
}

/* The folder of a path and its last part. What was there before the log begins is not known. */
static struct object *folder_of(struct model *model, const char *path, const char **out_label)
{
	struct object *folder = model->root;
	const char *slash;

	for (; (slash = strchr(path, '/')) != NULL && folder != NULL; path = slash + 1) {
		char part[256];

		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		folder = names_find(folder->now, part);
	}
	*out_label = path;
	return folder;
}

static void rename_to(struct model *model, const char *path, struct object *target)
{
	const char *label;
	struct object *folder = folder_of(model, path, &label);

	if (folder == NULL) {
		snprintf(model->complaint, sizeof model->complaint, "unknown folder of %s", path);
		return;
	}
	folder->changes = grow(folder->changes, folder->change_count, &folder->change_room, sizeof *folder->changes);
	folder->changes[folder->change_count++] = (struct pending_name){ model->at, strdup(label), target };
	names_set(&folder->now, label, target);
	if (target != NULL) {
		target->parent = folder;
		free(target->label);
		target->label = strdup(label);
	}
}

/* -- Writes ---------------------------------------------------------------------------------------- */

static void add_write(struct model *model, struct object *file, const struct record *record, const char *bytes)
{
	if (file == NULL)
		return; /* Opened before the log began: nothing of ours. */
	file->writes = grow(file->writes, file->write_count, &file->write_room, sizeof *file->writes);
	file->writes[file->write_count++] =
	    (struct pending_write){ model->at, record->head.offset, record->head.bytes_length, bytes, false };
}

static void resize(struct object *file, uint64_t size)
{
	if (size > file->room) {
		file->room = 2 * size;
		file->durable = realloc(file->durable, file->room);
		must(file->durable != NULL);
	}
	if (size > file->size)
		memset(file->durable + file->size, 0, size - file->size);
	file->size = size;
}

static void make_durable(struct model *model, struct object *file, const struct pending_write *write)
{
	const uint64_t end = write->offset + write->length;

	if (write->bytes == NULL) {
		resize(file, write->offset);
	} else {
		if (end > file->size)
			resize(file, end);
		memcpy(file->durable + write->offset, write->bytes, write->length);
	}
	if (model->durable_changed != NULL)
		model->durable_changed(model->context, file, write->offset, write->bytes ? write->length : 0);
}

/* -- Flushes --------------------------------------------------------------------------------------- */

/* Will a later write of this flush stand where this one may or may not be? */
static bool is_overwritten(const struct object *object, size_t index, uint64_t before)
{
	const struct pending_write *old = &object->writes[index];

	for (size_t i = index + 1; i < object->write_count && object->writes[i].at < before; i++) {
		const struct pending_write *write = &object->writes[i];

		if (!write->doomed && write->bytes != NULL && write->offset <= old->offset &&
		    write->offset + write->length >= old->offset + old->length)
			return true;
	}
	return false;
}

static void flush_object(struct model *model, struct object *object, uint64_t before, bool failed)
{
	size_t kept = 0;

	for (size_t i = 0; i < object->write_count; i++) {
		struct pending_write *write = &object->writes[i];

		if (write->at < before && failed)
			write->doomed = true;
		if (write->at < before && !write->doomed)
			make_durable(model, object, write);
		else if (!write->doomed || failed || !is_overwritten(object, i, before))
			object->writes[kept++] = *write;
	}
	object->write_count = kept;
	kept = 0;
	for (size_t i = 0; i < object->change_count; i++) {
		struct pending_name *change = &object->changes[i];

		if (change->at >= before || failed) {
			object->changes[kept++] = *change;
			continue;
		}
		names_set(&object->names, change->name, change->target);
		free(change->name);
	}
	object->change_count = kept;
}

static void flush_begin(struct model *model, const struct record *record)
{
	must(model->flush_count < FLUSHES_MAX);
	struct object *object = object_of(model, record->head.file);

	/* The root is the one folder that was there before the log. */
	if (object == NULL)
		object = model->root;
	model->flushes[model->flush_count++] = (struct flush){ record->head.number, model->at,
		record->head.kind == DISK_FLUSH_ALL ? NULL : object };
}

static void flush_end(struct model *model, const struct record *record)
{
	size_t i = 0;

	while (i < model->flush_count && model->flushes[i].number != record->head.number)
		i++;
	must(i < model->flush_count);

	const struct flush flush = model->flushes[i];
	const bool failed = record->head.result != 0;

	model->flushes[i] = model->flushes[--model->flush_count];
	if (flush.object != NULL) {
		flush_object(model, flush.object, flush.at, failed);
		return;
	}
	for (size_t j = 0; j < model->object_count; j++)
		flush_object(model, model->objects[j], flush.at, failed);
}

/* -- Records --------------------------------------------------------------------------------------- */

static void look_at_map(struct model *model, const char *path)
{
	const char *slash = strrchr(path, '/'), *label = slash ? slash + 1 : path;

	/* None is for power cuts: LMDB's lock file is made anew by the first who opens it, and in_doubt.h, suspects.h,
	 * greylist.h and policy_store.h say it of theirs. */
	if (strcmp(label, "lock.mdb") != 0 && strcmp(label, "in-doubt") != 0 && strcmp(label, "suspects") != 0 &&
	    strcmp(label, "greylist") != 0 && strcmp(label, "policies") != 0 && strcmp(label, "webhooks") != 0)
		snprintf(model->complaint, sizeof model->complaint, "%s is written through a mapping", path);
}

void model_apply(struct model *model, const struct record *record)
{
	struct object *object;

	model->at++;
	switch ((enum disk_kind)record->head.kind) {
	case DISK_WRITE:
	case DISK_WRITE_SYNC:
		add_write(model, object_of(model, record->head.file), record, record->bytes);
		break;
	case DISK_TRUNCATE:
		add_write(model, object_of(model, record->head.file), record, NULL);
		break;
	case DISK_CREATE:
	case DISK_MAKE_FOLDER:
		object = object_new(model, record->head.file, record->head.kind == DISK_MAKE_FOLDER);
		rename_to(model, record->path, object);
		break;
	case DISK_RENAME:
	case DISK_LINK:
		object = object_of(model, record->head.file);
		rename_to(model, record->second, object);
		if (record->head.kind == DISK_RENAME)
			rename_to(model, record->path, NULL);
		break;
	case DISK_UNLINK:
	case DISK_REMOVE_FOLDER:
		rename_to(model, record->path, NULL);
		break;
	case DISK_FLUSH:
	case DISK_FLUSH_ALL:
		flush_begin(model, record);
		break;
	case DISK_FLUSH_END:
		flush_end(model, record);
		break;
	case DISK_MAP:
		look_at_map(model, record->path);
		break;
	case DISK_NOTE:
		break;
	}
}

void model_settle(struct model *model, const struct record *record)
{
	struct object *file = object_of(model, record->head.file);

	must(record->head.kind == DISK_WRITE_SYNC);
	if (file == NULL)
		return;
	must(file->write_count > 0 && file->writes[file->write_count - 1].at == model->at);
	make_durable(model, file, &file->writes[--file->write_count]);
}
