"""Single messages that fail DMARC are reported to who asks for it (RFC 9991): in its form, without names, not too often."""
import email
import email.policy
import smtplib

import conftest

CLIENT, FOREIGN = "127.0.0.1", "127.0.0.9"  # Neither is trusted.
SECRET = "bob.secret"


def zone(**records):
    names = {
        "example.org": {"MX": [[10, "mail.example.org"]]},
        "good.test": {"TXT": [[f"v=spf1 ip4:{CLIENT} -all"]]},
        "_dmarc.good.test": {"TXT": [["v=DMARC1; p=quarantine; ruf=mailto:ruf@reports.test"]]},
        "good.test._report._dmarc.reports.test": {"TXT": [["v=DMARC1"]]},
        "_dmarc.stranger.test": {"TXT": [["v=DMARC1; p=none; ruf=mailto:victim@reports.test"]]},
        "reports.test": {"MX": [[10, "mx.reports.test"]]},
        "mx.reports.test": {"A": ["127.0.0.1"]},
    }
    return {**names, **records}


def hand_in(server, author, sender=f"{SECRET}@far.test", source=FOREIGN, more=""):
    with smtplib.SMTP(server.address, server.port, local_hostname="c.test", timeout=conftest.PATIENCE_S,
                      source_address=(source, 0)) as client:
        client.ehlo()
        client.mail(sender)
        client.rcpt("alice@example.org")
        return client.data(f"{more}From: Bob Secret <{SECRET}@{author}>\r\nTo: alice@example.org\r\nSubject: {SECRET}\r\n"
                           f"Message-ID: <42@{author}>\r\n\r\nHello.\r\n".encode())[0]


def serve(postroad, receiver, **more):
    return postroad(zone=zone(), relay_from='"127.0.0.77"', outbound_port=receiver.port,
                    conf='reports { failures = yes organization = "Widgets" }\nauthentication { dmarc = enforce }\n', **more)


def test_a_failure_is_reported(postroad, remote):
    receiver = remote()
    server = serve(postroad, receiver)
    assert hand_in(server, "good.test", source=CLIENT, sender="a@good.test") == 250  # It passes.
    assert hand_in(server, "stranger.test") == 250  # Whom it names has not asked for it.
    assert hand_in(server, "good.test", more="Auto-Submitted: auto-replied\r\n") == 250
    assert hand_in(server, "good.test", sender="") == 250
    assert hand_in(server, "good.test") == 250
    conftest.until(lambda: receiver.messages, "the report")
    conftest.until(server.queue_is_empty, "all to be out")
    [message] = receiver.messages
    assert "<ruf@reports.test>" in message["to"][0] and "<postmaster@example.org>" in message["from"]
    assert SECRET.encode() not in message["body"] and b"alice" not in message["body"] and b"Hello" not in message["body"]
    mail = email.message_from_bytes(message["body"], policy=email.policy.default)
    assert mail.get_content_type() == "multipart/report" and mail["Content-Type"].params["report-type"] == "feedback-report"
    assert mail["Auto-Submitted"] == "auto-generated"
    words, feedback, header = mail.get_payload()
    assert [part.get_content_type() for part in mail.get_payload()] == ["text/plain", "message/feedback-report", "text/rfc822-headers"]
    told = feedback.get_payload()
    told = email.message_from_string(told if isinstance(told, str) else told[0].as_string(), policy=email.policy.default)
    assert (told["Feedback-Type"], told["Version"], told["Auth-Failure"]) == ("auth-failure", "1", "dmarc")
    assert (told["Reported-Domain"], told["Source-IP"], told["Identity-Alignment"]) == ("good.test", FOREIGN, "none")
    assert told["Original-Mail-From"] == "<redacted@far.test>" and told["Delivery-Result"] == "spam"
    assert "dmarc=fail" in told["Authentication-Results"]
    assert "Message-ID: <42@good.test>" in header.get_payload() and "From: <redacted@good.test>" in header.get_payload()
    [event] = server.told("failure-reported")
    assert event["domain"] == "good.test" and event["client"] == FOREIGN
    assert "delivered" in server.run("trace", event["report"]).stdout
    assert server.ask("stats")["counters"]["failures-reported"] == 1


def test_not_too_often(postroad, remote):
    receiver = remote()
    server = serve(postroad, receiver)
    for _ in range(13):
        assert hand_in(server, "good.test") == 250
    counters = conftest.until(lambda: (counters := server.ask("stats")["counters"])["failures-reported"] +
                              counters["failures-unreported"] == 13 and counters, "all to be reported or not")
    assert (counters["failures-reported"], counters["failures-unreported"]) == (10, 3)


def test_nothing_is_reported_unasked(postroad, remote):
    receiver = remote()
    server = postroad(zone=zone(), relay_from='"127.0.0.77"', outbound_port=receiver.port)
    assert hand_in(server, "good.test") == 250
    conftest.until(server.queue_is_empty, "all to be out")
    assert not receiver.messages and not [event for event in server.log() if event["event"] == "failure-reported"]
