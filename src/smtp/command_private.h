/* Shared by command.c and command_parameters.c only. */
#ifndef SMTP_COMMAND_PRIVATE_H
#define SMTP_COMMAND_PRIVATE_H

#include "smtp/command.h"

/* Everything a parameter may need and fill. */
struct command_parsing {
	struct command *command; /* Its mail, rcpt or xclient part is filled, its fault set. */
	struct arena *arena;
	bool allow_utf8;
};

/* The parameters behind the path: " SIZE=1000 BODY=8BITMIME". Sets the fault of the
 * command when they are wrong. Call only for MAIL, RCPT and XCLIENT. */
void command_parse_parameters(struct command_parsing *parsing, struct text rest);

#endif
