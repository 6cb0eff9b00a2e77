/* The way out. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "io/socket_address.h"

enum { CONNECT_MS = 10000, MAIL_PORT = 25 };

int doctor_connect(const struct endpoint *endpoint, int *out_fd)
{
	union socket_address to;
	const socklen_t to_length = socket_address_of(endpoint, &to);
	const int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd watched = { .fd = fd, .events = POLLOUT };
	socklen_t length = sizeof(int);
	int reason = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, &to.any, to_length) != 0 && errno != EINPROGRESS)
		reason = errno;
	else if (poll(&watched, 1, CONNECT_MS) != 1)
		reason = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length) != 0)
		reason = errno;
	if (reason == 0)
		*out_fd = fd;
	else
		close(fd);
	return reason;
}

bool doctor_find_reach(struct doctor *doctor, struct endpoint *out_endpoint)
{
	const struct text whole = text_of(doctor->reach);
	const size_t colon = text_find_byte_last(whole, ':');
	uint64_t port = MAIL_PORT;

	if (endpoint_parse(whole, MAIL_PORT, out_endpoint))
		return true;
	if (colon < whole.length && (!text_to_u64(text_from(whole, colon + 1), &port) || port == 0 || port > UINT16_MAX))
		return false;
	const struct dns_answer answer = doctor_ask(doctor, text_part(whole, 0, colon), DNS_A);

	if (answer.record_count == 0)
		return false;
	*out_endpoint = answer.records[0].address;
	out_endpoint->port = (uint16_t)port;
	return true;
}

/* Many networks let nobody out there. Nothing is said to whoever answers. */
void doctor_look_at_reach(struct doctor *doctor)
{
	struct endpoint endpoint;

	if (doctor->reach == NULL) {
		doctor_find(doctor, DOCTOR_NOTE, "port 25 of others", "not tried", "postroad doctor --reach HOST, with the MX host of somebody else");
		return;
	}
	const char *subject = doctor_print(doctor, "port 25 of others (%s)", doctor->reach);

	if (!doctor_find_reach(doctor, &endpoint) || endpoint.family == ENDPOINT_UNIX) {
		doctor_find(doctor, DOCTOR_ERROR, subject, "it has no address", "name another host");
		return;
	}
	int fd = -1;
	const int reason = doctor_connect(&endpoint, &fd);

	if (fd >= 0)
		close(fd);
	if (reason == 0)
		doctor_find(doctor, DOCTOR_FINE, subject, "it can be reached", NULL);
	else
		doctor_find(doctor, DOCTOR_ERROR, subject, doctor_print(doctor, "it cannot be reached: %s", strerror(reason)),
		    "ask the owner of the network to open port 25, or send by a provider (route \"*\")");
}
