/* Certificates, keys and authorities of the mail role: read at the start, on reload, and when they change. */
#include <stdio.h>
#include <stdlib.h>

#include "programs/role_mail_private.h"

static void job_tls(struct lane *lane, void *context)
{
	struct snapshot_tls *tls = context;

	lane_set_tls(lane, tls->server, tls->client);
	snapshot_tls_done(tls);
	free(tls);
}

void mail_tls_spread(struct mail *mail)
{
	for (unsigned i = 0; i < mail->lane_count; i++) {
		struct snapshot_tls *tls = calloc(1, sizeof *tls);

		if (tls == NULL)
			continue; /* The lane goes on with what it has. */
		*tls = (struct snapshot_tls){ tls_server_ref(mail->tls.server), tls_client_ref(mail->tls.client) };
		if (!lane_post(mail->lanes[i], job_tls, tls)) {
			snapshot_tls_done(tls);
			free(tls);
		}
	}
}


bool mail_tls_read(struct mail *mail, const struct conf *conf, struct buffer *complaints)
{
	struct snapshot_tls fresh;

	if (!snapshot_tls(conf, &fresh, complaints))
		return false;
	snapshot_tls_done(&mail->tls);
	mail->tls = fresh;
	return true;
}

static void tls_changed(void *context)
{
	struct mail *mail = context;
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (mail_tls_read(mail, mail->conf, &complaints))
		mail_tls_spread(mail);
	else
		fprintf(stderr, "postroad: the certificates in use stay: %.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
}

bool mail_tls_open(struct mail *mail)
{
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	const bool right = mail_tls_read(mail, mail->conf, &complaints);

	if (!right)
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	return right;
}

bool mail_tls_watch(struct mail *mail)
{
	mail->tls_watch = tls_watch_new(lane_loop(mail->lanes[0]), mail->conf, tls_changed, mail);
	return mail->tls_watch != NULL;
}
