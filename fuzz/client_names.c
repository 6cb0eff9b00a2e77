#include "target.h"

#include "auth/dns_list.h"
#include "auth/iprev.h"

/* The input is what the DNS says where a client's name, and a list's reason, is asked for. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct answer_record records[2] = { { .text = input }, { .text = TEXT("host.test") } };
	struct answer answer = { .records = records, .count = 1 + choice % 2 };
	struct endpoint client;
	struct network replies;
	struct question question;
	struct iprev iprev;
	struct dns_list list;
	unsigned asked = 0;

	must(endpoint_parse_ip(choice & 1 ? TEXT("192.0.2.1") : TEXT("2001:db8::1"), &client));
	must(network_parse(TEXT("127.0.0.0/8"), &replies));
	iprev_start(&iprev, &client, arena);
	for (; iprev_question(&iprev, &question); asked++) {
		must(asked <= 2 * IPREV_NAMES_MAX + 1);
		records[0].address = choice & 2 ? client : (struct endpoint){ 0 };
		answer.status = (choice >> (2 + asked % 4) & 1) != 0 ? ANSWER_FOUND : ANSWER_FAILED;
		iprev_answer(&iprev, &answer);
	}
	must(iprev_result(&iprev) == AUTH_PASS || iprev_name(&iprev).length == 0);

	const struct dns_list_settings settings = { .zone = TEXT("list.test"), .of_domains = true, .weight = 1, .replies = &replies,
		.reply_count = 1 };

	dns_list_start_domain(&list, &settings, input, arena);
	for (asked = 0; dns_list_question(&list, &question); asked++) {
		must(asked < 2 && endpoint_parse_ip(TEXT("127.0.0.2"), &records[0].address));
		answer.status = ANSWER_FOUND;
		dns_list_answer(&list, &answer);
	}
	must(list.reason.length <= DNS_LIST_REASON_MAX && text_find_line_end(list.reason) == list.reason.length);
}
