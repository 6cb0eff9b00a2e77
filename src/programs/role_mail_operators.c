/* What operators may ask of the mail role, on the control socket. */
#include "base/cleanup.h"
#include "programs/role_mail_private.h"

static void hand_in(void *context, struct stream *stream)
{
	struct mail *mail = context;

	inbound_accept(lane_inbound(mail->lanes[0]), stream, SESSION_LOCAL, SESSION_TLS_NONE);
}

static void sum_counters(void *context, struct counters *out_sum)
{
	const struct mail *mail = context;

	for (unsigned i = 0; i < mail->lane_count; i++)
		counters_sum(out_sum, lane_counters(mail->lanes[i]));
	counters_add(out_sum, COUNTER_LOG_LINES_LOST, log_writer_lost(mail->log));
}

static const struct counters *counters_of_lane(void *context, unsigned lane)
{
	const struct mail *mail = context;

	return lane < mail->lane_count ? lane_counters(mail->lanes[lane]) : NULL;
}

static void in_force(void *context, struct replay_side *out_side)
{
	const struct mail *mail = context;

	out_side->conf = mail->conf;
	out_side->signing = mail->signing;
}

static bool survey(
    void *context, const struct admin_question *question, admin_surveyed *surveyed, void *surveyed_context)
{
	const struct mail *mail = context;

	return surveyor_ask(mail->surveyor, question, surveyed, surveyed_context);
}

static size_t certificates(void *context, const struct tls_certificate_facts **out_facts)
{
	const struct mail *mail = context;

	return tls_server_certificates(mail->tls.server, out_facts);
}

static const struct key_plan *keys(void *context, struct plan_settings *out_settings)
{
	const struct mail *mail = context;

	*out_settings = (struct plan_settings){ .wait_s = mail->conf->dkim.publish_wait_ms / 1000,
		.retire_s = mail->conf->dkim.retire_after_ms / 1000,
		.rotate_s = mail->conf->dkim.rotate_after_ms / 1000 };
	return mail->signing != NULL ? &mail->key_plan : NULL;
}

static bool proxy_of_pool(void *context, struct text pool, struct endpoint *out_proxy)
{
	const struct mail *mail = context;

	for (size_t i = 0; i < mail->conf->pool_count; i++)
		if (text_equal(mail->conf->pools[i].name, pool) && mail->conf->pools[i].proxy.family != ENDPOINT_NONE) {
			*out_proxy = mail->conf->pools[i].proxy;
			return true;
		}
	return false;
}

static bool ask_reload(void *context)
{
	(void)context;
	return note_send(NOTE_ROLE_FD, "reload", -1);
}

static bool ask_upgrade(void *context)
{
	(void)context;
	return note_send(NOTE_ROLE_FD, "upgrade", -1);
}

static bool ask_stop(void *context)
{
	(void)context;
	return note_send(NOTE_ROLE_FD, "stop", -1);
}

bool mail_control_open(struct mail *mail)
{
	struct lane *lane = mail->lanes[0];
	const struct admin_settings settings = { .loop = lane_loop(lane),
		.spool = mail->spool,
		.spool_folder = mail->conf->spool.path,
		.port = lane_port(lane),
		.router = mail->router,
		.hosts = lane_hosts(lane),
		.sink = lane_sink(lane),
		.reports = lane_reports(lane),
		.webhooks = lane_webhooks(lane),
		.feed = mail->feed,
		.sum_counters = sum_counters,
		.lane_counters = counters_of_lane,
		.survey = survey,
		.in_force = in_force,
		.certificates = certificates,
		.keys = keys,
		.pool_proxy = proxy_of_pool,
		.reload = ask_reload,
		.upgrade = ask_upgrade,
		.stop = ask_stop,
		.context = mail };

	mail->surveyor = surveyor_new(mail->lanes, mail->lane_count);
	mail->admin = mail->surveyor ? admin_new(&settings) : NULL;
	if (mail->admin == NULL)
		return false;
	const int control = mail->control;

	mail->control = -1;
	mail->ctl = ctl_server_new(lane_loop(lane), control, mail->admin, hand_in, mail);
	return mail->ctl != NULL;
}
