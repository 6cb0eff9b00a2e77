#include "target.h"

#include "conf/users.h"

/* The first line is a name, the rest a file. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	const enum users_edit edit = (enum users_edit)(choice % 3);
	struct text file = input, name = TEXT_EMPTY;
	struct buffer once, twice;

	(void)text_cut(&file, '\n', &name);
	if (!users_name_is_valid(name, arena))
		return;
	buffer_init(&once, 1 << 20);
	buffer_init(&twice, 1 << 20);
	/* Who was added is there, and who was removed is not. */
	if (users_edit(file, edit, name, TEXT("{PLAIN}x"), &once) == OK)
		must(users_edit(buffer_text(&once), USERS_ADD, name, TEXT("y"), &twice) == (edit == USERS_REMOVE ? OK : ERR_EXISTS));
	buffer_done(&once);
	buffer_done(&twice);
}
