#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "outbound/session_script.h"

/* Openings. */
#define EHLO_ONLY "S 220 mx.test ESMTP\nC EHLO client.test\nS 250 mx.test\nready\n"
#define EHLO(...) "S 220 mx.test ESMTP\nC EHLO client.test\nS 250-mx.test\n" __VA_ARGS__ "S 250 HELP\nready\n"
#define PIPELINED EHLO("S 250-PIPELINING\n")
#define CHUNKED EHLO("S 250-PIPELINING\nS 250-CHUNKING\n")
#define LHLO "S 220 mx.test LMTP\nC LHLO client.test\nS 250-mx.test\nS 250 PIPELINING\nready\n"

#define MAIL "C MAIL FROM:<s@client.test>\n"
#define RCPT0 "C RCPT TO:<r0@a.test>\n"
#define RCPT1 "C RCPT TO:<r1@a.test>\n"
#define RCPT2 "C RCPT TO:<r2@b.test>\n"
#define TWO { "r0@a.test", "r1@a.test" }
#define THREE { "r0@a.test", "r1@a.test", "r2@b.test" }
#define HELLO "C hello\nC .\nfinal\n"

static const struct script opening[] = {
	{ .name = "step by step without extensions", .lines =
	    EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "stake 0\n"
		      "S 250 2.0.0 queued\nfinished\nready\n= 0 250 queued\nwithout-dsn 0\nQ\nC QUIT\nS 221 Bye\nended\n" },
	{ .name = "a server that knows only HELO", .lines =
	    "S 220 old\nC EHLO client.test\nS 502 what\nC HELO client.test\nS 250 old\nready\nM\n" MAIL "S 250 Ok\n" RCPT0
	    "S 251 will forward\nC DATA\nS 354 Go\n" HELLO "S 250 Ok\nfinished\nready\n= 0 250 Ok\n" },
	{ .name = "an answer to EHLO that is refused offers nothing", .lines =
	    "S 220 old\nC EHLO client.test\nS 500-PIPELINING\nS 500 SIZE 10\nC HELO client.test\nS 250 old\nready\nM\n" MAIL },
	{ .name = "a greeting of many lines", .lines =
	    "S 220-mx.test\nS 220-no spam\nS 220 please\nC EHLO client.test\nS 250 mx.test\nready\n" },
	{ .name = "the name in the first line is no capability", .lines =
	    "S 220 hi\nC EHLO client.test\nS 250-PIPELINING\nS 250 HELP\nready\nM\n" MAIL },
	{ .name = "the greeting is a temporary no", .lines = "S 450 4.3.2 busy\nended 450 busy\n" },
	{ .name = "the greeting is a permanent no", .lines = "S 554 5.7.1 go away\nended 554 go away\n" },
	{ .name = "the greeting is 421", .lines = "S 421 4.3.2 shutting down\nended 421 shutting down\n" },
	{ .name = "EHLO gets a temporary no", .lines = "S 220 hi\nC EHLO client.test\nS 451 later\nended 451 later\n" },
	{ .name = "HELO gets a no", .lines = "S 220 hi\nC EHLO client.test\nS 500 x\nC HELO client.test\nS 550 who\nended 550 who\n" },
	{ .name = "no SMTP at all", .lines = "S HTTP/1.1 400 Bad Request\nended 451 not an SMTP reply\n" },
	{ .name = "a server that talks too early", .lines = "S 220 hi\nC EHLO client.test\nS 250 ok\nS 250 ok\nended 451 unexpected reply\n" },
	{ .name = "closed before the greeting", .lines = "closed\nended 451 connection closed by the other side while waiting for the gree\n" },
	{ .name = "closed after EHLO", .lines = "S 220 hi\nC EHLO client.test\nclosed\nended 451 connection closed\n" },
	{ .name = "silence after EHLO", .lines = "S 220 hi\nC EHLO client.test\ntimeout\nended 451 timed out while waiting for the answer to EHLO\n" },
	{ .name = "closed when idle", .lines = EHLO_ONLY "closed\nended\n" },
	{ .name = "421 when idle", .lines = EHLO_ONLY "S 421 idle for too long\nended 421 idle\n" },
	{ .name = "quit without answer", .lines = EHLO_ONLY "Q\nC QUIT\nclosed\nended\n" },
	{ .name = "quit and silence", .lines = EHLO_ONLY "Q\nC QUIT\ntimeout\nended\n" },
};

