#include "auth/dns_list.h"

#include "auth/domain.h"
#include "base/must.h"

static void start(struct dns_list *list, const struct dns_list_settings *settings, struct text subject, struct arena *arena)
{
	*list = (struct dns_list){ .settings = settings, .arena = arena };
	if (!arena_print(arena, &list->name, "%.*s.%.*s", TEXT_FORMAT(subject), TEXT_FORMAT(settings->zone)))
		list->result = DNS_LIST_FAILED;
}

/* RFC 5782 §2.1 and §2.4: the octets or nibbles backwards, as in the reverse tree. */
void dns_list_start_address(
    struct dns_list *list, const struct dns_list_settings *settings, const struct endpoint *client, struct arena *arena)
{
	static const struct text ip4_tree = TEXT(".in-addr.arpa"), ip6_tree = TEXT(".ip6.arpa");
	const bool is_ip6 = client->family == ENDPOINT_IP6;
	struct text reverse;

	must(!settings->of_domains && (is_ip6 || client->family == ENDPOINT_IP4));
	*list = (struct dns_list){ .settings = settings, .arena = arena, .result = DNS_LIST_FAILED };
	if (!domain_of_address(client->ip, is_ip6, arena, &reverse))
		return;
	must(text_ends(reverse, is_ip6 ? ip6_tree : ip4_tree));
	start(list, settings, text_part(reverse, 0, reverse.length - (is_ip6 ? ip6_tree : ip4_tree).length), arena);
}

void dns_list_start_domain(
    struct dns_list *list, const struct dns_list_settings *settings, struct text domain, struct arena *arena)
{
	must(settings->of_domains);
	start(list, settings, domain_without_dot(domain), arena);
}

bool dns_list_question(const struct dns_list *list, struct question *out_question)
{
	const bool wants_reason =
	    list->result == DNS_LIST_LISTED && !list->settings->allows && !list->asked_reason;

	if (list->result == DNS_LIST_FAILED || (list->asked_entry && !wants_reason))
		return false;
	*out_question = (struct question){ list->asked_entry ? QUESTION_TXT : QUESTION_A, list->name };
	return true;
}

/* L2 */
static void take_reason(struct dns_list *list, const struct answer *answer)
{
	const struct text said = answer->count > 0 ? text_part(answer->records[0].text, 0, DNS_LIST_REASON_MAX) : TEXT_EMPTY;
	char *shown = arena_alloc(list->arena, said.length + 1);

	if (shown == NULL)
		return;
	for (size_t i = 0; i < said.length; i++)
		shown[i] = said.bytes[i] >= ' ' && said.bytes[i] <= '~' ? said.bytes[i] : '?';
	list->reason = text_trim((struct text){ shown, said.length });
}

/* L1 */
static enum dns_list_result result_of(const struct dns_list *list, const struct answer *answer)
{
	if (answer->status == ANSWER_FAILED)
		return DNS_LIST_FAILED;
	for (size_t i = 0; i < answer->count; i++)
		if (network_any_holds(list->settings->replies, list->settings->reply_count, &answer->records[i].address))
			return DNS_LIST_LISTED;
	return answer->count > 0 ? DNS_LIST_FAILED : DNS_LIST_CLEAR;
}

void dns_list_answer(struct dns_list *list, const struct answer *answer)
{
	if (list->asked_entry) {
		list->asked_reason = true;
		take_reason(list, answer);
		return;
	}
	list->asked_entry = true;
	list->result = result_of(list, answer);
}
