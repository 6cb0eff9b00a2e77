/* Which address of a host is dialled, and when its next one, too (RFC 8305 §5).
 *
 *     dial ──► open ─────────────────────────────────► served
 *      │ race_ms                ▲
 *      └──► dial the next ──► open: the other one is hung up
 *
 * Only addresses of one host race, at most two at a time, and all that is raced is the opening of a connection: nothing is said over
 * it before one has won. The order of the list says who starts, and the families take turns in it (prefer-ip6). Who loses has not
 * failed, and may be tried later. */
#include "outbound/courier_private.h"

#include "base/must.h"

_Static_assert(HOSTS_ADDRESS_MAX + HOSTS_FALLBACK_ADDRESS_MAX <= 64, "job.tried has a bit for each");

static bool is_tried(const struct job *job, size_t index)
{
	return job->tried >> index & 1;
}

void race_note_tried(struct job *job, size_t index)
{
	job->tried |= UINT64_C(1) << index;
}

/* For the hosts of the destination or the relays, whose turn it is. */
bool race_may_take(const struct job *job, size_t index)
{
	const struct host_list *list = job->delivery->hosts;

	return index < list->host_count && !is_tried(job, index) && list->hosts[index].fallback == job->at_relays;
}

/* The one that was used last, as long as nothing speaks against it; else in order, but for what is known of them. */
bool race_next(const struct job *job, size_t *out_index)
{
	const size_t count = job->delivery->hosts->host_count;
	size_t index = count;

	if (race_may_take(job, job->host_index)) {
		*out_index = job->host_index;
		return true;
	}
	for (size_t i = 0; i < count; i++)
		if (race_may_take(job, i) && (index == count || known_is_better(job, i, index)))
			index = i;
	if (index == count)
		return false;
	*out_index = index;
	return true;
}

/* Another address of the host that is being dialled. False: it has none that is left. */
static bool find_rival(const struct job *job, size_t *out_index)
{
	const struct host_list *list = job->delivery->hosts;
	const struct host *host = &list->hosts[job->host_index];

	for (size_t i = 0; i < list->host_count; i++) {
		const struct host *other = &list->hosts[i];

		if (i != job->host_index && race_may_take(job, i) && text_equal(other->name, host->name) &&
		    other->preference == host->preference && other->endpoint.port == host->endpoint.port) {
			*out_index = i;
			return true;
		}
	}
	return false;
}

/* Who cannot be dialled now can be later, when nobody else is being. */
void race_due(void *context)
{
	struct job *job = context;
	struct verdict trouble;
	size_t index;

	must(job->connection != NULL && job->rival == NULL);
	if (find_rival(job, &index) && !proxied_must_wait(job, &job->delivery->hosts->hosts[index], &trouble))
		(void)!outbound_dial(job, index);
}

void race_begin(struct job *job, int64_t delay_ms)
{
	size_t index;

	if (!job->clear && find_rival(job, &index))
		loop_timer_set(job->race_timer, delay_ms);
}

static void swap(struct job *job)
{
	struct connection *rival = job->rival;
	const size_t index = job->rival_index;

	job->rival = job->connection;
	job->rival_index = job->host_index;
	job->connection = rival;
	job->host_index = index;
}

void race_won(struct job *job, const struct connection *winner)
{
	loop_timer_stop(job->race_timer);
	if (job->rival == NULL)
		return;
	if (winner == job->rival)
		swap(job);
	outbound_hang_up(take(job->rival));
}

bool race_left(struct job *job, const struct connection *loser)
{
	loop_timer_stop(job->race_timer);
	if (job->rival == NULL) {
		job->connection = NULL;
		return false;
	}
	if (loser == job->connection)
		swap(job);
	job->rival = NULL;
	return true;
}
