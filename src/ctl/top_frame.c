#include "ctl/top_frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "mail/date.h"

enum { LINE_BYTES = 2048 };

enum style { PLAIN, BOLD, DIM, ALARM, TITLE };

struct frame {
	const struct top_view *view;
	struct buffer *out;
	unsigned lines;
	bool failed;
};

/* -- lines ------------------------------------------------------------------------ */

/* Bytes of the first `columns` characters; none is thought to be wider than one column. */
static size_t clip(const char *line, unsigned columns)
{
	size_t at = 0;

	for (unsigned seen = 0; line[at] != '\0'; at++) {
		const bool begins = ((unsigned char)line[at] & 0xc0) != 0x80;

		if (begins && columns > 0 && seen++ == columns)
			break;
	}
	return at;
}

[[gnu::format(printf, 3, 4)]] static void put(struct frame *frame, enum style style, const char *format, ...)
{
	static const char *const codes[] = { [PLAIN] = "", [BOLD] = "\033[1m", [DIM] = "\033[2m", [ALARM] = "\033[31m", [TITLE] = "\033[7m" };
	const bool styled = frame->view->styled;
	char line[LINE_BYTES];
	va_list list;

	if (frame->view->rows > 0 && frame->lines >= frame->view->rows) /* T1 */
		return;
	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	/* The last line has no newline: it would scroll the screen. */
	const bool ok = (frame->lines == 0 || buffer_append(frame->out, TEXT("\n"))) &&
	    buffer_print(frame->out, "%s%.*s%s", styled ? codes[style] : "", (int)clip(line, frame->view->columns), line,
	        styled ? "\033[0m\033[K" : "");

	frame->failed = frame->failed || !ok;
	frame->lines++;
}

