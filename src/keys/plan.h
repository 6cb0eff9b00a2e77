/* The life of DKIM keys: which sign, which are to come, which have been.
 *
 * Pure; the moment is an argument. What is stored are moments that do not change when time goes by, so whoever reads them,
 * the server or an operator, sees the same state without anybody writing it.
 *
 *     new        made; its record is to be published
 *      │ seen in DNS
 *     published  waits until every name server has the record
 *      │ active_s
 *     active     signs
 *      │ until_s: its successor signs
 *     retiring   signs no more; its record stays for mail that is on its way
 *      │ removed_s
 *     retired    its record, and then the key, may be removed
 *
 *   P1  A key signs only after its record was seen: what nobody can verify is not signed.
 *   P2  While a domain has a key of a kind that signs, it has one at every moment after: a successor begins when the other
 *       ends.
 *   P3  At most one key of a domain and kind waits for its time. */
#ifndef KEYS_PLAN_H
#define KEYS_PLAN_H

#include "base/buffer.h"
#include "crypto/key.h"

enum key_state { KEY_NEW, KEY_WAITING, KEY_ACTIVE, KEY_RETIRING, KEY_RETIRED };

struct planned_key {
	struct text domain, selector; /* A-labels, lower case. */
	enum key_kind kind;
	int64_t made_s;
	int64_t seen_s, active_s, until_s, removed_s; /* 0: not known yet. Each is not before the one before it. */
	int line; /* In the file; 0: not from there. */
};

enum { PLAN_KEYS_MAX = 100000, PLAN_FILE_MAX = 32 << 20 };

struct key_plan { /* In an arena. */
	struct arena *arena;
	struct planned_key *keys;
	size_t count, room;
};

struct plan_settings {
	int64_t wait_s;   /* Between the sight of the record and the first signature. */
	int64_t retire_s; /* Between the last signature and the removal of the record. */
	int64_t rotate_s; /* The age at which a key is due for a successor; 0: never. */
};

enum key_state key_state_at(const struct planned_key *key, int64_t now_s);
enum { KEY_STATE_COUNT = KEY_RETIRED + 1 };
const char *key_state_word(enum key_state state);

/* Since when it is in that state. */
int64_t key_state_since(const struct planned_key *key, int64_t now_s);

/* It signs, has no successor yet, and is old enough to get one. */
bool key_plan_is_due(const struct key_plan *plan, const struct planned_key *key, const struct plan_settings *settings,
    int64_t now_s);

/* When time alone brings its next step: it signs, another one does, it is old enough for a successor, its record may go. In
 * Unix time; 0: there is none, or an operator is to do it. */
int64_t key_plan_next_s(const struct planned_key *key, const struct plan_settings *settings, int64_t now_s);

/* What comes next for this key, or what an operator does about it: "signs from 2026-11-25T19:00:00Z"; "-": nothing. In the arena.
 * False: no memory. */
[[nodiscard]] bool key_plan_next(const struct key_plan *plan, const struct planned_key *key,
    const struct plan_settings *settings, int64_t now_s, struct arena *arena, struct text *out_words);

/* "2026-11-25T19:00:00Z", as `postroad dkim` has all its moments. Fills and returns the room. */
enum { KEY_TIME_SIZE = 24 };
const char *key_time_print(int64_t moment_s, char room[KEY_TIME_SIZE]);

/* The key that will follow: of this domain and kind, new or waiting. NULL: none. */
const struct planned_key *key_plan_coming(
    const struct key_plan *plan, struct text domain, enum key_kind kind, int64_t now_s);

/* NULL: there is none. */
struct planned_key *key_plan_find(const struct key_plan *plan, struct text domain, struct text selector);

/* A selector that this domain does not have: the day, and a letter for the kind. False: no memory. */
[[nodiscard]] bool key_plan_name(
    const struct key_plan *plan, struct text domain, enum key_kind kind, int64_t now_s, struct text *out_selector);

/* A new key. The texts must live as long as the plan. ERR_EXISTS: there is that selector, or one is to come already (P3);
 * ERR_TOO_LARGE; ERR_NO_MEMORY. */
[[nodiscard]] enum error key_plan_add(
    struct key_plan *plan, struct text domain, struct text selector, enum key_kind kind, int64_t now_s);

/* The record of a new key was seen in DNS: it signs when the wait is over, and its predecessor until then. The first of its
 * kind signs at once: until then nobody verified anything. Nothing happens to a key that is not new. */
void key_plan_seen(
    struct key_plan *plan, struct planned_key *key, const struct plan_settings *settings, int64_t now_s);

/* Forget it. A key that it was to follow goes on (P2). */
void key_plan_remove(struct key_plan *plan, struct planned_key *key, int64_t now_s);

/* From and to the text of the state file. False: complaints, "FILE:LINE: ..." each, tell why; or no memory. */
[[nodiscard]] bool key_plan_parse(struct text text, const char *file_name, struct arena *arena,
    struct key_plan *out_plan, struct buffer *complaints);
[[nodiscard]] bool key_plan_print(const struct key_plan *plan, struct buffer *out);

#endif
