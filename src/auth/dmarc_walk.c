#include "auth/dmarc_walk.h"

#include "auth/domain.h"
#include "base/must.h"

enum { LABELS_MAX = 7 /* Where the walk goes on above a deeper start (§4.10, step 4). */ };

static void set_target(struct dmarc_walk *walk, struct text target)
{
	walk->target = target;
	if (target.length == 0)
		return;
	must(walk->asked < DMARC_QUERIES_MAX); /* T1 */
	if (!arena_print(walk->arena, &walk->name, "_dmarc.%.*s", TEXT_FORMAT(target))) {
		walk->failed = true;
		walk->target = TEXT_EMPTY;
	}
}

void dmarc_walk_start(struct dmarc_walk *walk, struct text domain, struct arena *arena)
{
	*walk = (struct dmarc_walk){ .arena = arena, .start = domain };
	set_target(walk, domain);
}

bool dmarc_walk_question(const struct dmarc_walk *walk, struct question *out_question)
{
	if (walk->target.length > 0)
		*out_question = (struct question){ QUESTION_TXT, walk->name };
	return walk->target.length > 0;
}

/* The one record among an answer's texts; two are as good as none. */
static bool pick_record(struct dmarc_walk *walk, const struct answer *answer)
{
	struct dmarc_found *found = &walk->found[walk->count];
	struct text text = TEXT_EMPTY;
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (dmarc_record_read(answer->records[i].text, &found->record)) {
			text = answer->records[i].text;
			count++;
		}
	}
	if (count > 1 && walk->asked == 1)
		walk->ambiguous = true;
	if (count != 1)
		return false;
	if (!arena_copy(walk->arena, text, &text)) {
		walk->failed = true;
		return false;
	}
	must(dmarc_record_read(text, &found->record));
	found->domain = walk->target;
	walk->count++;
	return true;
}

void dmarc_walk_answer(struct dmarc_walk *walk, const struct answer *answer)
{
	const bool at_start = walk->asked == 0;
	const size_t labels = domain_label_count(walk->target);

	must(walk->target.length > 0);
	walk->asked++;
	walk->failed |= answer->status == ANSWER_FAILED;
	const bool has_record = pick_record(walk, answer);
	const enum dmarc_psd psd = has_record ? walk->found[walk->count - 1].record.psd : DMARC_PSD_UNKNOWN;

	if (walk->failed || psd == DMARC_PSD_NO || (psd == DMARC_PSD_YES && !at_start))
		walk->target = TEXT_EMPTY;
	else
		set_target(walk,
		    at_start && labels > LABELS_MAX ? domain_suffix(walk->target, LABELS_MAX)
						    : domain_parent(walk->target));
}

struct text dmarc_walk_organization(const struct dmarc_walk *walk)
{
	must(walk->target.length == 0);
	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_found *found = &walk->found[i];

		if (found->record.psd == DMARC_PSD_NO)
			return found->domain;
		if (found->record.psd == DMARC_PSD_YES && found->domain.length < walk->start.length)
			return domain_suffix(walk->start, domain_label_count(found->domain) + 1);
	}
	return walk->count > 0 ? walk->found[walk->count - 1].domain : walk->start;
}
