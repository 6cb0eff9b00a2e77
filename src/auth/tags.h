/* Tag lists: "v=1; a=rsa-sha256; ..." (RFC 6376 §3.2), as DKIM, ARC and DMARC write them.
 *
 * Pure. Tags borrow from the list. */
#ifndef AUTH_TAGS_H
#define AUTH_TAGS_H

#include "base/error.h"
#include "base/text.h"

enum { TAGS_MAX = 64 };

struct tag {
	struct text name;  /* Empty: what stands there is no tag. */
	struct text value; /* Without the blanks around it; folding inside it stays. */
	struct text raw;   /* All between "=" and ";". */
};

struct tag_list { /* A value. */
	struct tag tags[TAGS_MAX];
	size_t count;
};

/* Take the next tag off *rest, whatever stands there; false at the end. Nothing behind the last ";" is no tag. */
[[nodiscard]] bool tags_next(struct text *rest, struct tag *out_tag);

/* The whole list, strictly: ERR_SYNTAX when anything in it is no tag or a name comes twice (then all of it is
 * void), ERR_TOO_LARGE beyond TAGS_MAX. */
[[nodiscard]] enum error tags_parse(struct text text, struct tag_list *out_list);

/* The value of a tag; false when it is not there. Names are case-sensitive. */
[[nodiscard]] bool tags_find(const struct tag_list *list, struct text name, struct text *out_value);

/* Is `word` one of the words in a list that colons separate, blanks around them ignored? Without case. */
bool tags_list_holds(struct text list, struct text word);

#endif
