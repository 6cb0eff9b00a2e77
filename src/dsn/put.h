/* A stranger's words in our lines: cleaned, folded, bounded. Private to this folder. */
#ifndef DSN_PUT_H
#define DSN_PUT_H

#include "base/arena.h"
#include "base/buffer.h"

enum { PUT_WORDS_MAX = 2000 };

/* `words` as one line of plain text in `arena`: controls and line ends become blanks, what is not
 * ASCII (not UTF-8, if allow_utf8) a question mark; cut at PUT_WORDS_MAX. False: no memory. */
[[nodiscard]] bool put_clean(struct text words, bool allow_utf8, struct arena *arena, struct text *out_clean);

/* "start" and the clean words behind it, as lines of at most 76 columns that go on with `indent` (blanks).
 * A word longer than a line may be is cut. Ends with CRLF. */
[[nodiscard]] bool put_folded(struct buffer *out, struct text start, struct text words, struct text indent);

/* The lines of an original with CRLF ends, without NUL and lone CR, none longer than 998 bytes. */
[[nodiscard]] bool put_lines(struct buffer *out, struct text original);

#endif
