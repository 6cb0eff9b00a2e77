#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "io/socket_address.h"
#include "tls/about.h"

enum {
	FLUSHES = 9, FLUSH_BYTES = 4096, FLUSH_SLOW_MS = 30,
	ROOM_PERCENT_LEAST = 10,
	CERTIFICATE_DAYS_FEW = 14,
	DAY_S = 86400
};

/* -- Files ------------------------------------------------------------------------------- */

static void look_at_secret(struct doctor *doctor, const char *what, const char *path)
{
	const char *subject = doctor_print(doctor, "%s %s", what, path);
	struct stat about;

	if (path[0] == '\0')
		return;
	if (stat(path, &about) != 0)
		doctor_find(doctor, errno == ENOENT ? DOCTOR_NOTE : DOCTOR_WARNING, subject,
		    doctor_print(doctor, "it cannot be looked at: %s", strerror(errno)), errno == ENOENT ? NULL : "ask as root");
	else if ((about.st_mode & (S_IROTH | S_IWOTH)) != 0)
		doctor_find(doctor, DOCTOR_ERROR, subject, "everybody on this machine may read or change it",
		    doctor_print(doctor, "chmod o-rwx %s", path));
	else
		doctor_find(doctor, DOCTOR_FINE, subject, "it is kept from others", NULL);
}

void doctor_look_at_files(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	struct stat about;

	if (stat(conf->path, &about) == 0 && (about.st_mode & S_IWOTH) != 0)
		doctor_find(doctor, DOCTOR_ERROR, doctor_print(doctor, "configuration %s", conf->path),
		    "everybody on this machine may change it", doctor_print(doctor, "chmod o-w %s", conf->path));
	look_at_secret(doctor, "users", conf->users);
	look_at_secret(doctor, "secrets of SRS", conf->srs.secret_file);
	for (size_t i = 0; i < conf->tls.certificate_count; i++)
		look_at_secret(doctor, "key", conf->tls.keys[i].bytes);
	look_at_secret(doctor, "folder of DKIM keys", conf->dkim.keys);
	for (size_t i = 0; i < conf->webhook_count; i++)
		look_at_secret(doctor, doctor_print(doctor, "secret of webhook %.*s", TEXT_FORMAT(conf->webhooks[i].name)), conf->webhooks[i].secret_file);
}

/* -- Ports ------------------------------------------------------------------------------- */

int doctor_listen(const struct endpoint *endpoint)
{
	union socket_address at;
	const socklen_t length = socket_address_of(endpoint, &at);
	const int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	int reason = 0;

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (endpoint->family == ENDPOINT_IP6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	if (bind(fd, &at.any, length) != 0 || listen(fd, 1) != 0)
		reason = errno;
	close(fd);
	return reason;
}

static void look_at_port(struct doctor *doctor, const char *subject, const struct endpoint *endpoint)
{
	if (endpoint->family == ENDPOINT_UNIX)
		return;
	const int reason = doctor_listen(endpoint);

	if (doctor->runs && reason == EADDRINUSE)
		doctor_find(doctor, DOCTOR_FINE, subject, "in use, as it should be while the server runs", NULL);
	else if (doctor->runs && reason == 0)
		doctor_find(doctor, DOCTOR_ERROR, subject, "nobody listens there, though the server runs", "postroad reload");
	else if (reason == EADDRINUSE)
		doctor_find(doctor, DOCTOR_ERROR, subject, "another program listens there",
		    doctor_print(doctor, "ss -ltnp 'sport = :%u' names it; stop it", endpoint->port));
	else if (reason == EACCES)
		doctor_find(doctor, DOCTOR_NOTE, subject, "only root may say whether it is free", "ask as root");
	else if (reason != 0)
		doctor_find(doctor, DOCTOR_ERROR, subject, doctor_print(doctor, "it cannot be listened to: %s", strerror(reason)),
		    "name an address of this machine");
	else
		doctor_find(doctor, DOCTOR_FINE, subject, "free for the server", NULL);
}

void doctor_look_at_ports(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	char room[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < conf->listener_count; i++)
		look_at_port(doctor, doctor_print(doctor, "listen %s", conf->listeners[i].text.bytes), &conf->listeners[i].endpoint);
	if (conf->web.enabled)
		look_at_port(doctor, doctor_print(doctor, "web listen %s", endpoint_print(&conf->web.endpoint, room).bytes), &conf->web.endpoint);
}

/* -- Certificates ------------------------------------------------------------------------ */

static bool look_at_certificate(struct doctor *doctor, const char *path)
{
	const char *subject = doctor_print(doctor, "certificate %s", path);
	struct tls_certificate_about about;

	if (tls_certificate_look(path, doctor->conf->hostname, &about) != OK) {
		doctor_find(doctor, DOCTOR_ERROR, subject, "it cannot be read", "postroad check tells why");
		return false;
	}
	const int64_t days = (about.not_after_s - doctor->now_s) / DAY_S;

	if (doctor->now_s >= about.not_after_s)
		doctor_find(doctor, DOCTOR_ERROR, subject, "it has expired: mail programs refuse it", "renew it (certbot renew)");
	else if (doctor->now_s < about.not_before_s)
		doctor_find(doctor, DOCTOR_ERROR, subject, "it is not good yet", "set the clock, or get another certificate");
	else if (days < CERTIFICATE_DAYS_FEW)
		doctor_find(doctor, DOCTOR_WARNING, subject, doctor_print(doctor, "it expires in %lld days", (long long)days),
		    "renew it (certbot renew), and see why that was not done by itself");
	else
		doctor_find(doctor, DOCTOR_FINE, subject, doctor_print(doctor, "good for %lld days", (long long)days), NULL);
	return about.is_for_host;
}

void doctor_look_at_certificates(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	bool named = false;

	for (size_t i = 0; i < conf->tls.certificate_count; i++)
		named |= look_at_certificate(doctor, conf->tls.certificates[i].bytes);
	if (conf->tls.certificate_count == 0)
		doctor_find(doctor, DOCTOR_WARNING, "certificate", "there is none: mail comes in clear text, and nobody can log in",
		    doctor_print(doctor, "certbot certonly --standalone -d %s, and tls { certificate key } in the configuration",
			conf->hostname.bytes));
	else if (!named)
		doctor_find(doctor, DOCTOR_WARNING, "certificate",
		    doctor_print(doctor, "none is for %s: who checks names (MTA-STS, mail programs) refuses it", conf->hostname.bytes),
		    doctor_print(doctor, "get one for %s", conf->hostname.bytes));
}

/* -- Disk -------------------------------------------------------------------------------- */

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The median of a few flushes of a new file, in microseconds; -1: none could be made. */
static int64_t flush_time_us(const char *folder)
{
	static const char bytes[FLUSH_BYTES];
	const int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	int64_t times[FLUSHES];

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < FLUSHES; i++) {
		const int64_t start = now_us();
		size_t at = i;

		if (write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes || fdatasync(fd) != 0) {
			close(fd);
			return -1;
		}
		for (times[i] = now_us() - start; at > 0 && times[at - 1] > times[at]; at--) {
			const int64_t less = times[at];

			times[at] = times[at - 1];
			times[at - 1] = less;
		}
	}
	close(fd);
	return times[FLUSHES / 2];
}

