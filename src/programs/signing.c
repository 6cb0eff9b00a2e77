#include "programs/signing.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "keys/packet.h"
#include "programs/snapshot.h"

static void wipe(struct buffer *packet)
{
	if (packet->bytes != NULL)
		explicit_bzero(packet->bytes, packet->capacity);
	buffer_done(packet);
}

bool signing_is_right(const struct conf *conf, struct buffer *complaints)
{
	struct buffer packet;

	if (conf->dkim.keys[0] == '\0')
		return true;
	buffer_init(&packet, KEYS_PACKET_MAX);
	const bool right = keys_pack(conf->dkim.keys, time(NULL), &packet, complaints);

	wipe(&packet);
	return right;
}

int signing_fd(const struct conf *conf)
{
	struct buffer packet, complaints;
	int fd = -1;

	if (conf->dkim.keys[0] == '\0' || !conf->dkim.sign)
		return -1;
	buffer_init(&packet, KEYS_PACKET_MAX);
	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	/* A key that has gone since the configuration was checked keeps none of the others from signing. */
	(void)!keys_pack(conf->dkim.keys, time(NULL), &packet, &complaints);
	fd = memfd_create("keys", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, buffer_text(&packet).bytes, packet.length) != (ssize_t)packet.length) {
		close(fd);
		fd = -1;
	}
	buffer_done(&complaints);
	wipe(&packet);
	return fd;
}

struct signing_keys *signing_read(int fd, const struct conf *conf, struct key_plan *plan)
{
	const struct dkim_manner manner = { .lifetime_s = conf->dkim.expire_ms / 1000,
		.oversigned = conf->dkim.oversigned,
		.oversigned_count = conf->dkim.oversigned_count };
	struct arena *arena = fd >= 0 ? arena_new(KEYS_PACKET_MAX + 4096) : NULL;
	struct signing_keys *keys = NULL;
	struct text packet;

	if (arena != NULL && snapshot_read_fd(fd, arena, &packet)) {
		keys = keys_unpack(packet, &manner, plan);
		explicit_bzero((char *)packet.bytes, packet.length);
	}
	arena_free(arena);
	if (fd >= 0)
		close(fd);
	return keys;
}
