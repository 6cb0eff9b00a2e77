/* sim [--seed N] [--worlds N] [--hours N] [--trace]: worlds one after another, from a seed on; a hundred of them, or the
 * one whose seed is given.
 *
 * A world that is wrong is lived through again with its trace on stdout; --trace shows every one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/town.h"

enum { WORLDS = 100 };

struct arguments { /* 0: not given. */
	uint64_t seed, worlds;
	unsigned hours;
	bool trace;
};

static bool read_arguments(int count, char **words, struct arguments *arguments)
{
	for (int i = 1; i < count; i++) {
		uint64_t number = 0;
		const bool has_number = i + 1 < count && text_to_u64(text_of(words[i + 1]), &number) && number > 0;

		if (strcmp(words[i], "--trace") == 0) {
			arguments->trace = true;
			continue;
		}
		if (!has_number)
			return false;
		if (strcmp(words[i], "--seed") == 0)
			arguments->seed = number;
		else if (strcmp(words[i], "--worlds") == 0)
			arguments->worlds = number;
		else if (strcmp(words[i], "--hours") == 0 && number < 100000)
			arguments->hours = (unsigned)number;
		else
			return false;
		i++;
	}
	return true;
}

static void print_sum(const struct town_counts *counts, const struct ledger_counts *ledger, uint64_t worlds)
{
#define N(value) (unsigned long long)(value)
	printf("%llu worlds, %llu letters, %llu recipients promised, %llu callbacks\n", N(worlds), N(counts->letters),
	    N(ledger->promised), N(counts->steps));
	printf("trouble: %llu crashes, %llu power cuts, %llu stops in order, %llu reloads, %llu hosts cut off, %llu connections reset, "
	       "%llu gone silent, %llu refused (of %llu), %llu moods of servers, %llu failed flushes, %llu DNS failures, "
	       "%llu deaths of the mailbox role\n",
	    N(counts->crashes), N(counts->power_cuts), N(counts->stops), N(counts->reloads), N(counts->cut_offs), N(counts->net.resets),
	    N(counts->net.silences), N(counts->net.refusals), N(counts->net.connections), N(counts->moods),
	    N(counts->disk_failures), N(counts->dns_failures), N(counts->mailbox_deaths));
	printf("delivered %llu, reported %llu, left to the postmaster %llu, lost %llu\n", N(ledger->delivered),
	    N(ledger->reported), N(ledger->to_postmaster), N(ledger->lost));
	printf("copies: %llu, unexplained %llu; chances for them: %llu by clients who heard no answer, %llu by connections "
	       "lost behind the final dot, %llu by crashes, %llu by power cuts, %llu by mailboxes; %llu doubts named\n",
	    N(ledger->copies), N(ledger->unexplained), N(ledger->by_client), N(ledger->by_connection), N(ledger->by_crash),
	    N(ledger->by_power), N(ledger->by_mailbox), N(ledger->doubts_named));
#undef N
}

/* Structs of counters only: add them up, number by number. */
static void add(void *sum, const void *more, size_t size)
{
	uint64_t *sums = sum;
	const uint64_t *numbers = more;

	for (size_t i = 0; i < size / sizeof *sums; i++)
		sums[i] += numbers[i];
}

int main(int count, char **words)
{
	struct arguments arguments = { 0 };
	struct town_counts counts = { 0 };
	struct ledger_counts ledger = { 0 };
	uint64_t wrong = 0, lived = 0;

	if (!read_arguments(count, words, &arguments)) {
		fprintf(stderr, "usage: sim [--seed N] [--worlds N] [--hours N] [--trace]\n");
		return 64;
	}
	if (arguments.worlds == 0)
		arguments.worlds = arguments.seed == 0 ? WORLDS : 1;
	if (arguments.seed == 0)
		arguments.seed = 1;
	for (uint64_t i = 0; i < arguments.worlds; i++) {
		struct town_settings settings = { .seed = arguments.seed + i, .hours = arguments.hours };

		settings.trace = arguments.trace ? stdout : NULL;
		const struct town_result result = town_live(&settings);

		add(&counts, &result.counts, sizeof counts);
		add(&ledger, &result.ledger, sizeof ledger);
		wrong += !result.right;
		lived++;
		if (result.right || arguments.trace)
			continue;
		settings.trace = stdout;
		(void)town_live(&settings);
		printf("seed %llu is wrong; its trace is above. Again: ./dev sim --seed %llu --hours %u --trace\n",
		    (unsigned long long)settings.seed, (unsigned long long)settings.seed, settings.hours);
		break;
	}
	print_sum(&counts, &ledger, lived);
	return wrong > 0;
}
