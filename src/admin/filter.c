/* Which messages and recipients a request means. */
#include <sysexits.h>

#include "admin/admin_private.h"
#include "base/clock.h"
#include "base/must.h"
#include "conf/value.h"

/* A filter that is there but empty is a variable that a script forgot to set: it must not come to mean
 * the whole queue. */
static json_t *read_member(const json_t *request, const char *key, struct text *out_text)
{
	const json_t *member = json_object_get(request, key);

	if (member != NULL && !json_is_null(member) && json_string_length(member) == 0)
		return admin_failure(EX_USAGE, "\"%s\" is given without a value", key);
	*out_text = admin_member(request, key);
	return NULL;
}

static bool is_state(struct text word)
{
	static const char *const states[] = { "waiting", "held", "paused", "quarantined" };
	size_t i = 0;

	while (i < sizeof states / sizeof states[0] && !text_equal(word, text_of(states[i])))
		i++;
	return i < sizeof states / sizeof states[0];
}

static json_t *read_age(struct admin_filter *filter)
{
	uint64_t age_ms;

	if (!value_duration(filter->older, &age_ms))
		return admin_failure(EX_USAGE, "%.*s is not a duration like 30m, 2h or 3d", TEXT_FORMAT(filter->older));
	filter->arrived_until_ms = clock_unix_ms() - (int64_t)age_ms;
	return NULL;
}

json_t *admin_filter_read(const json_t *request, struct admin_filter *out_filter)
{
	const struct {
		const char *key;
		struct text *place;
	} members[] = {
		{ "sender", &out_filter->sender },
		{ "recipient", &out_filter->recipient },
		{ "domain", &out_filter->domain },
		{ "user", &out_filter->user },
		{ "host", &out_filter->host },
		{ "error", &out_filter->error },
		{ "older", &out_filter->older },
		{ "state", &out_filter->state },
		{ "id", &out_filter->id },
		{ "after", &out_filter->after },
	};
	json_t *failure = NULL;

	*out_filter = (struct admin_filter){ 0 };
	for (size_t i = 0; failure == NULL && i < sizeof members / sizeof members[0]; i++)
		failure = read_member(request, members[i].key, members[i].place);
	if (failure == NULL && out_filter->state.length > 0 && !is_state(out_filter->state))
		failure = admin_failure(EX_USAGE, "the state is \"waiting\", \"held\", \"paused\" or \"quarantined\"");
	if (failure == NULL && out_filter->older.length > 0)
		failure = read_age(out_filter);
	return failure;
}

const char *admin_state(const struct recipient *recipient)
{
	if (!(recipient->flags & RECIPIENT_HELD))
		return "waiting";
	if (recipient->flags & RECIPIENT_QUARANTINED)
		return "quarantined";
	return recipient->flags & RECIPIENT_PAUSED ? "paused" : "held";
}

static bool address_is(const struct address *address, struct text wanted, struct arena *arena)
{
	struct text printed;

	if (wanted.length == 0)
		return true;
	if (text_equal(wanted, TEXT("<>")))
		return address_is_null(address);
	if (wanted.bytes[0] == '@')
		return text_equal_nocase(text_from(wanted, 1), address->domain);
	return address_print(address, arena, &printed) && text_equal_nocase(printed, wanted);
}

/* Without case. An empty part is everywhere. */
static bool holds(struct text whole, struct text part)
{
	for (size_t at = 0; at + part.length <= whole.length; at++)
		if (text_equal_nocase(text_part(whole, at, part.length), part))
			return true;
	return false;
}

/* In the words in which it is shown. */
static bool answer_holds(const struct verdict *verdict, struct text part, struct arena *arena)
{
	struct text words;

	return verdict->code != 0 && admin_verdict_words(verdict, arena, &words) && holds(words, part);
}

bool admin_filter_takes_recipient(
    const struct admin_filter *filter, const struct recipient *recipient, struct arena *arena)
{
	/* Who asks for what is held means what is paused or quarantined, too. */
	const bool state_fits = text_equal(filter->state, text_of(admin_state(recipient))) ||
	    (recipient->flags & RECIPIENT_HELD && text_equal(filter->state, TEXT("held")));

	return address_is(&recipient->address, filter->recipient, arena) &&
	    (filter->domain.length == 0 || text_equal_nocase(filter->domain, recipient->address.domain)) &&
	    (filter->state.length == 0 || state_fits) && holds(recipient->last.host, filter->host) &&
	    (filter->error.length == 0 || answer_holds(&recipient->last, filter->error, arena));
}

bool admin_filter_takes_message(const struct admin_filter *filter, const struct message *message, struct arena *arena)
{
	const struct envelope *envelope = &message->envelope;

	if (!address_is(&envelope->reverse_path, filter->sender, arena) ||
	    (filter->user.length > 0 && !text_equal_nocase(filter->user, envelope->user)) ||
	    (filter->older.length > 0 && envelope->arrived_ms > filter->arrived_until_ms))
		return false;
	for (uint32_t i = 0; i < message->recipient_count; i++)
		if (admin_filter_takes_recipient(filter, &message->recipients[i], arena))
			return true;
	return false;
}

json_t *admin_page(struct spool *spool, const json_t *request, const struct admin_filter *filter, struct arena *arena,
    queue_id **out_ids, size_t *out_count, queue_id *out_next)
{
	const json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	const size_t max = limit <= 0 ? ADMIN_PAGE_DEFAULT : limit < ADMIN_PAGE_MAX ? (size_t)limit : ADMIN_PAGE_MAX;
	queue_id after = 0;

	if (filter->id.length > 0) {
		queue_id *only = arena_alloc(arena, sizeof *only);

		if (only == NULL || !queue_id_parse(filter->id, only))
			return admin_failure(EX_USAGE, "%.*s is not a queue ID", TEXT_FORMAT(filter->id));
		*out_ids = only;
		*out_count = 1;
		*out_next = 0;
		return NULL;
	}
	if (filter->after.length > 0 && !queue_id_parse(filter->after, &after))
		return admin_failure(EX_USAGE, "%.*s is not a queue ID", TEXT_FORMAT(filter->after));

	const enum error error = spool_list(spool, after, max, arena, out_ids, out_count);

	if (error != OK)
		return admin_failure(EX_IOERR, "the spool cannot be read: %s", error_text(error));
	*out_next = *out_count == max ? (*out_ids)[max - 1] : 0;
	return NULL;
}
