#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "smtp/command.h"

static struct arena *arena;

static int make_arena(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return arena ? 0 : -1;
}

static int drop_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct command parse(const char *line)
{
	struct command command;

	command_parse(text_of(line), false, arena, &command);
	return command;
}

static void verbs_and_faults(void **state)
{
	static const struct {
		const char *line;
		enum command_verb verb;
		uint16_t code; /* 0: good. */
	} cases[] = {
		{ "HELO a.test", COMMAND_HELO, 0 }, { "ehlo [192.0.2.1]", COMMAND_EHLO, 0 },
		{ "LHLO under_score", COMMAND_LHLO, 0 }, { "EHLO", COMMAND_EHLO, 501 }, { "EHLO a b", COMMAND_EHLO, 501 },
		{ "EHLO a(b", COMMAND_EHLO, 501 }, { "DATA", COMMAND_DATA, 0 }, { "DATA  ", COMMAND_DATA, 0 },
		{ "DATA x", COMMAND_DATA, 501 }, { "RSET", COMMAND_RSET, 0 }, { "QUIT", COMMAND_QUIT, 0 },
		{ "NOOP anything at all", COMMAND_NOOP, 0 }, { "VRFY", COMMAND_VRFY, 501 }, { "VRFY x", COMMAND_VRFY, 0 },
		{ "STARTTLS", COMMAND_STARTTLS, 0 }, { "STARTTLS x", COMMAND_STARTTLS, 501 },
		{ "AUTH PLAIN AAA=", COMMAND_AUTH, 0 }, { "XCLIENT A=B", COMMAND_XCLIENT, 555 }, { "", COMMAND_UNKNOWN, 0 },
		{ "XCLIENT", COMMAND_XCLIENT, 501 }, { "XCLIENT ADDR=192.0.2.1 NAME=a.test", COMMAND_XCLIENT, 0 },
		{ "XCLIENT ADDR=IPv6:2001:db8::1", COMMAND_XCLIENT, 0 }, { "XCLIENT ADDR=[192.0.2.1]", COMMAND_XCLIENT, 501 },
		{ "XCLIENT ADDR=[unavailable] PORT=[TEMPUNAVAIL]", COMMAND_XCLIENT, 0 }, { "XCLIENT ADDR=a.test", COMMAND_XCLIENT, 501 },
		{ "XCLIENT ADDR=", COMMAND_XCLIENT, 501 }, { "XCLIENT PORT=65536", COMMAND_XCLIENT, 501 },
		{ "XCLIENT LOGIN=a+20b", COMMAND_XCLIENT, 0 }, { "XCLIENT LOGIN=a+0Ab", COMMAND_XCLIENT, 501 },
		{ "XCLIENT PROTO=ESMTP HELO=a.test DESTADDR=192.0.2.2 DESTPORT=25", COMMAND_XCLIENT, 0 },
		{ "XCLIENT PORT=1 PORT=2", COMMAND_XCLIENT, 501 },
		{ " QUIT", COMMAND_UNKNOWN, 0 }, { "MAILFROM:<a@b.test>", COMMAND_UNKNOWN, 0 },
		{ "BDAT 0", COMMAND_BDAT, 0 }, { "BDAT 10 LAST", COMMAND_BDAT, 0 }, { "BDAT 10 last", COMMAND_BDAT, 0 },
		{ "BDAT", COMMAND_BDAT, 501 }, { "BDAT -1", COMMAND_BDAT, 501 }, { "BDAT 1 FIRST", COMMAND_BDAT, 501 },
		{ "BDAT 99999999999999999999", COMMAND_BDAT, 501 }, { "NOOP a\tb", COMMAND_NOOP, 500 },
		{ "NOOP \x7f", COMMAND_NOOP, 500 }, { "NOOP \xff", COMMAND_NOOP, 500 },
		{ "MAIL FROM:<>", COMMAND_MAIL, 0 }, { "MAIL FROM:<a@b.test>", COMMAND_MAIL, 0 },
		{ "MAIL FROM: <a@b.test>", COMMAND_MAIL, 0 }, { "MAIL FROM:a@b.test", COMMAND_MAIL, 0 },
		{ "MAIL FROM:<@r.test:a@b.test>", COMMAND_MAIL, 0 }, { "MAIL FROM :<a@b.test>", COMMAND_MAIL, 501 },
		{ "MAIL FROM:", COMMAND_MAIL, 501 }, { "MAIL FROM:<", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<a@b.test>x", COMMAND_MAIL, 501 }, { "MAIL FROM:<a@b.test> SIZE", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<a@b.test> SIZE=-1", COMMAND_MAIL, 501 }, { "MAIL FROM:<a@b.test> BODY=9BIT", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<a@b.test> X=Y", COMMAND_MAIL, 555 }, { "MAIL FROM:<a@b.test> RET=FULL ret=hdrs", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<a@b.test> SMTPUTF8=1", COMMAND_MAIL, 501 }, { "MAIL FROM:<a@b.test> SMTPUTF8", COMMAND_MAIL, 0 },
		{ "MAIL FROM:<\xc3\xbc@b.test>", COMMAND_MAIL, 553 }, { "MAIL FROM:<\xc3\xbc@b.test> SMTPUTF8", COMMAND_MAIL, 0 },
		{ "MAIL FROM:<a@b.test> AUTH=a+2Bb@c.test", COMMAND_MAIL, 0 }, { "MAIL FROM:<a@b.test> AUTH=+", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<> HOLDFOR=999999999", COMMAND_MAIL, 0 }, { "MAIL FROM:<> HOLDFOR=1000000000", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<> HOLDUNTIL=2026-11-24T04:28:01Z", COMMAND_MAIL, 0 }, { "MAIL FROM:<> HOLDUNTIL=tomorrow", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<> BY=+1;RT", COMMAND_MAIL, 0 }, { "MAIL FROM:<> BY=-1;R", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<> BY=1;NTT", COMMAND_MAIL, 501 }, { "MAIL FROM:<> BY=1;", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<> BY=-;N", COMMAND_MAIL, 501 }, { "MAIL FROM:<> BY", COMMAND_MAIL, 501 },
		{ "MAIL FROM:<> MT-PRIORITY=10", COMMAND_MAIL, 501 }, { "MAIL FROM:<> REQUIRETLS", COMMAND_MAIL, 0 },
		{ "MAIL FROM:<> REQUIRETLS=", COMMAND_MAIL, 501 }, { "MAIL FROM:<> mt-priority=-9", COMMAND_MAIL, 0 },
		{ "RCPT TO:<>", COMMAND_RCPT, 501 }, { "RCPT TO:<postmaster>", COMMAND_RCPT, 0 },
		{ "RCPT TO:<alice>", COMMAND_RCPT, 501 }, { "RCPT TO:<a@b.test> NOTIFY=", COMMAND_RCPT, 501 },
		{ "RCPT TO:<a@b.test> NOTIFY=NEVER,NEVER", COMMAND_RCPT, 0 },
		{ "RCPT TO:<a@b.test> NOTIFY=NEVER,DELAY", COMMAND_RCPT, 501 },
		{ "RCPT TO:<a@b.test> ORCPT=rfc822", COMMAND_RCPT, 501 }, { "RCPT TO:<a@b.test> ORCPT=;x", COMMAND_RCPT, 501 },
		{ "RCPT TO:<a@b.test> ORCPT=rfc822;+0A", COMMAND_RCPT, 501 }, { "RCPT TO:<a@b.test> SIZE=1", COMMAND_RCPT, 555 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct command command = parse(cases[i].line);

		if (command.verb != cases[i].verb || command.fault.code != cases[i].code)
			fail_msg("%s: %s %u", cases[i].line, command_verb_word(command.verb), command.fault.code);
		if (command.fault.code != 0)
			assert_int_equal(command.fault.enhanced.class, command.fault.code / 100);
	}
}

static void parts_of_mail(void **state)
{
	const struct command command =
	    parse("mail from:<\"a b\"@B.test> SIZE=1000 BODY=8bitmime RET=HDRS ENVID=a+2Bb AUTH=<>");
	const struct command_mail *mail = &command.mail;

	(void)state;
	assert_int_equal(command.fault.code, 0);
	assert_true(text_equal(mail->reverse_path.local, TEXT("a b")));
	assert_true(text_equal(mail->reverse_path.domain, TEXT("b.test")));
	assert_int_equal(mail->size, 1000);
	assert_true(mail->body_8bit && !mail->smtputf8);
	assert_int_equal(mail->dsn_return, DSN_RETURN_HEADERS);
	assert_true(text_equal(mail->envelope_id, TEXT("a+b")));
	assert_true(text_equal(mail->submitter, TEXT("<>")));
	assert_true(parse("MAIL FROM:<> SIZE=99999999999999999999").mail.size == UINT64_MAX);
}

static void claims_of_mail(void **state)
{
	const struct command_mail claimed = parse("MAIL FROM:<> XCLAIM=a1.B2").mail;
	static const char *const wrong[] = { "MAIL FROM:<> XCLAIM", "MAIL FROM:<> XCLAIM=", "MAIL FROM:<> XCLAIM=a", "MAIL FROM:<> XCLAIM=a.",
		"MAIL FROM:<> XCLAIM=.b", "MAIL FROM:<> XCLAIM=a.b.c", "MAIL FROM:<> XCLAIM=a+.b",
		"MAIL FROM:<> XCLAIM=0123456789012345678901234567890123456789012345678901234567890123x.b" };

	(void)state;
	assert_true(text_equal(claimed.claim_key, TEXT("a1")) && text_equal(claimed.claim_mark, TEXT("B2")));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(parse(wrong[i]).fault.code, 501);
}

static void times_of_mail(void **state)
{
	const struct command_mail held = parse("MAIL FROM:<> HOLDFOR=60").mail;
	const struct command_mail until = parse("MAIL FROM:<> HOLDUNTIL=2026-11-24T05:28:01+01:00").mail;
	const struct command_mail wanted = parse("MAIL FROM:<> BY=120;r").mail;
	const struct command_mail late = parse("MAIL FROM:<> BY=-7;NT").mail;

	(void)state;
	assert_true(held.holds && held.hold_s == 60 && held.hold_until_ms == 0 && !held.by);
	assert_true(until.holds && until.hold_s == 0 && until.hold_until_ms == 1795494481000);
	assert_true(wanted.by && wanted.by_s == 120 && wanted.by_return && !wanted.by_trace);
	assert_true(late.by && late.by_s == -7 && !late.by_return && late.by_trace);
}

static void priority_of_mail(void **state)
{
	const struct command_mail low = parse("MAIL FROM:<> MT-PRIORITY=-9").mail, none = parse("MAIL FROM:<>").mail;

	(void)state;
	assert_true(low.prioritises && low.priority == -9);
	assert_true(!none.prioritises && none.priority == 0);
}

static void parts_of_rcpt(void **state)
{
	const struct command command = parse("RCPT TO:<a@b.test> NOTIFY=success,Delay ORCPT=rfc822;x+2By@c.test");

	(void)state;
	assert_int_equal(command.fault.code, 0);
	assert_int_equal(command.rcpt.notify, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY);
	assert_true(text_equal(command.rcpt.original, TEXT("rfc822;x+y@c.test")));
}

static void parts_of_others(void **state)
{
	(void)state;
	assert_true(text_equal(parse("EHLO  c.test ").argument, TEXT("c.test")));
	assert_int_equal(parse("BDAT 12 LAST").bdat.size, 12);
	assert_true(parse("BDAT 12 LAST").bdat.last && !parse("BDAT 12").bdat.last);
}

/* What Postfix's own tests feed to its tokenizer (tests/vectors/smtp/postfix-smtpd-token). Postfix's results
 * are those of a lenient tokenizer; ours follow RFC 5321 §4.1.2, so a comment, a bare space, a
 * display name, an unclosed quote or bracket, a quoted mailbox without its brackets are refused. */
static void postfix_token_vectors(void **state)
{
	static const bool good[] = { true, true, true, false, false, false, false, false, false, false, false, false };
	FILE *file = fopen(VECTORS "/postfix-smtpd-token/smtpd_token.in", "r");
	char line[512];
	size_t count = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		line[text_trim(text_of(line)).length] = '\0';
		assert_true(count < sizeof good / sizeof *good);
		if ((parse(line).fault.code == 0) != good[count++])
			fail_msg("%s", line);
	}
	fclose(file);
	assert_int_equal(count, sizeof good / sizeof *good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verbs_and_faults, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(parts_of_mail, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(claims_of_mail, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(times_of_mail, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(priority_of_mail, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(parts_of_rcpt, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(parts_of_others, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(postfix_token_vectors, make_arena, drop_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
