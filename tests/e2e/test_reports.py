"""Reports of a day (RFC 8460): counted while mail goes out, sent by mail with a signature and by HTTPS, as their receivers read them."""
import datetime
import email
import email.policy
import gzip
import json
import ssl

import pytest

import conftest
from certificates import Authority
from policies import Web, may_serve


class Taker:
    def __init__(self):
        self.got = []

    async def handle_DATA(self, server, session, envelope):
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


def today():
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


@pytest.fixture
def receiver(tmp_path):
    """A mail server with a certificate for mx.good.test only."""
    controllers = pytest.importorskip("aiosmtpd.controller")
    authority = Authority(tmp_path / "authority")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("mx", "DNS:mx.good.test"))
    taker = Taker()
    controller = controllers.Controller(taker, hostname="127.0.0.1", port=conftest.free_port(), tls_context=tls)
    controller.start()
    taker.port, taker.authority = controller.port, authority
    yield taker
    controller.stop()


def zone(**records):
    names = {"example.org": {"MX": [[10, "mail.example.org"]]}}
    for domain in ("good.test", "clear.test", "silent.test", "reports.test"):
        names[domain] = {"MX": [[10, f"mx.{domain}"]]}
        names[f"mx.{domain}"] = {"A": ["127.0.0.2" if domain == "clear.test" else "127.0.0.1"]}
    for domain, record in records.items():
        names[f"_smtp._tls.{domain}.test"] = {"TXT": [[record]]}
    return names


def send(server, *domains):
    with server.smtp() as client:
        for domain in domains:
            client.sendmail("alice@example.org", [f"carol@{domain}.test"], "From: alice@example.org\r\nSubject: Hello\r\n\r\nHello.\r\n")
    conftest.until(server.queue_is_empty, "the mail to be out")


def test_a_report_by_mail(postroad, remote, receiver, tmp_path):
    clear = remote(address="127.0.0.2", port=receiver.port)
    record = "v=TLSRPTv1; rua=mailto:tls@reports.test"
    server = postroad(zone=zone(good=record, clear=record), outbound_port=receiver.port, start=False,
                      conf='reports { contact = "postmaster@example.org" organization = "Example Widgets" }\n'
                           f'dkim {{ keys = "{tmp_path}/keys" publish-wait = 0s }}\n')
    server.run("dkim", "generate", "example.org", "--selector", "s1", "--algorithm", "ed25519")
    server.run("dkim", "check", "example.org", "--trust")
    server.start()
    send(server, "good", "good", "clear", "silent")

    # The operator sees what is counted.
    counted = {entry["domain"]: entry["count"] for entry in server.ask("reports")}
    assert counted["clear.test"] == 1 and counted["silent.test"] == 1 and 1 <= counted["good.test"] <= 2
    [shown] = server.ask("reports", "--domain", "clear.test")
    [row] = shown["rows"]
    assert row["result"] == "starttls-not-supported" and row["policy"] == "no-policy-found" and row["mx"] == "mx.clear.test"
    assert "starttls-not-supported mx.clear.test" in server.run("reports", "--domain", "clear.test").stdout

    # Nothing is over yet; by order today is sent, too.
    assert server.ask("reports", "send") == {"sent": 0, "unwanted": 0, "later": 0, "given_up": 0}
    assert server.ask("reports", "send", "--day", "today") == {"sent": 2, "unwanted": 1, "later": 0, "given_up": 0}
    conftest.until(lambda: len([rcpt for _, rcpt, _ in receiver.got if rcpt == ["tls@reports.test"]]) == 2, "two reports")
    conftest.until(server.queue_is_empty, "the reports to be out")
    reports = {}
    for sender, recipients, content in receiver.got:
        if recipients != ["tls@reports.test"]:
            continue
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert sender == "postmaster@example.org" and "postmaster@example.org" in mail["From"]
        assert mail["TLS-Report-Submitter"] == "mail.example.org" and mail["TLS-Required"] == "No"
        assert "d=example.org" in mail["DKIM-Signature"] and mail["DKIM-Signature"].count("s=s1") == 1
        assert mail.get_content_type() == "multipart/report" and mail["Content-Type"].params["report-type"] == "tlsrpt"
        words, attached = mail.iter_parts()
        assert words.get_content_type() == "text/plain" and attached.get_content_type() == "application/tlsrpt+gzip"
        assert attached.get_filename().startswith("mail.example.org!")
        report = json.loads(gzip.decompress(attached.get_content()))
        domain = mail["TLS-Report-Domain"]
        assert mail["Subject"] == f"Report Domain: {domain} Submitter: mail.example.org Report-ID: <{report['report-id']}>"
        reports[domain] = report

    # The fields of RFC 8460 §4.4 and its appendix B.
    report = reports["clear.test"]
    assert set(report) == {"organization-name", "date-range", "contact-info", "report-id", "policies"}
    assert report["organization-name"] == "Example Widgets" and report["contact-info"] == "postmaster@example.org"
    assert report["date-range"] == {"start-datetime": f"{today()}T00:00:00Z", "end-datetime": f"{today()}T23:59:59Z"}
    [policy] = report["policies"]
    assert policy["policy"]["policy-type"] == "no-policy-found" and policy["policy"]["policy-domain"] == "clear.test"
    assert policy["summary"] == {"total-successful-session-count": 0, "total-failure-session-count": 1}
    [failure] = policy["failure-details"]
    assert failure["result-type"] == "starttls-not-supported" and failure["failed-session-count"] == 1
    assert failure["receiving-mx-hostname"] == "mx.clear.test" and failure["receiving-ip"] == "127.0.0.2"
    assert failure["sending-mta-ip"] == "127.0.0.1"
    [policy] = reports["good.test"]["policies"]
    assert policy["summary"]["total-failure-session-count"] == 0 and policy["summary"]["total-successful-session-count"] >= 1
    assert "failure-details" not in policy or policy["failure-details"] == []

    # It is told and traced; what was sent is counted no more, and the reports' own sessions never.
    told = {event["domain"]: event for event in server.told("report-sent", 2)}
    assert set(told) == {"clear.test", "good.test"} and told["good.test"]["about"] == "tls"
    assert "delivered" in server.run("trace", told["good.test"]["report"]).stdout
    assert server.ask("reports") == []
    assert server.ask("stats")["counters"]["reports-sent"] == 2
    assert clear.messages


