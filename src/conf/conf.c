/* Where a configuration comes from, and its life. */
#include "conf/conf.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "conf/build.h"
#include "conf/reading.h"

enum { FILE_BYTES_MAX = 16 << 20, PIECE_BYTES = 64 << 10, ARENA_BYTES = 256 << 20 };

static const struct text NUL = { "", 1 };

/* An empty snapshot with the place of its file, or NULL: no memory. */
static struct conf *conf_new(struct arena *arena, struct text path)
{
	const size_t slash = text_find_byte_last(path, '/');
	struct conf *conf = arena_alloc(arena, sizeof *conf);
	struct text path_copy, folder;

	if (conf == NULL || !arena_copy(arena, path, &path_copy) ||
	    !arena_copy(arena, slash < path.length ? text_part(path, 0, slash) : TEXT("."), &folder))
		return NULL;
	conf->arena = arena;
	conf->path = path_copy.bytes;
	conf->folder = folder.bytes;
	return conf;
}

static void complain_memory(const char *shown, struct buffer *complaints)
{
	(void)!buffer_print(complaints, "%s:1: not enough memory to read it (hint: stop something else)\n", shown);
}

/* From a NUL-terminated text, which is changed. `shown` names the file in complaints. Takes the arena. */
static struct conf *load(struct arena *arena, const char *shown, struct text path, char *text, struct buffer *complaints)
{
	struct conf *conf = arena ? conf_new(arena, path) : NULL;
	struct reading reading = { 0 };
	bool right = false;

	if (conf == NULL || !reading_init(&reading, arena, shown, conf->folder)) {
		complain_memory(shown, complaints);
	} else if (!arena_copy(arena, text_of(text), &conf->source)) {
		complain_memory(shown, complaints);
	} else {
		if (reading_parse(&reading, text))
			conf_build(&reading, conf);
		right = reading.complaint_count == 0;
		reading_report(&reading, complaints);
	}
	reading_done(&reading);
	if (!right)
		arena_free(arena);
	return right ? conf : NULL;
}

struct conf *conf_load_text(const char *name, const char *text, struct buffer *complaints)
{
	struct buffer copy;
	struct conf *conf = NULL;

	buffer_init(&copy, FILE_BYTES_MAX + 1);
	if (buffer_append(&copy, text_of(text)) && buffer_append(&copy, NUL))
		conf = load(arena_new(ARENA_BYTES), name, text_of(name), copy.bytes + copy.start, complaints);
	else
		(void)!buffer_print(complaints, "%s:1: larger than 16M (hint: no configuration is)\n", name);
	buffer_done(&copy);
	return conf;
}

/* -- files ------------------------------------------------------------------- */

/* The whole file with a NUL behind it; else a reason why not. */
static const char *read_file(const char *path, struct buffer *out)
{
	FILE *file = fopen(path, "re");
	const char *problem = NULL;
	char *room = NULL;
	size_t got;

	if (file == NULL)
		return strerror(errno);
	do {
		room = buffer_reserve(out, PIECE_BYTES);
		got = room ? fread(room, 1, PIECE_BYTES, file) : 0;
		buffer_added(out, got);
	} while (got > 0);
	if (ferror(file))
		problem = strerror(errno);
	else if (room == NULL)
		problem = "larger than 16M, or there is no memory for it";
	else if (text_find_byte(buffer_text(out), '\0') < out->length)
		problem = "it holds a NUL byte";
	else if (!buffer_append(out, NUL))
		problem = "larger than 16M";
	fclose(file);
	return problem;
}

/* Links are not followed: a relative path belongs to the folder that was named. */
static bool make_absolute(const char *path, struct arena *arena, struct text *out_path)
{
	char folder[PATH_MAX];

	if (path[0] == '/')
		return arena_print(arena, out_path, "%s", path);
	return getcwd(folder, sizeof folder) != NULL && arena_print(arena, out_path, "%s/%s", folder, path);
}

struct conf *conf_load(const char *path, struct buffer *complaints)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	struct text absolute = TEXT_EMPTY;
	struct conf *conf = NULL;
	const char *problem;
	struct buffer text;

	buffer_init(&text, FILE_BYTES_MAX + PIECE_BYTES);
	problem = read_file(path, &text);
	if (problem != NULL)
		(void)!buffer_print(complaints, "%s:1: cannot be read: %s (hint: name the file with -c FILE)\n", path, problem);
	else if (arena == NULL || !make_absolute(path, arena, &absolute))
		complain_memory(path, complaints);
	else
		conf = load(take(arena), path, absolute, text.bytes + text.start, complaints);
	arena_free(arena);
	buffer_done(&text);
	return conf;
}

static void move_path(struct conf *conf, const char **path, conf_place *place, void *context)
{
	if ((*path)[0] != '\0')
		*path = place(context, conf, *path);
}

/* In a copy: the snapshot's own are const. */
static void move_paths(struct conf *conf, const struct text **paths, conf_place *place, void *context)
{
	const size_t count = conf->tls.certificate_count;
	struct text *moved = arena_array(conf->arena, count, sizeof *moved);

	for (size_t i = 0; i < count; i++) {
		const char *path = (*paths)[i].bytes;

		move_path(conf, &path, place, context);
		if (moved != NULL)
			moved[i] = text_of(path);
	}
	if (moved != NULL)
		*paths = moved;
}

/* The paths of a list, each `offset` bytes into one of `count` members. Gives the list in a copy; without memory it stays what it was. */
static const void *move_members(
    struct conf *conf, const void *list, size_t count, size_t size, size_t offset, conf_place *place, void *context)
{
	char *moved = arena_array(conf->arena, count, size);

	if (moved != NULL && count > 0)
		memcpy(moved, list, count * size);
	for (size_t i = 0; i < count; i++) {
		const char *path;

		memcpy(&path, (const char *)list + i * size + offset, sizeof path);
		move_path(conf, &path, place, context);
		if (moved != NULL)
			memcpy(moved + i * size + offset, &path, sizeof path);
	}
	return moved != NULL ? moved : list;
}

void conf_move_paths(struct conf *conf, conf_place *place, void *context)
{
	move_path(conf, &conf->aliases, place, context);
	move_path(conf, &conf->dns.zone, place, context);
	move_path(conf, &conf->dns.trust_anchor, place, context);
	move_path(conf, &conf->dns.resolv_conf, place, context);
	move_path(conf, &conf->tls.authorities, place, context);
	move_path(conf, &conf->tls.client_authorities, place, context);
	move_paths(conf, &conf->tls.certificates, place, context);
	move_paths(conf, &conf->tls.keys, place, context);
	conf->routes = move_members(conf, conf->routes, conf->route_count, sizeof *conf->routes,
	    offsetof(struct conf_route, password_file), place, context);
	conf->pools = move_members(conf, conf->pools, conf->pool_count, sizeof *conf->pools,
	    offsetof(struct conf_pool, password_file), place, context);
	move_path(conf, &conf->srs.secret_file, place, context);
	conf->webhooks = move_members(conf, conf->webhooks, conf->webhook_count, sizeof *conf->webhooks,
	    offsetof(struct conf_webhook, secret_file), place, context);
}

void conf_free(struct conf *conf)
{
	if (conf != NULL)
		arena_free(conf->arena);
}
