/* The keys that sign, in the mail role: taken at the start and with each reload. */
#include "programs/role_mail_private.h"
#include "programs/signing.h"

enum { KEY_PLAN_BYTES_MAX = 64 << 20 };

static void job_signing(struct lane *lane, void *context)
{
	struct signing_keys *keys = context;

	lane_set_signing(lane, keys);
	signing_keys_unref(keys);
}

void mail_signing_read(struct mail *mail, const struct conf *conf)
{
	const int fd = mail->signing_fd;

	mail->signing_fd = -1;
	signing_keys_unref(mail->signing);
	arena_free(mail->key_plan.arena);
	mail->key_plan = (struct key_plan){ .arena = fd >= 0 ? arena_new(KEY_PLAN_BYTES_MAX) : NULL };
	mail->signing = signing_read(fd, conf, mail->key_plan.arena ? &mail->key_plan : NULL);
	if (mail->signing == NULL)
		mail->key_plan.count = 0;
}

void mail_signing_spread(struct mail *mail)
{
	for (unsigned i = 0; i < mail->lane_count; i++)
		if (!lane_post(mail->lanes[i], job_signing, signing_keys_ref(mail->signing)))
			signing_keys_unref(mail->signing); /* The lane goes on with what it has. */
}
