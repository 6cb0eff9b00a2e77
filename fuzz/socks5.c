#include "target.h"

#include "io/socks5.h"

/* A proxy that says what it likes, in pieces of up to eight bytes. */
void target(struct text input, unsigned choice, [[maybe_unused]] struct arena *arena)
{
	const struct socks5_login login = { TEXT("user"), TEXT("password") };
	const struct endpoint to = { .family = choice & 1 ? ENDPOINT_IP6 : ENDPOINT_IP4, .port = 25 };
	const size_t piece = 1 + (choice >> 2 & 7);
	struct socks5 socks5;

	socks5_begin(&socks5, &to, choice & 2 ? &login : NULL);
	while (input.length > 0 && socks5.state < SOCKS5_OPEN) {
		must(socks5.answer_length < SOCKS5_ANSWER_MAX);
		socks5_said(&socks5);
		const size_t taken = socks5_received(&socks5, text_part(input, 0, piece));

		must(taken <= piece);
		must(taken == text_part(input, 0, piece).length || socks5.state == SOCKS5_OPEN);
		must((socks5.state == SOCKS5_FAILED) == (socks5.fault != SOCKS5_NO_FAULT));
		must(socks5.state < SOCKS5_OPEN || socks5_say(&socks5).length == 0);
		if (taken == 0)
			break;
		input = text_from(input, taken);
	}
}
