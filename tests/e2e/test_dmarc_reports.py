"""Reports of what comes in a domain's name (RFC 9990): counted while mail arrives, sent by mail, right by the schema."""
import datetime
import email
import email.policy
import gzip
import pathlib
import smtplib
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import conftest

SCHEMA = pathlib.Path(__file__).parent.parent / "vectors" / "dmarc" / "report-schema" / "dmarc-xml-0.2.xsd"
SPACE = "{urn:ietf:params:xml:ns:dmarc-2.0}"
CLIENT, FOREIGN = "127.0.0.1", "127.0.0.9"  # Neither is trusted.


def zone(rua="mailto:dmarc@reports.test"):
    return {
        "example.org": {"MX": [[10, "mail.example.org"]]},
        "good.test": {"TXT": [[f"v=spf1 ip4:{CLIENT} -all"]]},
        "_dmarc.good.test": {"TXT": [[f"v=DMARC1; p=reject; np=quarantine; fo=1; rua={rua}"]]},
        "good.test._report._dmarc.reports.test": {"TXT": [["v=DMARC1"]]},
        "reports.test": {"MX": [[10, "mx.reports.test"]]},
        "mx.reports.test": {"A": ["127.0.0.1"]},
    }


def hand_in(server, author, sender, source=CLIENT):
    with smtplib.SMTP(server.address, server.port, local_hostname="c.test", timeout=conftest.PATIENCE_S,
                      source_address=(source, 0)) as client:
        client.ehlo()
        client.mail(sender)
        client.rcpt("alice@example.org")
        return client.data(f"From: {author}\r\nSubject: hello\r\n\r\nHello.\r\n".encode())[0]


def unpack(message):
    """The report, of which xmllint found nothing wrong by the schema, and the mail around it."""
    mail = email.message_from_bytes(message, policy=email.policy.default)
    words, attached = mail.iter_parts()
    assert words.get_content_type() == "text/plain" and attached.get_content_type() == "application/gzip"
    xml = gzip.decompress(attached.get_content())
    done = subprocess.run(["xmllint", "--noout", "--schema", SCHEMA, "-"], input=xml, capture_output=True)
    assert done.returncode == 0, done.stderr.decode() + xml.decode()
    return mail, attached.get_filename(), ElementTree.fromstring(xml)


def text(element, path):
    return element.findtext("/".join(SPACE + name for name in path.split("/")))


def test_a_report(postroad, remote, tmp_path):
    receiver = remote()
    server = postroad(zone=zone(), relay_from='"127.0.0.77"', outbound_port=receiver.port, start=False,
                      conf='authentication { dmarc = enforce }\nreports { dmarc = yes organization = "A & B" }\n'
                           f'dkim {{ keys = "{tmp_path}/keys" publish-wait = 0s }}\n')
    server.run("dkim", "generate", "example.org", "--selector", "s1", "--algorithm", "ed25519")
    server.run("dkim", "check", "example.org", "--trust")
    server.start()
    assert hand_in(server, "a@good.test", "a@good.test") == 250
    assert hand_in(server, "a@good.test", "a@good.test") == 250
    assert hand_in(server, "a@sub.good.test", "b@far.test", FOREIGN) == 250  # np: put aside
    assert hand_in(server, "a@good.test", "b@far.test", FOREIGN) == 550
    assert hand_in(server, "a@nobody.test", "b@far.test", FOREIGN) == 250

    [counted] = server.ask("reports")
    assert (counted["kind"], counted["domain"], counted["count"], counted["rows"]) == ("dmarc", "good.test", 4, 3)
    [shown] = server.ask("reports", "--domain", "good.test")
    assert {(row["client"], row["author"], row["disposition"], row["count"]) for row in shown["rows"]} == {
        (CLIENT, "good.test", "pass", 2), (FOREIGN, "sub.good.test", "quarantine", 1), (FOREIGN, "good.test", "reject", 1)}
    assert "127.0.0.9 from good.test spf=fail dkim=fail reject" in server.run("reports", "--domain", "good.test").stdout

    server.stop()  # What is counted outlives us.
    server.start()
    assert server.ask("reports", "send", "--day", "today") == {"sent": 1, "unwanted": 0, "later": 0, "given_up": 0}
    conftest.until(lambda: receiver.messages, "the report")
    [message] = receiver.messages
    mail, filename, report = unpack(message["body"])
    assert "<dmarc@reports.test>" in message["to"][0] and "<postmaster@example.org>" in message["from"]
    day = int(datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
    assert filename == f"mail.example.org!good.test!{day}!{day + 86399}.xml.gz"
    identity = text(report, "report_metadata/report_id")
    assert " ".join(mail["Subject"].split()) == f"Report Domain: good.test Submitter: mail.example.org Report-ID: <{identity}>"
    assert "d=example.org" in mail["DKIM-Signature"]
    assert text(report, "report_metadata/org_name") == "A & B"
    assert text(report, "policy_published/domain") == "good.test" and text(report, "policy_published/np") == "quarantine"
    assert text(report, "policy_published/testing") == "n" and text(report, "policy_published/fo") == "1"
    rows = {(text(record, "row/source_ip"), text(record, "identifiers/header_from"), text(record, "identifiers/envelope_from"),
             text(record, "row/policy_evaluated/disposition"), text(record, "row/policy_evaluated/spf"),
             text(record, "auth_results/spf/result"), text(record, "row/count"))
            for record in report.findall(SPACE + "record")}
    assert rows == {(CLIENT, "good.test", "good.test", "pass", "pass", "pass", "2"),
                    (FOREIGN, "sub.good.test", "far.test", "quarantine", "fail", "none", "1"),
                    (FOREIGN, "good.test", "far.test", "reject", "fail", "none", "1")}
    [told] = server.told("report-sent")
    assert told["about"] == "dmarc" and told["domain"] == "good.test"
    assert [entry for entry in server.ask("reports") if entry["kind"] == "dmarc"] == []


@pytest.mark.parametrize("rua, outcome", [
    ("mailto:dmarc@elsewhere.test", {"sent": 0, "unwanted": 1, "later": 0, "given_up": 0}),  # It has not asked for it.
    ("mailto:dmarc@reports.test!100", {"sent": 0, "unwanted": 0, "later": 0, "given_up": 1}),
])
def test_who_gets_none(postroad, remote, rua, outcome):
    receiver = remote()
    server = postroad(zone=zone(rua), relay_from='"127.0.0.77"', outbound_port=receiver.port, conf="reports { dmarc = yes }\n")
    assert hand_in(server, "a@good.test", "a@good.test") == 250
    assert server.ask("reports", "send", "--day", "today") == outcome
    assert server.ask("reports") == [] and not receiver.messages


def test_nothing_is_counted_unasked(postroad):
    server = postroad(zone=zone(), relay_from='"127.0.0.77"')
    assert hand_in(server, "a@good.test", "a@good.test") == 250
    assert "nothing is counted" in server.run("reports").stdout
