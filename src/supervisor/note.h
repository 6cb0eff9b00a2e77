/* Notes between the supervisor and its roles: one word each, with at most one descriptor.
 *
 * They go over a SOCK_SEQPACKET pair; a role finds its end at descriptor NOTE_ROLE_FD.
 *
 *   to all            conf + descriptor                                a memory file with the configuration; first, and
 *                                                                      before a reload
 *   to mail           file + descriptor                                a memory file with what a file that it names holds, in
 *                                                                      the order of conf_move_paths; none: not to be read
 *                     signing + descriptor                             a memory file with the keys that sign; before names,
 *                                                                      and not when nothing is to be signed
 *                     names + descriptor                               a memory file with the users' names, one a line
 *                     control, mailbox, auth + descriptor              what it will work with
 *                     listen mx|submission|lmtp none|starttls|required|implicit direct|proxied + descriptor
 *                                                                      the same: sockets, what their clients are, TLS, and
 *                                                                      whether front ends speak for them
 *                     died                                             to mail: the one before ended of its own making
 *                     start                                            all of it has been sent
 *                     reload                                           take what came before for the old: configuration,
 *                                                                      files, names and sockets
 *                     tls                                              take certificates, keys and authorities among the
 *                                                                      files that came before
 *                     log                                              open the log anew: it may have been renamed
 *                     watch                                            do all lanes turn? It is answered by "well"
 *                     stop                                             finish what is open and end
 *   to mailbox, auth  channel + descriptor                             a lane's
 *   to mailbox        owners + descriptor                              a memory file: to whom mailboxes belong; behind conf
 *                     reload                                           work by the configuration that came before
 *   to web            certificate, key, tokens + descriptor            memory files; those that there are
 *                     listen + descriptor                              the socket that it serves
 *                     start, reload                                    work by what came before
 *   to auth           keys + descriptor                                the file with those of tokens, if there is one
 *                     passwords + descriptor                           the file with them, also after a reload; keys came
 *                                                                      before
 *   to the supervisor ready                                            it works
 *                     well                                             all lanes turn
 *                     reload, upgrade, stop                            an operator asks for it */
#ifndef SUPERVISOR_NOTE_H
#define SUPERVISOR_NOTE_H

#include "base/text.h"

enum { NOTE_ROLE_FD = 3, NOTE_LENGTH_MAX = 64 };

/* fd -1: none; the descriptor stays the sender's. False: the other side is gone. */
[[nodiscard]] bool note_send(int channel, const char *word, int fd);

/* Waits for the next note. *out_fd is -1 or gives a descriptor. False: the other side is gone. */
[[nodiscard]] bool note_receive(int channel, char room[NOTE_LENGTH_MAX], int *out_fd);

#endif
