#include "dsn/sample.h"

#include "base/must.h"

enum { ARRIVED_S = 1795494481 };
#define AT(seconds) (1000 * (int64_t)(ARRIVED_S + (seconds)))

static const char original[] =
    "Received: from client.test ([192.0.2.9]) by mail.example.org with ESMTP id 6aedp49k6g000;\r\n"
    "\tTue, 24 Nov 2026 04:28:01 +0000\r\n"
    "From: Alice <alice@example.org>\r\n"
    "To: carol@remote.test\r\n"
    "Subject: Hello\r\n"
    "Message-ID: <hello.1@example.org>\r\n"
    "\r\n"
    "How are you?\r\n"
    "--=_6aedp49k6j000_0--\r\n";

static const struct envelope headers_envelope = {
	.id = 1000,
	.arrived_ms = AT(0),
	.expires_ms = AT(432000),
	.reverse_path = { { "alice", 5 }, { "example.org", 11 } },
	.envelope_id = { "QQ314159", 8 },
};

static const struct envelope full_envelope = {
	.id = 1000,
	.arrived_ms = AT(0),
	.expires_ms = AT(432000),
	.dsn_return = DSN_RETURN_FULL,
	.reverse_path = { { "alice", 5 }, { "example.org", 11 } },
};

static const struct envelope utf8_envelope = {
	.id = 1000,
	.arrived_ms = AT(0),
	.expires_ms = AT(432000),
	.flags = ENVELOPE_SMTPUTF8,
	.reverse_path = { { "älice", 6 }, { "example.org", 11 } },
};

#define CAROL { { "carol", 5 }, { "remote.test", 11 } }
#define TEXT_STATIC(literal) { literal, sizeof(literal) - 1 }

static const struct dsn_recipient refused = {
	.address = CAROL,
	.original = TEXT_STATIC("rfc822;friends@example.org"),
	.action = DSN_FAILED,
	.verdict = { 550, { 5, 1, 1 }, TEXT_STATIC("no such carol here"), TEXT_STATIC("mx.remote.test[192.0.2.1]") },
	.attempted_ms = AT(2),
};

static const struct dsn_recipient expired = {
	.address = CAROL,
	.action = DSN_FAILED,
	.expired = true,
	.verdict = { 451, { 4, 3, 0 }, TEXT_STATIC("the disk is still full"), TEXT_STATIC("mx.remote.test[192.0.2.1]") },
	.attempted_ms = AT(432000),
};

static const struct dsn_recipient delayed = {
	.address = CAROL,
	.action = DSN_DELAYED,
	.verdict = { 450, { 4, 4, 1 }, TEXT_STATIC("connection refused"), { NULL, 0 } },
	.attempted_ms = AT(14400),
	.retry_until_ms = AT(432000),
};

static const struct dsn_recipient mixed[] = {
	{ .address = CAROL, .action = DSN_RELAYED,
	    .verdict = { 250, { 2, 0, 0 }, TEXT_STATIC("ok: queued as 7"), TEXT_STATIC("mx.remote.test[192.0.2.1]") } },
	{ .address = { { "bob", 3 }, { "example.org", 11 } }, .action = DSN_DELIVERED,
	    .verdict = { 250, { 2, 0, 0 }, TEXT_STATIC("delivered"), { NULL, 0 } } },
};

static const struct dsn_recipient hostile[] = {
	{ .address = { { "a b\"<\r\nBcc: x@y", 16 }, { "remote.test", 11 } },
	    .original = TEXT_STATIC("rfc822;x@y\r\n\r\n--=_6aedp49k6j000_0"),
	    .action = DSN_FAILED,
	    .verdict = { 554, { 5, 7, 1 }, TEXT_STATIC("no\r\n\r\n--=_6aedp49k6j000_0--\r\nX: y \x1b[2J \xff and a line of words "
	        "that goes on and on until it has to be folded at a blank"), TEXT_STATIC("evil[192.0.2.1]\r\nAction: delivered") } },
};

static const struct dsn_recipient utf8[] = {
	{ .address = { { "çarol", 6 }, { "remote.test", 11 } }, .action = DSN_FAILED,
	    .verdict = { 550, { 5, 1, 1 }, TEXT_STATIC("niemand heißt so"), TEXT_STATIC("mx.remote.test[192.0.2.1]") } },
};

#define REPORT(envelope_, to_, recipients_, count_)                                                              \
	{                                                                                                   \
		.hostname = TEXT_STATIC("mail.example.org"), .id = 7294061330366529536, .now_ms = AT(2),    \
		.to = { TEXT_STATIC(to_), { "example.org", 11 } }, .envelope = (envelope_),                   \
		.recipients = (recipients_), .recipient_count = (count_),                                   \
		.original = { original, sizeof original - 1 }, .original_complete = true                    \
	}

static const struct {
	const char *name;
	struct dsn_report report;
} samples[DSN_SAMPLE_COUNT] = {
	{ "refused", REPORT(&headers_envelope, "alice", &refused, 1) },
	{ "expired", REPORT(&full_envelope, "alice", &expired, 1) },
	{ "delayed", REPORT(&headers_envelope, "alice", &delayed, 1) },
	{ "success", REPORT(&headers_envelope, "alice", mixed, 2) },
	{ "hostile", REPORT(&full_envelope, "alice", hostile, 1) },
	{ "utf8", REPORT(&utf8_envelope, "älice", utf8, 1) },
};

const char *dsn_sample_name(unsigned number)
{
	must(number < DSN_SAMPLE_COUNT);
	return samples[number].name;
}

const struct dsn_report *dsn_sample(unsigned number)
{
	must(number < DSN_SAMPLE_COUNT);
	return &samples[number].report;
}