void doctor_look_at_disk(struct doctor *doctor)
{
	const char *folder = doctor->conf->spool.path;
	const char *subject = doctor_print(doctor, "disk of %s", folder);
	struct statvfs about;

	if (statvfs(folder, &about) != 0 || about.f_blocks == 0) {
		doctor_find(doctor, DOCTOR_NOTE, subject, doctor_print(doctor, "it cannot be looked at: %s", strerror(errno)),
		    "it is made when the server starts");
		return;
	}
	const unsigned long long free_mib = (unsigned long long)about.f_bavail * about.f_frsize >> 20;
	const unsigned percent = (unsigned)(about.f_bavail * 100 / about.f_blocks);
	const int64_t flush_us = flush_time_us(folder);

	if (percent < ROOM_PERCENT_LEAST || (about.f_files > 0 && about.f_favail * 100 / about.f_files < ROOM_PERCENT_LEAST))
		doctor_find(doctor, DOCTOR_WARNING, subject,
		    doctor_print(doctor, "%llu MiB (%u %%) are free: without room mail is answered 452", free_mib, percent), "make room");
	else
		doctor_find(doctor, DOCTOR_FINE, subject, doctor_print(doctor, "%llu MiB (%u %%) are free", free_mib, percent), NULL);
	if (flush_us < 0)
		doctor_find(doctor, DOCTOR_NOTE, "flushes", "they cannot be timed here", "ask as root");
	else
		doctor_find(doctor, flush_us > FLUSH_SLOW_MS * 1000 ? DOCTOR_WARNING : DOCTOR_FINE, "flushes",
		    doctor_print(doctor, "one takes %lld.%lld ms: the least that a 250 waits", (long long)(flush_us / 1000),
			(long long)(flush_us / 100 % 10)),
		    flush_us > FLUSH_SLOW_MS * 1000 ? "put the spool on a faster disk" : NULL);
}

void doctor_look_at_clock(struct doctor *doctor)
{
	struct timex state = { 0 };
	const int result = adjtimex(&state);

	if (result < 0)
		doctor_find(doctor, DOCTOR_NOTE, "clock", "this system does not say whether it is right", NULL);
	else if (result == TIME_ERROR || (state.status & STA_UNSYNC) != 0)
		doctor_find(doctor, DOCTOR_WARNING, "clock",
		    "nobody keeps it right: signatures, certificates and the queue go by it", "timedatectl set-ntp true");
	else
		doctor_find(doctor, DOCTOR_FINE, "clock", "it is kept right", NULL);
}
