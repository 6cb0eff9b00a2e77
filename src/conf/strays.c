#include "conf/strays.h"

bool conf_knows_its_users(const struct conf *conf)
{
	return conf->auth.dovecot.length == 0 && conf->xclient_from_count == 0;
}

static struct text local_part(struct text name)
{
	return text_part(name, 0, text_find_byte_last(name, '@'));
}

/* Sections are few, so each looks at all names. Its own, or the one that is most like it; NULL: there is none. */
static const struct text *find(struct text title, const struct text *names, size_t name_count)
{
	const struct text *like = NULL;

	for (size_t i = 0; i < name_count; i++) {
		if (text_equal_nocase(names[i], title))
			return &names[i];
		if (like == NULL && text_equal_nocase(local_part(names[i]), local_part(title)))
			like = &names[i];
	}
	return like;
}

static void complain(const struct conf *conf, const struct conf_user *user, const struct text *like, struct buffer *complaints)
{
	const char *users = conf->users[0] != '\0' ? conf->users : "the accounts of the system";

	(void)!buffer_print(complaints, "%s:%d: user \"%.*s\" is not among %s ", conf->path, user->line, TEXT_FORMAT(user->name), users);
	if (like != NULL)
		(void)!buffer_print(complaints, "(hint: there it is \"%.*s\")\n", TEXT_FORMAT(*like));
	else
		(void)!buffer_print(complaints, "(hint: postroad user add, or take the section out)\n");
}

bool conf_users_exist(const struct conf *conf, const struct text *names, size_t name_count, struct buffer *complaints)
{
	bool exist = true;

	for (size_t i = 0; i < conf->named_user_count; i++) {
		const struct conf_user *user = &conf->named_users[i];
		const struct text *found = find(user->name, names, name_count);

		if (found != NULL && text_equal_nocase(*found, user->name))
			continue;
		complain(conf, user, found, complaints);
		exist = false;
	}
	return exist;
}