/* "3d 4h", "17m", "5s": the two largest units, of which one is enough when it is small. */
static const char *duration(int64_t ms, char room[24])
{
	const int64_t s = ms > 0 ? ms / 1000 : 0;

	if (s >= 86400)
		snprintf(room, 24, "%" PRId64 "d %" PRId64 "h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(room, 24, "%" PRId64 "h %" PRId64 "m", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(room, 24, "%" PRId64 "m", s / 60);
	else
		snprintf(room, 24, "%" PRId64 "s", s);
	return room;
}

static bool moment_of(const json_t *value, int64_t *out_ms)
{
	struct tm moment = { 0 };
	const char *string = json_string_value(value);

	if (string == NULL || strptime(string, "%Y-%m-%dT%H:%M:%S", &moment) == NULL)
		return false;
	*out_ms = (int64_t)timegm(&moment) * 1000;
	return true;
}

/* How long ago, or how long until; "-" where there is no such moment. */
static const char *since(const struct top_view *view, const json_t *value, char room[32])
{
	int64_t ms;

	return moment_of(value, &ms) ? duration(view->unix_ms - ms, room) : "-";
}

static const char *until(const struct top_view *view, const json_t *value, char room[32])
{
	int64_t ms;

	if (!moment_of(value, &ms))
		return "-";
	return ms <= view->unix_ms ? "now" : duration(ms - view->unix_ms, room);
}

/* -- what is counted --------------------------------------------------------------- */

enum { RATE_IN, RATE_REFUSED, RATE_HERE, RATE_OUT, RATE_DEFERRED, RATE_BOUNCED };

static const char *const time_names[TOP_TIMES] = { "time-to-250", "time-in-queue" };
static const char *const rate_names[TOP_RATES] = { [RATE_IN] = "in", [RATE_REFUSED] = "refused", [RATE_HERE] = "to mailboxes here",
	[RATE_OUT] = "to other hosts", [RATE_DEFERRED] = "deferred", [RATE_BOUNCED] = "failed for good" };

static uint64_t count_of(const json_t *counters, const char *key)
{
	return (uint64_t)ctl_number(counters, key);
}

struct top_sample top_sample_of(const json_t *stats)
{
	const json_t *counters = json_object_get(stats, "counters"), *lanes = json_object_get(stats, "lanes");
	const uint64_t delivered = count_of(counters, "delivered"), here = count_of(counters, "delivered-here");
	struct top_sample sample = { .uptime_ms = ctl_number(json_object_get(stats, "host"), "uptime_ms"),
		.counts = { [RATE_IN] = count_of(counters, "received"),
		    [RATE_REFUSED] = count_of(counters, "rejected"),
		    [RATE_HERE] = here,
		    [RATE_OUT] = delivered - here,
		    [RATE_DEFERRED] = count_of(counters, "deferred"),
		    [RATE_BOUNCED] = count_of(counters, "bounced") + count_of(counters, "discarded") } };

	for (; sample.lane_count < json_array_size(lanes) && sample.lane_count < TOP_LANES_MAX; sample.lane_count++) {
		const json_t *lane = json_array_get(lanes, sample.lane_count);

		sample.lanes[sample.lane_count][0] = count_of(lane, "received");
		sample.lanes[sample.lane_count][1] = count_of(lane, "attempts");
	}
	for (unsigned i = 0; i < TOP_TIMES; i++) {
		const json_t *counts = json_object_get(json_object_get(json_object_get(stats, "times"), time_names[i]), "counts");

		for (size_t place = 0; place < json_array_size(counts) && place < TOP_PLACES_MAX; place++)
			sample.times[i][place] = (uint64_t)json_integer_value(json_array_get(counts, place));
	}
	return sample;
}

/* A second's, between two samples. A server that was started again counts from 0. */
static double rate(const struct top_sample *from, const struct top_sample *to, uint64_t before, uint64_t after)
{
	const bool same = from != NULL && to->uptime_ms > from->uptime_ms && after >= before;
	const int64_t ms = same ? to->uptime_ms - from->uptime_ms : to->uptime_ms;

	return ms > 0 ? (double)(same ? after - before : after) * 1000 / (double)ms : 0;
}

/* The bound that this share of them stayed below; *out_above: there is no such bound, and this is the last one. False: there were
 * none. */
static bool quantile(const struct top_view *view, unsigned kind, double share, int64_t *out_ms, bool *out_above)
{
	const json_t *bounds = json_object_get(json_object_get(json_object_get(view->stats, "times"), time_names[kind]), "bounds");
	const struct top_sample *from = view->minute != NULL && view->minute->uptime_ms < view->now->uptime_ms ? view->minute : NULL;
	const size_t last = json_array_size(bounds) > 0 ? json_array_size(bounds) - 1 : 0;
	uint64_t counts[TOP_PLACES_MAX], all = 0, seen = 0;
	size_t place = 0;

	for (size_t i = 0; i < TOP_PLACES_MAX; i++) {
		counts[i] = view->now->times[kind][i] - (from != NULL ? from->times[kind][i] : 0);
		all += counts[i];
	}
	if (all == 0)
		return false;
	while (place + 1 < TOP_PLACES_MAX && (double)(seen += counts[place]) < share * (double)all)
		place++;
	*out_ms = json_integer_value(json_array_get(bounds, place < last ? place : last));
	*out_above = place > last;
	return true;
}

static void put_quantile(const struct top_view *view, unsigned kind, double share, char room[32])
{
	char plain[24];
	int64_t ms;
	bool above;

	if (!quantile(view, kind, share, &ms, &above))
		snprintf(room, 32, "-");
	else if (ms < 1000)
		snprintf(room, 32, "%s %" PRId64 " ms", above ? ">" : "<=", ms);
	else
		snprintf(room, 32, "%s %s", above ? ">" : "<=", duration(ms, plain));
}

/* -- the parts ---------------------------------------------------------------------- */

static void put_title(struct frame *frame)
{
	const struct top_view *view = frame->view;
	const json_t *host = json_object_get(view->stats, "host");
	char up[32], time_room[32];
	const time_t seconds = (time_t)(view->unix_ms / 1000);
	struct tm moment;

	strftime(time_room, sizeof time_room, "%H:%M:%SZ", gmtime_r(&seconds, &moment));
	put(frame, TITLE, "postroad %s  %s  up %s  load %.2f  disk of the spool %.1f GB free", ctl_string(view->stats, "version", "?"), time_room,
	    duration(view->now->uptime_ms, up), (double)ctl_number(host, "load") / 1000, (double)ctl_number(host, "spool_free_bytes") / 1e9);
	if (view->trouble != NULL)
		put(frame, ALARM, "%s; what follows is old", view->trouble);
}

static void put_rates(struct frame *frame)
{
	const struct top_view *view = frame->view;
	char to250[32], to250_most[32], queue[32], queue_most[32];

	put(frame, BOLD, "a second             now   1 minute      start       in all");
	for (unsigned i = 0; i < TOP_RATES; i++) {
		char now[32] = "-", minute[32] = "-";

		if (view->before != NULL)
			snprintf(now, sizeof now, "%.1f", rate(view->before, view->now, view->before->counts[i], view->now->counts[i]));
		if (view->minute != NULL)
			snprintf(minute, sizeof minute, "%.1f", rate(view->minute, view->now, view->minute->counts[i], view->now->counts[i]));
		put(frame, PLAIN, "%-17s %6s %10s %10.1f %12" PRIu64, rate_names[i], now, minute, rate(NULL, view->now, 0, view->now->counts[i]),
		    view->now->counts[i]);
	}
	put_quantile(view, 0, 0.5, to250);
	put_quantile(view, 0, 0.95, to250_most);
	put_quantile(view, 1, 0.5, queue);
	put_quantile(view, 1, 0.95, queue_most);
	put(frame, PLAIN, "until 250: half %s, 95%% %s;  in the queue: half %s, 95%% %s", to250, to250_most, queue, queue_most);
}

static void put_lanes(struct frame *frame)
{
	const struct top_view *view = frame->view;
	const struct top_sample *from = view->before != NULL && view->before->lane_count == view->now->lane_count ? view->before : NULL;
	char line[LINE_BYTES] = "";
	size_t length = 0;

	if (view->now->lane_count < 2)
		return;
	for (unsigned i = 0; i < view->now->lane_count && length + 64 < sizeof line; i++)
		length += (size_t)snprintf(line + length, sizeof line - length, "%s%u: %.1f in, %.1f attempts", i > 0 ? "   " : "", i,
		    rate(from, view->now, from ? from->lanes[i][0] : 0, view->now->lanes[i][0]),
		    rate(from, view->now, from ? from->lanes[i][1] : 0, view->now->lanes[i][1]));
	put(frame, PLAIN, "lanes  %s", line);
}

static void put_queue(struct frame *frame)
{
	const json_t *spool = json_object_get(frame->view->stats, "spool"), *queue = json_object_get(frame->view->stats, "queue");

	put(frame, BOLD, "queue: %lld messages, %lld recipients; %lld deliveries under way, %lld domains in work, %lld destinations in trouble",
	    ctl_number(spool, "messages"), ctl_number(spool, "recipients"), ctl_number(queue, "deliveries"), ctl_number(queue, "active_domains"),
	    ctl_number(queue, "in_trouble"));
}

static void put_trouble(struct frame *frame)
{
	const json_t *trouble = json_object_get(json_object_get(frame->view->stats, "queue"), "trouble"), *destination;
	size_t i;
	char room[32];

	json_array_foreach (trouble, i, destination) {
		if (i == 8) { /* The rest of the screen is for what waits. */
			put(frame, DIM, "  and %zu more", json_array_size(trouble) - i);
			break;
		}
		put(frame, ALARM, "  %s: %s%s%s (lane %lld, %lld of %lld under way): %s", ctl_string(destination, "destination", "?"),
		    ctl_string(destination, "gate", "?"), json_is_string(json_object_get(destination, "paused_until")) ? ", tried in " : "",
		    json_is_string(json_object_get(destination, "paused_until")) ? until(frame->view, json_object_get(destination, "paused_until"), room)
										 : "",
		    ctl_number(destination, "lane"), ctl_number(destination, "deliveries"), ctl_number(destination, "concurrency"),
		    ctl_string(destination, "last_trouble", ""));
	}
}

/* Why what is due does not leave; "": it does, or nobody knows of a reason. */
static const char *gate_words(const json_t *state)
{
	static const struct {
		const char *gate, *words;
	} all[] = { { "paced", "waits for its rate" }, { "full", "waits for a place" }, { "paused", "rests after trouble" },
		{ "down", "its hosts take nothing" } };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(all[i].gate, ctl_string(state, "gate", "")) == 0)
			return all[i].words;
	return "";
}