@pytest.mark.skipif(not may_serve(), reason="reports go to port 443")
def test_a_report_by_https(postroad, receiver):
    web = Web(receiver.authority.issue("web", "DNS:reports.good.test"))
    names = zone(good="v=TLSRPTv1; rua=https://reports.good.test/v1/tlsrpt", silent="v=TLSRPTv1; rua=https://reports.silent.test/")
    names["reports.good.test"] = {"A": [web.address]}
    names["reports.silent.test"] = {"A": [web.address]}  # It has no certificate for that name.
    server = postroad(zone=names, outbound_port=receiver.port, conf=f'tls {{ ca = "{receiver.authority.path}" }}\n')
    try:
        send(server, "good", "silent")
        server.stop()  # What is counted outlives us.
        server.start()
        assert server.ask("reports", "send", "--day", today()) == {"sent": 1, "unwanted": 0, "later": 1, "given_up": 0}
        [(host, path, kind, content)] = web.posted
        assert host == "reports.good.test" and path == "/v1/tlsrpt" and kind == "application/tlsrpt+gzip"
        report = json.loads(gzip.decompress(content))
        assert report["organization-name"] == "mail.example.org" and report["contact-info"] == "postmaster@example.org"
        assert [policy["policy"]["policy-domain"] for policy in report["policies"]] == ["good.test"]
        assert [entry["domain"] for entry in server.ask("reports")] == ["silent.test"]
    finally:
        server.stop()
        web.close()


@pytest.mark.skipif(not may_serve(), reason="policies come from port 443")
def test_a_report_arrives_where_tls_fails(postroad, remote, receiver):
    """RFC 8460 §3: it tells of the trouble that would hold it up. And its own session is in no report."""
    clear = remote(address="127.0.0.2", port=receiver.port)
    web = Web(receiver.authority.issue("web", "DNS:mta-sts.clear.test"))
    web.serve("clear.test", "enforce", "mx.clear.test")
    names = zone(clear="v=TLSRPTv1; rua=mailto:tls@clear.test")
    names["_mta-sts.clear.test"] = {"TXT": [["v=STSv1; id=1;"]]}
    names["mta-sts.clear.test"] = {"A": [web.address]}
    server = postroad(zone=names, outbound_port=receiver.port, retry=("1h",),
                      conf=f'tls {{ ca = "{receiver.authority.path}" }}\n')
    try:
        with server.smtp() as client:
            client.sendmail("alice@example.org", ["carol@clear.test"], "Subject: Hello\r\n\r\nHello.\r\n")
        conftest.until(lambda: [event for event in server.log() if event["event"] == "deferred"], "the mail to wait")
        assert server.ask("reports", "send", "--day", "today")["sent"] == 1
        conftest.until(lambda: clear.messages, "the report")
    finally:
        server.stop()
        web.close()
    [message] = clear.messages
    assert message["to"] == ["RCPT TO:<tls@clear.test>"]
    [attached] = [part for part in email.message_from_bytes(message["body"]).walk() if "tlsrpt" in part.get_content_type()]
    [policy] = json.loads(gzip.decompress(attached.get_payload(decode=True)))["policies"]
    assert policy["policy"]["policy-type"] == "sts" and policy["summary"]["total-failure-session-count"] == 1
    assert policy["policy"]["policy-string"] == ["version: STSv1", "mode: enforce", "mx: mx.clear.test", "max_age: 604800"]
    assert policy["failure-details"][0]["result-type"] == "starttls-not-supported"
    assert json.loads(server.run("reports", "--json").stdout) == []


def test_without_reports_nothing_is_counted(postroad, receiver):
    server = postroad(zone=zone(good="v=TLSRPTv1; rua=mailto:tls@reports.test"), outbound_port=receiver.port,
                      conf="reports { tls = no }\n")
    send(server, "good")
    assert "nothing is counted" in server.run("reports").stdout
    assert server.ask("reports", "send", "--day", "today")["sent"] == 0


def test_what_is_no_day_is_said(postroad):
    server = postroad()
    said = server.run("reports", "send", "--day", "tomorrow", check=False)
    assert said.returncode == 64 and "tomorrow is no day (hint: like 2026-11-25" in said.stderr
    assert "usage: postroad reports" in server.run("reports", "--what", check=False).stderr
