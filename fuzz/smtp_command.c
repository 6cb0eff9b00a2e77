#include "target.h"

#include "smtp/command.h"

void target(struct text input, unsigned choice, struct arena *arena)
{
	struct command command;

	command_parse(input, choice & 1, arena, &command);
	must(command.fault.code == 0 || command.fault.code >= 400);
	if (command.fault.code == 0 && command.verb == COMMAND_RCPT)
		must(!address_is_null(&command.rcpt.forward_path));
}
