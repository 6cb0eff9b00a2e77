/* postroad dkim, in four parts: what is asked (dkim.c), changes (dkim_change.c), what is there (dkim_view.c), and what
 * DNS has of it (dkim_check.c).
 *
 * Private to this folder. */
#ifndef CTL_DKIM_H
#define CTL_DKIM_H

#include "conf/conf.h"
#include "keys/folder.h"

enum { DKIM_RSA_BITS = 2048, DKIM_KINDS = 2 };

struct dkim_request { /* Borrows the words and the configuration. */
	const struct conf *conf;
	struct arena *arena;
	struct text domain;   /* A-labels; empty: not given. */
	struct text selector; /* The same. */
	bool kinds[DKIM_KINDS]; /* By enum key_kind: which are asked for. */
	const char *key_file; /* NULL: make one. */
	const char *zone;     /* Empty: as the configuration says. */
	bool json, due, trust;
	int64_t now_s;
	struct plan_settings settings;
};

/* postroad dkim generate, rotate, remove; list, record; check. Each returns an exit code, and has said what is wrong. */
int dkim_generate(const struct dkim_request *request);
int dkim_rotate(const struct dkim_request *request);
int dkim_remove(const struct dkim_request *request);
int dkim_list(const struct dkim_request *request);
int dkim_record(const struct dkim_request *request);
int dkim_check(const struct dkim_request *request);

/* -- For each other ----------------------------------------------------------------- */

/* Open the folder of the configuration, or say why not. */
[[nodiscard]] int dkim_open(const struct dkim_request *request, bool change, struct keys_folder *out_folder);

/* Make the plan durable, and tell the server. */
[[nodiscard]] int dkim_save(const struct dkim_request *request, struct keys_folder *folder);

/* Does the request speak of this key? */
bool dkim_means(const struct dkim_request *request, const struct planned_key *key);

/* The record of a key: its name in DNS and its text. False: it was said why not. */
[[nodiscard]] bool dkim_record_of(const struct keys_folder *folder, const struct planned_key *key, struct text *out_name,
    struct text *out_record);

/* To standard output as a piece of a zone file. */
[[nodiscard]] bool dkim_print_record(const struct keys_folder *folder, const struct planned_key *key);

#endif
