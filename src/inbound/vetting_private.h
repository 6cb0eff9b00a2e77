/* What the files of a vetting share; see vetting.h. */
#ifndef INBOUND_VETTING_PRIVATE_H
#define INBOUND_VETTING_PRIVATE_H

#include "inbound/inbound_private.h"
#include "lookup/lookup.h"

struct list_inquiry {
	struct vetting *vetting;
	struct dns_list list;    /* Not started: its settings are NULL. */
	struct lookup *lookup;   /* Under way, or NULL. */
};

struct vetting {
	struct inbound *inbound;
	struct connection *connection;
	const struct inbound_snapshot *snapshot;
	const struct vetting_settings *settings;
	struct arena *client_arena, *sender_arena; /* Of what is known of each. */
	struct loop_timer *patience;
	unsigned open;                 /* Look-ups under way. */
	bool asked;                    /* A recipient waits for them; */
	const struct session *session; /* then whose, */
	const struct address *recipient; /* and which. */
	struct address sender;         /* In the sender's arena. */
	struct iprev iprev;
	struct lookup *iprev_lookup;
	bool iprev_known;
	char words[512];               /* Of the last verdict. */
	struct list_inquiry lists[];   /* As many as the settings have. */
};

/* V2 */
bool vetting_concerns(const struct session *session);

/* What follows for this recipient from all that is known. Its text lives until the next one. */
struct verdict vetting_verdict(struct vetting *vetting, const struct session *session, const struct address *recipient);

#endif
