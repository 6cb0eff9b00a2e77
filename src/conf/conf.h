/* The configuration: an immutable snapshot, read from one file.
 *
 * Options are defined in options.def, once. Complaints read "FILE:LINE: what is wrong (hint: what would be
 * right)"; as many as can be found in one reading are given together. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/endpoint.h"

enum conf_role { CONF_ROLE_MX, CONF_ROLE_SUBMISSION, CONF_ROLE_LMTP };

struct conf_listener {
	struct endpoint endpoint;
	enum conf_role role;
};

struct conf_route {
	struct text pattern;
	const struct text *via;
	size_t via_count;
	bool lmtp;
};

/* Texts are NUL-terminated. Paths are absolute, or were relative to the file's folder; empty: not given. */
struct conf {
	struct arena *arena; /* Holds all of it. */
	const char *path, *folder;

	struct text hostname;
	const struct text *domains;
	size_t domain_count;
	const char *users, *aliases, *control, *run_as;
	struct text separator;
	const struct network *relay_from;
	size_t relay_from_count;
	unsigned lanes;
	const struct conf_listener *listeners;
	size_t listener_count;
	const struct conf_route *routes;
	size_t route_count;
	struct {
		const char *path;
		struct text lmtp;
	} mailbox;
	struct {
		const struct text *servers;
		size_t server_count;
		const char *trust_anchor, *config, *zone;
	} dns;
	struct {
		uint16_t port;
		const struct endpoint *sources;
		size_t source_count;
		unsigned concurrency;
		int64_t connect_ms, command_ms, final_ms, idle_ms;
		bool prefer_ip6;
	} outbound;
	struct {
		const char *path;
		uint64_t size;
	} spool;
	struct {
		const int64_t *retry_ms;
		size_t retry_count;
		int64_t lifetime_ms, warn_after_ms;
	} queue;
	struct {
		uint64_t message_size;
		unsigned recipients, connections, errors;
		int64_t idle_ms;
	} limits;
	uint32_t history_messages;
	struct {
		bool json;
		const char *to;
	} log;
};

/* Gives the snapshot, or NULL with at least one complaint, a line each, in `complaints`. */
[[nodiscard]] struct conf *conf_load(const char *path, struct buffer *complaints);
[[nodiscard]] struct conf *conf_load_text(const char *name, const char *text, struct buffer *complaints);
void conf_free(struct conf *conf);

/* What a server with this configuration does, in a few lines for `postroad check`. */
[[nodiscard]] bool conf_summary(const struct conf *conf, struct buffer *out);

/* The manual page postroad.conf(5) as mdoc, and the annotated sample file. */
[[nodiscard]] bool conf_print_manual(struct buffer *out);
[[nodiscard]] bool conf_print_sample(struct buffer *out);

#endif
