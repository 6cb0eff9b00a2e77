/* Questions to the queues of all lanes, asked and answered on lane 0.
 *
 * A question travels: a lane's queue adds what it knows, then the next lane, and the last one sends it home. So it is
 * on one thread at a time, needs no lock and no memory on its way.
 *
 *   V1  A question is answered once, or never, when a lane on its way has stopped.
 *   V2  Questions that never came home are released by surveyor_free, when no lane runs or lives any more. */
#ifndef PROGRAMS_SURVEYOR_H
#define PROGRAMS_SURVEYOR_H

#include "admin/admin.h"
#include "programs/lane.h"

struct surveyor;

/* Borrows the lanes. NULL: no memory. */
[[nodiscard]] struct surveyor *surveyor_new(struct lane *const *lanes, unsigned lane_count);
void surveyor_free(struct surveyor *surveyor);

/* See admin_settings.survey. */
bool surveyor_ask(
    struct surveyor *surveyor, const struct admin_question *question, admin_surveyed *surveyed, void *context);

#endif
