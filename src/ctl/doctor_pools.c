/* Where mail leaves from: addresses that are named in the configuration, and proxies. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "io/socket_address.h"
#include "io/socks5.h"
#include "sasl/secret_file.h"

enum { PATIENCE_S = 10 };

/* -- Addresses ----------------------------------------------------------------------------- */

/* 0, or errno. Nothing is sent from there. */
static int try_address(const struct endpoint *address)
{
	union socket_address from;
	const socklen_t length = socket_address_of(address, &from);
	const int fd = socket(from.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int reason = 0;

	if (fd < 0)
		return errno;
	if (bind(fd, &from.any, length) != 0)
		reason = errno;
	close(fd);
	return reason;
}

/* Of addresses that are translated on their way out others see another one (RFC 1918, RFC 4193, RFC 6598). */
static bool is_private(const struct endpoint *address)
{
	static const char *const networks[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7" };
	struct network network;

	for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
		if (network_parse(text_of(networks[i]), &network) && network_holds(&network, address))
			return true;
	return false;
}

static void look_at_address(struct doctor *doctor, const struct endpoint *address, struct text hostname, const char *whose)
{
	char room[ENDPOINT_TEXT_MAX];
	const char *subject = doctor_print(doctor, "address %s%s", endpoint_print_ip(address, room).bytes, whose);
	const int reason = try_address(address);

	if (reason != 0)
		doctor_find(doctor, DOCTOR_ERROR, subject,
		    doctor_print(doctor, "this machine cannot send from it (%s): its mail waits", strerror(reason)),
		    doctor_print(doctor, "ip address add %s/%u dev DEVICE, or take it out of the configuration",
			endpoint_print_ip(address, room).bytes, address->family == ENDPOINT_IP6 ? 64u : 32u));
	else if (is_private(address))
		doctor_find(doctor, DOCTOR_NOTE, subject, "it is private: others see another one, at which nobody has looked here", NULL);
	else
		doctor_find(doctor, DOCTOR_FINE, subject, "it is this machine's", NULL);
	if (doctor->dns == NULL || is_private(address))
		return;
	doctor_look_at_reverse(doctor, address, hostname, whose);
	doctor_look_at_spf(doctor, address, hostname, whose);
}

/* -- Proxies ------------------------------------------------------------------------------- */

/* False: the proxy has hung up, or is silent. */
static bool say_and_hear(int fd, struct socks5 *socks5)
{
	char room[SOCKS5_ANSWER_MAX];
	const struct text say = socks5_say(socks5);
	ssize_t length = 0;

	if (say.length > 0 && send(fd, say.bytes, say.length, MSG_NOSIGNAL) != (ssize_t)say.length)
		return false;
	socks5_said(socks5);
	length = recv(fd, room, sizeof room, 0);
	if (length <= 0)
		return false;
	(void)socks5_received(socks5, (struct text){ room, (size_t)length });
	return true;
}

/* As far as a connection to `reach` (NULL: to nowhere, only to where it would be asked for). NULL: it works; or what is wrong. */
static const char *talk(int fd, const struct endpoint *reach, const struct socks5_login *login)
{
	const struct endpoint nowhere = { .family = ENDPOINT_IP4, .port = 25 };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct socks5 socks5;

	if (fcntl(fd, F_SETFL, 0) != 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
		return strerror(errno);
	socks5_begin(&socks5, reach != NULL ? reach : &nowhere, login);
	while (socks5.state < SOCKS5_CONNECT || (reach != NULL && socks5.state == SOCKS5_CONNECT))
		if (!say_and_hear(fd, &socks5)) {
			socks5_said(&socks5);
			return socks5.state == SOCKS5_CONNECT ? "it does not say whether it gets there" : "it hangs up, or does not answer";
		}
	socks5_said(&socks5);
	return socks5.state == SOCKS5_FAILED ? socks5.reason : NULL;
}

static void look_at_proxy(struct doctor *doctor, const struct conf_pool *pool, const struct endpoint *reach)
{
	char room[ENDPOINT_TEXT_MAX];
	const char *subject = doctor_print(doctor, "SOCKS5 proxy %s of pool %s", endpoint_print(&pool->proxy, room).bytes, pool->name.bytes);
	char password_room[SECRET_ROOM_BYTES];
	struct socks5_login login = { .user = pool->user };
	int fd = -1;
	const bool has_password = pool->user.length > 0 &&
	    secret_file_read(pool->password_file, false, password_room, &login.password) == NULL &&
	    login.password.length <= SOCKS5_WORD_MAX;

	if (pool->user.length > 0 && !has_password) {
		explicit_bzero(password_room, sizeof password_room);
		doctor_find(doctor, DOCTOR_WARNING, subject, "its password cannot be read, so it was not tried", "ask as root");
		return;
	}
	const int reason = doctor_connect(&pool->proxy, &fd);
	const char *trouble = reason != 0 ? strerror(reason) : talk(fd, reach, has_password ? &login : NULL);

	if (fd >= 0)
		close(fd);
	explicit_bzero(password_room, sizeof password_room);
	if (trouble != NULL)
		doctor_find(doctor, DOCTOR_ERROR, subject, doctor_print(doctor, "mail of the pool waits, for it does not work: %s", trouble),
		    "see to the proxy, or let socks5 of the pool name another one");
	else
		doctor_find(doctor, DOCTOR_FINE, subject, reach != NULL ? doctor_print(doctor, "it gets to %s", doctor->reach) : "it takes us", NULL);
}

/* -- All of it ----------------------------------------------------------------------------- */

void doctor_look_at_pools(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	struct endpoint reach;
	const bool reaches = doctor->dns != NULL && doctor->reach != NULL && doctor_find_reach(doctor, &reach) && reach.family != ENDPOINT_UNIX;

	for (size_t i = 0; i < conf->outbound.source_count; i++)
		look_at_address(doctor, &conf->outbound.sources[i], conf->hostname, " of outbound");
	for (size_t i = 0; i < conf->pool_count; i++) {
		const struct conf_pool *pool = &conf->pools[i];
		const char *whose = doctor_print(doctor, " of pool %s", pool->name.bytes);

		for (size_t k = 0; k < pool->address_count; k++)
			look_at_address(doctor, &pool->addresses[k], pool->hostname, whose);
		if (pool->proxy.family != ENDPOINT_NONE)
			look_at_proxy(doctor, pool, reaches ? &reach : NULL);
	}
}
