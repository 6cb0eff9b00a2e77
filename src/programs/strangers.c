#include "programs/strangers.h"

static const enum vetting_reverse reverses[] = { [CONF_REVERSE_NO] = VETTING_REVERSE_NO,
	[CONF_REVERSE_NOTE] = VETTING_REVERSE_NOTE,
	[CONF_REVERSE_NAME] = VETTING_REVERSE_NAME,
	[CONF_REVERSE_CONFIRMED] = VETTING_REVERSE_CONFIRMED };

static size_t fill_lists(const struct conf *conf, struct dns_list_settings *lists)
{
	for (size_t i = 0; lists != NULL && i < conf->list_count; i++)
		lists[i] = (struct dns_list_settings){ .zone = conf->lists[i].zone,
			.allows = conf->lists[i].allows,
			.of_domains = conf->lists[i].of_domains,
			.weight = conf->lists[i].weight,
			.replies = conf->lists[i].replies,
			.reply_count = conf->lists[i].reply_count };
	return lists != NULL ? conf->list_count : 0;
}

static size_t fill_names(const struct conf *conf, struct text *names)
{
	if (names == NULL || !conf->strangers.refuse_own_name)
		return 0;
	names[0] = conf->hostname;
	for (size_t i = 0; i < conf->domain_count; i++)
		names[i + 1] = conf->domains[i];
	return conf->domain_count + 1;
}

struct vetting_settings strangers_settings(const struct conf *conf, struct arena *arena)
{
	struct dns_list_settings *lists = arena_array(arena, conf->list_count + 1, sizeof *lists);
	struct text *names = arena_array(arena, conf->domain_count + 1, sizeof *names);

	return (struct vetting_settings){ .lists = lists,
		.list_count = fill_lists(conf, lists),
		.block_at = conf->strangers.block_at,
		.reverse = reverses[conf->strangers.reverse_dns],
		.require_helo_name = conf->strangers.require_helo_name,
		.spare_postmaster = conf->strangers.spare_postmaster,
		.greylist = { conf->greylist.delay_ms, conf->greylist.pass_count, conf->greylist.lifetime_ms },
		.own_names = names,
		.own_name_count = fill_names(conf, names) };
}
