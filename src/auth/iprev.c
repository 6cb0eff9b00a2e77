#include "auth/iprev.h"

#include "auth/domain.h"
#include "base/must.h"

void iprev_start(struct iprev *iprev, const struct endpoint *client, struct arena *arena)
{
	must(client->family == ENDPOINT_IP4 || client->family == ENDPOINT_IP6);
	*iprev = (struct iprev){ .arena = arena, .client = *client };
	iprev->client.port = 0;
	iprev->no_memory =
	    !domain_of_address(client->ip, client->family == ENDPOINT_IP6, arena, &iprev->reverse);
}

bool iprev_question(const struct iprev *iprev, struct question *out_question)
{
	if (iprev->no_memory || (iprev->asked_reverse && iprev->next == iprev->count))
		return false;
	if (!iprev->asked_reverse)
		*out_question = (struct question){ QUESTION_PTR, iprev->reverse };
	else
		*out_question =
		    (struct question){ iprev->client.family == ENDPOINT_IP6 ? QUESTION_AAAA : QUESTION_A,
			    iprev->names[iprev->next] };
	return true;
}

static void take_names(struct iprev *iprev, const struct answer *answer)
{
	for (size_t i = 0; i < answer->count && iprev->count < IPREV_NAMES_MAX; i++) {
		if (!arena_copy(iprev->arena, domain_without_dot(answer->records[i].text),
			&iprev->names[iprev->count])) {
			iprev->no_memory = true;
			return;
		}
		iprev->count++;
	}
}

void iprev_answer(struct iprev *iprev, const struct answer *answer)
{
	iprev->failed |= answer->status == ANSWER_FAILED;
	if (!iprev->asked_reverse) {
		iprev->asked_reverse = true;
		take_names(iprev, answer);
		return;
	}
	must(iprev->next < iprev->count);
	for (size_t i = 0; i < answer->count; i++)
		iprev->validated[iprev->next] |= endpoint_equal(&answer->records[i].address, &iprev->client);
	iprev->next++;
}

enum auth_result iprev_result(const struct iprev *iprev)
{
	if (iprev_name(iprev).length > 0)
		return AUTH_PASS;
	if (iprev->failed || iprev->no_memory)
		return AUTH_TEMPERROR;
	return iprev->count > 0 ? AUTH_FAIL : AUTH_PERMERROR;
}

struct text iprev_name(const struct iprev *iprev)
{
	for (size_t i = 0; i < iprev->count; i++)
		if (iprev->validated[i])
			return iprev->names[i];
	return TEXT_EMPTY;
}
