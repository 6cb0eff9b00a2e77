#include "programs/tls_watch.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { LOOK_EVERY_MS = 5000, TICKET_KEY_AGE_MS = 12 * 60 * 60 * 1000 };

struct tls_watch {
	struct loop *loop;
	struct loop_timer *timer;
	const struct conf *conf;
	loop_callback *changed;
	void *context;
	uint64_t seen;   /* What the files looked like. */
	int64_t read_ms;
};

/* FNV-1a over what changes when a file does. */
static uint64_t add_file(uint64_t sum, const char *path)
{
	struct stat about = { 0 };

	if (path[0] == '\0')
		return sum;
	(void)!stat(path, &about); /* A file that is away for a moment looks like nothing, which is a change as well. */
	const uint64_t facts[] = { (uint64_t)about.st_ino, (uint64_t)about.st_size, (uint64_t)about.st_mtim.tv_sec,
		(uint64_t)about.st_mtim.tv_nsec };

	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
		sum = (sum ^ facts[i]) * 0x100000001b3u;
	return sum;
}

static uint64_t look(const struct conf *conf)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < conf->tls.certificate_count; i++) {
		sum = add_file(sum, conf->tls.certificates[i].bytes);
		sum = add_file(sum, conf->tls.keys[i].bytes);
	}
	sum = add_file(sum, conf->tls.authorities);
	return add_file(sum, conf->tls.client_authorities);
}

static void look_again(void *context)
{
	struct tls_watch *watch = context;
	const uint64_t seen = look(watch->conf);
	const int64_t now_ms = loop_now_ms(watch->loop);
	const bool old = now_ms - watch->read_ms > TICKET_KEY_AGE_MS;

	loop_timer_set(watch->timer, LOOK_EVERY_MS);
	if (seen == watch->seen && !old)
		return;
	/* Also when they turn out to be wrong: that is said once, and the next change is looked at. */
	watch->seen = seen;
	watch->read_ms = now_ms;
	watch->changed(watch->context);
}

struct tls_watch *tls_watch_new(struct loop *loop, const struct conf *conf, loop_callback *changed, void *context)
{
	struct tls_watch *watch = calloc(1, sizeof *watch);

	if (watch == NULL)
		return NULL;
	*watch = (struct tls_watch){ .loop = loop, .changed = changed, .context = context };
	watch->timer = loop_timer_new(loop, look_again, watch);
	if (watch->timer == NULL) {
		free(watch);
		return NULL;
	}
	tls_watch_reset(watch, conf);
	return watch;
}

void tls_watch_free(struct tls_watch *watch)
{
	if (watch == NULL)
		return;
	loop_timer_free(watch->timer);
	free(watch);
}

void tls_watch_reset(struct tls_watch *watch, const struct conf *conf)
{
	watch->conf = conf;
	watch->seen = look(conf);
	watch->read_ms = loop_now_ms(watch->loop);
	loop_timer_set(watch->timer, LOOK_EVERY_MS);
}