static const struct script envelopes[] = {
	{ .name = "parameters that are offered", .lines =
	    EHLO("S 250-SIZE 1000\nS 250-8BITMIME\nS 250-SMTPUTF8\nS 250-DSN\n") "M\n"
	    "C MAIL FROM:<s@client.test> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B1\nS 250 Ok\n"
	    "C RCPT TO:<r0@a.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@x.test\nS 250 Ok\nC DATA\n",
	    .envelope = { .flags = ENVELOPE_8BIT | ENVELOPE_SMTPUTF8, .dsn_return = DSN_RETURN_HEADERS,
		.envelope_id = { "QQ+1", 4 } },
	    .original = "rfc822;a+b@x.test", .notify = DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY },
	{ .name = "parameters that are not wished for", .lines =
	    EHLO("S 250-8BITMIME\nS 250-SMTPUTF8\nS 250-DSN\n") "M\n" MAIL "S 250 Ok\n" RCPT0 },
	{ .name = "RET=FULL, NOTIFY=NEVER, and an international ORCPT", .lines =
	    EHLO("S 250-DSN\n") "M\nC MAIL FROM:<s@client.test> RET=FULL\nS 250 Ok\n"
	    "C RCPT TO:<r0@a.test> NOTIFY=NEVER ORCPT=utf-8;\\x{FC}\\x{2B}\\x{20AC}@x.test\n",
	    .envelope = { .dsn_return = DSN_RETURN_FULL }, .notify = DSN_NOTIFY_NEVER,
	    .original = "utf-8;\xc3\xbc+\xe2\x82\xac@x.test" },
	{ .name = "wishes that are not offered", .lines =
	    EHLO("S 250-8BITMIME\n") "M\nC MAIL FROM:<s@client.test> BODY=8BITMIME\nS 250 Ok\n" RCPT0,
	    .envelope = { .flags = ENVELOPE_8BIT, .dsn_return = DSN_RETURN_FULL, .envelope_id = { "X", 1 } },
	    .original = "rfc822;x@y", .notify = DSN_NOTIFY_FAILURE },
	{ .name = "no mark where DSN is offered", .lines =
	    EHLO("S 250-DSN\n") "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "S 250 Ok\nfinished\n= 0 250 Ok\n" },
	{ .name = "the null path", .lines = EHLO_ONLY "M\nC MAIL FROM:<>\n", .null_path = true },
	{ .name = "too large", .lines = EHLO("S 250-SIZE 1000\n") "M\nfinished\nready\n= 0 552 the message is larger\n",
	    .envelope = { .body_size = 1001 } },
	{ .name = "just small enough", .lines = EHLO("S 250-SIZE 1000\n") "M\nC MAIL FROM:<s@client.test> SIZE=1000\n",
	    .envelope = { .body_size = 1000, .chunk_count = 1 } },
	{ .name = "SMTPUTF8 is missing", .lines = EHLO_ONLY "M\nfinished\nready\n= 0 550 the message needs SMTPUTF8\n= 1 550 the\n",
	    .envelope = { .flags = ENVELOPE_SMTPUTF8 }, .recipients = TWO },
	{ .name = "8BITMIME is missing and needed", .lines = EHLO_ONLY "M\nfinished\nready\n= 0 554 the message holds 8-bit\n",
	    .envelope = { .flags = ENVELOPE_8BIT }, .chunks = { "ascii\r\n", "gr\xc3\xbc\xc3\x9f\r\n" } },
	{ .name = "8BITMIME is missing and not needed", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n"
	    "C ascii\nC more\nC .\nfinal\n", .envelope = { .flags = ENVELOPE_8BIT }, .chunks = { "ascii\r\n", "more\r\n" } },
	{ .name = "after a refusal without talk the next message goes", .lines = EHLO("S 250-SIZE 5\n") "M\nfinished\nready\nM\nfinished\nready\n" },
};

static const struct script refusals[] = {
	{ .name = "MAIL refused", .lines = EHLO_ONLY "M\n" MAIL "S 550 5.7.1 no\nfinished\nready\n= 0 550 no\n= 1 550 no\nM\n" MAIL, .recipients = TWO },
	{ .name = "MAIL refused, pipelined", .lines = PIPELINED "M\n" MAIL RCPT0 RCPT1 "C DATA\nS 451 4.7.1 wait\nfinished\n= 0 451 wait\n= 1 451 wait\n"
	    "S 503 x\nS 503 x\nS 503 x\nC RSET\nS 250 Ok\nready\n", .recipients = TWO },
	{ .name = "MAIL refused, DATA taken all the same", .lines = PIPELINED "M\n" MAIL RCPT0 "C DATA\nS 550 no\nfinished\n= 0 550 no\nS 503 x\nS 354 go\n"
	    "C .\nS 554 nobody\nC RSET\nS 250 Ok\nready\n" },
	{ .name = "MAIL refused, all else accepted: no empty message", .lines = PIPELINED "M\n" MAIL RCPT0 "C DATA\nS 550 no\nfinished\n= 0 550 no\nS 250 x\n"
	    "S 354 go\nended 451 unexpected reply\n" },
	{ .name = "MAIL answered by 354", .lines = EHLO_ONLY "M\n" MAIL "S 354 what\nfinished\nready\n= 0 451 what\n" },
	{ .name = "one of two refused", .lines = PIPELINED "M\n" MAIL RCPT0 RCPT1 "C DATA\nS 250 Ok\nS 550 5.1.1 unknown\nS 250 Ok\nS 354 Go\n" HELLO
	    "S 250 done\nfinished\nready\n= 0 550 unknown\n= 1 250 done\n", .recipients = TWO },
	{ .name = "a mix", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 450 4.2.1 grey\n" RCPT1 "S 250 Ok\n" RCPT2 "S 553 5.1.3 bad\nC DATA\nS 354 Go\n" HELLO
	    "S 451 4.3.0 later\nfinished\nready\n= 0 450 grey\n= 1 451 later\n= 2 553 bad\n", .recipients = THREE },
	{ .name = "all refused", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 550 a\n" RCPT1 "S 450 b\nfinished\n= 0 550 a\n= 1 450 b\nC RSET\nS 250 Ok\nready\nM\n" MAIL,
	    .recipients = TWO },
	{ .name = "all refused, DATA refused, too", .lines = PIPELINED "M\n" MAIL RCPT0 "C DATA\nS 250 Ok\nS 550 a\nfinished\nS 554 nobody\nC RSET\nS 250 Ok\nready\n= 0 550 a\n" },
	{ .name = "all refused, DATA taken", .lines = PIPELINED "M\n" MAIL RCPT0 "C DATA\nS 250 Ok\nS 550 a\nfinished\nS 354 go\nC .\nS 554 nobody\nC RSET\nS 250 Ok\nready\n= 0 550 a\n" },
	{ .name = "DATA refused", .lines = PIPELINED "M\n" MAIL RCPT0 "C DATA\nS 250 Ok\nS 250 Ok\nS 451 disk\nfinished\n= 0 451 disk\nC RSET\nS 250 Ok\nready\n" },
	{ .name = "DATA answered by 250", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 250 Ok\nfinished\nended 451 unexpected reply\n= 0 0\n" },
	{ .name = "the dot refused for good", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO
	    "S 554-5.7.1 spam\nS 554 5.7.1 see x\nfinished\nready\n= 0 554 spam / see x\n" },
	{ .name = "RSET refused", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 550 a\nfinished\n= 0 550 a\nC RSET\nS 500 what\nended 451 unexpected\n" },
	{ .name = "421 to MAIL", .lines = EHLO_ONLY "M\n" MAIL "S 421 bye\nfinished\nended 421 bye\n= 0 0\n" },
	{ .name = "421 to the second RCPT", .lines = PIPELINED "M\n" MAIL RCPT0 RCPT1 "C DATA\nS 250 Ok\nS 550 a\nS 421 bye\nfinished\nended 421 bye\n= 0 550 a\n= 1 0\n",
	    .recipients = TWO },
	{ .name = "421 to the dot", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "S 421 bye\nfinished\nended 421 bye\n= 0 421 bye\npressure 0\n" },
};

static const struct script breaks[] = {
	{ .name = "closed after MAIL", .lines = EHLO_ONLY "M\n" MAIL "closed\nfinished\nended 451 connection closed by the other side while waiting for the answer to MAIL\n= 0 0\n" },
	{ .name = "closed after RCPT", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 550 a\n" RCPT1 "closed\nfinished\nended 451\n= 0 550 a\n= 1 0\n", .recipients = TWO },
	{ .name = "closed after DATA", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nclosed\nfinished\nended 451\n= 0 0\n" },
	{ .name = "closed after the dot: in doubt", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 550 a\n" RCPT1 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "stake 1\n"
	    "closed\nfinished\nended 451\n= 0 550 a\n= 1 451 connection closed by the other side while waiting for the answer to the final dot\npressure 1\n",
	    .recipients = TWO },
	{ .name = "silence after the dot: in doubt", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO
	    "timeout\nfinished\nended 451\n= 0 451 timed out while waiting for the answer to the final dot\n" },
	{ .name = "closed while answers to a refused transaction come", .lines = PIPELINED "M\n" MAIL RCPT0 "C DATA\nS 550 no\nfinished\n= 0 550 no\nclosed\nended 451\n" },
	{ .name = "an early no while idle for DATA", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS noise\nfinished\nended 451 not an SMTP\n= 0 0\n" },
	{ .name = "the stored body is damaged", .lines = CHUNKED "damaged\nfinished\nended 451 stored message is damaged\n= 0 451 stored message is damaged\n" },
	{ .name = "a used connection is stale", .lines = EHLO_ONLY "M\n" MAIL "S 550 no\nfinished\nready\nM\n" MAIL "closed\nfinished\nended 451\nstale\n= 0 0\n" },
	{ .name = "a used connection says 421", .lines = EHLO_ONLY "M\n" MAIL "S 550 no\nfinished\nready\nM\n" MAIL "S 421 idle\nfinished\nended 421\nstale\n= 0 0\n" },
	{ .name = "a stale connection leaves nobody in doubt", .lines = CHUNKED "M\n" MAIL RCPT0 "C BDAT 7 LAST\nC hello\nfinal\nS 250 a\nS 250 b\nS 250 c\nfinished\nready\n= 0 250 c\n"
	    "M\n" MAIL RCPT0 "C BDAT 7 LAST\nC hello\nfinal\nstake 0\nclosed\nfinished\nended 451\nstale\n= 0 0\n" },
	{ .name = "one reply, and it is not stale", .lines = CHUNKED "M\n" MAIL RCPT0 "C BDAT 7 LAST\nC hello\nfinal\nS 250 a\nS 250 b\nS 250 c\nfinished\nready\n"
	    "M\n" MAIL RCPT0 "C BDAT 7 LAST\nC hello\nfinal\nS 250 a\nclosed\nfinished\nended 451\n= 0 451\npressure 0\n" },
};

static const struct script bodies[] = {
	{ .name = "dots and a missing line end", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\nC ..a\nC ...\nC b.\nC ..c\nC .\nfinal\nS 250 Ok\nfinished\nready\n= 0 250 Ok\n",
	    .chunks = { ".a\r", "\n..\r\nb.\r\n", ".c" } },
	{ .name = "an empty body", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\nC .\nfinal\nS 250 Ok\nfinished\nready\n= 0 250 Ok\n", .no_body = true },
	{ .name = "an empty body by BDAT", .lines = CHUNKED "M\n" MAIL RCPT0 "C BDAT 0 LAST\nfinal\nS 250 a\nS 250 b\nS 250 Ok\nfinished\nready\n= 0 250 Ok\n", .no_body = true },
	{ .name = "a small body goes with its envelope", .lines = CHUNKED "M\n" MAIL RCPT0 RCPT1 "C BDAT 6 LAST\nC .dot\nfinal\nstake 0\nstake 1\nS 250 a\nS 250 b\nS 550 c\nS 250 Ok\n"
	    "finished\nready\n= 0 250 Ok\n= 1 550 c\n", .recipients = TWO, .chunks = { ".dot" } },
	{ .name = "a large body waits for a recipient", .lines = CHUNKED "M\n" MAIL RCPT0 "S 250 a\nS 250 b\nC BDAT 3\nC a\nC BDAT 5\nC bcd\nC BDAT 3 LAST\nC e\nfinal\n"
	    "S 250 1\nS 250 2\nS 250 Ok\nfinished\nready\n= 0 250 Ok\n", .chunks = { "a\r\n", "bcd\r\n", "e\r\n" } },
	{ .name = "a large body for nobody is not sent", .lines = CHUNKED "M\n" MAIL RCPT0 "S 250 a\nS 550 b\nfinished\nC RSET\nS 250 Ok\nready\n= 0 550 b\n", .chunks = { "a\r\n", "b\r\n" } },
	{ .name = "BDAT without pipelining", .lines = EHLO("S 250-CHUNKING\n") "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC BDAT 3\nC a\nS 250 Ok\nC BDAT 3 LAST\nC b\nfinal\n"
	    "S 250 Ok\nfinished\nready\n= 0 250 Ok\n", .chunks = { "a\r\n", "b\r\n" } },
	{ .name = "BDAT refused in the middle", .lines = EHLO("S 250-CHUNKING\n") "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC BDAT 3\nC a\nS 452 full\nfinished\nC RSET\nS 250 Ok\nready\n= 0 452 full\n",
	    .chunks = { "a\r\n", "b\r\n" } },
	{ .name = "BDAT refused, pipelined", .lines = CHUNKED "M\n" MAIL RCPT0 "S 250 a\nS 250 b\nC BDAT 3\nC a\nC BDAT 3 LAST\nC b\nfinal\nS 552 big\nfinished\nS 503 x\nC RSET\nS 250 Ok\nready\n= 0 552 big\n",
	    .chunks = { "a\r\n", "b\r\n" } },
	{ .name = "all refused, the body was sent", .lines = CHUNKED "M\n" MAIL RCPT0 "C BDAT 7 LAST\nC hello\nfinal\nS 250 a\nS 550 b\nfinished\nS 503 nobody\nC RSET\nS 250 Ok\nready\n= 0 550 b\n" },
	{ .name = "421 to RCPT, the body was sent: nobody in doubt", .lines = CHUNKED "M\n" MAIL RCPT0 "C BDAT 7 LAST\nC hello\nfinal\nS 250 a\nS 421 bye\nfinished\nended 421 bye\n= 0 0\n" },
};

#define BY(flags_, seconds) .envelope = { .flags = flags_, .deliver_by_ms = (seconds) * 1000LL }
#define MAIL_BY(by) "C MAIL FROM:<s@client.test>" by "\n"

/* RFC 2852 §4. The clock of these scripts stands at 0. */
static const struct script times[] = {
	{ .name = "the time that is left", .lines = EHLO("S 250-DELIVERBY 60\n") "M\n" MAIL_BY(" BY=90;RT") "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO
	    "S 250 Ok\nfinished\nready\n= 0 250 Ok\n", BY(ENVELOPE_BY_RETURN | ENVELOPE_BY_TRACE, 90) },
	{ .name = "late, and to go on", .lines = EHLO("S 250-DELIVERBY 60\n") "M\n" MAIL_BY(" BY=-5;N"), BY(0, -5) },
	{ .name = "the last second", .lines = EHLO("S 250-DELIVERBY\n") "M\n" MAIL_BY(" BY=1;R"), .envelope = { .flags = ENVELOPE_BY_RETURN, .deliver_by_ms = 10 } },
	{ .name = "too little time", .lines = EHLO("S 250-DELIVERBY 60\n") "M\nfinished\nready\n= 0 550 the server takes longer\n", BY(ENVELOPE_BY_RETURN, 59) },
	{ .name = "a server that knows no time", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO
	    "S 250 Ok\nfinished\nready\n= 0 250 Ok\nwithout-deliverby 0\n", BY(ENVELOPE_BY_RETURN, 59) },
};

/* RFC 6710 §4.4 */
static const struct script priorities[] = {
	{ .name = "a priority is passed on", .lines = EHLO("S 250-MT-PRIORITY\n") "M\nC MAIL FROM:<s@client.test> MT-PRIORITY=-4\n", .envelope = { .priority = -4 } },
	{ .name = "none where nobody asked for it", .lines = EHLO("S 250-MT-PRIORITY MIXER\n") "M\n" MAIL },
	{ .name = "none where it is not offered", .lines = EHLO_ONLY "M\n" MAIL, .envelope = { .priority = 9 } },
};

static const struct script splits[] = {
	{ .name = "RCPTMAX", .lines = EHLO("S 250-LIMITS RCPTMAX=2\n") "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\n" RCPT1 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "S 250 one\n"
	    MAIL "S 250 Ok\n" RCPT2 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "S 250 two\nfinished\nready\n= 0 250 one\n= 1 250 one\n= 2 250 two\n", .recipients = THREE },
	{ .name = "452 after the first", .lines = PIPELINED "M\n" MAIL RCPT0 RCPT1 "C DATA\nS 250 Ok\nS 250 Ok\nS 452 4.5.3 too many\nS 354 Go\n" HELLO "S 250 one\n"
	    MAIL RCPT1 "C DATA\nS 250 Ok\nS 250 Ok\nS 354 Go\n" HELLO "S 250 two\nfinished\nready\n= 0 250 one\n= 1 250 two\n", .recipients = TWO },
	{ .name = "552 for a full mailbox is no splitting", .lines = PIPELINED "M\n" MAIL RCPT0 RCPT1 "C DATA\nS 250 Ok\nS 250 Ok\nS 552 5.2.2 full\nS 354 Go\n" HELLO
	    "S 250 one\nfinished\nready\n= 0 250 one\n= 1 552 full\n", .recipients = TWO },
	{ .name = "452 to the first", .lines = EHLO_ONLY "M\n" MAIL "S 250 Ok\n" RCPT0 "S 452 4.5.3 too many\nfinished\nC RSET\nS 250 Ok\nready\n= 0 452 too many\n" },
	{ .name = "DATA refused, the rest goes on", .lines = EHLO("S 250-LIMITS RCPTMAX=1\n") "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 451 no\nC RSET\nS 250 Ok\n"
	    MAIL "S 250 Ok\n" RCPT1 "S 550 b\nfinished\n= 0 451 no\n= 1 550 b\nC RSET\n", .recipients = TWO },
	{ .name = "MAILMAX", .lines = EHLO("S 250-LIMITS MAILMAX=1\n") "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "S 250 Ok\nfinished\n= 0 250 Ok\nC QUIT\nS 221 Bye\nended\n" },
	{ .name = "MAILMAX in the middle of a message", .lines = EHLO("S 250-LIMITS MAILMAX=1 RCPTMAX=1\n") "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO
	    "S 250 Ok\nfinished\n= 0 250 Ok\n= 1 0\nC QUIT\nS 221 Bye\nended\n", .recipients = TWO },
	{ .name = "our own limit of messages", .lines = EHLO_ONLY "M\n" MAIL "S 550 no\nfinished\n= 0 550 no\nC QUIT\n", .messages_max = 1 },
	{ .name = "RCPTDOMAINMAX", .lines = EHLO("S 250-LIMITS RCPTDOMAINMAX=1\n") "M\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\n" RCPT1 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO
	    "S 250 Ok\nfinished\nready\n= 0 250 Ok\n= 1 250 Ok\n= 2 0\n", .recipients = THREE },
};

static const struct script lmtp[] = {
	{ .name = "one answer for each recipient", .lines = LHLO "M\n" MAIL RCPT0 RCPT1 RCPT2 "C DATA\nS 250 Ok\nS 250 Ok\nS 550 who\nS 250 Ok\nS 354 Go\n" HELLO
	    "S 250 first\nS 452 4.2.2 full\nfinished\nready\n= 0 250 first\n= 1 550 who\n= 2 452 full\n", .recipients = THREE, .lmtp = true },
	{ .name = "closed between the answers", .lines = LHLO "M\n" MAIL RCPT0 RCPT1 "C DATA\nS 250 Ok\nS 250 Ok\nS 250 Ok\nS 354 Go\n" HELLO
	    "S 250 first\nclosed\nfinished\nended 451\n= 0 250 first\n= 1 451 connection closed\npressure 1\n", .recipients = TWO, .lmtp = true },
	{ .name = "LHLO refused", .lines = "S 220 hi\nC LHLO client.test\nS 500 what\nended 500 what\n", .lmtp = true },
	{ .name = "nobody accepted but DATA taken", .lines = LHLO "M\n" MAIL RCPT0 "C DATA\nS 250 Ok\nS 550 who\nfinished\n= 0 550 who\nS 354 Go\nended 451 unexpected\n", .lmtp = true },
	{ .name = "no BDAT", .lines = "S 220 hi\nC LHLO client.test\nS 250-x\nS 250 CHUNKING\nready\nM\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\n", .lmtp = true },
};

#define OPPORTUNISTIC { .level = TLS_OPPORTUNISTIC }
#define ENCRYPTED { .level = TLS_ENCRYPTED }
#define VERIFIED { .level = TLS_VERIFIED }
#define WHOLE_WAY { .level = TLS_VERIFIED, .whole_way = true }
#define OFFERED "S 220 mx.test ESMTP\nC EHLO client.test\nS 250-mx.test\nS 250-PIPELINING\nS 250 STARTTLS\n"
#define SECURED OFFERED "C STARTTLS\nS 220 go\nhandshake\nsecured\nC EHLO client.test\n"

static const struct script security[] = {
	{ .name = "nothing of before TLS counts behind it", .tls = OPPORTUNISTIC, .lines =
	    SECURED "S 250 mx.test\nready\nM\n" MAIL "S 250 Ok\n" RCPT0 "S 250 Ok\nC DATA\nS 354 Go\n" HELLO
		    "S 250 Ok\nfinished\nready\n= 0 250 Ok\ntls TLSv1.3 CIPHER\n" },
	{ .name = "offered and not wanted", .lines = OFFERED "ready\nM\n" MAIL RCPT0 "C DATA\ntls none\n" },
	{ .name = "not offered and not demanded", .tls = OPPORTUNISTIC, .lines = EHLO_ONLY "M\n" MAIL "tls none\n" },
	{ .name = "offered, but refused for now", .tls = OPPORTUNISTIC, .lines = OFFERED "C STARTTLS\nS 454 4.7.0 not now\nready\nM\n" MAIL RCPT0 "C DATA\ntls none\n" },
	{ .name = "offered, but refused for good", .tls = OPPORTUNISTIC, .lines = OFFERED "C STARTTLS\nS 502 what\nready\n" },
	{ .name = "another 2yz is no yes", .tls = OPPORTUNISTIC, .lines = OFFERED "C STARTTLS\nS 250 Ok\nended 451 unexpected reply\n" },
	{ .name = "demanded and not offered", .tls = VERIFIED, .lines =
	    "S 220 mx.test\nC EHLO client.test\nS 250 mx.test\nended 451 TLS is demanded, and the host does not offer it\n" },
	{ .name = "demanded of a server that knows only HELO", .tls = ENCRYPTED, .lines =
	    "S 220 old\nC EHLO client.test\nS 502 what\nC HELO client.test\nS 250 old\nended 451 TLS is demanded\n" },
	{ .name = "demanded and refused", .tls = VERIFIED, .lines = OFFERED "C STARTTLS\nS 454 4.7.0 not now\nended 454 not now\n" },
	{ .name = "demanded and had", .tls = VERIFIED, .lines = SECURED "S 250-mx.test\nS 250 STARTTLS\nready\nM\n" MAIL "tls TLSv1.3 CIPHER\n" },
	{ .name = "a handshake that fails may be done without", .tls = OPPORTUNISTIC, .lines =
	    OFFERED "C STARTTLS\nS 220 go\nhandshake\ntls-failed wrong version number\nended 451 TLS cannot be had: wrong version number\nclear\n" },
	{ .name = "or may not", .tls = ENCRYPTED, .lines =
	    OFFERED "C STARTTLS\nS 220 go\nhandshake\ntls-failed unknown ca\nended 451 TLS cannot be had: unknown ca\n" },
	{ .name = "a handshake without end", .tls = OPPORTUNISTIC, .lines =
	    OFFERED "C STARTTLS\nS 220 go\nhandshake\ntimeout\nended 451 TLS cannot be had: timed out\nclear\n" },
	{ .name = "all the way", .tls = WHOLE_WAY, .lines = SECURED "S 250-mx.test\nS 250 REQUIRETLS\nready\nM\nC MAIL FROM:<s@client.test> REQUIRETLS\n" },
	{ .name = "not beyond", .tls = WHOLE_WAY, .lines =
	    SECURED "S 250-mx.test\nS 250 SIZE\nended 550 the message requires TLS all the way, which the host does not promise\n" },
	{ .name = "promised, but not under TLS", .tls = WHOLE_WAY, .lines =
	    "S 220 mx.test\nC EHLO client.test\nS 250-mx.test\nS 250 REQUIRETLS\nended 550 the message requires TLS all the way, and the host does not offer it\n" },
	{ .name = "promised, and not asked for", .tls = VERIFIED, .lines = SECURED "S 250-mx.test\nS 250 REQUIRETLS\nready\nM\n" MAIL },
	{ .name = "EHLO behind TLS is refused", .tls = OPPORTUNISTIC, .lines =
	    SECURED "S 502 what\nC HELO client.test\nS 250 mx.test\nready\n" },
	{ .name = "EHLO behind TLS is refused for now", .tls = OPPORTUNISTIC, .lines = SECURED "S 451 later\nended 451 later\n" },
	{ .name = "bytes behind the answer to STARTTLS", .tls = OPPORTUNISTIC, .lines =
	    OFFERED "C STARTTLS\nS 220 go\nS 250 injected\nended 451 bytes in clear text behind the answer\nhandshake\n" },
	{ .name = "from the first byte", .tls = { .level = TLS_VERIFIED, .implicit = true }, .lines =
	    "handshake\nsecured\nS 220 mx.test\nC EHLO client.test\nS 250 mx.test\nready\nM\n" MAIL "tls TLSv1.3 CIPHER\n" },
	{ .name = "from the first byte, in vain", .tls = { .level = TLS_VERIFIED, .implicit = true }, .lines =
	    "handshake\ntls-failed http request\nended 451 TLS cannot be had: http request\n" },
	{ .name = "LMTP", .tls = OPPORTUNISTIC, .lmtp = true, .lines =
	    "S 220 mx.test\nC LHLO client.test\nS 250-mx.test\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nhandshake\nsecured\nC LHLO client.test\nS 250 mx.test\nready\n" },
};

/* AHUAcHc= is NUL u NUL pw; dQ== is u; cHc= is pw; biwsbj11LHI9 is n,,n=u,r= */
#define AS_U .tls = VERIFIED, .login = { { "u", 1 }, { "pw", 2 } }
#define IN_CLEAR .tls = OPPORTUNISTIC, .login = { { "u", 1 }, { "pw", 2 } }
#define AUTH(mechanisms) SECURED "S 250-mx.test\nS 250 AUTH " mechanisms "\n"
#define PLAIN AUTH("PLAIN LOGIN") "C AUTH PLAIN AHUAcHc=\n"

static const struct script logins[] = {
	{ .name = "PLAIN", AS_U, .lines = PLAIN "S 235 2.7.0 welcome\nlogged-in\nready\nM\n" MAIL "S 250 Ok\n" RCPT0
	    "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "S 250 Ok\nfinished\nready\n= 0 250 Ok\n" },
	{ .name = "once for all messages", AS_U, .lines = PLAIN "S 235 welcome\nlogged-in\nready\nM\n" MAIL "S 250 Ok\n" RCPT0
	    "S 250 Ok\nC DATA\nS 354 Go\n" HELLO "S 250 Ok\nfinished\nready\nM\n" MAIL },
	{ .name = "LOGIN", AS_U, .lines = AUTH("LOGIN") "C AUTH LOGIN\nS 334 VXNlcm5hbWU6\nC dQ==\nS 334 UGFzc3dvcmQ6\nC cHc=\n"
	    "S 235 welcome\nlogged-in\nready\n" },
	{ .name = "the strongest first", AS_U, .lines = AUTH("LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256 GSSAPI") "C* AUTH SCRAM-SHA-256 biwsbj11LHI9\n" },
	{ .name = "SCRAM without TLS", IN_CLEAR, .lines =
	    "S 220 mx.test\nC EHLO client.test\nS 250-mx.test\nS 250 AUTH PLAIN SCRAM-SHA-1\nC* AUTH SCRAM-SHA-1 biwsbj11LHI9\n" },
	{ .name = "a host that proves nothing", AS_U, .lines = AUTH("SCRAM-SHA-256") "C* AUTH SCRAM-SHA-256 biwsbj11LHI9\nS 235 welcome\n"
	    "login-failed\nended 451 the host has not shown that it knows the password of \"u\"\n" },
	{ .name = "a host that hears no name", AS_U, .lines = AUTH("LOGIN") "C AUTH LOGIN\nS 235 welcome\nlogin-failed\nended 451 the host has not shown\n" },
	{ .name = "a host that knows no salt", AS_U, .lines = AUTH("SCRAM-SHA-1") "C* AUTH SCRAM-SHA-1 biwsbj11LHI9\nS 334 cj1h\n"
	    "login-failed\nended 451 the host does not keep to the mechanism by which \"u\" logs in\n" },
	{ .name = "PLAIN shows nothing without TLS", IN_CLEAR, .lines =
	    "S 220 mx.test\nC EHLO client.test\nS 250-mx.test\nS 250 AUTH PLAIN LOGIN\n"
	    "login-failed\nended 451 we are to log in as \"u\", and the host offers no mechanism that we use without TLS\n" },
	{ .name = "what was offered before TLS is forgotten", AS_U, .lines =
	    "S 220 mx.test\nC EHLO client.test\nS 250-mx.test\nS 250-AUTH PLAIN\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nhandshake\nsecured\n"
	    "C EHLO client.test\nS 250 mx.test\nlogin-failed\nended 451 we are to log in as \"u\", and the host does not offer AUTH\n" },
	{ .name = "not offered without TLS", IN_CLEAR, .lines = "S 220 mx.test\nC EHLO client.test\nS 250 mx.test\nlogin-failed\n"
	    "ended 451 we are to log in as \"u\", and the host does not offer AUTH without TLS\n" },
	{ .name = "a server that knows only HELO", IN_CLEAR, .lines =
	    "S 220 old\nC EHLO client.test\nS 502 what\nC HELO client.test\nS 250 old\nlogin-failed\nended 451 we are to log in\n" },
	{ .name = "nothing that we speak", AS_U, .lines = AUTH("GSSAPI NTLM") "login-failed\nended 451 we are to log in as \"u\", and the host offers no mechanism that we use\n" },
	{ .name = "a wrong password", AS_U, .lines = PLAIN "S 535 5.7.8 no such luck\nlogin-failed\nlogin-refused\n"
	    "ended 451 the login as \"u\" was refused: 535 5.7.8 no such luck\n" },
	{ .name = "a wrong password without enhanced code", AS_U, .lines = PLAIN "S 535 no\nlogin-refused\nended 451 the login as \"u\" was refused: 535 no\n" },
	{ .name = "a host that repeats what we said", AS_U, .lines = PLAIN "S 502 what is AUTH PLAIN AHUAcHc=\nlogin-refused\n"
	    "ended 451 the login as \"u\" was refused: 502 it does not know the command\n" },
	{ .name = "a host that blurts it out", AS_U, .lines = PLAIN "S 535 pw is wrong\nlogin-refused\n"
	    "ended 451 the login as \"u\" was refused: 535 (its words hold the password)\n" },
	{ .name = "a host whose hash serves no SCRAM", AS_U, .lines = AUTH("PLAIN SCRAM-SHA-1 SCRAM-SHA-256") "C* AUTH SCRAM-SHA-256 biwsbj11LHI9\n"
	    "S 535 no\nC AUTH PLAIN AHUAcHc=\nS 235 in\nlogged-in\nready\n" },
	{ .name = "by nothing at all", AS_U, .lines = AUTH("LOGIN SCRAM-SHA-1") "C* AUTH SCRAM-SHA-1 biwsbj11LHI9\nS 504 what\nC AUTH LOGIN\n"
	    "S 535 no\nlogin-failed\nlogin-refused\nended 451 the login as \"u\" was refused: 535 no\n" },
	{ .name = "it hangs up after SCRAM", AS_U, .lines = AUTH("PLAIN SCRAM-SHA-1") "C* AUTH SCRAM-SHA-1 biwsbj11LHI9\nS 535 no\nC AUTH PLAIN AHUAcHc=\n"
	    "closed\nlogin-failed\nlogin-refused\nended 451 connection closed\n" },
	{ .name = "SCRAM is put off", AS_U, .lines = AUTH("PLAIN SCRAM-SHA-1") "C* AUTH SCRAM-SHA-1 biwsbj11LHI9\nS 454 later\nlogin-failed\nended 451 the login as \"u\" was put off: 454 later\n" },
	{ .name = "nothing is shown without TLS after SCRAM, either", IN_CLEAR, .lines =
	    "S 220 mx.test\nC EHLO client.test\nS 250-mx.test\nS 250 AUTH PLAIN SCRAM-SHA-1\nC* AUTH SCRAM-SHA-1 biwsbj11LHI9\nS 535 no\nlogin-refused\nended 451 the login\n" },
	{ .name = "in the midst of LOGIN", AS_U, .lines = AUTH("LOGIN") "C AUTH LOGIN\nS 334 VXNlcm5hbWU6\nC dQ==\nS 535 who\nlogin-refused\nended 451 the login\n" },
	{ .name = "not now", AS_U, .lines = PLAIN "S 454 4.7.0 later\nlogin-failed\nended 451 the login as \"u\" was put off: 454 4.7.0 later\n" },
	{ .name = "421", AS_U, .lines = PLAIN "S 421 too many\nlogin-failed\nended 421 too many\n" },
	{ .name = "no base64", AS_U, .lines = AUTH("LOGIN") "C AUTH LOGIN\nS 334 Username:\nlogin-failed\nended 451 the host does not keep to the mechanism\n" },
	{ .name = "another question when all is said", AS_U, .lines = PLAIN "S 334 UGFzc3dvcmQ6\nlogin-failed\nended 451 the host does not keep\n" },
	{ .name = "another code", AS_U, .lines = PLAIN "S 250 Ok\nlogin-failed\nended 451 unexpected reply while logging in: 250\n" },
	{ .name = "closed", AS_U, .lines = PLAIN "closed\nlogin-failed\nended 451 connection closed by the other side while logging in\n" },
	{ .name = "silence", AS_U, .lines = PLAIN "timeout\nlogin-failed\nended 451 timed out while logging in\n" },
	{ .name = "TLS from the first byte", .tls = { .level = TLS_VERIFIED, .implicit = true }, .login = { { "u", 1 }, { "pw", 2 } }, .lines =
	    "handshake\nsecured\nS 220 mx.test\nC EHLO client.test\nS 250-mx.test\nS 250 AUTH PLAIN\nC AUTH PLAIN AHUAcHc=\nS 235 in\nlogged-in\nready\n" },
	{ .name = "LMTP by login", AS_U, .lmtp = true, .lines =
	    "S 220 mx.test\nC LHLO client.test\nS 250-mx.test\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nhandshake\nsecured\nC LHLO client.test\n"
	    "S 250-mx.test\nS 250 AUTH PLAIN\nC AUTH PLAIN AHUAcHc=\nS 235 in\nlogged-in\nready\n" },
};

static void play_all(const struct script *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (int cut = SCRIPT_LINES; cut <= SCRIPT_BLOCKS; cut++)
			script_play(&list[i], (enum script_cut)cut);
}

#define PLAY(list)                                               \
	static void plays_##list(void **state)                   \
	{                                                        \
		(void)state;                                     \
		play_all(list, sizeof list / sizeof *list);      \
	}
PLAY(opening)
PLAY(envelopes)
PLAY(refusals)
PLAY(breaks)
PLAY(bodies)
PLAY(splits)
PLAY(times)
PLAY(priorities)
PLAY(lmtp)
PLAY(security)
PLAY(logins)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plays_opening),
		cmocka_unit_test(plays_envelopes),
		cmocka_unit_test(plays_refusals),
		cmocka_unit_test(plays_breaks),
		cmocka_unit_test(plays_bodies),
		cmocka_unit_test(plays_splits),
		cmocka_unit_test(plays_times),
		cmocka_unit_test(plays_priorities),
		cmocka_unit_test(plays_lmtp),
		cmocka_unit_test(plays_security),
		cmocka_unit_test(plays_logins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
