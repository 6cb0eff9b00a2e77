/* A server's filter of TLS: a stranger's bytes alone, or a real client's flights with his bytes laid over them. */
#include "target.h"

#include <stdio.h>
#include <stdlib.h>

#include "tls/test_certificate.h"
#include "tls/tls.h"

enum { WIRE_MAX = 1 << 20, FLIGHTS_MAX = 8, FLIGHT_BYTES_MAX = 1 << 16 };

struct side {
	struct stream_filter *filter;
	struct buffer plain, wire;
	enum error error;
};

static struct tls_server *server;
static struct tls_client *client;

static void make_both(struct arena *arena)
{
	char folder[64], certificate[128], key[128];
	struct text complaint = TEXT_EMPTY;

	test_folder_make(folder);
	test_certificate_write(folder, "ec", NULL, &(struct test_certificate){ "DNS:mx.test", "mx", false }, certificate, key);
	const struct text certificates[] = { text_of(certificate) }, keys[] = { text_of(key) };
	const struct tls_server_settings settings = { certificates, keys, 1, certificate };

	must(tls_server_new(&settings, arena, &server, &complaint) == OK);
	must(tls_client_new(certificate, arena, &client, &complaint) == OK);
	test_folder_remove(folder);
}

static void take(struct side *side, struct text bytes)
{
	if (side->error == OK)
		side->error = side->filter->calls->received(side->filter, bytes, &side->plain, &side->wire);
	must(side->filter->ready || side->plain.length == 0); /* F2 */
}

static void side_begin(struct side *side, struct stream_filter *filter)
{
	must(filter != NULL);
	*side = (struct side){ .filter = filter };
	buffer_init(&side->plain, WIRE_MAX);
	buffer_init(&side->wire, WIRE_MAX);
	take(side, TEXT_EMPTY);
}

static void side_end(struct side *side)
{
	side->filter->calls->free(side->filter);
	buffer_done(&side->plain);
	buffer_done(&side->wire);
}

/* The flight that `choice` names is changed, the others go as they are. */
static void carry_flight(struct side *from, struct side *to, struct text over, bool changed)
{
	static char flight[FLIGHT_BYTES_MAX];
	struct text bytes = buffer_text(&from->wire);

	must(bytes.length <= sizeof flight);
	if (bytes.length > 0)
		memcpy(flight, bytes.bytes, bytes.length);
	for (size_t i = 0; changed && i < over.length && i < bytes.length; i++)
		flight[i] ^= over.bytes[i];
	bytes = (struct text){ flight, bytes.length };
	buffer_clear(&from->wire);
	take(to, bytes);
}

void target(struct text input, unsigned choice, struct arena *arena)
{
	const struct tls_expectation expectation = { .host = TEXT("mx.test"), .verified = true };
	struct side ours, theirs;

	if (server == NULL)
		make_both(arena);
	side_begin(&ours, tls_server_filter(server));
	if (choice % 2 == 0) {
		const size_t cut = input.length * choice / 256;

		take(&ours, text_part(input, 0, cut));
		take(&ours, text_from(input, cut));
	} else {
		side_begin(&theirs, tls_client_filter(client, &expectation));
		for (unsigned flight = 0; flight < FLIGHTS_MAX; flight++) {
			carry_flight(&theirs, &ours, input, flight == choice / 2 % FLIGHTS_MAX);
			carry_flight(&ours, &theirs, input, choice >= 128 && flight == choice / 2 % FLIGHTS_MAX);
			if (theirs.filter->ready && theirs.error == OK)
				theirs.error = theirs.filter->calls->send(theirs.filter, TEXT("EHLO client.test\r\n"), &theirs.wire);
		}
		side_end(&theirs);
	}
	side_end(&ours);
}
