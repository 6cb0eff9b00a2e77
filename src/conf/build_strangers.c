/* What is asked of clients that nobody knows. */
#include "conf/build_private.h"
#include "conf/part.h"
#include "mail/address.h"

enum { LISTS_MAX = 32 };

static void build_list(const struct part *part, bool allows, struct conf_list *list)
{
	struct text zone = part->title;

	if (zone.length > 0 && zone.bytes[zone.length - 1] == '.')
		zone.length--;
	list->allows = allows;
	list->zone = TEXT("");
	if (!address_domain_valid(zone, false) || zone.bytes[0] == '[' || !arena_copy(part->reading->arena, zone, &list->zone))
		reading_complain(part->reading, part->line, "%s \"%.*s\" is no domain (hint: like zen.spamhaus.org)", part->section,
		    TEXT_FORMAT(part->title));
	list->of_domains = part_word(part, "of") == 1;
	list->weight = allows ? 1 : (unsigned)part_quantity(part, "weight");
	list->replies = part_networks(part, "replies", &list->reply_count);
	if (list->reply_count == 0)
		reading_complain(part->reading, part_line(part, "replies"), "%s \"%.*s\" has no replies (hint: 127.0.0.0/16)",
		    part->section, TEXT_FORMAT(part->title));
}

static void build_lists(struct reading *reading, struct conf *conf)
{
	const unsigned block_count = part_count(reading, "block-list"), allow_count = part_count(reading, "allow-list");
	struct conf_list *lists = arena_array(reading->arena, block_count + allow_count + 1, sizeof *lists);

	conf->lists = lists;
	if (block_count + allow_count > LISTS_MAX)
		reading_complain(reading, 1, "too many lists (hint: at most %d)", LISTS_MAX);
	if (lists == NULL)
		reading_complain(reading, 1, "larger than any sensible configuration (hint: make it shorter)");
	for (unsigned i = 0; lists != NULL && i < block_count + allow_count; i++) {
		const bool allows = i >= block_count;
		const struct part part = allows ? part_nth(reading, "allow-list", i - block_count) : part_nth(reading, "block-list", i);

		build_list(&part, allows, &lists[conf->list_count++]);
	}
}

void conf_build_strangers(struct reading *reading, struct conf *conf)
{
	const struct part strangers = part_section(reading, "strangers");

	conf->strangers.block_at = (unsigned)part_quantity(&strangers, "block-at");
	conf->strangers.reverse_dns = (enum conf_reverse_dns)part_word(&strangers, "require-reverse-dns");
	conf->strangers.require_helo_name = part_bool(&strangers, "require-helo-name");
	conf->strangers.refuse_own_name = part_bool(&strangers, "refuse-own-name");
	conf->strangers.spare_postmaster = part_bool(&strangers, "spare-postmaster");

	const struct part greylist = part_section(reading, "greylist");

	conf->greylist.delay_ms = (int64_t)part_quantity(&greylist, "delay");
	conf->greylist.pass_count = (unsigned)part_quantity(&greylist, "pass-count");
	conf->greylist.lifetime_ms = (int64_t)part_quantity(&greylist, "lifetime");
	build_lists(reading, conf);
}
