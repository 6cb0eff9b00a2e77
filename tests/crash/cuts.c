/* Power cuts over a log of tests/disk: rebuilds and judges.
 *
 * usage: cuts LOG WORK --cuts N --seed N [--until-found]     judge; WORK is a folder of our own, best in memory
 *        cuts LOG WORK --seed N --rebuild POINT VARIANT FOLDER
 *
 * A point is a place between two records, and one inside of each synchronous write. Those beside the end of a flush and
 * behind an announcement are tried at least once each, the others as the number of cuts allows. Says
 * what it found, then one line of JSON. Exit: 0 nothing, 1 findings, 2 the log cannot be followed. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/must.h"
#include "crash/judge.h"

enum { FINDINGS_SHOWN = 5, REOPEN_EVERY = 20 };

struct plan {
	uint64_t seed, cuts;
	bool until_found;
	bool rebuild;
	uint64_t point;
	unsigned variant;
	const char *folder;
};

struct run {
	const char *log;
	size_t log_size;
	struct plan plan;
	struct model model;
	struct ledger ledger;
	struct judge judge;
	struct final *finals;       /* After the first walk. */
	uint64_t point, edges, others; /* Of the first walk: counted. */
	double edge_rate, other_rate, due;
	uint64_t tried, findings;
};

static uint64_t now_point;          /* For the handler. */
static unsigned now_variant;

static void died(int number)
{
	char text[120];
	const int length = snprintf(text, sizeof text, "point %llu variant %u: J1: signal %d while reading the database\n",
	    (unsigned long long)now_point, now_variant, number);

	if (length > 0)
		(void)!write(1, text, (size_t)length);
	_exit(1);
}

/* -- The log ------------------------------------------------------------------------------------------- */

static bool next_record(const struct run *run, size_t *at, struct record *out_record)
{
	static char path[2 * DISK_PATH_MAX + 2];
	struct disk_record *head = &out_record->head;

	if (*at + sizeof *head > run->log_size)
		return false;
	memcpy(head, run->log + *at, sizeof *head);
	if (head->size > run->log_size - *at) /* Killed while it was written. */
		return false;
	must(head->path_length < sizeof path - 1);
	memcpy(path, run->log + *at + sizeof *head, head->path_length);
	path[head->path_length] = path[head->path_length + 1] = '\0';
	out_record->path = path;
	out_record->second = path + strlen(path) + 1;
	out_record->bytes = run->log + *at + sizeof *head + head->path_length;
	*at += head->size;
	return true;
}

/* -- Cuts ---------------------------------------------------------------------------------------------- */

static void try(struct run *run, unsigned variant)
{
	const struct cut cut = cut_make(run->plan.seed, run->point, variant);

	now_point = run->point;
	now_variant = variant;
	judge_cut(&run->judge, &cut, run->tried % REOPEN_EVERY == 0);
	run->tried++;
	if (run->judge.finding[0] == '\0')
		return;
	if (run->findings++ < FINDINGS_SHOWN)
		printf("point %llu variant %u: %s\n", (unsigned long long)run->point, variant, run->judge.finding);
	fflush(stdout);
}

static bool is_over(const struct run *run)
{
	return run->plan.until_found && run->findings > 0;
}

static void at_point(struct run *run, bool is_edge)
{
	run->point++;
	if (run->finals == NULL) {
		*(is_edge ? &run->edges : &run->others) += 1;
		return;
	}
	if (run->plan.rebuild) {
		const struct cut cut = cut_make(run->plan.seed, run->point, run->plan.variant);

		if (run->point == run->plan.point)
			cut_rebuild(&cut, run->model.root, run->plan.folder);
		return;
	}
	run->due += is_edge ? run->edge_rate : run->other_rate;
	for (unsigned variant = 0; run->due >= 1 && !is_over(run); variant++, run->due -= 1)
		try(run, variant);
}

static bool is_flush(const struct record *record)
{
	return record->head.kind == DISK_FLUSH_END || record->head.kind == DISK_WRITE_SYNC;
}

/* A file of a Maildir belongs to the recipient it was made for. */
static void note_copy(struct run *run, const struct record *record)
{
	const struct object *folder;
	struct object *file = NULL;

	HASH_FIND(hh, run->model.by_inode, &record->head.file, sizeof record->head.file, file);
	folder = file ? file->parent : NULL;
	if (run->finals == NULL || folder == NULL || folder->label == NULL || strcmp(folder->label, "new") != 0 ||
	    run->finals[file->number].id == 0)
		return;

	const struct final *final = &run->finals[file->number];
	struct debt *debt = ledger_debt(&run->ledger, final->id, final->address);

	if (debt->copy_count < COPIES_MAX)
		debt->copies[debt->copy_count++] = file;
}

