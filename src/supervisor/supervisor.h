/* The supervisor: binds the sockets, starts the roles, starts them again when they die,
 * reloads, stops. It reads no byte from the network.
 *
 *   V1  A role that dies is started again after a wait that doubles up to half a minute; a minute of
 *       life makes the wait short again.
 *   V2  A configuration that is wrong never replaces the one in force.
 *   V3  Sockets stay open while roles die, and while another program takes our place (upgrade): clients wait in the
 *       backlog instead of being refused.
 *   V4  Roles are of the program that the supervisor is: `PROGRAM role NAME LANES -c CONFIG`. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "conf/conf.h"

enum { SUPERVISOR_WEB_FILES = 3 };

/* What a supervisor works with: who wires gives it, so that this folder knows no role's inside. */
struct supervisor_settings {
	const char *program;     /* Its path: what stands there on an upgrade takes our place. */
	const char *config_path;
	unsigned lane_count;
	/* Reads the configuration; on failure prints the complaints and gives NULL. */
	struct conf *(*load)(const char *path);
	/* Makes the folders and files that the roles cannot make for themselves; else it says why. */
	bool (*prepare)(const struct conf *conf);
	/* What roles are not to open themselves. Give a descriptor, or -1: the text of the configuration; the names of the
	 * users, for mail; their passwords, for auth; */
	int (*text)(const struct conf *conf);
	int (*names)(const struct conf *conf);
	int (*passwords)(const struct conf *conf);
	int (*keys)(const struct conf *conf); /* of tokens, for auth; */
	int (*signing)(const struct conf *conf); /* the private keys that sign, for mail; */
	int (*owners)(const struct conf *conf); /* to whom mailboxes belong, for mailbox; */
	/* the files that the configuration names, for mail, and how many they are. */
	size_t (*files)(const struct conf *conf, int out_fds[CONF_FILES_MAX]);
	/* certificate, key and tokens for web, -1 for what there is not. */
	void (*web_files)(const struct conf *conf, int out_fds[SUPERVISOR_WEB_FILES]);
	/* What certificates, keys and authorities look like from outside, and whether they can be used: else it says why. */
	uint64_t (*look)(const struct conf *conf);
	bool (*tls_is_right)(const struct conf *conf);
};

/* Until it is stopped, or cannot start. Returns an exit code of sysexits(3). Takes conf. */
int supervisor_run(const struct supervisor_settings *settings, struct conf *conf);

#endif
