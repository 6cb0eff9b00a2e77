/* The look-ups of a vetting, and who waits for them; vetting_words.c says what follows. */
#include "inbound/vetting.h"

#include <stdlib.h>

#include "base/must.h"
#include "inbound/vetting_private.h"

enum {
	CLIENT_BYTES_MAX = 64 << 10, /* Names and reasons: a list needs less than 1 KiB, a client's names 3. */
	SENDER_BYTES_MAX = 32 << 10
};

/* -- Looking up ------------------------------------------------------------------------- */

static void answer_if_known(struct vetting *vetting);

static void iprev_ended(void *context)
{
	struct vetting *vetting = context;

	vetting->iprev_lookup = NULL;
	vetting->iprev_known = true;
	vetting->open--;
	answer_if_known(vetting);
}

static void report_failure(struct vetting *vetting, size_t which)
{
	struct inbound *inbound = vetting->inbound;
	struct event event = { .kind = EVENT_LIST_FAILED, .time_ms = loop_unix_ms(inbound->wiring.loop) };
	int64_t *told_ms = &vetting->snapshot->list_told_ms[which];

	if (*told_ms != 0 && event.time_ms - *told_ms < VETTING_TOLD_MS) /* V4 */
		return;
	*told_ms = event.time_ms;
	event.fields[EVENT_FIELD_HOST] = vetting->settings->lists[which].zone;
	event.fields[EVENT_FIELD_REASON] = TEXT("no answer, or one that is no entry");
	inbound->wiring.sink.report(inbound->wiring.sink.context, &event);
}

static void list_ended(void *context)
{
	struct list_inquiry *inquiry = context;
	struct vetting *vetting = inquiry->vetting;

	inquiry->lookup = NULL;
	vetting->open--;
	if (inquiry->list.result == DNS_LIST_FAILED)
		report_failure(vetting, (size_t)(inquiry - vetting->lists));
	answer_if_known(vetting);
}

static void begin_list(struct list_inquiry *inquiry)
{
	struct vetting *vetting = inquiry->vetting;
	const struct lookup_listener listener = { .done = list_ended, .context = inquiry };
	struct question question;

	if (dns_list_question(&inquiry->list, &question))
		inquiry->lookup = lookup_start(vetting->inbound->dns, &lookup_dns_list, &inquiry->list, &listener);
	vetting->open += inquiry->lookup != NULL;
}

static void begin_iprev(struct vetting *vetting, const struct endpoint *client)
{
	const struct lookup_listener listener = { .done = iprev_ended, .context = vetting };
	struct question question;

	iprev_start(&vetting->iprev, client, vetting->client_arena);
	if (iprev_question(&vetting->iprev, &question))
		vetting->iprev_lookup = lookup_start(vetting->inbound->dns, &lookup_iprev, &vetting->iprev, &listener);
	vetting->open += vetting->iprev_lookup != NULL;
}

static void cancel_list(struct list_inquiry *inquiry)
{
	inquiry->vetting->open -= inquiry->lookup != NULL;
	lookup_cancel(inquiry->lookup);
	inquiry->lookup = NULL;
}

static void cancel_iprev(struct vetting *vetting)
{
	vetting->open -= vetting->iprev_lookup != NULL;
	lookup_cancel(vetting->iprev_lookup);
	vetting->iprev_lookup = NULL;
}

/* Those of clients, or of domains, are asked anew; what was known of them is forgotten. */
static void forget_lists(struct vetting *vetting, bool of_domains)
{
	for (size_t i = 0; i < vetting->settings->list_count; i++) {
		struct list_inquiry *inquiry = &vetting->lists[i];

		if (vetting->settings->lists[i].of_domains != of_domains)
			continue;
		cancel_list(inquiry);
		inquiry->list = (struct dns_list){ 0 };
	}
}

/* -- Events of the session ------------------------------------------------------------------ */

static void meet_client(struct vetting *vetting, const struct session *session)
{
	const struct vetting_settings *settings = vetting->settings;
	const struct endpoint *client = &session_peer(session)->client;

	forget_lists(vetting, false);
	cancel_iprev(vetting);
	vetting->iprev = (struct iprev){ 0 };
	vetting->iprev_known = false;
	arena_reset(vetting->client_arena);
	if (!vetting_concerns(session) || vetting->inbound->dns == NULL ||
	    (client->family != ENDPOINT_IP4 && client->family != ENDPOINT_IP6))
		return;
	for (size_t i = 0; i < settings->list_count; i++) {
		if (settings->lists[i].of_domains)
			continue;
		dns_list_start_address(&vetting->lists[i].list, &settings->lists[i], client, vetting->client_arena);
		begin_list(&vetting->lists[i]);
	}
	if (settings->reverse != VETTING_REVERSE_NO)
		begin_iprev(vetting, client);
	loop_timer_set(vetting->patience, VETTING_PATIENCE_MS);
}

static void meet_sender(struct vetting *vetting, const struct session *session, const struct address *sender)
{
	const struct vetting_settings *settings = vetting->settings;
	const bool is_literal = sender->domain.length == 0 || sender->domain.bytes[0] == '[';

	forget_lists(vetting, true);
	arena_reset(vetting->sender_arena);
	/* Without memory it is as if nobody sent it. */
	if (!arena_copy(vetting->sender_arena, sender->local, &vetting->sender.local) ||
	    !arena_copy(vetting->sender_arena, sender->domain, &vetting->sender.domain))
		vetting->sender = (struct address){ 0 };
	if (is_literal || !vetting_concerns(session) || vetting->inbound->dns == NULL || !text_is_ascii(sender->domain))
		return;
	for (size_t i = 0; i < settings->list_count; i++) {
		if (!settings->lists[i].of_domains)
			continue;
		dns_list_start_domain(&vetting->lists[i].list, &settings->lists[i], sender->domain, vetting->sender_arena);
		begin_list(&vetting->lists[i]);
	}
	if (vetting->open > 0)
		loop_timer_set(vetting->patience, VETTING_PATIENCE_MS);
}

