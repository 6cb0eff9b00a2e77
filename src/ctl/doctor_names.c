/* Those whom everybody may write to: postmaster (RFC 5321 §4.5.1) and abuse (RFC 2142), in each of our domains. */
#include "ctl/doctor.h"

/* Is there such a user, for this domain? */
static bool is_user(struct text names, struct text local, struct text domain)
{
	struct text line;

	while (text_cut(&names, '\n', &line)) {
		const size_t at = text_find_byte(line, '@');

		if (text_equal_nocase(text_part(line, 0, at), local) &&
		    (at == line.length || text_equal_nocase(text_from(line, at + 1), domain)))
			return true;
	}
	return false;
}

static const char *print_address(struct doctor *doctor, const struct address *address)
{
	return doctor_print(doctor, "%.*s@%.*s", TEXT_FORMAT(address->local), TEXT_FORMAT(address->domain));
}

/* Where it ends, an alias opened. False: nobody is told whom it is for, and why stands in *out_words. */
static bool follow(struct doctor *doctor, const struct address *address, bool expanded, const char **out_words)
{
	struct route_decision decision;

	if (router_decide(doctor->router, address, NULL, expanded, doctor->arena, &decision) != OK) {
		*out_words = "it cannot be decided where it goes";
		return false;
	}
	switch (decision.kind) {
	case ROUTE_EXPAND:
		for (size_t i = 0; i < decision.target_count; i++)
			if (follow(doctor, &decision.targets[i], true, out_words))
				return true; /* One who reads it is enough. */
		if (decision.target_count == 0)
			*out_words = "its alias leads nowhere";
		return false;
	case ROUTE_REFUSE:
		*out_words = doctor_print(doctor, "%s is refused: %.*s", print_address(doctor, address), TEXT_FORMAT(decision.verdict.text));
		return false;
	case ROUTE_MAILBOX:
		*out_words = doctor_print(doctor, "it is delivered to the mailbox of %.*s", TEXT_FORMAT(decision.user));
		if (doctor->names.length == 0 || is_user(doctor->names, decision.user, decision.domain))
			return true;
		*out_words = doctor_print(doctor, "it is delivered to the mailbox of %.*s, who is no user: nobody reads it", TEXT_FORMAT(decision.user));
		return false;
	case ROUTE_PIPE:
		*out_words = doctor_print(doctor, "it is delivered to the command of pipe %.*s", TEXT_FORMAT(decision.user));
		return true;
	case ROUTE_HOSTS:
		*out_words = doctor_print(doctor, "it goes on to %s (%.*s)", print_address(doctor, address), TEXT_FORMAT(decision.explanation));
		return true;
	}
	return false;
}

void doctor_look_at_names(struct doctor *doctor)
{
	static const char *const names[] = { "postmaster", "abuse" };

	for (size_t i = 0; doctor->router != NULL && i < doctor->conf->domain_count; i++)
		for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
			const struct address address = { text_of(names[k]), doctor->conf->domains[i] };
			const char *subject = doctor_print(doctor, "mail for %s", print_address(doctor, &address)), *words = "it is refused";

			if (follow(doctor, &address, false, &words))
				doctor_find(doctor, DOCTOR_FINE, subject, words, NULL);
			else
				doctor_find(doctor, DOCTOR_WARNING, subject, words,
				    doctor_print(doctor, "let somebody read it: a line \"%s: USER\" in the file of aliases%s; postroad reload", names[k],
					doctor->conf->aliases[0] != '\0' ? "" : " (aliases = \"aliases\" in the configuration)"));
		}
}