static void put_destinations(struct frame *frame)
{
	const json_t *destinations = json_object_get(frame->view->destinations, "destinations"), *destination;
	size_t i;

	if (json_array_size(destinations) == 0) {
		put(frame, DIM, "Nothing waits.");
		return;
	}
	put(frame, BOLD, "waiting   held  oldest   next try  domain");
	json_array_foreach (destinations, i, destination) {
		const char *why = gate_words(json_object_get(destination, "state")), *last = ctl_string(destination, "last", "");
		char age[32], next[32];

		put(frame, PLAIN, "%7lld %6lld  %-7s  %-8s  %s%s%s%s%s", ctl_number(destination, "recipients"),
		    ctl_number(destination, "held") + ctl_number(destination, "paused"), since(frame->view, json_object_get(destination, "oldest"), age),
		    until(frame->view, json_object_get(destination, "next"), next), ctl_string(destination, "domain", "?"),
		    why[0] != '\0' ? "  " : "", why, last[0] != '\0' ? "  " : "", last);
	}
	if (!json_is_true(json_object_get(frame->view->destinations, "complete")))
		put(frame, DIM, "and more: only the oldest messages were counted");
}

bool top_frame(const struct top_view *view, struct buffer *out)
{
	struct frame frame = { .view = view, .out = out };

	put_title(&frame);
	put_rates(&frame);
	put_lanes(&frame);
	put(&frame, PLAIN, "%s", "");
	put_queue(&frame);
	put_trouble(&frame);
	put_destinations(&frame);
	return !frame.failed;
}

