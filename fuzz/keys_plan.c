#include "target.h"

#include "keys/plan.h"

/* The input is a state file; what is read of it reads the same when it was printed, also after an operator's acts. */
void target(struct text input, unsigned choice, struct arena *arena)
{
	const struct plan_settings settings = { .wait_s = 60, .retire_s = 60, .rotate_s = choice };
	const int64_t now_s = 1000 * (int64_t)choice;
	struct key_plan plan, again;
	struct buffer complaints, once, twice;
	struct text selector;

	buffer_init(&complaints, 1 << 20);
	buffer_init(&once, 1 << 20);
	buffer_init(&twice, 1 << 20);
	if (key_plan_parse(input, "state", arena, &plan, &complaints)) {
		must(complaints.length == 0);
		if (plan.count > 0 && choice & 1)
			key_plan_seen(&plan, &plan.keys[0], &settings, now_s);
		if (plan.count > 0 && choice & 2 &&
		    key_plan_name(&plan, plan.keys[0].domain, KEY_RSA, now_s, &selector))
			(void)!key_plan_add(&plan, plan.keys[0].domain, selector, KEY_RSA, now_s);
		if (plan.count > 0 && choice & 4)
			key_plan_remove(&plan, &plan.keys[plan.count - 1], now_s);
		for (size_t i = 0; i < plan.count; i++)
			must(key_plan_find(&plan, plan.keys[i].domain, plan.keys[i].selector) == &plan.keys[i]);
		must(key_plan_print(&plan, &once));
		must(key_plan_parse(buffer_text(&once), "state", arena, &again, &complaints));
		must(again.count == plan.count && key_plan_print(&again, &twice));
		must(text_equal(buffer_text(&once), buffer_text(&twice)));
	}
	buffer_done(&complaints);
	buffer_done(&once);
	buffer_done(&twice);
}
