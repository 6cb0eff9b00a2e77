/* Which messages and recipients a request means. */
#include <sysexits.h>

#include "admin/admin_private.h"
#include "base/must.h"

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

json_t *admin_filter_read(const json_t *request, struct admin_filter *out_filter)
{
	const struct {
		const char *key;
		struct text *place;
	} members[] = {
		{ "sender", &out_filter->sender },
		{ "recipient", &out_filter->recipient },
		{ "domain", &out_filter->domain },
		{ "state", &out_filter->state },
		{ "id", &out_filter->id },
		{ "after", &out_filter->after },
	};
	json_t *failure = NULL;

	*out_filter = (struct admin_filter){ 0 };
	for (size_t i = 0; failure == NULL && i < sizeof members / sizeof members[0]; i++)
		failure = read_member(request, members[i].key, members[i].place);
	if (failure == NULL && out_filter->state.length > 0 && !text_equal(out_filter->state, TEXT("held")) &&
	    !text_equal(out_filter->state, TEXT("quarantined")) && !text_equal(out_filter->state, TEXT("waiting")))
		failure = admin_failure(EX_USAGE, "the state is \"held\", \"quarantined\" or \"waiting\"");
	return failure;
}

const char *admin_state(const struct recipient *recipient)
{
	if (!(recipient->flags & RECIPIENT_HELD))
		return "waiting";
	return recipient->flags & RECIPIENT_QUARANTINED ? "quarantined" : "held";
}

static bool address_is(const struct address *address, struct text wanted, struct arena *arena)
{
	struct text printed;

	if (wanted.length == 0)
		return true;
	if (text_equal(wanted, TEXT("<>")))
		return address_is_null(address);
	return address_print(address, arena, &printed) && text_equal_nocase(printed, wanted);
}

bool admin_filter_takes_recipient(
    const struct admin_filter *filter, const struct recipient *recipient, struct arena *arena)
{
	/* Who asks for what is held means what is quarantined, too. */
	const bool state_fits = text_equal(filter->state, text_of(admin_state(recipient))) ||
	    (recipient->flags & RECIPIENT_HELD && text_equal(filter->state, TEXT("held")));

	return address_is(&recipient->address, filter->recipient, arena) &&
	    (filter->domain.length == 0 || text_equal_nocase(filter->domain, recipient->address.domain)) &&
	    (filter->state.length == 0 || state_fits);
}

bool admin_filter_takes_message(const struct admin_filter *filter, const struct message *message, struct arena *arena)
{
	if (!address_is(&message->envelope.reverse_path, filter->sender, arena))
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
