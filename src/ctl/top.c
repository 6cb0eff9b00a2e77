/* postroad top: the server as it works, on a terminal.
 *
 * Signals come by a descriptor, as keys do, so that every way out of the loop leads past giving the terminal back. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "conf/value.h"
#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/top_frame.h"
#include "ctl/usage.h"

enum { INTERVAL_MS = 2000, INTERVAL_MS_MIN = 200, SAMPLES = 64, SAMPLE_GAP_MS = 1000, MINUTE_MS = 60'000 };

struct top {
	const struct ctl_place *place;
	struct ctl_client *client;     /* NULL: there is none now. */
	json_t *stats, *destinations;  /* The last that were answered. */
	struct top_sample samples[SAMPLES]; /* A ring of those of the last minute, a second or more apart. */
	unsigned first, count;
	struct top_sample now, before;
	bool has_before;
	const char *trouble;
	bool styled;
};

/* -- asking ---------------------------------------------------------------------- */

static json_t *ask(struct top *top, const char *verb)
{
	json_t *request = json_pack("{s:s}", "do", verb), *answer = NULL;

	if (top->client != NULL || ctl_client_open(top->place->control, &top->client) == OK)
		answer = ctl_client_ask(top->client, request);
	json_decref(request);
	if (answer != NULL && json_is_true(json_object_get(answer, "ok"))) {
		ctl_make_printable(answer);
		return answer;
	}
	json_decref(answer);
	ctl_client_close(take(top->client));
	return NULL;
}

/* Another server counts from 0: nothing before it is to be compared with it. */
static void keep_sample(struct top *top, const struct top_sample *sample)
{
	if (sample->uptime_ms < top->now.uptime_ms)
		top->count = 0;
	if (top->count > 0 && sample->uptime_ms - top->samples[(top->first + top->count - 1) % SAMPLES].uptime_ms < SAMPLE_GAP_MS)
		return;
	if (top->count == SAMPLES) {
		top->first = (top->first + 1) % SAMPLES;
		top->count--;
	}
	top->samples[(top->first + top->count++) % SAMPLES] = *sample;
	while (top->count > 1 && sample->uptime_ms - top->samples[(top->first + 1) % SAMPLES].uptime_ms >= MINUTE_MS) {
		top->first = (top->first + 1) % SAMPLES;
		top->count--;
	}
}

/* Takes the answer to "stats"; NULL: there was none. */
static void refresh(struct top *top, json_t *stats)
{
	json_t *destinations = stats ? ask(top, "queue destinations") : NULL;

	if (destinations == NULL) {
		json_decref(stats);
		top->trouble = "The server does not answer";
		return;
	}
	json_decref(top->stats);
	json_decref(top->destinations);
	top->stats = stats;
	top->destinations = destinations;
	const struct top_sample sample = top_sample_of(stats);

	top->has_before = top->now.uptime_ms > 0 && top->now.uptime_ms <= sample.uptime_ms;
	top->before = top->now;
	keep_sample(top, &sample);
	top->now = sample;
	top->trouble = NULL;
}

/* -- drawing --------------------------------------------------------------------- */

static struct top_view view_of(const struct top *top, unsigned rows, unsigned columns)
{
	return (struct top_view){ .stats = top->stats,
		.destinations = top->destinations,
		.now = &top->now,
		.before = top->has_before ? &top->before : NULL,
		.minute = top->count > 1 ? &top->samples[top->first] : NULL,
		.trouble = top->trouble,
		.unix_ms = clock_unix_ms(),
		.rows = rows,
		.columns = columns,
		.styled = top->styled };
}

static void draw(const struct top *top, unsigned rows, unsigned columns)
{
	const struct top_view view = view_of(top, rows, columns);
	struct buffer out;

	buffer_init(&out, TOP_FRAME_BYTES);
	if (top_frame(&view, &out))
		printf("%s%.*s%s", top->styled ? "\033[H" : "", TEXT_FORMAT(buffer_text(&out)), top->styled ? "\033[J" : "\n");
	buffer_done(&out);
	fflush(stdout);
}

static void print_json(const struct top *top)
{
	const struct top_view view = view_of(top, 0, 0);
	json_t *told = top_frame_json(&view);

	ctl_print_json(told);
	json_decref(told);
}

static void draw_on_terminal(const struct top *top)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	draw(top, size.ws_row, size.ws_col);
}

/* -- the terminal ----------------------------------------------------------------- */

/* Keys one by one and without echo, on the other screen that terminals have for such programs. False: not a terminal. */
static bool terminal_take(struct termios *out_before)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, out_before) != 0)
		return false;
	raw = *out_before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

enum wish { WISH_NOTHING, WISH_REFRESH, WISH_REDRAW, WISH_END };

