#include "target.h"

#include "spool/records.h"

void target(struct text input, unsigned choice, struct arena *arena)
{
	struct envelope envelope;
	struct recipient recipient;
	uint32_t number;

	(void)(envelope_record_read(choice, input, arena, &envelope) == OK);
	(void)(envelope_record_next_index(input, &number) == OK);
	(void)(envelope_record_chunk_count(input, &number) == OK);
	(void)(recipient_record_view(input, &recipient) == OK);
	if (recipient_record_read(choice, input, arena, &recipient) == OK)
		must(recipient_record_size(&recipient) <= input.length);
}
