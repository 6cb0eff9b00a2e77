"""What users who have logged in may send, and what becomes of it (RFC 6409)."""
import email
import pathlib
import smtplib
import ssl
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import conftest  # noqa: E402
from certificates import Authority  # noqa: E402
from conftest import postroad  # noqa: E402,F401

TEXT = "Subject: hello\r\n\r\nHello.\r\n"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def serve(postroad, authority):  # noqa: F811
    certificate, key = authority.issue("mail", "DNS:localhost", "IP:127.0.0.1")

    def make(conf, *users):
        port = conftest.free_port()
        made = postroad(users=(), start=False, domains=("example.org", "example.net"),
                        aliases="sales: press\npress@example.org: alice, outside@far.test\n")
        made.base += (f'tls {{ certificate = "{certificate}" key = "{key}" }}\n'
                      f'listen "127.0.0.1:{port}" {{ role = submission tls = implicit }}\n')
        made.write_conf(conf)
        for user in users:
            made.run("user", "add", user, text="pencil\n")
        made.submission = port
        made.start()

        def offers():
            with connect(made, authority) as client:
                client.ehlo()
                return client.has_extn("auth")
        conftest.until(offers, "the auth role to be there")
        return made
    return make


def connect(server, authority):
    return smtplib.SMTP_SSL("127.0.0.1", server.submission, context=ssl.create_default_context(cafile=authority.path),
                            local_hostname="laptop.test", timeout=conftest.PATIENCE_S)


def login(server, authority, user):
    client = connect(server, authority)
    client.login(user, "pencil")
    return client


def text_of(answer):
    return f"{answer[0]} {answer[1].decode()}"


def test_senders(serve, authority):
    server = serve('limits { user-messages = "4/1h" }\nuser "news" { send-as = {"*"} messages = none recipients = "5/1d" }\n',
                   "alice", "news")
    with login(server, authority, "alice@example.net") as alice:
        for sender in ("bob@example.org", "alice@far.test", "nobody@example.org", "sales@example.com"):
            assert text_of(alice.mail(sender)) == "553 5.7.1 This sender address does not belong to alice"
        for sender in ("alice+x@example.net", "sales@example.org", "press@example.org", ""):
            assert alice.mail(sender)[0] == 250
            alice.rset()
    with login(server, authority, "news") as news:
        assert news.mail("whoever@far.test")[0] == 250
        assert news.rcpt("nobody@example.org")[0] == 550
        for _ in range(5):
            assert news.rcpt("alice@example.org")[0] == 250
        said = text_of(news.rcpt("alice@example.org"))
        assert said.startswith("450 4.7.1 More than 5 recipients within 24 hours, try again in ")
    with server.smtp() as trusted:
        trusted.ehlo()
        assert trusted.mail("whoever@far.test")[0] == 250
    # Refusals take nothing from the rate, and what was accepted is gone.
    with login(server, authority, "alice") as alice:
        said = text_of(alice.mail("alice@example.org"))
        assert said == "452 4.7.1 More than 4 messages within 1 hour, try again in 15 minutes"
    refused = conftest.until(lambda: len(rejected(server)) == 7 and rejected(server), "the log lines")
    assert refused[0]["user"] == "alice" and refused[0]["from"] == "<bob@example.org>" and refused[0]["code"] == 553
    counters = server.ask("stats")["counters"]
    assert counters["senders-foreign"] == 4 and counters["users-limited"] == 2
    # A reload changes what may be done.
    server.write_conf("sender-check = no\n")
    server.run("reload")

    def may_go_on():
        with login(server, authority, "alice") as alice:
            return alice.mail("bob@example.org")[0] == 250
    conftest.until(may_go_on, "the new rules")


def rejected(server):
    return [event for event in server.log() if event["event"] == "rejected"]


def test_header(serve, authority):
    server = serve("sender-check = both\n", "alice")
    text = ("From: \"The boss <boss@far.test>\" <alice>\r\nTo: bob\r\nBcc: secret@far.test,\r\n hidden@far.test\r\n"
            "Cc: press (us)\r\n" + TEXT)
    with login(server, authority, "alice") as alice:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            alice.sendmail("alice@example.org", ["alice@example.org"], "From: A <alice@example.org>, bob\r\n" + TEXT)
        assert refused.value.smtp_code == 550
        assert refused.value.smtp_error == b"5.7.1 The address in the From field does not belong to alice"
        alice.sendmail("alice@example.org", ["alice@example.org"], text)
        alice.sendmail("alice@example.org", ["alice@example.org"], TEXT)
    messages = [email.message_from_bytes(message) for message in server.mail("alice", count=2)]
    bare, mended = sorted(messages, key=lambda message: message["Cc"] is not None)
    assert mended["From"] == '"The boss <boss@far.test>" <alice@example.org>'
    assert mended["To"] == "bob@example.org" and mended["Cc"] == "press@example.org (us)"
    assert mended["Bcc"] is None and mended["Date"] and mended["Message-ID"].endswith("@mail.example.org>")
    assert bare["From"] == "<alice@example.org>"
    # What the stricter check refuses, the other lets pass with the name of who sent it (RFC 6409 §8.1).
    server.write_conf("sender-check = envelope\n")
    server.run("reload")
    foreign = "From: The boss <boss@far.test>\r\nSender: boss@far.test\r\n" + TEXT

    def passes():
        with login(server, authority, "alice") as alice:
            try:
                return alice.sendmail("sales@example.org", ["alice@example.org"], foreign) == {}
            except smtplib.SMTPDataError:
                return False
    conftest.until(passes, "the new rules")
    sent, = [one for one in map(email.message_from_bytes, server.mail("alice", count=3)) if one["Sender"]]
    assert sent.get_all("Sender") == ["<sales@example.org>"]