/* -- for programs ------------------------------------------------------------------- */

/* Hyphens between words, as counters have them. */
static const char *const rate_keys[TOP_RATES] = { [RATE_IN] = "in", [RATE_REFUSED] = "refused", [RATE_HERE] = "here",
	[RATE_OUT] = "out", [RATE_DEFERRED] = "deferred", [RATE_BOUNCED] = "failed" };

static json_t *rate_json(const struct top_sample *from, const struct top_sample *to, uint64_t before, uint64_t after)
{
	return json_real(rate(from, to, before, after));
}

static json_t *rates_json(const struct top_view *view)
{
	const struct top_sample *now = view->now, *before = view->before;
	json_t *rates = json_object();

	for (unsigned i = 0; i < TOP_RATES; i++)
		json_object_set_new(rates, rate_keys[i], json_pack("{s:I, s:o, s:o}", "all", (json_int_t)now->counts[i], "a_second",
		    rate_json(NULL, now, 0, now->counts[i]), "a_second_now",
		    before != NULL ? rate_json(before, now, before->counts[i], now->counts[i]) : json_null()));
	return rates;
}

static json_t *quantile_json(const struct top_view *view, unsigned kind, double share)
{
	int64_t ms;
	bool above;

	return quantile(view, kind, share, &ms, &above) && !above ? json_integer(ms) : json_null();
}

static json_t *times_json(const struct top_view *view)
{
	json_t *told = json_object();

	for (unsigned i = 0; i < TOP_TIMES; i++)
		json_object_set_new(told, time_names[i], json_pack("{s:o, s:o}", "half_below_ms", quantile_json(view, i, 0.5),
		    "95_percent_below_ms", quantile_json(view, i, 0.95)));
	return told;
}

static json_t *lanes_json(const struct top_view *view)
{
	const struct top_sample *now = view->now;
	json_t *lanes = json_array();

	for (unsigned i = 0; i < now->lane_count; i++)
		json_array_append_new(lanes, json_pack("{s:I, s:I}", "in", (json_int_t)now->lanes[i][0], "attempts", (json_int_t)now->lanes[i][1]));
	return lanes;
}

/* As answered; null where it is not there. */
static json_t *copy_of(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return value != NULL ? json_incref(value) : json_null();
}

json_t *top_frame_json(const struct top_view *view)
{
	char room[DATE_TEXT_SIZE];
	const struct text time = date_print_rfc3339(view->unix_ms, room);

	return json_pack("{s:s%, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time", time.bytes, time.length, "version",
	    copy_of(view->stats, "version"), "uptime_ms", (json_int_t)view->now->uptime_ms, "rates", rates_json(view), "times",
	    times_json(view), "lanes", lanes_json(view), "spool", copy_of(view->stats, "spool"), "queue", copy_of(view->stats, "queue"),
	    "host", copy_of(view->stats, "host"), "destinations", copy_of(view->destinations, "destinations"), "held_back",
	    copy_of(view->destinations, "held_back"), "complete", copy_of(view->destinations, "complete"));
}
