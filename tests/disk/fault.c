/* Orders: which call goes wrong, and how. */
#include "disk.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static int32_t group;

__attribute__((constructor)) static void remember_group(void)
{
	group = getpgrp();
}

/* A role that is confined may kill nobody, not even itself: who gave the order sees to it, and until then this call
 * stands still. */
void disk_die(void)
{
	*disk_death() = group;
	for (;;)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static bool is_hit(struct disk_order *order, enum disk_kind kind, const char *path)
{
	if (order->action == 0 || !(order->kinds & (1u << kind)) || order->times == 0)
		return false;
	if (order->pattern[0] != '\0' && fnmatch(order->pattern, path, 0) != 0)
		return false;
	if (order->skip > 0) {
		order->skip--;
		return false;
	}
	if (order->times > 0)
		order->times--;
	order->hits++;
	return true;
}

/* The first order that is more than a delay wins; delays add up. */
struct disk_hit disk_meet(enum disk_kind kind, const char *path)
{
	struct disk_hit hit = { 0 };
	int64_t sleep_ms = 0;

	disk_lock();
	for (int i = 0; i < DISK_ORDERS_MAX && hit.action == 0; i++) {
		struct disk_order *order = &disk_orders()[i];

		if (!is_hit(order, kind, path))
			continue;
		if (order->action == DISK_SLEEP) {
			sleep_ms += order->parameter;
			continue;
		}
		hit.action = order->action;
		hit.failure = (int)order->parameter;
	}
	if (hit.action == DISK_DIE_BEFORE)
		disk_die();
	disk_unlock();

	const struct timespec pause = { sleep_ms / 1000, sleep_ms % 1000 * 1000000 };

	if (sleep_ms > 0)
		nanosleep(&pause, NULL);
	return hit;
}
