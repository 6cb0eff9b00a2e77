/* What follows from what a vetting has found, and how it is said. */
#include <stdio.h>

#include "inbound/vetting_private.h"

#define YES VERDICT(250, 2, 0, 0, "Ok")

bool vetting_concerns(const struct session *session)
{
	return session_peer(session)->role == SESSION_MX && !session_is_trusted(session);
}

/* -- Lists -------------------------------------------------------------------------------- */

static bool is_allowed(const struct vetting *vetting)
{
	for (size_t i = 0; i < vetting->settings->list_count; i++)
		if (vetting->settings->lists[i].allows && vetting->lists[i].list.result == DNS_LIST_LISTED)
			return true;
	return false;
}

/* The first list names the reason: all of them would make a long line. */
static struct verdict judge_lists(struct vetting *vetting)
{
	const struct dns_list *first = NULL;
	struct verdict verdict = VERDICT(554, 5, 7, 1, "");
	unsigned weight = 0;

	for (size_t i = 0; i < vetting->settings->list_count; i++) {
		const struct dns_list *list = &vetting->lists[i].list;

		if (list->result != DNS_LIST_LISTED || list->settings->allows)
			continue;
		weight += list->settings->weight;
		first = first ? first : list;
	}
	if (first == NULL || weight < vetting->settings->block_at)
		return YES;
	snprintf(vetting->words, sizeof vetting->words, "%s is listed by %.*s%s%.*s",
	    first->settings->of_domains ? "The domain of the sender" : "Your address", TEXT_FORMAT(first->settings->zone),
	    first->reason.length > 0 ? ": " : "", TEXT_FORMAT(first->reason));
	verdict.text = text_of(vetting->words);
	return verdict;
}

/* -- Reverse DNS (RFC 7372 §3.3) ------------------------------------------------------------- */

static struct verdict judge_name(const struct vetting *vetting)
{
	const enum vetting_reverse wanted = vetting->settings->reverse;
	const struct iprev *iprev = &vetting->iprev;

	if (wanted < VETTING_REVERSE_NAME || iprev->arena == NULL)
		return YES;
	const enum auth_result result = vetting->iprev_known ? iprev_result(iprev) : AUTH_TEMPERROR;

	if (result == AUTH_PASS || (wanted == VETTING_REVERSE_NAME && iprev->count > 0))
		return YES;
	if (result == AUTH_TEMPERROR)
		return VERDICT(451, 4, 7, 25, "The name of your address cannot be looked up now, try again later");
	return result == AUTH_FAIL ? VERDICT(550, 5, 7, 25, "The name of your address does not lead back to it")
				   : VERDICT(550, 5, 7, 25, "Your address has no name in the DNS");
}

/* -- The greeting ------------------------------------------------------------------------------ */

static bool is_proper(struct text helo)
{
	return address_domain_valid(helo, false) && (helo.bytes[0] == '[' || text_find_byte(helo, '.') < helo.length);
}

static bool is_own(const struct vetting_settings *settings, struct text helo)
{
	struct endpoint address;

	for (size_t i = 0; i < settings->own_name_count; i++)
		if (text_equal_nocase(helo, settings->own_names[i]))
			return true;
	return settings->own_name_count > 0 &&
	    (text_equal_nocase(helo, TEXT("localhost")) || text_equal_nocase(helo, TEXT("localhost.localdomain")) ||
		(helo.bytes[0] == '[' && endpoint_parse_ip(helo, &address) && endpoint_is_loopback(&address)));
}

static struct verdict judge_greeting(const struct vetting *vetting, const struct session *session)
{
	const struct text helo = session_helo(session);

	if (is_own(vetting->settings, helo))
		return VERDICT(550, 5, 7, 1, "You greeted by a name of ours");
	if (vetting->settings->require_helo_name && !is_proper(helo))
		return VERDICT(550, 5, 7, 1, "You did not greet by the name of a host (RFC 5321 section 4.1.1.1)");
	return YES;
}

/* -- Mail that was not here before ---------------------------------------------------------------- */

static struct verdict judge_triple(
    struct vetting *vetting, const struct session *session, const struct address *recipient)
{
	const struct inbound_wiring *wiring = &vetting->inbound->wiring;
	const struct endpoint *client = &session_peer(session)->client;
	const struct greylist_triple triple = { client, &vetting->sender, recipient };

	if (wiring->greylist == NULL || (client->family != ENDPOINT_IP4 && client->family != ENDPOINT_IP6))
		return YES;
	const int64_t wait_ms =
	    greylist_ask(wiring->greylist, &vetting->settings->greylist, &triple, loop_unix_ms(wiring->loop));

	if (wait_ms == 0)
		return YES;
	if (wiring->counters != NULL)
		counters_add(wiring->counters, COUNTER_GREYLISTED, 1);
	snprintf(vetting->words, sizeof vetting->words, "Greylisted, come again in %lld s", (long long)(wait_ms + 999) / 1000);
	struct verdict verdict = VERDICT(451, 4, 7, 1, "");

	verdict.text = text_of(vetting->words);
	return verdict;
}

/* -- All of it ---------------------------------------------------------------------------------- */

/* A refusal for good counts more than one for now. */
struct verdict vetting_verdict(struct vetting *vetting, const struct session *session, const struct address *recipient)
{
	if (is_allowed(vetting))
		return YES;
	const struct verdict verdicts[] = { judge_greeting(vetting, session), judge_lists(vetting), judge_name(vetting) };

	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
		if (!verdict_is_success(&verdicts[i]))
			return verdicts[i];
	return judge_triple(vetting, session, recipient); /* Last: who is refused anyhow is not remembered. */
}
