/* Certificates, keys and authorities of the mail role: taken at the start, on reload, and when they change. */
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

void mail_tls_changed(struct mail *mail)
{
	struct handed *handed = NULL;
	struct conf *conf = mail_take_conf(mail, &handed);
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (conf != NULL && mail_tls_read(mail, conf, &complaints))
		mail_tls_spread(mail);
	else
		fprintf(stderr, "postroad: the certificates in use stay: %.*s\n", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	conf_free(conf);
	handed_unref(handed);
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
