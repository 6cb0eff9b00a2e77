#include "target.h"

#include "inbound/proxy_header.h"

/* Whatever a part of it says, the whole must not contradict. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	struct proxy_header part, whole;
	const enum proxy_answer early = proxy_header_read(text_part(input, 0, choice), &part);
	const enum proxy_answer answer = proxy_header_read(input, &whole);

	(void)arena;
	must(early == PROXY_MORE || early == answer);
	if (early == PROXY_CLIENT || early == PROXY_UNKNOWN)
		must(part.length == whole.length && endpoint_equal(&part.client, &whole.client));
	must(answer != PROXY_MORE || input.length < PROXY_HEADER_MAX);
}