static void answer_if_known(struct vetting *vetting)
{
	if (vetting->open > 0 || !vetting->asked)
		return;
	vetting->asked = false;
	connection_judged(vetting->connection, vetting_verdict(vetting, vetting->session, vetting->recipient));
}

static void ran_out_of_patience(void *context)
{
	struct vetting *vetting = context;

	for (size_t i = 0; i < vetting->settings->list_count; i++) {
		if (vetting->lists[i].lookup != NULL && vetting->lists[i].list.result == DNS_LIST_CLEAR)
			report_failure(vetting, i);
		cancel_list(&vetting->lists[i]);
	}
	cancel_iprev(vetting);
	answer_if_known(vetting);
}

static bool is_postmaster(const struct address *recipient)
{
	return text_equal_nocase(recipient->local, TEXT("postmaster"));
}

struct verdict vetting_judge(
    struct vetting *vetting, const struct session *session, const struct session_action *question)
{
	switch (question->question) {
	case SESSION_OF_CLIENT:
		meet_client(vetting, session);
		break;
	case SESSION_OF_SENDER:
		meet_sender(vetting, session, question->sender);
		break;
	case SESSION_OF_RECIPIENT:
		if (!vetting_concerns(session) || (vetting->settings->spare_postmaster && is_postmaster(question->recipient)))
			break;
		if (vetting->open == 0)
			return vetting_verdict(vetting, session, question->recipient);
		vetting->asked = true;
		vetting->session = session;
		vetting->recipient = question->recipient;
		return (struct verdict){ 0 };
	case SESSION_OF_HANDSHAKE:
	case SESSION_OF_MESSAGE:
		break;
	}
	return VERDICT(250, 2, 0, 0, "Ok");
}

/* -- Settings -------------------------------------------------------------------------------- */

static bool copy_list(const struct dns_list_settings *from, struct arena *arena, struct dns_list_settings *out_list)
{
	struct network *replies = arena_array(arena, from->reply_count + 1, sizeof *replies);

	if (replies == NULL)
		return false;
	for (size_t i = 0; i < from->reply_count; i++)
		replies[i] = from->replies[i];
	*out_list = *from;
	out_list->replies = replies;
	return arena_copy(arena, from->zone, &out_list->zone);
}

bool vetting_settings_copy(
    const struct vetting_settings *from, struct arena *arena, struct vetting_settings *out_settings)
{
	struct dns_list_settings *lists = arena_array(arena, from->list_count + 1, sizeof *lists);
	struct text *names = arena_array(arena, from->own_name_count + 1, sizeof *names);

	if (lists == NULL || names == NULL)
		return false;
	for (size_t i = 0; i < from->list_count; i++)
		if (!copy_list(&from->lists[i], arena, &lists[i]))
			return false;
	for (size_t i = 0; i < from->own_name_count; i++)
		if (!arena_copy(arena, from->own_names[i], &names[i]))
			return false;
	*out_settings = *from;
	out_settings->lists = lists;
	out_settings->own_names = names;
	return true;
}

/* -- Life ---------------------------------------------------------------------------------- */

static bool wants_anything(const struct vetting_settings *settings)
{
	return settings->list_count > 0 || settings->reverse != VETTING_REVERSE_NO || settings->require_helo_name ||
	    settings->own_name_count > 0 || settings->greylist.delay_ms > 0;
}

struct vetting *vetting_new(
    struct inbound *inbound, struct connection *connection, const struct inbound_snapshot *snapshot)
{
	const struct vetting_settings *settings = &snapshot->vetting;
	struct vetting *vetting = wants_anything(settings)
	    ? calloc(1, sizeof *vetting + settings->list_count * sizeof vetting->lists[0])
	    : NULL;

	if (vetting == NULL)
		return NULL;
	vetting->inbound = inbound;
	vetting->connection = connection;
	vetting->snapshot = snapshot;
	vetting->settings = settings;
	vetting->client_arena = arena_new(CLIENT_BYTES_MAX);
	vetting->sender_arena = arena_new(SENDER_BYTES_MAX);
	vetting->patience = loop_timer_new(inbound->wiring.loop, ran_out_of_patience, vetting);
	for (size_t i = 0; i < settings->list_count; i++)
		vetting->lists[i].vetting = vetting;
	if (vetting->client_arena != NULL && vetting->sender_arena != NULL && vetting->patience != NULL)
		return vetting;
	vetting_free(vetting);
	return NULL;
}

void vetting_free(struct vetting *vetting)
{
	if (vetting == NULL)
		return;
	for (size_t i = 0; i < vetting->settings->list_count; i++)
		cancel_list(&vetting->lists[i]);
	cancel_iprev(vetting);
	if (vetting->patience != NULL)
		loop_timer_free(vetting->patience);
	arena_free(vetting->client_arena);
	arena_free(vetting->sender_arena);
	free(vetting);
}

const struct iprev *vetting_iprev(const struct vetting *vetting)
{
	return vetting != NULL && vetting->iprev_known ? &vetting->iprev : NULL;
}

struct text vetting_client_name(const struct vetting *vetting)
{
	const struct iprev *iprev = vetting_iprev(vetting);

	return iprev != NULL ? iprev_name(iprev) : TEXT_EMPTY;
}
