/* The inside of the reporter.
 *
 * reports.c    rounds: which sets are due, a few at a time
 * errand.c     one set: who wants it, the report, and how it leaves
 * letter.c     the report as a message of ours
 * tls.c        what a report of TLS is
 * dmarc.c      what a report of DMARC is; dmarc_places.h says who gets one */
#ifndef REPORTS_REPORTS_PRIVATE_H
#define REPORTS_REPORTS_PRIVATE_H

#include "dsn/report_mail.h"
#include "dsn/report_place.h"
#include "reports/reports.h"

enum {
	PLACES_MAX = 8,
	ERRAND_ARENA_BYTES = 64 << 20, /* A cap: TALLY_ROWS_MAX rows, read and composed. */
	REPORT_BYTES_MAX = 32 << 20,   /* Before it is packed, */
	PACKED_BYTES_MAX = 8 << 20     /* and after. */
};

/* -- What a kind of report is ------------------------------------------------------- */

/* Who wants a report: questions about TXT records, one after another. */
struct lookup {
	struct arena *arena;
	const struct tally_set *set;
	struct text question;          /* The name to ask for; empty: `places` is the answer. */
	struct report_place places[PLACES_MAX];
	size_t place_count;            /* 0: nobody. */
	void *state;                   /* Of the kind. */
};

/* The report of a set, and what it consists of. Borrows all. */
struct day_report {
	const struct reports_settings *settings;
	const struct tally_listed *listed;
	const struct tally_row *rows;
	size_t row_count;
	struct text organization;      /* Not empty. */
	struct text id;                /* The same whenever the same set is reported. */
	int64_t start_ms, end_ms;      /* Unix time, whole seconds: the first and the last. */
	struct arena *arena;
};

struct report_kind {
	enum tally_kind kind;
	const char *word;              /* For the log. */
	bool (*is_on)(const struct reports_settings *settings);

	/* The first question. False: no memory. */
	bool (*ask)(struct lookup *lookup);
	/* The records that were found, perhaps none, or that there is no answer now: the next question, or the places. ERR_TIMEOUT: who
	 * wants it is not to be known now; ERR_NO_MEMORY. */
	enum error (*answer)(struct lookup *lookup, const struct text *records, size_t count, bool failed);

	/* The report before it is packed. False: no memory. */
	bool (*compose)(const struct day_report *report, struct buffer *out);
	const char *media_type, *suffix; /* Of what is packed, and of a file's name. */
	bool tls_waived;               /* It arrives even where TLS with its receiver fails. */

	/* What the message around it says that those of the other kind do not. False: no memory. */
	bool (*dress)(const struct day_report *report, struct report_mail *mail);
};
extern const struct report_kind report_kind_tls, report_kind_dmarc;

/* -- Rounds ---------------------------------------------------------------------------- */

struct round {
	bool under_way;
	uint32_t first, last;          /* Days. */
	bool ordered;                  /* By reports_send: everything is due. */
	size_t kind;
	struct tally_set after;        /* Where the listing has come; its domain is in `room`. */
	bool begun;
	char room[ADDRESS_DOMAIN_MAX];
	struct arena *arena;           /* Of the page. */
	struct tally_listed *page;
	size_t page_count, page_at;
	int64_t from_ms, now_ms;       /* What became due since then until now. */
	struct reports_sum sum;
	reports_sent *sent;
	void *context;
};

struct reports {
	struct reports_parts parts;
	struct reports_settings settings;
	struct dns *dns;
	struct signing_keys *signing;
	struct loop_timer *timer;
	int64_t looked_ms;             /* Unix time of the last look; 0: none yet. */
	struct round round;
	struct errand *errands;        /* utlist */
	unsigned errand_count;
};

int64_t reports_now_ms(const struct reports *reports);

/* -- Errands ----------------------------------------------------------------------------- */

enum errand_end { ERRAND_SENT, ERRAND_UNWANTED, ERRAND_GIVEN_UP, ERRAND_LATER };

struct errand {
	struct errand *prev, *next;
	struct reports *reports;
	const struct report_kind *kind;
	struct arena *arena;
	struct tally_listed listed;
	struct lookup lookup;
	struct dns_query *query;
	struct web_request *request;
	size_t web_place;              /* The next to be tried. */
	struct text id;
	struct buffer packed;
	struct event event;            /* What is told when the change is durable, */
	struct event generated;        /* and of a message; its kind counts if its id is not 0. */
	enum errand_end end;           /* If the change is durable. */
	struct text trouble;           /* Why not. */
};

/* Copies what it needs of `listed`. False: no memory. */
[[nodiscard]] bool errand_begin(
    struct reports *reports, const struct report_kind *kind, const struct tally_listed *listed);
void errand_free(struct errand *errand);

/* reports.c: the errand is over, and freed. */
void reports_errand_ended(struct reports *reports, enum errand_end end);

/* letter.c: put the message to the places that are addresses into the change; fills errand->generated. False: no memory. */
[[nodiscard]] bool letter_put(struct errand *errand, const struct day_report *report, struct spool_change *change);

#endif