static void walk(struct run *run)
{
	struct record record = { 0 }, next = { 0 };
	size_t at = 0, ahead = 0;
	bool more = next_record(run, &at, &record);

	model_init(&run->model);
	if (run->finals != NULL) {
		run->model.durable_changed = judge_durable;
		run->model.context = &run->judge;
	}
	run->ledger = (struct ledger){ 0 };
	run->point = 0;
	while (more && !is_over(run)) {
		ahead = at;

		const bool flush_next = next_record(run, &ahead, &next) && is_flush(&next);

		at -= record.head.size; /* The path is in one room: read it again. */
		(void)next_record(run, &at, &record);
		model_apply(&run->model, &record);
		if (record.head.kind == DISK_RENAME)
			note_copy(run, &record);
		if (record.head.kind == DISK_WRITE_SYNC) {
			at_point(run, true);
			model_settle(&run->model, &record);
		}
		const bool told = ledger_read(&run->ledger, &run->model, &record);

		at_point(run, told || flush_next || is_flush(&record));
		more = next_record(run, &at, &record);
	}
}

/* -- What files are in the end ------------------------------------------------------------------------- */

static struct final *make_finals(const struct model *model)
{
	const struct cut all = { .seed = 1, .keep = 100 };
	struct final *finals = calloc(model->object_count, sizeof *finals);

	must(finals != NULL);
	for (size_t i = 0; i < model->object_count; i++) {
		struct final *final = &finals[i];

		if (model->objects[i]->is_folder)
			continue;
		char *content = cut_content(&all, model->objects[i], &final->size);

		final->hash = XXH3_64bits(content, final->size);
		if (!ledger_identify(content, final->size, &final->id, final->address))
			final->id = 0;
		free(content);
	}
	return finals;
}

static void prepare(struct run *run)
{
	const double cuts = (double)run->plan.cuts;

	walk(run);
	run->finals = make_finals(&run->model);
	run->edge_rate = run->edges ? cuts * 0.8 / (double)run->edges : 0;
	if (run->edge_rate < 1)
		run->edge_rate = 1;
	run->other_rate = run->others && cuts > run->edge_rate * (double)run->edges
	    ? (cuts - run->edge_rate * (double)run->edges) / (double)run->others
	    : 0;
}

static void start_judge(struct run *run, const char *work)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/one", work);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/one/data.mdb", work);
	run->judge = (struct judge){ .model = &run->model, .ledger = &run->ledger, .finals = run->finals, .folder = work };
	run->judge.image = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(run->judge.image >= 0);
}

static bool read_plan(int count, char **words, struct plan *out_plan)
{
	for (int i = 3; i < count; i++) {
		if (strcmp(words[i], "--until-found") == 0)
			out_plan->until_found = true;
		else if (strcmp(words[i], "--cuts") == 0 && i + 1 < count)
			out_plan->cuts = strtoull(words[++i], NULL, 10);
		else if (strcmp(words[i], "--seed") == 0 && i + 1 < count)
			out_plan->seed = strtoull(words[++i], NULL, 10);
		else if (strcmp(words[i], "--rebuild") == 0 && i + 3 < count) {
			out_plan->rebuild = true;
			out_plan->point = strtoull(words[++i], NULL, 10);
			out_plan->variant = (unsigned)strtoul(words[++i], NULL, 10);
			out_plan->folder = words[++i];
		} else
			return false;
	}
	return count >= 3;
}

static void print_summary(const struct run *run)
{
	static const char *const words[] = {
#define STATE(name, word) #word,
		STATES(STATE)
#undef STATE
	};

	printf("{\"cuts\": %llu, \"points\": %llu, \"edges\": %llu, \"accepted\": %llu, \"told\": %llu, \"reopened\": %llu, "
	       "\"findings\": %llu",
	    (unsigned long long)run->tried, (unsigned long long)run->point, (unsigned long long)run->edges,
	    (unsigned long long)run->ledger.accepted_count, (unsigned long long)run->ledger.told_count,
	    (unsigned long long)run->judge.reopened, (unsigned long long)run->findings);
	for (int state = 0; state < STATE_COUNT; state++)
		printf(", \"%s\": %llu", words[state], (unsigned long long)run->judge.states[state]);
	printf("}\n");
}

int main(int count, char **words)
{
	struct run run = { 0 };
	struct stat status;

	if (!read_plan(count, words, &run.plan)) {
		fprintf(stderr, "usage: cuts LOG WORK --seed N [--cuts N] [--until-found] [--rebuild POINT VARIANT FOLDER]\n");
		return 2;
	}
	const int file = open(words[1], O_RDONLY | O_CLOEXEC);

	must(file >= 0 && fstat(file, &status) == 0);
	run.log_size = (size_t)status.st_size;
	run.log = mmap(NULL, run.log_size, PROT_READ, MAP_PRIVATE, file, 0);
	must(run.log != MAP_FAILED);
	signal(SIGBUS, died);
	signal(SIGSEGV, died);
	signal(SIGABRT, died);
	prepare(&run);
	if (run.model.complaint[0] != '\0') {
		fprintf(stderr, "cuts: %s\n", run.model.complaint);
		return 2;
	}
	start_judge(&run, words[2]);
	walk(&run);
	print_summary(&run);
	return run.findings > 0;
}