static enum wish read_key(void)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1)
		return WISH_END;
	return key == 'q' || key == 'Q' || key == 3 || key == 4 ? WISH_END : key == ' ' || key == '\r' || key == '\n' ? WISH_REFRESH : WISH_NOTHING;
}

/* What comes first: a key, a signal, or the time for the next look. */
static enum wish wait_for_wish(int signals, bool has_keys, int64_t until_ms)
{
	struct pollfd sources[] = { { .fd = signals, .events = POLLIN }, { .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN } };
	struct signalfd_siginfo signal_seen;
	const int64_t left_ms = until_ms - clock_monotonic_ms();

	if (left_ms <= 0 || poll(sources, 2, (int)left_ms) == 0)
		return WISH_REFRESH;
	if (sources[0].revents != 0 && read(signals, &signal_seen, sizeof signal_seen) == (ssize_t)sizeof signal_seen)
		return signal_seen.ssi_signo == SIGWINCH ? WISH_REDRAW : WISH_END;
	return sources[1].revents != 0 ? read_key() : WISH_NOTHING;
}

static int watch(struct top *top, int64_t interval_ms)
{
	struct termios before;
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	sigaddset(&wanted, SIGWINCH);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	const int signals = signalfd(-1, &wanted, SFD_CLOEXEC);
	const bool has_keys = terminal_take(&before);
	enum wish wish = WISH_REDRAW;
	int64_t next_ms = clock_monotonic_ms() + interval_ms;

	/* Nor does a line go on in the next one that has wide letters. */
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
	while (signals >= 0 && wish != WISH_END && !ferror(stdout)) {
		if (wish == WISH_REFRESH) {
			refresh(top, ask(top, "stats"));
			next_ms = clock_monotonic_ms() + interval_ms;
		}
		if (wish != WISH_NOTHING)
			draw_on_terminal(top);
		wish = wait_for_wish(signals, has_keys, next_ms);
	}
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	if (signals >= 0)
		close(signals);
	return signals >= 0 ? EX_OK : EX_OSERR;
}

/* -- the command ------------------------------------------------------------------- */

/* Whether it is to be done, with `--once` taken out, which has no value. */
static bool take_once(int *count, char **words)
{
	int kept = 0;

	for (int i = 0; i < *count; i++)
		if (!text_equal(text_of(words[i]), TEXT("--once")))
			words[kept++] = words[i];
	const bool once = kept < *count;

	*count = kept;
	return once;
}

/* *out_ms is as it was when none is given. */
static bool read_interval(const json_t *request, int64_t *out_ms)
{
	const char *given = ctl_string(request, "interval", NULL);
	uint64_t ms = (uint64_t)*out_ms;

	if (given != NULL && (!value_duration(text_of(given), &ms) || ms < INTERVAL_MS_MIN || ms > 3'600'000)) {
		fprintf(stderr, "postroad: %s is not an interval like 500ms or 5s\n", given);
		return false;
	}
	*out_ms = (int64_t)ms;
	return true;
}

int ctl_top(const struct ctl_place *place, int count, char **words_given)
{
	static const char *const options[] = { "interval", NULL };
	const bool once = take_once(&count, words_given) || !isatty(STDOUT_FILENO);
	struct top *top = calloc(1, sizeof *top);
	struct ctl_words words = { 0 };
	int64_t interval_ms = INTERVAL_MS;
	json_t *answer;
	int code = EX_USAGE;

	if (top == NULL)
		return EX_OSERR;
	if (!ctl_words_read("stats", options, count, words_given, &words) || words.first != NULL ||
	    !read_interval(words.request, &interval_ms)) {
		ctl_usage("top");
		goto done;
	}
	top->place = place;
	const bool twice = words.json && json_object_del(words.request, "interval") == 0;

	json_object_del(words.request, "interval");
	/* The first question says whether there is a server, and what is wrong if there is none. */
	answer = ctl_ask(place, words.request, false, &code);
	if (answer == NULL)
		goto done;
	ctl_make_printable(answer);
	refresh(top, answer);
	if (twice) {
		(void)poll(NULL, 0, (int)interval_ms);
		refresh(top, ask(top, "stats"));
	}
	if (top->stats == NULL || (words.json && top->trouble != NULL)) {
		fprintf(stderr, "postroad: %s\n", top->trouble);
		code = EX_UNAVAILABLE;
	} else if (words.json) {
		print_json(top);
	} else if (once) {
		draw(top, 0, 0);
	} else {
		top->styled = true;
		code = watch(top, interval_ms);
	}
done:
	ctl_client_close(top->client);
	json_decref(top->stats);
	json_decref(top->destinations);
	free(top);
	ctl_words_done(&words);
	return code;
}
