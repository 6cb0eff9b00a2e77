#include "web/hand_in.h"

#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/arena.h"
#include "ctl/client.h"
#include "ctl/hand_over.h"

enum { PATIENCE_S = 300 };

static bool needs_utf8(const struct web_letter *letter)
{
	bool utf8 = !text_is_ascii(letter->sender);

	for (size_t i = 0; i < letter->recipient_count; i++)
		utf8 |= !text_is_ascii(letter->recipients[i].local) || !text_is_ascii(letter->recipients[i].domain);
	return utf8;
}

/* The code of what was said last: 250 when it is durable. */
static int converse(
    struct hand_over *over, const struct web_letter *letter, const struct web_claim *claim, struct arena *arena)
{
	struct text printed;
	int code = hand_over_reply(over);

	if (code == 220)
		code = hand_over_say(over, "EHLO %.*s\r\n", TEXT_FORMAT(letter->hostname));
	if (code == 250)
		code = hand_over_say(over, "MAIL FROM:<%.*s> BODY=8BITMIME%s%s%.*s%s%.*s%s%s%s%s\r\n", TEXT_FORMAT(letter->sender),
		    needs_utf8(letter) ? " SMTPUTF8" : "", letter->ret.length > 0 ? " RET=" : "", TEXT_FORMAT(letter->ret),
		    letter->envelope_id.length > 0 ? " ENVID=" : "", TEXT_FORMAT(letter->envelope_id), claim ? " XCLAIM=" : "", claim ? claim->key : "", claim ? "." : "",
		    claim ? claim->mark : "");
	for (size_t i = 0; code == 250 && i < letter->recipient_count; i++)
		code = address_print(&letter->recipients[i], arena, &printed)
		    ? hand_over_say(over, "RCPT TO:<%.*s>%s%.*s\r\n", TEXT_FORMAT(printed), letter->notify.length > 0 ? " NOTIFY=" : "",
		          TEXT_FORMAT(letter->notify))
		    : 0;
	if (code == 250)
		code = hand_over_say(over, "DATA\r\n");
	if (code == 354)
		code = hand_over_text(over, letter->message) ? hand_over_end(over) : 0;
	return code;
}

static int open_session(const char *control)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct ctl_client *client = NULL;
	const int fd = ctl_client_open(control, &client) == OK ? ctl_client_into_smtp(client) : -1;

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static const char *copy(struct arena *arena, struct text text)
{
	struct text copied;

	return arena_copy(arena, text, &copied) ? copied.bytes : "";
}

void web_find_claim(
    const char *control, const struct web_claim *claim, struct arena *arena, struct web_receipt *out_receipt)
{
	json_t *request = json_pack("{s:s, s:s}", "do", "claim", "key", claim->key), *answer = NULL;
	struct ctl_client *client = NULL;
	const char *id = NULL, *mark = "";

	if (request != NULL && ctl_client_open(control, &client) == OK)
		answer = ctl_client_ask(client, request);
	ctl_client_close(client);
	json_decref(request);
	*out_receipt = (struct web_receipt){ 0 };
	if (!json_is_true(json_object_get(answer, "ok")))
		*out_receipt = (struct web_receipt){ .status = 503, .words = "the server does not answer" };
	else if (json_unpack(answer, "{s:s, s:s}", "id", &id, "mark", &mark) == 0 && strcmp(mark, claim->mark) == 0)
		*out_receipt = (struct web_receipt){
			.status = 202, .words = "it was handed in before", .id = copy(arena, text_of(id)), .replayed = true };
	else if (id != NULL)
		*out_receipt = (struct web_receipt){ .status = 422, .words = "this Idempotency-Key was used for another message" };
	json_decref(answer);
}

/* What 554 said of a claim, if it was one. */
static void claimed(
    const char *control, const struct web_claim *claim, struct arena *arena, struct web_receipt *out_receipt)
{
	struct web_receipt before;

	web_find_claim(control, claim, arena, &before);
	if (before.status != 0)
		*out_receipt = before;
}

void web_hand_in(const char *control, const struct web_letter *letter, const struct web_claim *claim, struct arena *arena,
    struct web_receipt *out_receipt)
{
	struct hand_over over = { .fd = open_session(control) };
	const int code = over.fd >= 0 ? converse(&over, letter, claim, arena) : 0;
	const struct text reply = text_of(over.reply), queued = TEXT("queued as ");
	const size_t at = text_find(reply, queued);

	*out_receipt = (struct web_receipt){ .status = code == 250 ? 202 : code / 100 == 5 ? 422 : 503 };
	out_receipt->words = code != 0 ? copy(arena, reply)
	                               : "the server does not answer, and nobody knows whether it has the message";
	if (over.fd < 0)
		out_receipt->words = "the server does not answer";
	if (code == 250)
		out_receipt->id = copy(arena, at < reply.length ? text_from(reply, at + queued.length) : TEXT_EMPTY);
	if (over.fd < 0)
		return;
	(void)!hand_over_put(&over, TEXT("QUIT\r\n"));
	close(over.fd);
	/* Somebody was faster, with the same key. */
	if (code == 554 && claim != NULL)
		claimed(control, claim, arena, out_receipt);
}
