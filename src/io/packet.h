/* One message through a SOCK_SEQPACKET socket, descriptors included: what channels are made of. */
#ifndef IO_PACKET_H
#define IO_PACKET_H

#include "io/channel.h"

/* Never wait: ERR_BUSY when the socket is full, or empty. */
[[nodiscard]] enum error packet_send(int fd, struct text bytes, const int *fds, size_t fd_count);
[[nodiscard]] enum error packet_receive(int fd, struct channel_message *out_message);

#endif
