/* Who gets reports of DMARC, out of tables of records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "reports/dmarc_places.h"

struct record {
	const char *name, *text; /* NULL: there is no answer. */
};

/* What the DNS holds in all cases. */
static const struct record zone[] = {
	{ "_dmarc.own.test", "v=DMARC1; p=none; rua=mailto:a@own.test, mailto:b@own.test!10m,mailto:a@OWN.test" },
	{ "_dmarc.sub.own.test", "v=DMARC1; p=none; rua=mailto:a@own.test,mailto:b@other.own.test; ruf=mailto:f@own.test" },
	{ "_dmarc.away.test", "v=DMARC1; p=none; rua=mailto:x@yes.net,mailto:y@no.net,mailto:z@moved.net" },
	{ "_dmarc.sibling.test", "v=DMARC1; p=none; rua=mailto:x@own.test" },
	{ "away.test._report._dmarc.yes.net", "v=DMARC1" },
	{ "away.test._report._dmarc.no.net", "v=spf1 -all" },
	{ "away.test._report._dmarc.moved.net", "v=DMARC1; rua=mailto:in@elsewhere.net,mailto:in@moved.net!1k" },
	{ "_dmarc.silent.test", NULL },
	{ "_dmarc.half.test", "v=DMARC1; p=none; rua=mailto:a@half.test,mailto:a@deaf.net" },
	{ "half.test._report._dmarc.deaf.net", NULL },
	{ "_dmarc.forms.test", "v=DMARC1; p=none; rua=https://forms.test/,ftp:x,mailto:,mailto:a@[192.0.2.1],mailto:a%21b@forms.test,mailto:c@forms.test!x,mailto:d@forms.test!2g" },
	{ "_dmarc.cut.test", "v=DMARC1; p=none; rua=mailto:a@deep.cut.test" },
	{ "_dmarc.deep.cut.test", "v=DMARC1; p=none; psd=n" },
	{ "_dmarc.two.test", "v=DMARC1; p=none; rua=mailto:a@moved.net,mailto:b@moved.net" },
	{ "two.test._report._dmarc.moved.net", "v=DMARC1; rua=mailto:in@moved.net" },
	{ "_dmarc.many.test", "v=DMARC1; p=none; rua=mailto:1@many.test,mailto:2@many.test,mailto:3@many.test,mailto:4@many.test,"
	    "mailto:5@many.test,mailto:6@many.test,mailto:7@many.test,mailto:8@many.test,mailto:9@many.test" },
};

static void answer(struct dmarc_places *places, const struct question *question)
{
	struct answer_record record = { 0 };
	struct answer answer = { .status = ANSWER_ABSENT, .records = &record };

	assert_int_equal(question->type, QUESTION_TXT);
	for (size_t i = 0; i < sizeof zone / sizeof *zone; i++) {
		if (!text_equal_nocase(question->name, text_of(zone[i].name)))
			continue;
		record.text = text_of(zone[i].text);
		answer.status = zone[i].text != NULL ? ANSWER_FOUND : ANSWER_FAILED;
		answer.count = zone[i].text != NULL;
	}
	dmarc_places_answer(places, &answer);
}

static const struct {
	const char *domain;
	enum dmarc_report_kind kind;
	const char *found; /* "address limit, ..." */
	bool failed;
	unsigned asked;    /* At most. */
} cases[] = {
	{ "own.test", DMARC_AGGREGATE, "a@own.test 0, b@own.test 10485760, ", false, 1 },
	{ "own.test", DMARC_FAILURE, "", false, 1 },
	{ "nobody.test", DMARC_AGGREGATE, "", false, 1 },
	{ "sub.own.test", DMARC_AGGREGATE, "a@own.test 0, b@other.own.test 0, ", false, 6 },
	{ "sub.own.test", DMARC_FAILURE, "f@own.test 0, ", false, 3 },
	{ "away.test", DMARC_AGGREGATE, "x@yes.net 0, in@moved.net 1024, ", false, 4 },
	{ "sibling.test", DMARC_AGGREGATE, "", false, 4 },
	{ "silent.test", DMARC_AGGREGATE, "", true, 1 },
	{ "half.test", DMARC_AGGREGATE, "a@half.test 0, ", true, 2 },
	{ "forms.test", DMARC_AGGREGATE, "a!b@forms.test 0, d@forms.test 2147483648, ", false, 1 },
	{ "cut.test", DMARC_AGGREGATE, "", false, 5 },
	{ "two.test", DMARC_AGGREGATE, "in@moved.net 0, ", false, 3 },
	{ "many.test", DMARC_AGGREGATE, "1@many.test 0, 2@many.test 0, 3@many.test 0, 4@many.test 0, 5@many.test 0, 6@many.test 0, "
	    "7@many.test 0, 8@many.test 0, ", false, 1 },
};

static void who_gets_reports(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *arena = arena_new(1 << 20);
		struct dmarc_places places;
		struct question question;
		struct text found = TEXT_EMPTY;
		unsigned asked = 0;

		dmarc_places_start(&places, cases[i].kind, text_of(cases[i].domain), arena);
		for (; dmarc_places_question(&places, &question); asked++)
			answer(&places, &question);
		for (size_t j = 0; j < places.count; j++)
			must(arena_print(arena, &found, "%.*s%.*s@%.*s %llu, ", TEXT_FORMAT(found),
			    TEXT_FORMAT(places.places[j].address.local), TEXT_FORMAT(places.places[j].address.domain),
			    (unsigned long long)places.places[j].bytes_max));
		if (!text_equal(found, text_of(cases[i].found)) || places.failed != cases[i].failed || asked > cases[i].asked)
			fail_msg("%s: '%.*s', failed %d, asked %u", cases[i].domain, TEXT_FORMAT(found), places.failed, asked);
		arena_free(arena);
	}
}

/* P2; and without memory nobody gets any. */
static void questions_are_bounded(void **state)
{
	const struct answer_record record = { .text = TEXT("v=DMARC1; p=none; rua=mailto:1@a.b.c.d.e.f.g.h.i.test,mailto:2@b.b.c.d.e.f.g.h.i.test,"
							   "mailto:3@c.b.c.d.e.f.g.h.i.test,mailto:4@d.b.c.d.e.f.g.h.i.test") };
	const struct answer found = { .status = ANSWER_FOUND, .records = &record, .count = 1 };
	struct dmarc_places places;
	struct question question;

	(void)state;
	for (size_t size = 64; size <= 1 << 20; size *= 2) {
		struct arena *arena = arena_new(size);
		unsigned asked = 0;

		dmarc_places_start(&places, DMARC_AGGREGATE, TEXT("a.b.c.d.e.f.g.h.i.j.test"), arena);
		for (; dmarc_places_question(&places, &question); asked++) {
			assert_true(asked < DMARC_QUERIES_MAX + DMARC_PLACES_MAX * (DMARC_QUERIES_MAX + 1));
			dmarc_places_answer(&places, &found);
		}
		arena_free(arena);
	}
	assert_int_equal(places.count, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_gets_reports), cmocka_unit_test(questions_are_bounded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
