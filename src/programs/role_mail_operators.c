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

static bool survey(
    void *context, const struct admin_question *question, admin_surveyed *surveyed, void *surveyed_context)
{
	const struct mail *mail = context;

	return surveyor_ask(mail->surveyor, question, surveyed, surveyed_context);
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
		.port = lane_port(lane),
		.router = mail->router,
		.hosts = lane_hosts(lane),
		.sink = lane_sink(lane),
		.sum_counters = sum_counters,
		.survey = survey,
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
