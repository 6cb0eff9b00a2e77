#include "target.h"

#include "inbound/session_driver.h"

void target(struct text input, unsigned choice, [[maybe_unused]] struct arena *arena)
{
	struct driver driver;

	driver_init(&driver);
	driver.peer.role = (enum session_role)(choice & 3);
	driver.peer.trusted = choice & 4;
	driver.late = choice & 8;
	driver.peer.tls = (enum session_tls)(choice >> 4 & 3);
	driver.piece_size = choice >> 6;
	driver.peer.mechanisms = (1U << SASL_MECHANISM_COUNT) - 1;
	driver.settings.owns = driver_owns;
	driver.settings.owns_context = &driver;
	driver_open(&driver);
	driver_say(&driver, input);
	session_check(driver.session);
	driver_event(&driver, SESSION_ENDED);
	must(driver.begun_count >= driver.committed_count + driver.abandoned_count);
	driver_done(&driver);
}
