/* A message body out of the spool, as it travels to the mailbox role: as bytes, or in a memory file. */
#ifndef MAILBOX_BODY_FILE_H
#define MAILBOX_BODY_FILE_H

#include "mail/envelope.h"
#include "mailbox/request.h"
#include "spool/spool.h"

/* Gives a close-on-exec descriptor of a file without name that holds the body. ERR_CORRUPT: the chunks are
 * not as long as the envelope says; else as spool_read_chunk, or ERR_DESCRIPTORS, ERR_NO_MEMORY. */
[[nodiscard]] enum error body_file_make(struct spool *spool, const struct envelope *envelope, int *out_fd);

/* A body of at most MAILBOX_BODY_MAX bytes. The same errors. */
[[nodiscard]] enum error body_read(
    struct spool *spool, const struct envelope *envelope, char room[MAILBOX_BODY_MAX], struct text *out_body);

#endif
