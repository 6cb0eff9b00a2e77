/* The keys that may sign, on their way from who may read the folder to who signs.
 *
 * The supervisor packs them into a memory file; the mail role, which has dropped its rights by then, makes its snapshot
 * of that and never sees the folder. */
#ifndef KEYS_PACKET_H
#define KEYS_PACKET_H

#include "auth/signing_keys.h"
#include "keys/folder.h"

enum { KEYS_PACKET_MAX = 64 << 20 };

/* The whole plan, with those keys of the folder that sign or will sign, read and looked at. False: one cannot be had, or the folder; complaints
 * tell. The others are packed all the same, and of one that cannot be had only its plan. Warnings do not make it false. */
[[nodiscard]] bool keys_pack(const char *path, int64_t now_s, struct buffer *out, struct buffer *complaints);

/* Gives the snapshot, which copies the manner, and fills a plan, without a secret, that begins with nothing but its arena (NULL: it is
 * not wanted). NULL: it is no such packet, or there is no memory; what the plan has is then of no use. */
[[nodiscard]] struct signing_keys *keys_unpack(struct text packet, const struct dkim_manner *manner, struct key_plan *plan);

#endif
