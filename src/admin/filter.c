/* Which messages and recipients a request means. */
#include <sysexits.h>

#include "admin/admin_private.h"
#include "base/must.h"

struct admin_filter admin_filter_of(const json_t *request)
{
	return (struct admin_filter){
		.sender = admin_member(request, "sender"),
		.recipient = admin_member(request, "recipient"),
		.domain = admin_member(request, "domain"),
		.state = admin_member(request, "state"),
	};
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
	const struct text state = recipient->flags & RECIPIENT_HELD ? TEXT("held") : TEXT("waiting");

	return address_is(&recipient->address, filter->recipient, arena) &&
	    (filter->domain.length == 0 || text_equal_nocase(filter->domain, recipient->address.domain)) &&
	    (filter->state.length == 0 || text_equal(filter->state, state));
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

json_t *admin_page(struct spool *spool, const json_t *request, struct arena *arena, queue_id **out_ids,
    size_t *out_count, queue_id *out_next)
{
	const struct text id_text = admin_member(request, "id");
	const struct text after_text = admin_member(request, "after");
	const json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	const size_t max = limit > 0 && limit <= ADMIN_PAGE_MAX ? (size_t)limit : ADMIN_PAGE_DEFAULT;
	queue_id after = 0;

	if (id_text.length > 0) {
		queue_id *only = arena_alloc(arena, sizeof *only);

		if (only == NULL || !queue_id_parse(id_text, only))
			return admin_failure(EX_USAGE, "%.*s is not a queue ID", TEXT_FORMAT(id_text));
		*out_ids = only;
		*out_count = 1;
		*out_next = 0;
		return NULL;
	}
	if (after_text.length > 0 && !queue_id_parse(after_text, &after))
		return admin_failure(EX_USAGE, "%.*s is not a queue ID", TEXT_FORMAT(after_text));

	const enum error error = spool_list(spool, after, max, arena, out_ids, out_count);

	if (error != OK)
		return admin_failure(EX_IOERR, "the spool cannot be read: %s", error_text(error));
	*out_next = *out_count == max ? (*out_ids)[max - 1] : 0;
	return NULL;
}
